"""Jobs: accepted, running, then successful, failed or rejected."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aurora_prep.providers.embedded.asset import Asset

LOGGER = logging.getLogger(__name__)

# How long a job that loses its worker stays in each state.
REQUEUE_SECONDS = 0.2
ENDED = ("successful", "failed", "rejected")


def clock() -> str:
    """The time as the store writes it: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


@dataclass(slots=True, kw_only=True)
class Job:
    """One submitted request and what has become of it.

    Attributes:
        dataset: The collection asked.
        request: The ``inputs`` as the client sent them.
        job_id: The store's identifier.
        status: One of accepted, running, successful, failed, rejected.
        created: When it was submitted; so ``started`` and ``finished``.
        updated: When the status last changed.
        asset: The file, once there is one.
        reason: Why it failed or was rejected.
        expired: Whether the results are gone.
        requeues: How often it goes back from running to accepted.
        log: Times and messages for the user.
        ended: Set when the status will not change any more.
    """

    dataset: str
    request: dict[str, Any]
    job_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "accepted"
    created: str = field(default_factory=clock)
    started: str | None = None
    finished: str | None = None
    updated: str = field(default_factory=clock)
    asset: Asset | None = None
    reason: str = ""
    expired: bool = False
    requeues: int = 0
    log: list[tuple[str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def become(self, status: str, reason: str = "") -> None:
        """Change the status and say so in the log."""
        self.updated = clock()
        self.reason = reason
        if status == "running":
            self.started = self.updated
        if status in ENDED:
            self.finished = self.updated
        if status == "accepted":
            self.started = None
        self.log.append((self.updated, f"Status has been updated to {status}."))
        self.status = status
        if status in ENDED:
            self.ended.set()


class JobFailedError(Exception):
    """A job that fails on purpose, with the message for its user."""


class Queue:
    """Runs jobs, a few at a time, each after its time in the queue.

    Args:
        seconds: How long a job stays accepted.
        slots: Jobs that run at the same time.

    Attributes:
        closing: Set when the queue closes; running jobs give up on it.
    """

    def __init__(self, seconds: float, slots: int = 2) -> None:
        self._seconds = seconds
        self._slots = threading.Semaphore(slots)
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self.closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def submit(self, job: Job, make: Callable[[], Asset], *, starts: bool = True) -> None:
        """Take a job; ``make`` gives its file. A job that never starts stays accepted."""
        with self._lock:
            self._jobs[job.job_id] = job
            if starts:
                thread = threading.Thread(target=self._run, args=(job, make), name="embedded-job")
                self._threads = [t for t in self._threads if t.is_alive()] + [thread]
                thread.start()

    def get(self, job_id: str) -> Job | None:
        """The job, if there is one of that name."""
        with self._lock:
            return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """All jobs, the latest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def forget(self, job_id: str) -> None:
        """Drop a job; its file stays until it expires."""
        with self._lock:
            self._jobs.pop(job_id, None)

    def close(self) -> None:
        """Start nothing more and wait for what runs."""
        self.closing.set()
        for thread in self._threads:
            thread.join()

    def _run(self, job: Job, make: Callable[[], Asset]) -> None:
        if self.closing.wait(self._seconds):
            return
        with self._slots:
            if self.closing.is_set():
                return
            job.become("running")
            while job.requeues:
                job.requeues -= 1
                if self.closing.wait(REQUEUE_SECONDS):
                    return
                job.become("accepted")
                if self.closing.wait(REQUEUE_SECONDS):
                    return
                job.become("running")
            try:
                job.asset = make()
            except (JobFailedError, InterruptedError) as error:
                job.become("failed", str(error))
            except Exception as error:
                LOGGER.exception("job %s of the embedded provider failed", job.job_id)
                job.become("failed", f"{type(error).__name__}: {error}")
            else:
                job.become("successful")
