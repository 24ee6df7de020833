"""What a raw file holds: every field, where it lies and what it says it is.

The contents of a file are found once, by reading headers only, and kept
beside the cache; a worker then reads just the fields of its shard.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from aurora_prep.sources.spec import DecodeError, digest_of

FORMAT = 3  # raised when the form of the kept contents changes
PRESSURE = "pressure"
SURFACE = "surface"
MAGIC = {b"GRIB": "grib", b"\x89HDF": "netcdf", b"CDF\x01": "netcdf", b"CDF\x02": "netcdf"}
MAGIC[b"CDF\x05"] = "netcdf"


@dataclass(frozen=True, slots=True)
class FieldRef:
    """One two-dimensional field of a file, not yet decoded.

    Attributes:
        file: The file's path.
        place: Where it lies: ``(start, length, start, length, ...)`` byte
            ranges of a GRIB message, or ``(variable, index, ...)`` of NetCDF
            with one index for every dimension before latitude and longitude.
        param: ECMWF parameter number, 0 where the file gives none.
        name: Short name (GRIB) or variable name (NetCDF).
        units: As written in the file.
        level_kind: ``pressure``, ``surface``, or the file's own word for another.
        level: hPa on pressure levels, else ``None``.
        init_time: Start of the forecast, or the valid time of an analysis.
        lead_time: Distance ahead of ``init_time``.
        member: Ensemble member, ``None`` where the file gives none.
        label: Version of the product, such as ``expver``.
        grid: Position in ``Contents.grids``.
        origin: How the archive says it was made, such as ``an`` or ``fc``;
            empty where the file does not say.
        hours: Hours that an accumulation runs over, up to the valid time; 0 where
            the value is of an instant, or the file does not say.
    """

    file: str
    place: tuple[int | str, ...]
    param: int
    name: str
    units: str
    level_kind: str
    level: int | None
    init_time: datetime
    lead_time: timedelta
    member: int | None
    label: str
    grid: int
    origin: str = ""
    hours: int = 0

    @property
    def valid_time(self) -> datetime:
        """The moment described."""
        return self.init_time + self.lead_time

    def __str__(self) -> str:
        level = "" if self.level is None else f" at {self.level} hPa"
        return f"{self.name}{level} valid {self.valid_time:%Y-%m-%dT%H:%M} in {self.file}"


@dataclass(frozen=True, slots=True)
class Contents:
    """All fields of a file.

    Attributes:
        file: The file's path.
        format: ``grib`` or ``netcdf``.
        fields: In the order of the file.
        grids: Description of each grid met, as plain values.
        skipped: What the file holds that is no field on a horizontal grid.
    """

    file: str
    format: str
    fields: tuple[FieldRef, ...]
    grids: tuple[dict[str, Any], ...]
    skipped: tuple[str, ...] = ()


def sniff(path: Path) -> str:
    """``grib`` or ``netcdf``, told by the first bytes.

    Raises:
        DecodeError: The file is empty, or neither of the two.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DecodeError("the file cannot be read", str(path), reason, "check it") from error
    kind = MAGIC.get(head[:4])
    if kind is None and b"GRIB" in head:  # some archives pad the front
        kind = "grib"
    if kind is None:
        found = f"{head[:24]!r}" if head else "an empty file"
        raise DecodeError(
            "the file is neither GRIB nor NetCDF", str(path), found, "download it again"
        )
    return kind


def contents_of(path: Path, kept: Path, scan: Callable[[Path, str], Contents]) -> Contents:
    """The contents of a file: remembered, read from ``kept``, or scanned and kept.

    Args:
        path: The raw file.
        kept: Folder in which contents are kept, keyed by path, size and time.
        scan: Finds the contents of ``(path, format)``.

    Raises:
        DecodeError: The file is damaged.
    """
    try:
        state = path.stat()
    except OSError as error:
        reason = error.strerror or str(error)
        raise DecodeError("the file cannot be read", str(path), reason, "check it") from error
    name = digest_of([FORMAT, str(path.resolve()), state.st_size, state.st_mtime_ns])
    return _remembered(path, kept / name[:2] / f"{name}.json", scan)


@lru_cache(maxsize=64)
def _remembered(path: Path, note: Path, scan: Callable[[Path, str], Contents]) -> Contents:
    try:
        return _load(note.read_text(encoding="utf-8"), str(path))
    except (OSError, ValueError, KeyError, TypeError):
        contents = scan(path, sniff(path))
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=note.parent, delete=False, suffix=".tmp") as file:
            file.write(_dump(contents))
        Path(file.name).replace(note)
    except OSError:
        return contents  # a note saves time, it is not needed
    return contents


def _dump(contents: Contents) -> str:
    plain = asdict(contents)
    plain["fields"] = [
        [*_head(ref), ref.init_time.isoformat(), ref.lead_time.total_seconds(), *_tail(ref)]
        for ref in contents.fields
    ]
    return json.dumps(plain)


def _head(ref: FieldRef) -> list[Any]:
    return [ref.place, ref.param, ref.name, ref.units, ref.level_kind, ref.level]


def _tail(ref: FieldRef) -> list[Any]:
    return [ref.member, ref.label, ref.grid, ref.origin, ref.hours]


def _load(text: str, file: str) -> Contents:
    """Read a note; the file goes by the name it is asked for now, which may be another."""
    plain = json.loads(text)
    fields = tuple(
        FieldRef(
            file, tuple(place), param, name, units, kind, level,
            datetime.fromisoformat(init), timedelta(seconds=lead), *tail,
        )
        for place, param, name, units, kind, level, init, lead, *tail in plain["fields"]
    )  # fmt: skip
    return Contents(file, plain["format"], fields, tuple(plain["grids"]), tuple(plain["skipped"]))
