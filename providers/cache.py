"""The cache of raw answers: content by request, complete or absent.

For each request, beside its siblings in ``<root>/<first two hex digits>/``::

    <digest>.grib | .nc | .zip    the answer as the provider sent it
    <digest>.d/                   its members, when the answer was a ZIP
    <digest>.json                 what it is; written last, so that an answer
                                  without it does not exist
    <digest>.parts                that the answer is those of other requests, together
    <digest>.job                  a job at a data store that will bring it

Everything is first written under a temporary name in the same folder, made
durable, then renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aurora_prep.providers import formats, remote
from aurora_prep.providers.formats import Format
from aurora_prep.providers.locks import locked
from aurora_prep.providers.places import expanded, machine_temporary, user_cache
from aurora_prep.sources.spec import FetchError, Request

VARIABLE = "AURORA_PREP_CACHE"
BESIDE_BUCKET = "AURORA_PREP_LOCAL_CACHE"
TEMPORARY = ".part"
PARTS = ".parts"


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A complete answer in the cache.

    Attributes:
        path: The answer as the provider sent it.
        digest: Digest of the request it answers.
        checksum: SHA-256 of the bytes at ``path``, hexadecimal.
        bytes: Size of the file at ``path``.
        format: What the first bytes say it is.
        members: Files to decode: ``path`` itself, or what was in the ZIP.
    """

    path: Path
    digest: str
    checksum: str
    bytes: int
    format: Format
    members: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of answers, safe to share between threads and processes.

    Attributes:
        root: The folder; made when the first answer is stored.
    """

    root: Path

    @classmethod
    def open(cls, root: str | os.PathLike[str] | None = None) -> Cache:
        """The cache at ``root``, else at ``AURORA_PREP_CACHE``, else the user's own.

        For the address of a bucket it is the local cache beside that (see ``bucket_of``): at
        ``AURORA_PREP_LOCAL_CACHE``, else in the machine's temporary folder.
        """
        chosen = root or os.environ.get(VARIABLE)
        if chosen and remote.is_remote(str(chosen)):
            path = Path(os.environ.get(BESIDE_BUCKET) or machine_temporary())
            return cls((expanded(path) / "aurora-prep").absolute())
        path = expanded(chosen) if chosen else user_cache("aurora-prep")
        return cls(path.absolute())

    def lookup(self, request: Request, *, verify: bool = False) -> CachedFile | None:
        """The answer to a request, if it is there and whole.

        Args:
            request: What was asked.
            verify: Read the bytes and compare checksums, not just sizes.
        """
        found = self.held(request.digest, verify=verify)
        return found or self.joined(request.digest, verify=verify)

    def joined(self, digest: str, *, verify: bool = False) -> CachedFile | None:
        """The answer that those of other requests are together, if all of them are whole."""
        note = self._parts(digest)
        if note is None:
            return None
        found = [
            self.held(part, verify=verify) or self.joined(part, verify=verify)
            for part in note["parts"]
        ]
        whole = [part for part in found if part is not None]
        return joined(digest, whole) if len(whole) == len(found) else None

    def split_as(self, request: Request) -> str | None:
        """How a request was asked in parts, if it was."""
        note = self._parts(request.digest)
        return None if note is None else str(note["how"])

    def join(self, request: Request, how: str, parts: Sequence[Request]) -> None:
        """Note durably that the answers to other requests are that to this one.

        Args:
            request: What was asked.
            how: How it became the others.
            parts: The others, in order.
        """
        folder = self._folder(request)
        folder.mkdir(parents=True, exist_ok=True)
        note = fresh(folder, request.digest)
        text = json.dumps({"how": how, "parts": [part.digest for part in parts]})
        note.write_text(text, encoding="utf-8")
        sync(note)
        note.replace(folder / f"{request.digest}{PARTS}")
        sync(folder)

    def _parts(self, digest: str) -> dict[str, Any] | None:
        try:
            text = (self.root / digest[:2] / f"{digest}{PARTS}").read_bytes()
            note: dict[str, Any] = json.loads(text)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return note

    def held(self, digest: str, *, verify: bool = False) -> CachedFile | None:
        """The answer to the request with this digest, if it is on this machine and whole."""
        folder = self.root / digest[:2]
        try:
            record = json.loads((folder / f"{digest}.json").read_bytes())
            found = described(record, folder)
            whole = all(
                _holds(folder / part["file"], part, verify=verify)
                for part in (record, *record["members"])
            )
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            return None
        return found if whole else None

    def temporary(self, request: Request) -> Path:
        """A fresh path for a download, in the folder where it will stay.

        Temporaries whose process died on this machine are removed on the way.
        """
        folder = self._folder(request)
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        return fresh(folder, request.digest)

    def lock_path(self, request: Request) -> Path:
        """The file to lock while fetching, so that one process does."""
        folder = self._folder(request)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{request.digest}.lock"

    def store(
        self,
        request: Request,
        temporary: Path,
        *,
        check: Callable[[Path], object] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> CachedFile:
        """Take a downloaded file in, whole or not at all.

        Where another process stored the same request in the meantime, its
        answer stays and this one is dropped.

        Args:
            request: What was asked.
            temporary: The download, best from ``temporary()``; it is consumed.
            check: Called with each file to decode before it is taken in; it
                raises to refuse the answer.
            labels: Facts about the product, kept in the sidecar.

        Raises:
            FetchError: The file is neither GRIB, NetCDF nor a ZIP of those.
        """
        folder, digest = self._folder(request), request.digest
        folder.mkdir(parents=True, exist_ok=True)
        if temporary.parent != folder:
            outside, temporary = temporary, fresh(folder, digest)
            shutil.copyfile(outside, temporary)
            outside.unlink()
        unpacked = fresh(folder, digest)
        try:
            kind = formats.require(
                temporary,
                f"answer of {request.dataset}, request {digest[:12]}",
                "run again; if it stays so, look at the request on the provider's web site",
            )
            members: tuple[Path, ...] = ()
            if kind is Format.ZIP:
                unpacked.mkdir()
                members = formats.unpack(temporary, unpacked)
            for path in members or (temporary,):
                if check is not None:
                    check(path)
            record = {
                "source": request.source,
                "access": request.access,
                "dataset": request.dataset,
                "request": request.body,
                "synthetic": request.synthetic,
                "digest": digest,
                "format": kind.value,
                "labels": dict(labels or {}),
                "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
                "members": [_part(f"{digest}.d/{member.name}", member) for member in members],
                **_part(f"{digest}.{kind}", temporary),
            }
            with locked(folder / f"{digest}.commit"):
                if self.held(digest) is None:
                    self._commit(digest, temporary, unpacked if members else None, record)
        finally:
            temporary.unlink(missing_ok=True)
            shutil.rmtree(unpacked, ignore_errors=True)
        found = self.held(digest)
        if found is None:
            raise FetchError(
                "an answer vanished from the cache while it was stored",
                str(folder / digest),
                "its files are missing or have other sizes than written",
                "keep other programs out of the cache folder, and run again",
            )
        return found

    def discard(self, request: Request) -> None:
        """Forget an answer; nothing happens where there is none."""
        self._discard(request.digest)

    def _discard(self, digest: str) -> None:
        folder = self.root / digest[:2]
        for part in (self._parts(digest) or {}).get("parts", ()):
            self._discard(part)
        if folder.is_dir():
            with locked(folder / f"{digest}.commit"):
                remove(folder, digest)
                (folder / f"{digest}{PARTS}").unlink(missing_ok=True)

    def reference(self, member: Path) -> str:
        """The name by which a worker finds a file to decode."""
        return str(member)

    @contextmanager
    def holding(self, references: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The local files of references, there to stay until the ``with`` block ends."""
        yield tuple(references)

    def _commit(
        self, digest: str, temporary: Path, unpacked: Path | None, record: Mapping[str, Any]
    ) -> None:
        folder = self.root / digest[:2]
        remove(folder, digest)
        sync(temporary)
        temporary.replace(folder / record["file"])
        if unpacked is not None:
            for member in unpacked.iterdir():
                sync(member)
            sync(unpacked)
            unpacked.replace(folder / f"{digest}.d")
        sidecar = fresh(folder, digest)
        sidecar.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        sync(sidecar)
        sync(folder)
        sidecar.replace(folder / f"{digest}.json")
        sync(folder)

    def _folder(self, request: Request) -> Path:
        return self.root / request.digest[:2]


