"""The user's own files: patterns in, files to decode out."""

from __future__ import annotations

import difflib
import glob
import hashlib
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aurora_prep.providers import remote
from aurora_prep.providers.cache import Cache, fresh, sha256_of, sweep, sync
from aurora_prep.providers.formats import Format, sniff, unpack
from aurora_prep.providers.locks import locked
from aurora_prep.sources.spec import FetchError

SHOWN = 12
COPIED_AT_ONCE = 4


def expand(paths: Sequence[str], base: Path, *, cache: Cache | None = None) -> list[Path]:
    """The files that patterns name, ready to decode.

    A ZIP stands for the GRIB and NetCDF files in it, which are unpacked into
    the cache under the checksum of the ZIP. A folder stands for the GRIB,
    NetCDF and ZIP files directly in it. A file on another machine, such as
    ``gs://bucket/name``, is copied into the cache once for each version of it.

    Args:
        paths: Files, folders or glob patterns (``**`` for any depth), absolute
            or relative to ``base``; ``~`` is the home folder; or URLs of these.
        base: Folder that relative patterns start from.
        cache: Where ZIPs are unpacked and copies are kept; the user's cache
            where not given.

    Returns:
        Absolute paths, each once, sorted.

    Raises:
        FetchError: A pattern names no file, or a file cannot be read or unpacked.
    """
    found: set[Path] = set()
    for pattern in paths:
        try:
            here = _copies(pattern, cache) if remote.is_remote(pattern) else _matches(pattern, base)
            for path in here:
                if sniff(path) is Format.ZIP:
                    found.update(_unpacked(path, cache or Cache.open()))
                else:
                    found.add(path)
        except OSError as error:
            raise FetchError(
                "a file cannot be read, or a ZIP not unpacked",
                f"path {pattern!r} from {base}",
                str(error),
                "mend the permissions, or free some space",
            ) from error
    return sorted(found)


def _matches(pattern: str, base: Path) -> list[Path]:
    """Files of one pattern, at least one. Signs in the name of ``base`` are no part of it."""
    base, own = _split(pattern, base)
    whole = Path(os.path.abspath(base / own))  # noqa: PTH100  # keeps links
    found = [str(own)] if whole.exists() else glob.glob(str(own), root_dir=base, recursive=True)  # noqa: PTH207  # ** as in glob
    named = [Path(os.path.abspath(base / name)) for name in found]  # noqa: PTH100
    files: list[Path] = []
    for path in named:
        if path.suffix == ".zarr":
            raise FetchError(
                "a Zarr store cannot be read as a file",
                f"path {pattern!r}",
                str(path),
                "give GRIB or NetCDF files",
            )
        if path.is_file():
            files.append(path)
        elif path == whole:
            files += [inside for inside in path.iterdir() if inside.is_file() and sniff(inside)]
    if not files:
        raise FetchError(
            "a path names no file", f"path {pattern!r} from {base}", _around(whole), "mend the path"
        )
    return files


def _split(pattern: str, base: Path) -> tuple[Path, Path]:
    """The folder that a pattern starts from, and what is left of it to match.

    A leading folder that exists under the very name is that folder, whatever signs its
    name holds.

    Raises:
        FetchError: It starts from a home folder that is not known.
    """
    text = pattern.removeprefix("file://").removeprefix("local://")
    if text.startswith("~"):
        home, _, text = text.partition("/")
        try:
            base = Path(home).expanduser()
        except RuntimeError as error:
            raise FetchError(
                "the home folder is not known",
                f"path {pattern!r}",
                str(error),
                "set HOME, or write the path from / on",
            ) from error
    base, parts = base / Path(text).anchor, list(Path(text or ".").parts)
    if parts and parts[0] == Path(text).anchor:
        parts.pop(0)
    while len(parts) > 1 and (base / parts[0]).is_dir():
        base /= parts.pop(0)
    return base, Path(*parts)


def _copies(pattern: str, cache: Cache | None) -> list[Path]:
    """Local copies of the files on another machine that one pattern names, at least one.

    Raises:
        FetchError: There is none, or the other machine does not deliver.
    """
    try:
        found = remote.find(pattern)
    except Exception as error:
        raise _unreachable(pattern, error) from error
    if not found:
        raise FetchError(
            "a path names no file",
            f"path {pattern!r}",
            "no such file, or none that may be seen",
            "mend the path; for a private bucket, log in: gcloud auth application-default login",
        )
    parent = (cache or Cache.open()).root / "remote"
    parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(COPIED_AT_ONCE, thread_name_prefix="copy") as pool:
        copies = list(pool.map(lambda file: _copied(file, parent), found))
    direct = bool(remote.GLOB & set(pattern)) or len(found) == 1
    return [path for path in copies if direct or sniff(path)]


def _copied(file: remote.Found, parent: Path) -> Path:
    """A file on another machine, copied once for all that read it."""
    key = hashlib.sha256(f"{file.url} {file.bytes} {file.tag}".encode()).hexdigest()
    name = file.url.rsplit("/", 1)[-1]
    folder = parent / key
    if not folder.is_dir():
        sweep(parent)
        with locked(parent / f"{key}.lock"):
            if not folder.is_dir():
                temporary = fresh(parent, key)
                temporary.mkdir()
                try:
                    remote.download(file.url, temporary / name)
                    sync(temporary / name)
                    sync(temporary)
                    temporary.replace(folder)
                except Exception as error:
                    raise _unreachable(file.url, error) from error
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
                sync(parent)
    return folder / name


def _unreachable(url: str, error: Exception) -> FetchError:
    return FetchError(
        "a file on another machine cannot be read",
        url,
        f"{type(error).__name__}: {error}",
        "check the address, the network, your credentials and the room in the cache",
    )


def _around(path: Path) -> str:
    """What is there instead: the nearest folder that exists, and what it holds."""
    folder = path if path.is_dir() else path.parent
    while not folder.is_dir():
        folder = folder.parent
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return f"{folder} is empty"
    near = difflib.get_close_matches(path.name, names, n=SHOWN, cutoff=0.5)
    shown = near + [name for name in names if name not in near][: SHOWN - len(near)]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"{folder} holds {shown}{more}"


def _unpacked(archive: Path, cache: Cache) -> tuple[Path, ...]:
    """Members of a ZIP, unpacked once for all that read it."""
    checksum = sha256_of(archive)
    parent = cache.root / "zip"
    folder = parent / checksum
    if not folder.is_dir():
        parent.mkdir(parents=True, exist_ok=True)
        sweep(parent)
        with locked(parent / f"{checksum}.lock"):
            if not folder.is_dir():
                temporary = fresh(parent, checksum)
                temporary.mkdir()
                try:
                    for member in unpack(archive, temporary):
                        sync(member)
                    sync(temporary)
                    temporary.replace(folder)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
                sync(parent)
    return tuple(sorted(folder.iterdir()))
