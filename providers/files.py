"""The user's own files: patterns in, files to decode out."""

from __future__ import annotations

import difflib
import glob
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from aurora_prep.providers.cache import Cache, fresh, sha256_of, sweep, sync
from aurora_prep.providers.formats import Format, sniff, unpack
from aurora_prep.providers.locks import locked
from aurora_prep.sources.spec import FetchError

SHOWN = 12


def expand(paths: Sequence[str], base: Path, *, cache: Cache | None = None) -> list[Path]:
    """The files that patterns name, ready to decode.

    A ZIP stands for the GRIB and NetCDF files in it, which are unpacked into
    the cache under the checksum of the ZIP. A folder stands for the GRIB,
    NetCDF and ZIP files directly in it.

    Args:
        paths: Files, folders or glob patterns (``**`` for any depth), absolute
            or relative to ``base``; ``~`` is the home folder.
        base: Folder that relative patterns start from.
        cache: Where ZIPs are unpacked; the user's cache where not given.

    Returns:
        Absolute paths, each once, sorted.

    Raises:
        FetchError: A pattern names no file, or a file cannot be read or unpacked.
    """
    found: set[Path] = set()
    for pattern in paths:
        try:
            for path in _matches(pattern, base):
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
    """Files of one pattern, at least one."""
    whole = Path(os.path.abspath(base / Path(pattern).expanduser()))  # noqa: PTH100  # keeps links
    named = [whole] if whole.exists() else [Path(p) for p in glob.glob(str(whole), recursive=True)]  # noqa: PTH207  # absolute patterns
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