def bucket_of(root: str | os.PathLike[str] | None) -> str | None:
    """The bucket's folder that a choice of cache means; ``None`` for one on this machine."""
    chosen = str(root or os.environ.get(VARIABLE) or "")
    return chosen.rstrip("/") if remote.is_remote(chosen) else None


def joined(digest: str, parts: Sequence[CachedFile]) -> CachedFile:
    """Answers that are one together.

    Args:
        digest: Digest of the request they answer.
        parts: At least one.
    """
    together = hashlib.sha256("".join(part.checksum for part in parts).encode("ascii"))
    return CachedFile(
        path=parts[0].path,
        digest=digest,
        checksum=together.hexdigest(),
        bytes=sum(part.bytes for part in parts),
        format=parts[0].format,
        members=tuple(member for part in parts for member in part.members),
    )


def described(record: Mapping[str, Any], folder: Path) -> CachedFile:
    """The answer a sidecar describes.

    Raises:
        KeyError: It describes none.
        ValueError: It describes none.
    """
    answer = folder / record["file"]
    return CachedFile(
        path=answer,
        digest=record["digest"],
        checksum=record["sha256"],
        bytes=record["bytes"],
        format=Format(record["format"]),
        members=tuple(folder / member["file"] for member in record["members"]) or (answer,),
    )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _part(name: str, path: Path) -> dict[str, str | int]:
    return {"file": name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _holds(path: Path, part: Mapping[str, Any], *, verify: bool) -> bool:
    same = path.stat().st_size == part["bytes"]
    return same and (not verify or sha256_of(path) == part["sha256"])


def remove(folder: Path, digest: str) -> None:
    """Remove an answer, the sidecar first: then it no longer exists."""
    for name in ("json", "shared"):
        (folder / f"{digest}.{name}").unlink(missing_ok=True)
    for kind in Format:
        (folder / f"{digest}.{kind}").unlink(missing_ok=True)
    shutil.rmtree(folder / f"{digest}.d", ignore_errors=True)


def fresh(folder: Path, digest: str) -> Path:
    """A temporary name nobody else uses, which tells its machine and process."""
    mine = f"{socket.gethostname()}~{os.getpid()}~{uuid.uuid4().hex[:12]}"
    return folder / f".{digest[:16]}~{mine}{TEMPORARY}"


def sweep(folder: Path) -> None:
    """Remove temporaries of this machine whose process is gone."""
    for path in folder.glob(f".*~{socket.gethostname()}~*~*{TEMPORARY}"):
        if not _alive(int(path.name.split("~")[2])):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, and somebody else's
    return True


def sync(path: Path) -> None:
    """Make a file or a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
