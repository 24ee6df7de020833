"""What a file really is, told from its first bytes, and archives of files."""

from __future__ import annotations

import re
import shutil
import zipfile
import zlib
from enum import StrEnum
from pathlib import Path

from aurora_prep.sources.spec import FetchError

TOKEN = re.compile(r"[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3,}[0-9A-Fa-f]*")
SHOWN = 60
CHUNK = 2**20
EDITION = 7  # octet of a GRIB message, counted from 0


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
    outside the folder. Members that are neither GRIB nor NetCDF are removed
    again.

    Args:
        archive: The ZIP.
        folder: Where members go.

    Returns:
        Paths of the members kept, sorted by name.

    Raises:
        FetchError: The ZIP is damaged or encrypted, two members share a name,
            or none is GRIB or NetCDF.
    """
    where, fix = str(archive), "fetch the archive again, or unpack it by hand"
    members: list[Path] = []
    try:
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                if entry.is_dir():
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
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise FetchError("a ZIP cannot be unpacked", where, str(error), fix) from error
    if not members:
        raise FetchError(
            "a ZIP holds neither GRIB nor NetCDF", where, f"members {names}", "check the archive"
        )
    return tuple(sorted(members))
