"""Marks of synthetic data: what the embedded provider makes says so in every file.

GRIB 2 has a production status: test products. GRIB 1 has none; there it is a sub-centre
that ECMWF does not have. NetCDF and Zarr have an attribute.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import netCDF4

from aurora_prep.providers.formats import Format, sniff
from aurora_prep.sources.spec import FetchError, Request

ATTRIBUTE = "synthetic"
TEXT = "analytic fields for tests and rehearsals: not observations, not weather"
GRIB1_SUBCENTRE = 254
GRIB2_STATUS = 1
# Where the mark lies, counted from the first byte of a message.
PLACES = {1: (33, GRIB1_SUBCENTRE), 2: (35, GRIB2_STATUS)}
HEAD = 36
LONG_GRIB1 = 0x800000
DOCUMENTS = (".zattrs", "zarr.json")


def is_synthetic(path: Path) -> bool:
    """Whether a GRIB or NetCDF file holds anything that the embedded provider made."""
    kind = sniff(path)
    if kind is Format.NETCDF:
        return _netcdf_says_so(path)
    return any(_is_marked(head) for head in _heads(path))


def is_synthetic_store(folder: Path) -> bool:
    """Whether a Zarr store on this machine says that it is synthetic."""
    for name in DOCUMENTS:
        try:
            document: Any = json.loads((folder / name).read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(document, dict) and says_so(document.get("attributes", document)):
            return True
    return False


def says_so(attributes: Any) -> bool:
    """Whether attributes of a file or a store name it synthetic."""
    try:
        value = attributes.get(ATTRIBUTE)
    except AttributeError:
        return False
    return value not in (None, False, 0, "", "false")


def agrees(path: Path, request: Request) -> bool:
    """Whether a file is synthetic where the request is, and only there."""
    if not path.is_file() or sniff(path) not in (Format.GRIB, Format.NETCDF):
        return True  # on another machine, where it was looked at; or whoever reads it complains
    return is_synthetic(path) == request.synthetic


def require(path: Path, request: Request) -> None:
    """Refuse synthetic data in place of real ones, and real ones in a rehearsal.

    Args:
        path: A file of the answer.
        request: What was asked.

    Raises:
        FetchError: The file is not of the kind that the request is for.
    """
    if agrees(path, request):
        return
    where = f"answer of {request.dataset}, request {request.digest[:12]}"
    if request.synthetic:
        raise FetchError(
            "a rehearsal got data that are not marked synthetic",
            where,
            f"{path.name} has no mark of the embedded provider",
            "check the address of the store; for real data run without --embedded",
        )
    raise FetchError(
        "the answer is synthetic: the embedded provider made it",
        where,
        f"{path.name} carries its mark",
        "point the address of the store to the real one, or rehearse with --embedded",
    )


def _netcdf_says_so(path: Path) -> bool:
    try:
        with netCDF4.Dataset(path) as file:
            return says_so({name: file.getncattr(name) for name in file.ncattrs()})
    except (OSError, RuntimeError, UnicodeDecodeError):
        return False  # reading it says what is wrong


def _heads(path: Path) -> Iterator[bytes]:
    """The first bytes of each message; what lies between messages is passed over."""
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        place = data.find(b"GRIB")
        while place >= 0:
            head = data[place : place + HEAD]
            if len(head) < HEAD:
                return
            yield head
            big = head[7] != 1
            length = int.from_bytes(head[8:16] if big else head[4:7], "big")
            if (not big and length & LONG_GRIB1) or not HEAD < length <= len(data) - place:
                length = len(b"GRIB")
            place = data.find(b"GRIB", place + length)


def _is_marked(head: bytes) -> bool:
    place, mark = PLACES.get(head[7], (0, -1))
    return head[place] == mark
