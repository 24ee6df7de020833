"""What the threads of one run know together of one data store.

Which dataset is closed, what a request costs, how many jobs the queue takes, how its open
jobs stand, and whether it is there at all. Nothing of it is kept on disk; another run, or
another process, finds out for itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from aurora_prep.providers.outage import GLANCE_SECONDS, Breaker
from aurora_prep.providers.retry import Patience, Policy
from aurora_prep.sources.spec import FetchError, Stops

LOGGER = logging.getLogger(__name__)
REMEMBERED = 32
# So many accepted jobs after a rejection, one more is tried at once.
TRUSTED_AGAIN = 10


@dataclass(frozen=True, slots=True)
class Tariff:
    """What requests of one shape cost.

    Attributes:
        weight: Cost of one field.
        limit: The most that a request may cost.
    """

    weight: float
    limit: float


class Line:
    """The queue before one dataset: at most so many unfinished jobs of ours."""

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset
        self._changed = threading.Condition()
        self._inside: set[str] = set()
        self._most = 0
        self._foreign = 0
        self._rejections = 0
        self._accepted = 0
        self._pause_until = 0.0
        self.counted_at = float("-inf")

    def enter(self, digest: str, patience: Patience) -> None:
        """Wait until one more job may be submitted.

        Raises:
            NotAskedError: Time is up, or the run was stopped.
        """
        while True:
            patience.check()
            with self._changed:
                if not self._most:
                    self._most = patience.policy.jobs_at_once
                now = time.monotonic()
                room = max(1, self._most - self._foreign) - len(self._inside)
                if digest in self._inside or (now >= self._pause_until and room > 0):
                    self._inside.add(digest)
                    return
                wait = self._pause_until - now if now < self._pause_until else GLANCE_SECONDS
                self._changed.wait(min(max(wait, 0.01), GLANCE_SECONDS, patience.left() + 0.001))

    def take(self, digest: str) -> None:
        """A job that is there already: it counts, and does not wait."""
        with self._changed:
            self._inside.add(digest)

    def leave(self, digest: str) -> None:
        """A job has ended, or is given up."""
        with self._changed:
            self._inside.discard(digest)
            self._changed.notify_all()

    def others(self, count: int) -> None:
        """So many unfinished jobs at the store are not of this run."""
        with self._changed:
            self._foreign = count
            self.counted_at = time.monotonic()
            self._changed.notify_all()

    def accepted(self, policy: Policy) -> None:
        """The queue took a job."""
        with self._changed:
            self._rejections = 0
            self._accepted += 1
            if self._accepted >= TRUSTED_AGAIN and self._most < policy.jobs_at_once:
                self._most, self._accepted = self._most + 1, 0
                self._changed.notify_all()

    def rejected(self, policy: Policy) -> float:
        """The queue had no room: all wait; how long, in seconds."""
        with self._changed:
            self._rejections += 1
            self._accepted = 0
            self._most = max(1, min(self._most, len(self._inside) - 1))
            doubled = policy.queue_wait_seconds * 2.0 ** min(self._rejections - 1, 20)
            wait = min(doubled, policy.longest_queue_wait_seconds)
            until = time.monotonic() + wait
            first = self._rejections == 1 and until > self._pause_until
            self._pause_until = max(self._pause_until, until)
        if first:
            LOGGER.warning(
                "the queue of %s has no room for more jobs: waiting; nothing is lost by it",
                self._dataset,
            )
        return wait


class Board:
    """How open jobs stand: one question for all of them, where there are several."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[str] = set()
        self._states: Mapping[str, str] = {}
        self._read_at = float("-inf")

    def add(self, job: str) -> None:
        """A job to be watched."""
        with self._lock:
            self._open.add(job)

    def drop(self, job: str) -> None:
        """A job that has ended."""
        with self._lock:
            self._open.discard(job)

    def state(self, job: str, read: Callable[[], Mapping[str, str]], fresh: float) -> str | None:
        """State of an unfinished job; ``None`` where it has to be asked for by itself.

        Args:
            job: Its identifier.
            read: Asks the store for the states of all unfinished jobs.
            fresh: Seconds for which an answer holds.
        """
        with self._lock:
            if len(self._open) < 2:  # noqa: PLR2004  # one is asked for by itself
                return None
            if time.monotonic() - self._read_at > fresh:
                self._states = read()
                self._read_at = time.monotonic()
            return self._states.get(job)

    @property
    def jobs(self) -> frozenset[str]:
        """Jobs that are watched."""
        with self._lock:
            return frozenset(self._open)


