"""Small, durable reads and writes on any fsspec URL.

A reader sees a file whole or not at all: on a local disk it is written beside its place,
forced to the disk and renamed; on an object store it is one upload, which leaves
nothing behind when it does not come to its end. What the network does to a call is
survived by :mod:`aurora_prep.providers.remote`.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from aurora_prep.providers import remote
from aurora_prep.sources.spec import ManifestError, WriteError

BLOCK = 1 << 22
DELETED_AT_ONCE = 1000
LEFTOVER = ".unfinished"


Url = str | os.PathLike[str]


def join(url: Url, *parts: str) -> str:
    """Append path parts to a URL or a local path."""
    return "/".join([os.fspath(url).rstrip("/"), *(part.strip("/") for part in parts)])


def local_path(url: Url) -> Path | None:
    """The path of a local URL, ``None`` for a remote one."""
    files, path = _files(url)
    return Path(path) if remote.is_local(files) else None


def put(url: str, data: bytes) -> None:
    """Write a file durably; who reads meanwhile sees the old content or the new, never half.

    Raises:
        WriteError: The place cannot be written.
    """
    if local_path(url) is not None:
        with writing(url) as file:
            file.write(data)
        return
    try:
        remote.write(data, url)
    except Exception as error:  # each store raises its own kinds
        raise _unwritable(url, error) from error


@contextmanager
def writing(url: str) -> Iterator[IO[bytes]]:
    """A binary file that appears at ``url``, complete, when the block ends without error.

    Raises:
        WriteError: The place cannot be written.
    """
    path = local_path(url)
    if path is None:
        with TemporaryDirectory() as folder:
            staged = Path(folder) / "staged"
            with staged.open("wb") as file:
                yield file
            try:
                remote.upload(staged, url)
            except Exception as error:  # each store raises its own kinds
                raise _unwritable(url, error) from error
        return
    staged = path.with_name(f".{path.name}.{secrets.token_hex(8)}{LEFTOVER}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = staged.open("xb")
    except OSError as error:
        raise _unwritable(url, error) from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(url, error) from error
    finally:
        with suppress(OSError):
            staged.unlink(missing_ok=True)


def get(url: str) -> bytes:
    """The whole content of a file.

    Raises:
        ManifestError: The file is absent or cannot be read.
    """
    files, path = _files(url)
    try:
        return Path(path).read_bytes() if remote.is_local(files) else remote.read(url)
    except Exception as error:
        raise _unreadable(url, error) from error


def blocks(url: str, size: int = BLOCK) -> Iterator[bytes]:
    """The content of a file in blocks of at most ``size`` bytes.

    Raises:
        ManifestError: The file is absent or cannot be read.
    """
    path = local_path(url)
    try:
        if path is None:
            yield from remote.pieces(url, size)
            return
        with path.open("rb") as file:
            while block := file.read(size):
                yield block
    except Exception as error:
        raise _unreadable(url, error) from error


def exists(url: Url) -> bool:
    """Whether there is a file or a folder.

    Raises:
        ManifestError: That cannot be found out.
    """
    files, path = _files(url)
    files.invalidate_cache(path)
    try:
        remote.patiently(lambda: files.info(path))
    except FileNotFoundError:
        return False
    except Exception as error:
        raise _unreadable(url, error) from error
    return True


def listing(url: Url) -> list[str]:
    """Names directly in a folder, sorted; none in a file, or where there is nothing.

    Raises:
        ManifestError: The folder cannot be read.
    """
    files, path = _files(url)
    try:
        if remote.is_local(files):
            return sorted(os.listdir(path))  # noqa: PTH208  # 400 000 names: no Path objects
        files.invalidate_cache(path)
        found = remote.patiently(lambda: files.ls(path, detail=False))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except Exception as error:
        raise _unreadable(url, error) from error
    inside = {str(name).rstrip("/") for name in found} - {path.rstrip("/")}
    return sorted(name.rsplit("/", 1)[-1] for name in inside)


def tree(url: Url) -> dict[str, int]:
    """Every file below a folder, as ``{path relative to the folder: bytes}``.

    Raises:
        ManifestError: The folder cannot be read.
    """
    files, path = _files(url)
    try:
        if remote.is_local(files):
            return dict(_local_tree(path))
        files.invalidate_cache(path)
        found = remote.patiently(lambda: files.find(path, detail=True))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except Exception as error:
        raise _unreadable(url, error) from error
    cut = len(path.rstrip("/")) + 1
    inside = {str(name)[cut:]: int(entry["size"]) for name, entry in sorted(found.items())}
    inside.pop("", None)
    return inside


def delete(url: str) -> None:
    """Remove a file; no complaint when there is none.

    Raises:
        WriteError: The file is there and cannot be removed.
    """
    files, path = _files(url)
    try:
        remote.patiently(lambda: files.rm_file(path))
    except FileNotFoundError:
        return
    except Exception as error:
        raise _unwritable(url, error) from error


def clear(url: str, last: str) -> None:
    """Remove everything below a folder; one file, relative to it, when all else is gone.

    Raises:
        WriteError: Something cannot be removed.
    """
    names = sorted(set(tree(url)) - {last})
    path = local_path(url)
    if path is not None:
        for name in (*names, last):
            delete(join(url, name))
        shutil.rmtree(path)
        return
    files, root = _files(url)
    for start in range(0, len(names), DELETED_AT_ONCE):
        chosen = [join(root, name) for name in names[start : start + DELETED_AT_ONCE]]
        try:
            remote.patiently(partial(_remove, files, chosen))
        except Exception as error:
            raise _unwritable(url, error) from error
    delete(join(url, last))


def sweep(url: str) -> int:
    """Remove what killed writers left below a local folder; returns how many files that were.

    An object store keeps nothing of an upload that was broken off. Only safe when nobody
    writes there: before a run starts, or after it has ended.
    """
    path = local_path(url)
    if path is None or not path.is_dir():
        return 0
    leftovers = [name for name, _ in _local_tree(str(path)) if name.endswith(LEFTOVER)]
    for name in leftovers:
        delete(join(url, name))
    return len(leftovers)


def fetch_to(url: str, folder: Path) -> Path:
    """A local file with the content of ``url``: itself when local, else a copy in ``folder``.

    Raises:
        ManifestError: The file is absent or cannot be read.
    """
    path = local_path(url)
    if path is not None:
        if not path.is_file():
            raise _unreadable(url, FileNotFoundError("no such file"))
        return path
    target = folder / url.rsplit("/", 1)[-1]
    try:
        remote.download(url, target)
    except Exception as error:
        raise _unreadable(url, error) from error
    return target


def _files(url: Url) -> tuple[Any, str]:
    try:
        return remote.filesystem(url)
    except Exception as error:
        raise ManifestError(
            "the place cannot be reached",
            os.fspath(url),
            f"{type(error).__name__}: {error}",
            "give a local folder, file:// or gs://",
        ) from error


def _remove(files: Any, paths: list[str]) -> None:
    """Remove files that are there, or were until a moment ago."""
    try:
        files.rm(paths)
    except FileNotFoundError:
        for path in paths:
            with suppress(FileNotFoundError):
                files.rm_file(path)


def _local_tree(root: str) -> Iterator[tuple[str, int]]:
    folders = [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    yield os.path.relpath(entry.path, root), entry.stat().st_size


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where folders can be synchronised at all."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unwritable(url: str, error: Exception) -> WriteError:
    return WriteError(
        "the output cannot be written",
        url,
        f"{type(error).__name__}: {error}",
        f"check that {url.rsplit('/', 1)[0]} exists, is yours to write and has room ({_room(url)})",
    )


def _room(url: str) -> str:
    path = local_path(url)
    while path is not None and path != path.parent:
        if path.is_dir():
            return f"{shutil.disk_usage(path).free / 1e9:.1f} GB free"
        path = path.parent
    return "remote"


def _unreadable(url: Url, error: Exception) -> ManifestError:
    return ManifestError(
        "a file of the dataset cannot be read",
        os.fspath(url),
        f"{type(error).__name__}: {error}",
        "check the path; if a run was interrupted, run the recipe again",
    )
