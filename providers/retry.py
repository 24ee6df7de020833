"""Patience with a remote service: attempts, back-off, one deadline over all."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field

from aurora_prep.sources.spec import FetchError, SpecError


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long and how often to try.

    Attributes:
        attempts: Tries of one step (submit, ask, download) before giving up.
        first_wait_seconds: Wait after the first failed try; it doubles.
        longest_wait_seconds: Most to wait between tries, and between questions
            whether a job is ready.
        deadline_seconds: Most for a whole request, queueing included.
        connect_seconds: Most to wait for a connection.
        read_seconds: Most to wait for the next bytes.
    """

    attempts: int = 6
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    deadline_seconds: float = 86_400.0
    connect_seconds: float = 20.0
    read_seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 < self.first_wait_seconds <= self.longest_wait_seconds:
            raise SpecError(
                "a retry policy makes no sense",
                "Policy",
                repr(self),
                "give at least one attempt, and waits above zero, the longest last",
            )

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures, spread so that workers part."""
        doubled = self.first_wait_seconds * 2.0 ** (failures - 1)
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
            FetchError: Either is the case.
        """
        if self.stop.is_set():
            raise FetchError(
                "the request was given up", self.where, "the run was stopped", "run again"
            )
        spent = time.monotonic() - self._started
        if spent > self.policy.deadline_seconds:
            raise FetchError(
                "a request took too long",
                self.where,
                f"{spent:.0f} s, the deadline is {self.policy.deadline_seconds:.0f} s",
                "run again: what the provider has prepared by then comes fast",
            )

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the deadline, and end early when stopped."""
        left = self._started + self.policy.deadline_seconds - time.monotonic()
        self.stop.wait(max(0.0, min(seconds, left + 0.001)))
        self.check()
