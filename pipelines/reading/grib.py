"""GRIB by ecCodes, message by message: find every field, decode one.

ecCodes frames the messages and reads their headers. A GRIB2 message may hold
several fields that share its first sections (NCEP packs u and v so); ecCodes
alone hands out the first of them, so the sections are walked here and each
field becomes a message of its own.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import eccodes as ec
import numpy as np
from numpy.typing import NDArray

from aurora_prep.pipelines.reading.fields import PRESSURE, SURFACE, GribField, Headers
from aurora_prep.pipelines.reading.file_index import Contents
from aurora_prep.pipelines.reading.grib_headers import (
    has,
    headers_of,
    interval_of,
    member_of,
    text_of,
)
from aurora_prep.pipelines.reading.grid_description import GridDescription
from aurora_prep.sources.spec import HOUR, DecodeError
from aurora_prep.sources.spec.wmo import WIND_COMPONENTS, wind_at

SURFACES = frozenset(
    {
        "surface",
        "heightAboveGround",
        "meanSea",
        "entireAtmosphere",
        "depthBelowLandLayer",
        "entireLake",
    }
    | {"depthBelowLand", "nominalTop", "soilLayer", "heightAboveSea"}
)
GRID_KEYS: tuple[tuple[str, type], ...] = (
    ("gridType", str), ("Ni", int), ("Nj", int), ("N", int), ("isOctahedral", int),
    ("latitudeOfFirstGridPointInDegrees", float), ("latitudeOfLastGridPointInDegrees", float),
    ("longitudeOfFirstGridPointInDegrees", float), ("longitudeOfLastGridPointInDegrees", float),
    ("iDirectionIncrementInDegrees", float), ("jDirectionIncrementInDegrees", float),
    ("iScansNegatively", int), ("jScansPositively", int), ("jPointsAreConsecutive", int),
    ("alternativeRowScanning", int), ("numberOfPoints", int), ("numberOfDataPoints", int),
    ("Nx", int), ("Ny", int), ("DxInMetres", float), ("DyInMetres", float),
    ("LoVInDegrees", float), ("LaDInDegrees", float), ("Latin1InDegrees", float),
    ("Latin2InDegrees", float), ("orientationOfTheGridInDegrees", float),
    ("projectionCentreFlag", int), ("uvRelativeToGrid", int), ("shapeOfTheEarth", int),
    ("earthIsOblate", int), ("radius", float),
    ("earthMajorAxisInMetres", float), ("earthMinorAxisInMetres", float),
    ("latitudeOfSouthernPoleInDegrees", float), ("longitudeOfSouthernPoleInDegrees", float),
    ("angleOfRotationInDegrees", float),
)  # fmt: skip
INDICATOR = {1: 8, 2: 16}  # length of section 0 by edition
DATA_SECTION, BITMAP_SECTION = 7, 6
REUSED_BITMAP = 254
MISSING = -1.0e36  # no packed field comes near it


def scan_grib(path: Path) -> Contents[GribField]:
    """Find every field of a GRIB file by its headers.

    Raises:
        DecodeError: The file is truncated or damaged anywhere.
    """
    fields: list[GribField] = []
    grids: list[GridDescription] = []
    seen: dict[str, int] = {}
    known = _Known({}, {})
    with path.open("rb") as file:
        size = path.stat().st_size
        raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        for message in _messages(file, path):
            try:
                start = ec.codes_get_long(message, "offset")
                length = ec.codes_get_long(message, "totalLength")
                for place in _fields_of(raw, start, length, path):
                    whole = len(place) == 2  # noqa: PLR2004  one range: the message itself
                    handle = message if whole else ec.codes_new_from_message(_assemble(raw, place))
                    try:
                        digest = ec.codes_get_string(handle, "md5GridSection")
                        if digest not in seen:
                            seen[digest] = len(grids)
                            grids.append(_grid_of(handle))
                        fields.append(_field(handle, str(path), place, seen[digest], known))
                    finally:
                        if not whole:
                            ec.codes_release(handle)
            except (ec.CodesInternalError, ValueError) as error:
                raise _damaged(path, f"message {len(fields) + 1}: {error}") from error
            finally:
                ec.codes_release(message)
    if not fields:
        raise _damaged(path, "no message")
    return Contents(str(path), "grib", tuple(fields), tuple(grids))


def read_grib(ref: GribField, raw: bytes) -> NDArray[np.float32]:
    """Decode one field in the order of the file.

    ecCodes unpacks in float64; the value is rounded to float32 once.

    Args:
        ref: The field.
        raw: The bytes of its message.

    Returns:
        All points, shape ``(points,)``; NaN where the message says missing.

    Raises:
        DecodeError: The message cannot be decoded.
    """
    try:
        handle = ec.codes_new_from_message(raw)
        try:
            # Complex packing has missing values of its own, without a bitmap.
            may_miss = ec.codes_get_long(handle, "bitmapPresent") or (
                has(handle, "missingValueManagementUsed")
                and ec.codes_get_long(handle, "missingValueManagementUsed")
            )
            if may_miss:
                ec.codes_set(handle, "missingValue", MISSING)
            _check_size(handle)
            values = ec.codes_get_double_array(handle, "values")
        finally:
            ec.codes_release(handle)
    except (ec.CodesInternalError, ValueError) as error:
        raise _damaged(Path(ref.file), f"{ref}: {error}") from error
    field: NDArray[np.float32] = values.astype(np.float32)
    if may_miss:
        field[values == MISSING] = np.nan
    return field


def read_ranges(ref: GribField) -> bytes:
    """The bytes of a field's message.

    Raises:
        DecodeError: The file is shorter than it was, or gone.
    """
    ranges = ref.ranges
    pieces = []
    try:
        with Path(ref.file).open("rb") as file:
            for start, length in zip(ranges[::2], ranges[1::2], strict=True):
                file.seek(start)
                pieces.append(file.read(length))
                if len(pieces[-1]) != length:
                    raise _damaged(Path(ref.file), f"it ends before byte {start + length}")
    except OSError as error:
        raise _damaged(Path(ref.file), error.strerror or str(error)) from error
    return _joined(pieces)


def _messages(file: Any, path: Path) -> Iterator[int]:
    """Handles of the headers of all messages; the caller releases them."""
    while True:
        try:
            handle = ec.codes_grib_new_from_file(file, headers_only=True)
        except ec.CodesInternalError as error:
            raise _damaged(path, str(error)) from error
        if handle is None:
            return
        yield handle


def _fields_of(
    raw: mmap.mmap | bytes, start: int, length: int, path: Path
) -> Iterator[tuple[int, ...]]:
    """Byte ranges of each field of a message; one range for the usual message."""
    end = start + length
    if raw[end - 4 : end] != b"7777":
        raise _damaged(path, f"message at byte {start} of {length} bytes has no end mark")
    if raw[start + 7] == 1:
        yield start, length
        return
    sections: dict[int, tuple[int, int]] = {}
    found: list[tuple[int, ...]] = []
    at = start + INDICATOR[2]
    while at < end - 4:
        size, number = struct.unpack(">IB", raw[at : at + 5])
        if size < 5 or at + size > end:  # noqa: PLR2004  a section's own head
            raise _damaged(path, f"section {number} at byte {at} claims {size} bytes")
        if not (number == BITMAP_SECTION and raw[at + 5] == REUSED_BITMAP and number in sections):
            sections[number] = (at, size)
        if number == DATA_SECTION:
            ordered = [sections[n] for n in sorted(sections)]
            found.append((start, INDICATOR[2], *(x for pair in ordered for x in pair)))
        at += size
    if len(found) == 1:
        yield start, length
    else:
        yield from found


def _assemble(raw: mmap.mmap | bytes, place: tuple[int, ...]) -> bytes:
    return _joined([raw[s : s + n] for s, n in zip(place[::2], place[1::2], strict=True)])


def _joined(pieces: list[bytes]) -> bytes:
    if len(pieces) == 1:
        return pieces[0]
    total = sum(map(len, pieces)) + 4
    return b"".join([pieces[0][:8], struct.pack(">Q", total), *pieces[1:], b"7777"])


@dataclass(frozen=True, slots=True)
class _Known:
    """What messages of a file share, each kept once."""

    units: dict[int, str]
    headers: dict[Headers, Headers]


def _field(handle: int, file: str, ranges: tuple[int, ...], grid: int, known: _Known) -> GribField:
    param = ec.codes_get_long(handle, "paramId")
    kind = ec.codes_get_string(handle, "typeOfLevel")
    level: int | None = None
    if kind in ("isobaricInhPa", "isobaricInPa"):
        value = ec.codes_get_double(handle, "level") / (1 if kind == "isobaricInhPa" else 100)
        # A fraction of a hPa is no level of ours: kept apart by its own word.
        level, kind = (int(value), PRESSURE) if value == int(value) else (None, f"{value} hPa")
    elif kind in SURFACES:
        kind = SURFACE
    units = known.units.get(param)
    if units is None:
        units = known.units[param] = ec.codes_get_string(handle, "units")
    if kind == SURFACE and param in WIND_COMPONENTS:
        metres = ec.codes_get_double(handle, "level")
        declared = wind_at(param, metres)
        param, kind = (declared, kind) if declared else (param, f"{metres} m above ground")
    start, end, headers = interval_of(handle, headers_of(handle))
    init = _moment(ec.codes_get_long(handle, "dataDate"), ec.codes_get_long(handle, "dataTime"))
    valid = init + end
    analysis = headers.type in ("an", "4v", "3v", "ia", "oi")
    return GribField(
        file=file,
        ranges=ranges,
        param=param,
        name=ec.codes_get_string(handle, "shortName"),
        units=units,
        level_kind=kind,
        level=level,
        init_time=valid if analysis else init,
        lead_time=timedelta(0) if analysis else end,
        member=member_of(handle),
        label=text_of(handle, "expver"),
        grid=grid,
        headers=known.headers.setdefault(headers, headers),
        hours=(end - start) / HOUR,
    )


def _moment(day: int, time: int) -> datetime:
    return datetime(day // 10_000, day // 100 % 100, day % 100, time // 100, time % 100)


def _grid_of(handle: int) -> GridDescription:
    """The keys of the grid, plain, for :func:`regridding.geometry_from_grib`.

    Raises:
        ValueError: ecCodes does not know the grid.
    """
    if not has(handle, "gridType"):
        raise ValueError("its grid is of no known type")
    grid = {key: ec.codes_get(handle, key, kind) for key, kind in GRID_KEYS if has(handle, key)}
    if has(handle, "pl"):
        grid["pl"] = ec.codes_get_array(handle, "pl").tolist()
    return GridDescription(grid)


def _check_size(handle: int) -> None:
    """Believe no count of values that the grid contradicts: memory is taken for it.

    Raises:
        ValueError: The message claims another number of values than its grid has.
    """
    values, points = (
        ec.codes_get_size(handle, "values"),
        ec.codes_get_long(handle, "numberOfPoints"),
    )
    rows = ec.codes_get_long(handle, "Nj") if has(handle, "Nj") else 0
    columns = ec.codes_get_long(handle, "Ni") if has(handle, "Ni") else 0
    if values != points or (rows * columns not in (0, points)):
        raise ValueError(f"{values} values, {points} points on a grid of {rows} x {columns}")


def _damaged(path: Path, found: str) -> DecodeError:
    return DecodeError(
        "the GRIB file is damaged",
        str(path),
        found,
        "fetch it again; a file of the cache may simply be deleted",
    )
