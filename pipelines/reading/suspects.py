"""Files on which a decoder died: noted while they are read, and then read by another process.

ecCodes and HDF5 are written in C: on some damaged files they crash or never
end, and take the process with them. So a process notes what it is reading, in
a file of its own that it holds locked. The next process finds a note whose
owner is gone, and has what stood in it read apart (``apart``). What crashes
there too is refused from then on.
"""

from __future__ import annotations

import atexit
import fcntl
import itertools
import json
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aurora_prep.sources.spec import DecodeError, digest_of

SLOT = 4096  # bytes of a note for one thread
SCAN = "all of it"


@dataclass(frozen=True, slots=True)
class Suspect:
    """What was being read when a process ended.

    Attributes:
        note: Where this is kept.
        why: How the decoder ended when it was tried apart; empty where it was not tried yet.
    """

    note: Path
    why: str = ""


class Watch:
    """What this process reads, and what others read when they ended.

    Args:
        folder: Folder of the notes of all processes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._slots = threading.local()
        self._numbers = itertools.count()
        self._suspects: dict[str, Suspect] = {}
        self._note = folder / f"{os.getpid()}-{uuid.uuid4().hex}.note"
        self._file: int | None = None
        try:
            (folder / "suspects").mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._note, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._inherit()
            for note in (folder / "suspects").glob("*.json"):
                said = json.loads(note.read_text(encoding="utf-8"))
                self._suspects[note.stem] = Suspect(note, str(said["why"]))
        except (OSError, ValueError, KeyError):
            pass  # without a place for notes files are read all the same

    @contextmanager
    def reading(self, file: str, place: str) -> Iterator[None]:
        """Note that a place of a file is being read."""
        if self._file is None:
            yield
            return
        if not hasattr(self._slots, "number"):
            self._slots.number = next(self._numbers)
        text = json.dumps([file, place, *_state(file)]).encode()[: SLOT - 1]
        start = self._slots.number * SLOT
        self._write(text + b"\n", start)
        try:
            yield
        finally:
            self._write(b"\n", start)

    def suspect(self, file: str, place: str) -> Suspect | None:
        """Whether a process ended while it read this place of the file, as the file is now."""
        return self._suspects.get(_digest(file, place)) if self._suspects else None

    def acquit(self, file: str, place: str) -> None:
        """The place was read: another reason ended that process."""
        with self._lock:
            found = self._suspects.pop(_digest(file, place), None)
        if found is not None:
            found.note.unlink(missing_ok=True)

    def convict(self, file: str, place: str, why: str) -> None:
        """The decoder ended on this place again: it is not tried any more."""
        digest = _digest(file, place)
        with self._lock:
            self._suspects[digest] = self._keep(digest, file, place, why)

    def close(self) -> None:
        """End: nothing is being read."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
            with suppress(OSError):
                self._note.unlink(missing_ok=True)

    def _write(self, data: bytes, start: int) -> None:
        with suppress(OSError):
            if self._file is not None:
                os.pwrite(self._file, data, start)

    def _inherit(self) -> None:
        """Take over what processes that are gone were reading."""
        for note in self._folder.glob("*.note"):
            if note == self._note:
                continue
            with suppress(OSError), note.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # or its owner is alive
                data = file.read()
                for start in range(0, len(data), SLOT):
                    self._take(data[start : start + SLOT].partition(b"\n")[0].strip(b"\x00"))
                note.unlink(missing_ok=True)

    def _take(self, text: bytes) -> None:
        with suppress(ValueError, OSError):
            file, place, *state = json.loads(text)
            digest = digest_of([file, place, *state])
            if not (self._folder / "suspects" / f"{digest}.json").exists():
                self._keep(digest, file, place, "")

    def _keep(self, digest: str, file: str, place: str, why: str) -> Suspect:
        note = self._folder / "suspects" / f"{digest}.json"
        part = note.with_suffix(f".{uuid.uuid4().hex}.tmp")
        with suppress(OSError):
            part.write_text(json.dumps({"file": file, "place": place, "why": why}))
            part.replace(note)
        return Suspect(note, why)


def refused(file: str, place: str, why: str) -> DecodeError:
    """The error for a file on which the decoder ends."""
    return DecodeError(
        "the decoder ends on this file",
        file,
        f"{why}, reading {place}",
        "fetch the file again, or leave it out: it is damaged in a way that the library does"
        " not survive",
    )


def watch_of(kept: Path) -> Watch:
    """The watch of a folder, begun once in each process."""
    folder = kept / "being_read"
    with _LOCK:
        if folder not in _WATCHES:
            _WATCHES[folder] = Watch(folder)
        return _WATCHES[folder]


def watching(file: str) -> Watch | None:
    """The watch under which a file's contents were found; ``None`` for a file of no run."""
    kept = _FILES.get(file)
    return None if kept is None else watch_of(kept)


def watch(file: str, kept: Path) -> None:
    """Read a file under the watch of a folder from now on."""
    _FILES[file] = kept


def _digest(file: str, place: str) -> str:
    """Stands for a place of a file as it is now: one that is replaced is another file."""
    return digest_of([file, place, *_state(file)])


def _state(file: str) -> tuple[int, int]:
    """Size and time of a file; zeros for one that is not there."""
    try:
        state = os.stat(file)  # noqa: PTH116  once a field
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def _forget() -> None:
    """A forked process shares no note with its parent."""
    _WATCHES.clear()


def _close() -> None:
    for one in _WATCHES.values():
        one.close()


_LOCK = threading.Lock()
_WATCHES: dict[Path, Watch] = {}
_FILES: dict[str, Path] = {}
atexit.register(_close)
os.register_at_fork(after_in_child=_forget)
