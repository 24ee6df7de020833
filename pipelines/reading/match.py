"""Decode: raw files to fields, every expected one accounted for.

A file's contents are matched against the source's declaration before any
value is read. What is expected and not there is known by name; what is there
and not expected is listed; two different fields for one place stop the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurora_prep.pipelines.reading.file_index import (
    PRESSURE,
    SURFACE,
    Contents,
    FieldRef,
    contents_of,
)
from aurora_prep.pipelines.reading.grib import read_grib, read_ranges, scan_grib
from aurora_prep.pipelines.reading.netcdf import read_netcdf, scan_netcdf
from aurora_prep.pipelines.reading.zarr import read_zarr
from aurora_prep.providers.zarr_store import StoreAddress
from aurora_prep.sources.spec import (
    HOUR,
    DecodeError,
    Kind,
    Native,
    Product,
    Source,
    StepType,
)

Moment = tuple[datetime, timedelta, int | None]
Place = tuple[str, int | None]
FINAL, PRELIMINARY = "1", "5"  # expver of ERA5 and of ERA5T
STATIC: Moment = (datetime.min, timedelta(0), None)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What files hold of a source.

    Attributes:
        fields: ``((path, level), (init_time, lead_time, member))`` to the field;
            static fields are kept under ``STATIC``. The member is ``None`` of
            sources that are no ensemble, whatever their files say.
        grids: Description of the grid of each file's fields, by file.
        ignored: What the files hold that the source does not declare.
    """

    fields: Mapping[tuple[Place, Moment], FieldRef]
    grids: Mapping[str, tuple[dict[str, Any], ...]]
    ignored: tuple[str, ...]

    def grid_of(self, ref: FieldRef) -> dict[str, Any]:
        """The grid a field lies on, as its file describes it."""
        return self.grids[ref.file][ref.grid]

    @property
    def moments(self) -> tuple[Moment, ...]:
        """All times held, static fields aside, increasing."""
        return tuple(sorted({moment for _, moment in self.fields if moment != STATIC}))

    @property
    def places(self) -> frozenset[Place]:
        """All ``(path, level)`` held at any time."""
        return frozenset(place for place, _ in self.fields)


def scan(path: Path, kind: str) -> Contents:
    """Find the contents of a file of a known format."""
    return scan_grib(path) if kind == "grib" else scan_netcdf(path)


def holdings_of(files: tuple[str, ...], source: Source, kept: Path) -> Holdings:
    """Match the contents of files against the declaration of a source.

    Args:
        files: Raw files, GRIB or NetCDF.
        source: The declaration.
        kept: Folder in which the contents of files are kept.

    Raises:
        DecodeError: A file is damaged, or two different fields claim the
            same variable, level and time.
    """
    return _holdings_of(files, tuple(map(_modified, files)), source, kept)


