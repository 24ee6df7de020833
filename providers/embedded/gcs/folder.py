"""A bucket whose objects are the files of a folder."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from aurora_prep.providers.embedded.gcs.checksums import checksums_of
from aurora_prep.providers.embedded.gcs.objects import About, Stat

STAGED = ".staged~"


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found out about one version of a file."""

    generation: int
    metageneration: int
    md5: bytes
    crc32c: int
    about: About


class FolderObjects:
    """A file for each object, at the object's name; the folder may be filled by others too.

    A version is the file's time of modification. A name may be a file's or a
    folder's, not both: a bucket with objects ``a`` and ``a/b`` cannot be held.

    Args:
        root: The folder; made when missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._last = 0
        root.mkdir(parents=True, exist_ok=True)

    def path_of(self, name: str) -> Path:
        """The file of an object."""
        return self.root.joinpath(*(_encoded(part) for part in name.split("/")))

    def names(self, prefix: str, start: str) -> Iterator[str]:
        """Names that begin with ``prefix`` and are not less than ``start``, ascending."""
        return _walk(self.root, "", prefix.encode(), max(start, prefix).encode())

    def stat(self, name: str) -> Stat | None:
        """The current version of an object, ``None`` where there is none."""
        path = self.path_of(name)
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not path.is_file():
            return None
        generation = found.st_mtime_ns // 1000
        with self._lock:
            known = self._known.get(name)
        if known is None or known.generation != generation:
            about = About() if known is None else known.about
            known = _Known(generation, 1, *checksums_of(path), about)
            with self._lock:
                self._known[name] = known
        return Stat(
            size=found.st_size,
            generation=generation,
            updated=_time(generation),
            metageneration=known.metageneration,
            md5=known.md5,
            crc32c=known.crc32c,
            about=known.about,
        )

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Bytes ``start`` to ``stop``, the latter excluded."""
        with self.path_of(name).open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    def write(self, name: str, content: Path, about: About) -> Stat:
        """Make the file ``content`` the object, at once and whole; the file is consumed."""
        path = self.path_of(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_name(f"{STAGED}{threading.get_ident()}")
        shutil.move(content, staged)
        checksums = checksums_of(staged)
        with self._lock:
            self._last = max(self._last + 1, _now())
            generation = self._last
        os.utime(staged, ns=(generation * 1000, generation * 1000))
        size = staged.stat().st_size
        with self._lock:
            staged.replace(path)
            self._known[name] = _Known(generation, 1, *checksums, about)
        md5, crc32c = checksums
        return Stat(
            size=size,
            generation=generation,
            updated=_time(generation),
            md5=md5,
            crc32c=crc32c,
            about=about,
        )

    def describe(self, name: str, about: About) -> Stat:
        """Replace what an object says of itself."""
        found = self.stat(name)
        if found is None:
            raise FileNotFoundError(name)
        with self._lock:
            known = self._known[name]
            known = replace(known, about=about, metageneration=known.metageneration + 1)
            self._known[name] = known
        return replace(found, about=about, metageneration=known.metageneration)

    def delete(self, name: str) -> None:
        """Remove an object that is there."""
        self.path_of(name).unlink()
        with self._lock:
            self._known.pop(name, None)


def _walk(folder: Path, before: str, prefix: bytes, start: bytes) -> Iterator[str]:
    """Names below a folder, in the order of their bytes; ``before`` is the folder's own name."""
    try:
        with os.scandir(folder) as entries:
            found = [
                (_decoded(entry.name) + "/" * entry.is_dir(), entry.path)
                for entry in entries
                if not entry.name.startswith(STAGED)
            ]
    except FileNotFoundError:
        return
    for name, path in sorted(found, key=lambda item: item[0].encode()):
        whole = before + name
        data = whole.encode()
        if not name.endswith("/"):
            if data >= start and data.startswith(prefix):
                yield whole
            continue
        beyond = data[: len(start)] < start[: len(data)]
        fits = data.startswith(prefix) or prefix.startswith(data)
        if fits and not beyond:
            yield from _walk(Path(path), whole, prefix, start)


def _encoded(part: str) -> str:
    """A part of a name as the name of a file: nothing that a file system takes amiss."""
    safe = part.replace("%", "%25").replace("\0", "%00")
    if safe in ("", ".", ".."):
        return {"": "%", ".": "%2E", "..": "%2E%2E"}[safe]
    return safe.replace(STAGED, "%2E" + STAGED[1:], 1) if safe.startswith(STAGED) else safe


def _decoded(name: str) -> str:
    if name == "%":
        return ""
    return name.replace("%2E", ".").replace("%00", "\0").replace("%25", "%")


def _now() -> int:
    """Microseconds since the epoch."""
    now = datetime.now(UTC).timestamp()
    return int(now * 10**6)


def _time(generation: int) -> datetime:
    return datetime.fromtimestamp(generation / 10**6, UTC).replace(tzinfo=None)
