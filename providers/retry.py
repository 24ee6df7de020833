"""Patience with a remote service: attempts, back-off, one deadline over all."""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass, field, replace

from aurora_prep.providers.sessions import is_loopback
from aurora_prep.sources.spec import NotAskedError, SpecError

DEADLINE = "AURORA_PREP_DEADLINE"
DAY_SECONDS = 86_400.0
UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": DAY_SECONDS}


def deadline_of(text: str) -> float:
    """Seconds of a deadline such as ``90s``, ``30m``, ``36h`` or ``7d``.

    Raises:
        SpecError: It is none.
    """
    number, unit = text.strip()[:-1], text.strip()[-1:]
    try:
        seconds = float(number) * UNITS[unit]
    except (KeyError, ValueError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise SpecError(
            "a deadline cannot be read",
            DEADLINE,
            repr(text),
            "write a number and its unit: 90s, 30m, 36h or 7d",
        )
    return seconds


def usual_deadline() -> float:
    """Seconds that a request may take: a week, unless ``AURORA_PREP_DEADLINE`` says otherwise."""
    text = os.environ.get(DEADLINE)
    return deadline_of(text) if text else 7 * DAY_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long and how often to try.

    Attributes:
        attempts: Tries of one step (submit, ask, download) before giving up.
        first_wait_seconds: Wait after the first failed try; it doubles.
        longest_wait_seconds: Most to wait between tries, and between questions
            whether a job is ready.
        deadline_seconds: Most for a whole request, queueing and outages included.
        connect_seconds: Most to wait for a connection.
        read_seconds: Most to wait for the next bytes.
        first_poll_seconds: Wait before the first question whether a job is ready.
        jobs_at_once: Most unfinished jobs a dataset of a data store.
        queue_wait_seconds: Wait after a job that the queue had no room for; it doubles.
        longest_queue_wait_seconds: Most of that.
        system_wait_seconds: Wait after a job that the archive's own system failed; after the
            second such job it is six times as long.
        replica_seconds: How long a new job may be unknown to the store's copies.
    """

    attempts: int = 6
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    deadline_seconds: float = field(default_factory=usual_deadline)
    connect_seconds: float = 20.0
    read_seconds: float = 120.0
    first_poll_seconds: float = 1.0
    jobs_at_once: int = 2
    queue_wait_seconds: float = 180.0
    longest_queue_wait_seconds: float = 900.0
    system_wait_seconds: float = 300.0
    replica_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 < self.first_wait_seconds <= self.longest_wait_seconds:
            raise SpecError(
                "a retry policy makes no sense",
                "Policy",
                repr(self),
                "give at least one attempt, and waits above zero, the longest last",
            )

    def towards(self, url: str) -> Policy:
        """The policy for an address: on this machine nothing is worth minutes of waiting."""
        if not is_loopback(url):
            return self
        return replace(
            self,
            longest_wait_seconds=max(self.first_wait_seconds, min(self.longest_wait_seconds, 5.0)),
            first_poll_seconds=min(self.first_poll_seconds, 0.1),
            queue_wait_seconds=min(self.queue_wait_seconds, 0.5),
            longest_queue_wait_seconds=min(self.longest_queue_wait_seconds, 4.0),
            system_wait_seconds=min(self.system_wait_seconds, 0.5),
            replica_seconds=min(self.replica_seconds, 5.0),
        )

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures, spread so that workers part."""
        doubled = self.first_wait_seconds * 2.0 ** min(failures - 1, 30)
        spread = random.uniform(0.5, 1.0)  # noqa: S311  # nothing secret about it
        return min(doubled, self.longest_wait_seconds) * spread


@dataclass(slots=True)
class Patience:
    """What is left of a policy's time for one request.

    Attributes:
        policy: How long and how often.
        where: The request, for messages.
        stop: Set to give up at once.
    """

    policy: Policy
    where: str
    stop: threading.Event = field(default_factory=threading.Event)
    _started: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """Raise when time is up or the run was stopped.

        Raises:
            NotAskedError: Either is the case.
        """
        if self.stop.is_set():
            raise NotAskedError(
                "the request was given up", self.where, "the run was stopped", "run again"
            )
        spent = time.monotonic() - self._started
        if spent > self.policy.deadline_seconds:
            raise NotAskedError(
                "a request took too long",
                self.where,
                f"{spent:.0f} s, the deadline is {self.policy.deadline_seconds:.0f} s",
                "run again: what the provider has prepared by then comes fast",
            )

    def left(self) -> float:
        """Seconds to the deadline, 0 when it is over."""
        return max(0.0, self._started + self.policy.deadline_seconds - time.monotonic())

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the deadline, and end early when stopped."""
        self.stop.wait(max(0.0, min(seconds, self.left() + 0.001)))
        self.check()