class Desk:
    """One store, for one run."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._lines: dict[str, Line] = {}
        self._breakers: dict[str, Breaker] = {}
        self._closed: dict[str, FetchError] = {}
        self._tariffs: dict[tuple[str, str], Tariff | None] = {}
        self._remarks: dict[str, str] = {}
        self.costing = threading.Lock()
        self.board = Board()

    def line(self, dataset: str) -> Line:
        """The queue before a dataset."""
        with self._lock:
            return self._lines.setdefault(dataset, Line(dataset))

    def breaker(self, url: str = "") -> Breaker:
        """Whether the store, or the host of its files, is there."""
        host = urlsplit(url or self._url).netloc
        name = f"{host} (files)" if url else self._url
        with self._lock:
            return self._breakers.setdefault(name, Breaker(name))

    def close(self, dataset: str, error: FetchError) -> None:
        """Remember what ends all requests to a dataset, or to the store."""
        if error.stops in (Stops.SOURCE, Stops.STORE):
            key = "" if error.stops is Stops.STORE else dataset
            with self._lock:
                self._closed.setdefault(key, error)

    def check_open(self, dataset: str) -> None:
        """Raise again what has ended all requests to a dataset.

        Raises:
            FetchError: It did.
        """
        with self._lock:
            error = self._closed.get("") or self._closed.get(dataset)
        if error is not None:
            raise type(error)(*error.args)

    def knows_tariff(self, dataset: str, shape: str) -> bool:
        """Whether the store was asked what a shape of request costs."""
        with self._lock:
            return (dataset, shape) in self._tariffs

    def tariff(self, dataset: str, shape: str) -> Tariff | None:
        """What a shape of request costs; ``None`` where the store did not tell."""
        with self._lock:
            return self._tariffs.get((dataset, shape))

    def learn(self, dataset: str, shape: str, tariff: Tariff | None) -> None:
        """Remember what a shape of request costs."""
        with self._lock:
            self._tariffs[dataset, shape] = tariff

    def lower(self, dataset: str, shape: str, tariff: Tariff) -> None:
        """Remember a limit that a refusal has shown, and tell of it once."""
        text = (
            f"{dataset}: requests of {shape or 'any format'} may cost no more than"
            f" {tariff.limit:.0f} ({tariff.limit / tariff.weight:.0f} fields) at the store now;"
            " larger ones are split"
        )
        with self._lock:
            old = self._tariffs.get((dataset, shape))
            if old is not None and old.limit <= tariff.limit:
                return
            self._tariffs[dataset, shape] = tariff
            self._remarks[f"{dataset} {shape}"] = text
        LOGGER.warning("%s", text)

    def remarks(self) -> tuple[str, ...]:
        """What is to be told at the end of the run."""
        with self._lock:
            return tuple(self._remarks.values())


_DESKS: OrderedDict[tuple[str, str], Desk] = OrderedDict()
_GUARD = threading.Lock()


def desk_of(url: str, run: str) -> Desk:
    """The desk of a store in a run; those of runs long past are forgotten."""
    with _GUARD:
        desk = _DESKS.pop((url, run), None) or Desk(url)
        _DESKS[url, run] = desk
        while len(_DESKS) > REMEMBERED:
            _DESKS.popitem(last=False)
        return desk


def remarks(run: str) -> tuple[str, ...]:
    """What is to be told at the end of a run, of all stores."""
    with _GUARD:
        desks = [desk for (_, name), desk in _DESKS.items() if name == run]
    return tuple(text for desk in desks for text in desk.remarks())
