"""Decode: raw files to fields, every expected one accounted for.

A file's contents are matched against the source's declaration before any
value is read. What is expected and not there is known by name; what is there
and not expected is listed; two different fields for one place reject it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aurora_prep.pipelines.reading import contained
from aurora_prep.pipelines.reading.computed import Ingredients
from aurora_prep.pipelines.reading.fields import (
    NO_TIME,
    PRESSURE,
    SURFACE,
    ComputedField,
    FieldRef,
    Headers,
)
from aurora_prep.pipelines.reading.file_index import FileContents, contents_of
from aurora_prep.pipelines.reading.formulas import compute
from aurora_prep.pipelines.reading.grid_description import GridDescription
from aurora_prep.pipelines.reading.product import Choice, off_hour, strange
from aurora_prep.sources.spec import DecodeError, Kind, Native, Product, Source
from aurora_prep.sources.spec.wmo import number_of

Moment = tuple[datetime, timedelta, int | None]
Place = tuple[str, int | None]
Key = tuple[Place, Moment]
FINAL, PRELIMINARY = "1", "5"  # expver of ERA5 and of ERA5T
STATIC: Moment = (NO_TIME, timedelta(0), None)

ANY = Choice()
SAME_EDGE = 1e-3  # degrees


@dataclass(frozen=True, slots=True)
class Holdings:
    """What files hold of a source.

    Attributes:
        fields: ``((path, level), (init_time, lead_time, member))`` to the field;
            static fields are kept under ``STATIC``. The member is ``None`` of
            sources that are no ensemble, whatever their files say.
        grids: Description of the grid of each file's fields, by file.
        ignored: What the files hold that the source does not declare.
        conflicts: Why nothing is known of a place though files hold it: two different
            fields claim it. Four parts of an error each; never of a static field.
        off_hours: Fields at no whole hour, which no frame can have.
        products: What the headers of the fields say, each once.
        synthetic: Whether the embedded provider made any of it.
        reasons: Why nothing is there of a time, where that is known.
    """

    fields: Mapping[Key, FieldRef]
    grids: Mapping[str, tuple[GridDescription, ...]]
    ignored: tuple[str, ...]
    conflicts: Mapping[Key, tuple[str, str, str, str]] = field(default_factory=dict)
    off_hours: tuple[str, ...] = ()
    products: tuple[Headers, ...] = ()
    synthetic: bool = False
    reasons: Mapping[Moment, str] = field(default_factory=dict)

    def grid_of(self, ref: FieldRef) -> GridDescription:
        """The grid a field lies on, as its file describes it."""
        return self.grids[ref.file][ref.grid]

    def refuse_conflicts(self) -> None:
        """Stop where two different fields claim one place.

        Raises:
            DecodeError: They do.
        """
        for parts in self.conflicts.values():
            raise DecodeError(*parts)

    @property
    def moments(self) -> tuple[Moment, ...]:
        """All times held, static fields aside, increasing."""
        return tuple(sorted({moment for _, moment in self.fields if moment != STATIC}))

    @property
    def places(self) -> frozenset[Place]:
        """All ``(path, level)`` held at any time."""
        return frozenset(place for place, _ in self.fields)


def scan(path: Path, kind: str) -> FileContents:
    """Find the contents of a file of a known format."""
    return contained.index(path, kind)


def holdings_of(
    files: tuple[str, ...], source: Source, kept: Path, choice: Choice = ANY
) -> Holdings:
    """Match the contents of files against the declaration of a source.

    Args:
        files: Raw files, GRIB or NetCDF.
        source: The declaration.
        kept: Folder in which the contents of files are kept.
        choice: What to take where the files hold more than the source has.

    Raises:
        DecodeError: A file is damaged, or two different static fields claim the same
            variable.
    """
    return _holdings_of(files, tuple(map(_modified, files)), source, kept, choice)


def _modified(file: str) -> int:
    try:
        return Path(file).stat().st_ctime_ns
    except OSError:
        return 0  # reading it says what is wrong


@lru_cache(maxsize=32)
def _holdings_of(
    files: tuple[str, ...],
    modified: tuple[int, ...],  # noqa: ARG001  a changed file is another file
    source: Source,
    kept: Path,
    choice: Choice,
) -> Holdings:
    matcher = _Matcher(source)
    found: dict[Key, FieldRef] = {}
    grids: dict[str, tuple[GridDescription, ...]] = {}
    conflicts: dict[Key, tuple[str, str, str, str]] = {}
    ignored: dict[str, None] = {}
    off_hours: dict[str, None] = {}
    ingredients = Ingredients(source)
    synthetic = False
    for name in files:
        contents = contents_of(Path(name), kept, scan)
        grids[name] = contents.grids
        synthetic = synthetic or contents.synthetic
        at_hand = [_is_chosen(grid, choice) for grid in contents.grids]
        skipped = (f"{one} (not on latitude and longitude)" for one in contents.skipped)
        ignored |= dict.fromkeys(skipped)
        for ref in contents.fields:
            native = matcher.native(ref)
            if _adds(ingredients, ref, choice, on_grid=at_hand[ref.grid]) and native is None:
                continue
            if native is not None and not (at_hand[ref.grid] and _is_wanted(ref, choice)):
                continue  # the recipe says so
            if native is None or (why := strange(source, ref, native, choice)):
                if native is not None and off_hour(ref):
                    off_hours[f"{ref} ({why})"] = None
                    ignored[f"{_named(ref)} ({ref.level_kind}, {why}) in {ref.file}"] = None
                else:
                    reason = f", {why}" if native is not None else ""
                    ignored[f"{_named(ref)} ({ref.level_kind}{reason})"] = None
                continue
            place = native.variable.path, ref.level
            key = (place, _moment(ref, place, source))
            other = found.get(key)
            if other is None:
                found[key] = ref
                continue
            newer = _newer(key, ref, other)
            if newer is None:
                conflicts[key] = _two(key, ref, other, grids)
            else:
                found[key] = newer
    found |= ingredients.computed(found)
    _refuse_static(conflicts)
    said = dict.fromkeys(ref.headers for ref in found.values())
    return Holdings(
        found, grids, tuple(sorted(ignored)), conflicts, tuple(off_hours), tuple(said), synthetic
    )


def _adds(ingredients: Ingredients, ref: FieldRef, choice: Choice, *, on_grid: bool) -> bool:
    """Whether a field can be used to compute others; it is noted for them."""
    natives, source = ingredients.natives(ref), ingredients.source
    for native in natives if on_grid and _is_wanted(ref, choice) else ():
        if strange(source, ref, native, choice) is None:
            ingredients.add(ref, native, _moment(ref, (native.variable.path, ref.level), source))
    return bool(natives)


def _named(ref: FieldRef) -> str:
    return ref.name if ref.level is None else f"{ref.name} at {ref.level} hPa"


def _is_wanted(ref: FieldRef, choice: Choice) -> bool:
    return not choice.members or ref.member in choice.members


def _is_chosen(grid: GridDescription, choice: Choice) -> bool:
    """Whether a grid has the edges that the recipe names, in whichever order it runs."""
    if choice.area is None:
        return True
    edges = _edges(grid)
    if edges is None:
        return False
    (north, west, south, east), (n, w, s, e) = choice.area, edges
    turns = [abs((one - other + 180) % 360 - 180) for one, other in ((west, w), (east, e))]
    return max(abs(north - n), abs(south - s), *turns) < SAME_EDGE


def _edges(grid: GridDescription) -> tuple[float, float, float, float] | None:
    """North, west, south and east; ``None`` for a grid without such edges."""
    if grid["gridType"] == "axes":
        rows, columns = grid["latitude"], grid["longitude"]
        first, last = columns[0], columns[-1]
        falls = len(columns) > 1 and (columns[1] - first + 180) % 360 < 180  # noqa: PLR2004  half a turn
        return max(rows), last if falls else first, min(rows), first if falls else last
    if grid["gridType"] not in ("regular_ll", "regular_gg", "reduced_gg", "reduced_ll"):
        return None
    ends = [
        float(grid[f"{axis}Of{end}GridPointInDegrees"])
        for axis in ("latitude", "longitude")
        for end in ("First", "Last")
    ]
    west, east = (ends[3], ends[2]) if grid.get("iScansNegatively") else (ends[2], ends[3])
    return max(ends[:2]), west, min(ends[:2]), east


def decode(ref: FieldRef) -> NDArray[np.float32]:
    """Read one field in the order of its file.

    Returns:
        ``(rows, columns)`` from NetCDF and Zarr, ``(points,)`` from GRIB,
        float32, in the file's own units; NaN where the file says missing.

    Raises:
        DecodeError: The field cannot be read.
        FetchError: It is in a Zarr store that has not got it, or does not answer.
    """
    if isinstance(ref, ComputedField):
        return compute(ref.formula, [decode(one) for one in ref.inputs], ref.level or 0)
    return contained.read(ref)


class _Matcher:
    """Finds the declared variable a field is, by number, name and kind of level."""

    def __init__(self, source: Source) -> None:
        self.levels = source.levels
        self.by_param: dict[tuple[int, bool], Native] = {}
        self.by_name: dict[tuple[str, bool], Native] = {}
        for native in source.natives:
            on_levels = native.variable.has_levels
            self.by_param[native.number, on_levels] = native
            for name in native.fields:
                self.by_name[name, on_levels] = native

    def native(self, ref: FieldRef) -> Native | None:
        """The declared variable of a field; ``None`` for what the source does not declare."""
        if ref.level_kind not in (PRESSURE, SURFACE):
            return None
        on_levels = ref.level_kind == PRESSURE
        native = (
            self.by_param.get((ref.param, on_levels))
            or self.by_param.get((number_of(ref.param), on_levels))
            if ref.param
            else self.by_name.get((ref.name, on_levels))
        )
        return None if on_levels and ref.level not in self.levels else native


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


def _newer(key: Key, ref: FieldRef, other: FieldRef) -> FieldRef | None:
    """Settle two fields for one place: the same twice is fine, two answers are not.

    Static fields are repeated at every time by some stores; the earliest counts.
    Where ERA5 overlaps its preliminary version, the final one counts; of files
    that have a version as a dimension, the one that is not empty.

    Returns:
        The field that counts; ``None`` when neither does.
    """
    if key[1] == STATIC and ref.init_time != other.init_time:
        return ref if ref.init_time < other.init_time else other
    one, two = decode(ref), decode(other)
    if np.array_equal(one, two, equal_nan=True):
        return other
    if {_version(ref), _version(other)} == {FINAL, PRELIMINARY}:
        final, preliminary = (ref, other) if _version(ref) == FINAL else (other, ref)
        return preliminary if np.isnan(one if final is ref else two).all() else final
    return None


def _two(
    key: Key,
    ref: FieldRef,
    other: FieldRef,
    grids: Mapping[str, tuple[GridDescription, ...]],
) -> tuple[str, str, str, str]:
    """The four parts of the error that two different fields claim one place."""
    one, two = grids[ref.file][ref.grid], grids[other.file][other.grid]
    said = [f"version {ref.label or 'unknown'}, member {ref.member}"]
    said += [f"version {other.label or 'unknown'}, member {other.member}"]
    if one != two:
        edges = [_edges(grid) for grid in (one, two)]
        both = zip(said, edges, strict=True)
        said = [f"{text}, area {list(area) if area else 'unknown'}" for text, area in both]
        fix = "choose one of the two grids by area: [north, west, south, east], or leave a file out"
    elif ref.member != other.member:
        fix = "choose one member by members: [NUMBER], or leave a file out"
    elif ref.label != other.label:
        fix = "leave the files of one version out of path"
    else:
        fix = "leave one of them out of path: the files contradict each other"
    return (
        "two different fields claim the same variable, level and time",
        f"{key[0][0]} in {ref.file}",
        f"{ref} ({said[0]}) and {other} ({said[1]})",
        fix,
    )


def _refuse_static(conflicts: Mapping[Key, tuple[str, str, str, str]]) -> None:
    for (_, moment), parts in conflicts.items():
        if moment == STATIC:
            raise DecodeError(*parts)