def _modified(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return 0  # reading it says what is wrong


@lru_cache(maxsize=32)
def _holdings_of(
    files: tuple[str, ...],
    modified: tuple[int, ...],  # noqa: ARG001  a changed file is another file
    source: Source,
    kept: Path,
) -> Holdings:
    matcher = _Matcher(source)
    found: dict[tuple[Place, Moment], FieldRef] = {}
    grids: dict[str, tuple[dict[str, Any], ...]] = {}
    ignored: set[str] = set()
    for name in files:
        contents = contents_of(Path(name), kept, scan)
        grids[name] = contents.grids
        ignored.update(f"{skipped} (not on latitude and longitude)" for skipped in contents.skipped)
        for ref in contents.fields:
            place = matcher.place(ref)
            if place is None or (strange := _strange(source, ref, place)):
                at = "" if ref.level is None else f" at {ref.level} hPa"
                why = f", {strange}" if place else ""
                ignored.add(f"{ref.name}{at} ({ref.level_kind}{why})")
                continue
            key = (place, _moment(ref, place, source))
            other = found.get(key)
            if other is None or _replaces(key, ref, other):
                found[key] = ref
    return Holdings(found, grids, tuple(sorted(ignored)))


def decode(ref: FieldRef) -> NDArray[np.float32]:
    """Read one field in the order of its file.

    Returns:
        ``(rows, columns)`` from NetCDF and Zarr, ``(points,)`` from GRIB,
        float32, in the file's own units; NaN where the file says missing.

    Raises:
        DecodeError: The field cannot be read.
        FetchError: It is in a Zarr store that has not got it, or does not answer.
    """
    if StoreAddress.is_address(ref.file):
        return read_zarr(ref)
    return read_netcdf(ref) if isinstance(ref.place[0], str) else read_grib(ref, read_ranges(ref))


class _Matcher:
    """Finds the declared variable a field is, by number, name and kind of level."""

    def __init__(self, source: Source) -> None:
        self.levels = source.levels
        self.by_param: dict[tuple[int, bool], Native] = {}
        self.by_name: dict[tuple[str, bool], Native] = {}
        for native in source.natives:
            on_levels = native.variable.has_levels
            self.by_param[native.variable.param, on_levels] = native
            for name in native.fields:
                self.by_name[name, on_levels] = native

    def place(self, ref: FieldRef) -> Place | None:
        """``(path, level)``, or ``None`` for what the source does not declare."""
        if ref.level_kind not in (PRESSURE, SURFACE):
            return None
        on_levels = ref.level_kind == PRESSURE
        native = (
            self.by_param.get((ref.param, on_levels))
            if ref.param
            else self.by_name.get((ref.name, on_levels))
        )
        if native is None or (on_levels and ref.level not in self.levels):
            return None
        return native.variable.path, ref.level


def _strange(source: Source, ref: FieldRef, place: Place) -> str | None:
    """Why a field cannot be of this source though its variable is; ``None`` when it can.

    An analysis never lies ahead of its start. What is accumulated belongs to the hour that
    ends at its valid time, as ERA5 delivers it: nothing is divided or subtracted, so longer
    sums are refused. Static fields are taken from anywhere.
    """
    if place[0].startswith(f"{Kind.STATIC}/"):
        return None
    if source.product is Product.ANALYSIS and ref.lead_time:
        return f"{ref.lead_time // HOUR} h ahead"
    if source.native(place[0]).variable.step_type is StepType.ACCUMULATED and ref.hours > 1:
        return f"accumulated over {ref.hours} h and not over one"
    if source.origins and ref.origin and ref.origin not in source.origins:
        return f"of type {ref.origin}"
    return None


def _moment(ref: FieldRef, place: Place, source: Source) -> Moment:
    if place[0].startswith(f"{Kind.STATIC}/"):
        return STATIC
    member = ref.member if source.members else None
    if source.product is Product.FORECAST:
        return ref.init_time, ref.lead_time, member
    return ref.valid_time, timedelta(0), member


def _version(ref: FieldRef) -> str:
    """The version of the product without the zeros before it."""
    return ref.label.lstrip("0")


def _replaces(key: tuple[Place, Moment], ref: FieldRef, other: FieldRef) -> bool:
    """Settle two fields for one place: the same twice is fine, two answers are not.

    Static fields are repeated at every time by some stores; the earliest counts.
    Where ERA5 overlaps its preliminary version, the final one counts; of files
    that have a version as a dimension, the one that is not empty.
    """
    if key[1] == STATIC:
        return ref.init_time < other.init_time
    one, two = decode(ref), decode(other)
    if np.array_equal(one, two, equal_nan=True):
        return False
    if {_version(ref), _version(other)} == {FINAL, PRELIMINARY}:
        if np.isnan(one).all() or np.isnan(two).all():
            return not np.isnan(one).all()
        return _version(ref) == FINAL
    raise DecodeError(
        "two different fields claim the same variable, level and time",
        f"{key[0][0]} in {ref.file}",
        f"{ref} (version {ref.label or 'unknown'}, member {ref.member}) and"
        f" {other} (version {other.label or 'unknown'}, member {other.member})",
        "leave one of them out: select one version and one member",
    )
