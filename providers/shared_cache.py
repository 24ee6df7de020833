"""A cache that machines share through a bucket.

The bucket holds what a local cache holds, under the same names: the answer,
then, last, its sidecar. Each machine keeps copies of the answers it works on in
a local cache of bounded size, beside each of them an empty ``<digest>.shared``
once the bucket has it too.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurora_prep.providers import formats, remote
from aurora_prep.providers.cache import (
    Cache,
    CachedFile,
    described,
    fresh,
    remove,
    sha256_of,
    sweep,
    sync,
)
from aurora_prep.providers.formats import Format
from aurora_prep.providers.locks import locked
from aurora_prep.sources.spec import FetchError, Request

BYTES = "AURORA_PREP_LOCAL_CACHE_BYTES"
HELD = "held.lock"


@dataclass(frozen=True, slots=True)
class SharedCache(Cache):
    """A local cache with a bucket behind it.

    Attributes:
        url: Folder of the bucket.
        most_bytes: Most to keep on this machine; 0 for half of what the disk has room for.
    """

    url: str
    most_bytes: int = 0

    @classmethod
    def beside(cls, root: Path, url: str) -> SharedCache:
        """The cache at ``root`` with the bucket ``url`` behind it."""
        return cls(root, url.rstrip("/"), int(os.environ.get(BYTES) or 0))

    def lookup(self, request: Request, *, verify: bool = False) -> CachedFile | None:
        """The answer to a request, if the bucket has it; it need not be on this machine.

        Args:
            request: What was asked.
            verify: Read the bytes, where they are on this machine, and compare checksums.

        Raises:
            FetchError: The bucket cannot be reached.
        """
        found = self.held(request.digest, verify=verify)
        if found is not None:
            self._publish(found)
            return found
        record = self._record(request.digest)
        if record is not None:
            return described(record, self._folder(request))
        return self.joined(request.digest, verify=verify)

    def store(
        self,
        request: Request,
        temporary: Path,
        *,
        check: Callable[[Path], object] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> CachedFile:
        """As in the base class, and in the bucket too.

        Raises:
            FetchError: The file is no answer.
            OSError: The bucket cannot be written; the answer is kept on this machine.
        """
        with self._kept(request.digest):
            found = Cache.store(self, request, temporary, check=check, labels=labels)
            try:
                self._publish(found)
            except FetchError as error:
                raise OSError(f"{error.args[1]}: {error.args[2]}") from error
        self.evict()
        return found

    def reference(self, member: Path) -> str:
        """The name by which a worker finds a file to decode: that in the bucket."""
        return f"{self.url}/{member.relative_to(self.root).as_posix()}"

    @contextmanager
    def holding(self, references: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The local files of references, brought here and kept until the block ends.

        A reference to anything but this cache stays as it is.

        Raises:
            FetchError: The bucket does not have an answer, or cannot be reached.
        """
        inside = {ref: ref.removeprefix(f"{self.url}/") for ref in references}
        wanted = {name[3:].partition(".")[0] for ref, name in inside.items() if name != ref}
        with ExitStack() as stack:
            for digest in sorted(wanted):
                stack.enter_context(self._kept(digest))
            for digest in sorted(wanted):
                self.bring(digest)
            yield tuple(
                ref if inside[ref] == ref else str(self.root / inside[ref]) for ref in references
            )
        if wanted:
            self.evict()

    def bring(self, digest: str) -> CachedFile:
        """The answer to the request with this digest, copied from the bucket where needed.

        Raises:
            FetchError: The bucket does not have it, or cannot be reached.
        """
        folder = self.root / digest[:2]
        folder.mkdir(parents=True, exist_ok=True)
        found = self.held(digest)
        if found is None:
            with locked(folder / f"{digest}.lock"):
                found = self.held(digest) or self._copied(digest, folder)
        os.utime(folder / f"{digest}.json")
        return found

    def evict(self) -> None:
        """Remove the answers used longest ago until the rest fits; never one in use."""
        answers = sorted(_answers(self.root), key=lambda item: item[0])
        held = sum(size for _, size, _, _ in answers)
        most = self.most_bytes or (shutil.disk_usage(self.root).free + held) // 2
        for _, size, folder, digest in answers:
            if held <= most:
                return
            with (folder / HELD).open("ab") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                remove(folder, digest)
                held -= size

    @contextmanager
    def _kept(self, digest: str) -> Iterator[None]:
        """Keep the answers of a folder from being removed by any process of this machine."""
        folder = self.root / digest[:2]
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / HELD).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    def _publish(self, found: CachedFile) -> None:
        """Put an answer into the bucket, its sidecar last."""
        folder = found.path.parent
        mark = folder / f"{found.digest}.shared"
        if mark.exists():
            return
        place = f"{self.url}/{folder.name}"
        sidecar = folder / f"{found.digest}.json"
        try:
            if self._record(found.digest) is None:
                remote.upload(found.path, f"{place}/{found.path.name}")
                remote.write(sidecar.read_bytes(), f"{place}/{sidecar.name}")
        except FetchError:
            raise
        except Exception as error:
            raise self._failed(found.digest, error) from error
        mark.touch()

    def _record(self, digest: str) -> dict[str, Any] | None:
        try:
            text = remote.read(f"{self.url}/{digest[:2]}/{digest}.json")
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._failed(digest, error) from error
        record: dict[str, Any] = json.loads(text)
        return record

    def _copied(self, digest: str, folder: Path) -> CachedFile:
        record = self._record(digest)
        if record is None:
            raise FetchError(
                "an answer is not in the shared cache",
                f"{self.url}/{digest[:2]}/{digest}.json",
                "no such object: it was removed since it was fetched",
                "run again: what is absent is fetched anew",
            )
        sweep(folder)
        temporary, unpacked = fresh(folder, digest), fresh(folder, digest)
        try:
            remote.download(f"{self.url}/{digest[:2]}/{record['file']}", temporary)
            self._check(temporary, digest, record)
            if is_zip := record["format"] == Format.ZIP:
                unpacked.mkdir()
                formats.unpack(temporary, unpacked)
            self._commit(digest, temporary, unpacked if is_zip else None, record)
            (folder / f"{digest}.shared").touch()
            sync(folder)
        except FetchError:
            raise
        except Exception as error:
            raise self._failed(digest, error) from error
        finally:
            temporary.unlink(missing_ok=True)
            shutil.rmtree(unpacked, ignore_errors=True)
        return described(record, folder)

    def _check(self, path: Path, digest: str, record: Mapping[str, Any]) -> None:
        if (found := sha256_of(path)) != record["sha256"]:
            raise FetchError(
                "an answer in the shared cache is damaged",
                f"{self.url}/{digest[:2]}/{record['file']}",
                f"SHA-256 {found[:12]}, its sidecar says {record['sha256'][:12]}",
                f"delete it and {digest}.json beside it, and run again: it is fetched anew",
            )

    def _failed(self, digest: str, error: Exception) -> FetchError:
        return FetchError(
            "the shared cache cannot be read or written",
            f"{self.url}/{digest[:2]}/{digest}",
            f"{type(error).__name__}: {error}",
            "check the bucket, your rights in it and the room on this machine, and run again",
        )


def _answers(root: Path) -> Iterator[tuple[float, int, Path, str]]:
    """Time of last use, bytes, folder and digest of every answer that the bucket has too."""
    for mark in root.glob("??/*.shared"):
        folder, digest = mark.parent, mark.name.removesuffix(".shared")
        try:
            used = (folder / f"{digest}.json").stat().st_mtime
            files = [*folder.glob(f"{digest}.*"), *folder.glob(f"{digest}.d/*")]
            yield used, sum(path.stat().st_size for path in files), folder, digest
        except FileNotFoundError:
            continue  # removed meanwhile
