"""Notes of jobs at a data store, durable before the store is asked again.

A note lies beside the place of the answer in the cache, as ``<digest>.job``. It is written
before a job is submitted, again when its id is known, and removed when the job is deleted;
so that a run after a crash finds its jobs and submits none twice.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from aurora_prep.providers.cache import fresh, sync
from aurora_prep.sources.spec import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNote:
    """What is known of a job.

    Attributes:
        server: Address of the store.
        dataset: The collection asked.
        digest: Digest of the request.
        since: When it was submitted, or about to be: UTC, ISO 8601.
        job: The store's identifier; ``None`` where its answer has not come.
    """

    server: str
    dataset: str
    digest: str
    since: str
    job: str | None = None

    def age(self) -> float:
        """Seconds since the submission."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.since)).total_seconds()


@dataclass(frozen=True, slots=True)
class JobNotes:
    """Notes in a cache.

    Attributes:
        root: Folder of the cache; ``None`` to write nothing down.
    """

    root: Path | None

    def read(self, request: Request, server: str) -> JobNote | None:
        """The note of a request's job at a store, if there is one."""
        if self.root is None:
            return None
        try:
            note = JobNote(**json.loads(self._path(request.digest).read_bytes()))
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None
        return note if note.server == server else None

    def exists(self, request: Request) -> bool:
        """Whether there is a note at all."""
        return self.root is not None and self._path(request.digest).exists()

    def intend(self, request: Request, server: str) -> JobNote:
        """Write down that a job is about to be submitted."""
        note = JobNote(
            server=server,
            dataset=request.dataset,
            digest=request.digest,
            since=datetime.now(UTC).isoformat(),
        )
        self._write(note)
        return note

    def learn(self, note: JobNote, job: str) -> JobNote:
        """Write down the identifier of a job."""
        known = replace(note, job=job)
        self._write(known)
        return known

    def forget(self, request: Request) -> None:
        """Remove the note of a request."""
        if self.root is not None:
            self._path(request.digest).unlink(missing_ok=True)

    def _write(self, note: JobNote) -> None:
        if self.root is None:
            return
        path = self._path(note.digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = fresh(path.parent, note.digest)
        temporary.write_text(json.dumps(asdict(note)), encoding="utf-8")
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)

    def _path(self, digest: str) -> Path:
        return (self.root or Path()) / digest[:2] / f"{digest}.job"
