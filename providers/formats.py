"""What a file really is, told from its first bytes, and archives of files."""

from __future__ import annotations

import errno
import re
import shutil
import struct
import zipfile
import zlib
from enum import StrEnum
from pathlib import Path

from aurora_prep.sources.spec import FetchError

TOKEN = re.compile(r"[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3,}[0-9A-Fa-f]*")
SHOWN = 60
CHUNK = 2**20
EDITION = 7  # octet of a GRIB message, counted from 0
# What Python raises for archives that are damaged, encrypted, or of another kind.
DAMAGE = (
    ValueError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError,
    struct.error, IndexError, OSError,
)  # fmt: skip
MOST_MEMBERS = 20_000
MOST_PACKED = 200  # to one: fields of one value are packed that far, and no others
SMALL = 64 << 20


class Format(StrEnum):
    """Formats told apart; the value is the file suffix."""

    GRIB = "grib"
    NETCDF = "nc"
    ZIP = "zip"


MAGIC = (
    (b"GRIB", Format.GRIB),
    (b"CDF\x01", Format.NETCDF),
    (b"CDF\x02", Format.NETCDF),
    (b"CDF\x05", Format.NETCDF),
    (b"\x89HDF\r\n\x1a\n", Format.NETCDF),
    (b"PK\x03\x04", Format.ZIP),
)


def sniff(path: Path) -> Format | None:
    """Format of a file by its first bytes, or a GRIB message further on; else ``None``."""
    with path.open("rb") as file:
        head = file.read(8)
    found = next((name for magic, name in MAGIC if head.startswith(magic)), None)
    return Format.GRIB if found is None and holds_grib(path) else found


def holds_grib(path: Path) -> bool:
    """Whether a GRIB message begins anywhere in a file, as ecCodes finds it.

    Archives pad the front with zeros or with a header of their own.
    """
    kept = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            data = kept + chunk
            at = data.find(b"GRIB")
            while at >= 0:
                if data[at + EDITION : at + EDITION + 1] in (b"\x01", b"\x02"):
                    return True
                at = data.find(b"GRIB", at + 1)
            kept = data[-EDITION:]
    return False


def require(path: Path, where: str, fix: str) -> Format:
    """Format of a file that must be GRIB, NetCDF or a ZIP.

    Args:
        path: The file.
        where: Place for the message.
        fix: What the user can do, for the message.

    Raises:
        FetchError: It is something else, for example a web page saved in
            place of data, or empty.
    """
    found = sniff(path)
    if found is None:
        raise FetchError("a file is neither GRIB, NetCDF nor ZIP", where, describe(path), fix)
    return found


def describe(path: Path) -> str:
    """One line on an unexpected file, without anything that looks like a key."""
    size = path.stat().st_size
    if not size:
        return "an empty file"
    with path.open("rb") as file:
        head = file.read(1024)
    text = head.decode("latin-1")
    shown = TOKEN.sub("***", "".join(c for c in text if c.isprintable()))[:SHOWN]
    start = text.lstrip().lower()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        what = "a web page"
    elif start.startswith("version https://git-lfs"):
        what = "a git-LFS pointer, not its file"
    elif start.startswith(("{", "[")):
        what = "JSON text"
    elif all(c.isprintable() or c.isspace() for c in text):
        what = "text"
    else:
        what = "an unknown format"
    return f"{what} of {size} bytes, which starts {shown!r}"


def unpack(archive: Path, folder: Path) -> tuple[Path, ...]:
    """Unpack the GRIB and NetCDF members of a ZIP into an existing folder.

    Members are written under their bare names, so that no member lands
    outside the folder. Members that are neither GRIB nor NetCDF are not
    unpacked. What the archive says of its size is checked before anything is
    unpacked, and believed no further than that.

    Args:
        archive: The ZIP.
        folder: Where members go.

    Returns:
        Paths of the members kept, sorted by name.

    Raises:
        FetchError: The ZIP is damaged or encrypted, two members share a name,
            none is GRIB or NetCDF, or it would unpack to more than it can hold
            or there is room for.
    """
    where, fix = str(archive), "fetch the archive again, or unpack it by hand"
    members: list[Path] = []
    try:
        with zipfile.ZipFile(archive) as packed:
            _check_sizes(packed.infolist(), archive, folder)
            for entry in packed.infolist():
                if entry.is_dir() or not _is_data(packed, entry):
                    continue
                target = folder / Path(entry.filename).name
                if target.exists():
                    raise FetchError(
                        "two members of a ZIP share a name", where, repr(target.name), fix
                    )
                with packed.open(entry) as inside, target.open("wb") as out:
                    shutil.copyfileobj(inside, out, 1 << 20)
                if sniff(target) in (Format.GRIB, Format.NETCDF):
                    members.append(target)
                else:
                    target.unlink()
            names = packed.namelist()
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise  # the disk's, not the archive's
        raise FetchError("a ZIP cannot be unpacked", where, str(error), fix) from error
    if not members:
        raise FetchError(
            "a ZIP holds neither GRIB nor NetCDF", where, f"members {names}", "check the archive"
        )
    return tuple(sorted(members))


def _is_data(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Whether a member begins as GRIB or NetCDF does."""
    with packed.open(entry) as inside:
        head = inside.read(CHUNK)
    found = next((name for magic, name in MAGIC if head.startswith(magic)), None)
    return found in (Format.GRIB, Format.NETCDF) or (found is None and b"GRIB" in head)


def _check_sizes(entries: list[zipfile.ZipInfo], archive: Path, folder: Path) -> None:
    """Refuse a bomb by what its list of members says, before anything is unpacked.

    Raises:
        FetchError: There are too many members, they share their bytes, they unpack to more
            than fields can be packed, or to more than there is room for.
    """
    where, packed = str(archive), archive.stat().st_size
    total = sum(entry.file_size for entry in entries)
    fix = "check where the archive comes from; unpack it by hand if it is what it should be"
    if len(entries) > MOST_MEMBERS:
        found = f"{len(entries):,} members, of which {MOST_MEMBERS:,} are allowed"
        raise FetchError("a ZIP has too many members", where, found, fix)
    if sum(entry.compress_size for entry in entries) > packed:
        found = f"members of more bytes than the {packed:,} of the archive"
        raise FetchError("members of a ZIP share their bytes", where, found, fix)
    if total > SMALL and total > MOST_PACKED * packed:
        found = f"{packed:,} bytes that would become {total:,}"
        raise FetchError("a ZIP would unpack to more than fields can be packed", where, found, fix)
    free = shutil.disk_usage(folder).free
    if total > free:
        found = f"{total:,} bytes to unpack, {free:,} are free in {folder}"
        raise FetchError("there is no room to unpack a ZIP", where, found, "free some space")
