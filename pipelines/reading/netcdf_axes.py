"""The coordinates of a NetCDF variable: which is which, and what their values mean.

Two coordinates never share a role. The start of a forecast, its lead time and
the valid time are each found, and held against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from aurora_prep.pipelines.reading.fields import PRESSURE
from aurora_prep.pipelines.reading.netcdf_times import distances, moments
from aurora_prep.providers.packing import unpack

LATITUDE, LONGITUDE, LEVEL, MEMBER, LABEL = "latitude", "longitude", "level", "member", "label"
VALID, INIT, LEAD = "valid_time", "init_time", "lead_time"
TIME = "time"  # a valid time, or the start of a forecast: told by what is beside it
HORIZONTAL = (LATITUDE, LONGITUDE)
NAMES = {
    LATITUDE: ("latitude", "lat"),
    LONGITUDE: ("longitude", "lon"),
    VALID: ("valid_time",),
    TIME: ("time",),
    INIT: ("forecast_reference_time", "reference_time", "init_time", "initial_time"),
    LEAD: ("forecast_period", "step", "lead_time", "leadtime", "prediction_timedelta"),
    LEVEL: ("pressure_level", "level", "isobaricInhPa", "plev", "air_pressure"),
    MEMBER: ("number", "member", "realization"),
    LABEL: ("expver",),
}
ROLE = {name: role for role, names in NAMES.items() for name in names}
STANDARD = {
    "latitude": LATITUDE, "longitude": LONGITUDE, "time": TIME, "realization": MEMBER,
    "forecast_reference_time": INIT, "forecast_period": LEAD, "air_pressure": LEVEL,
}  # fmt: skip
# A variable of one of our names that says it is one of these is none of our coordinates.
OTHER_MEANINGS = (
    "grid_latitude", "grid_longitude", "projection_x_coordinate", "projection_y_coordinate",
)  # fmt: skip
ALWAYS_PRESSURE = ("pressure_level", "isobaricInhPa", "plev", "air_pressure")
PASCALS = ("Pa", "pascal", "pascals")
HECTOPASCALS = ("hPa", "millibars", "millibar", "mbar", "mb", "hectopascal", "hectopascals")
SAME_HPA = 1e-3


@dataclass(frozen=True, slots=True)
class Coordinate:
    """A coordinate of a variable.

    Attributes:
        name: Its name.
        role: What it is.
        dims: Its dimensions, that of the characters of a text aside.
        values: Decoded: ``datetime64[s]``, ``timedelta64[s]``, numbers or objects.
        is_time: Whether it says that it is the time of validity.
    """

    name: str
    role: str
    dims: tuple[str, ...]
    values: NDArray[Any]
    is_time: bool = False

    def at(self, index: Mapping[str, int]) -> Any:
        """The value at a position of its variable."""
        return self.values[tuple(index[dim] for dim in self.dims)]


def role_of(variable: Any) -> str | None:
    """What a variable would be as a coordinate; ``None`` for what is none."""
    standard = str(getattr(variable, "standard_name", ""))
    if standard in OTHER_MEANINGS:
        return None
    named = ROLE.get(variable.name)
    if named in (None, TIME):
        return STANDARD.get(standard, named)
    return named


def horizontal(variable: Any, visible: Mapping[str, Any]) -> dict[str, Any] | None:
    """The coordinates of latitude and longitude, each along one dimension of the variable.

    Returns:
        By role; ``None`` for a variable that is not on latitude and longitude.

    Raises:
        ValueError: A dimension of one of the names has no coordinate.
    """
    found = {}
    for role in HORIZONTAL:
        along = [
            other
            for other in visible.values()
            if other.ndim == 1 and other.dimensions[0] in variable.dimensions
            if role_of(other) == role
        ]
        along.sort(key=lambda other: other.name not in variable.dimensions)
        bare = [dim for dim in variable.dimensions if ROLE.get(dim) == role and dim not in visible]
        if not along and bare:
            raise ValueError(f"dimension {bare[0]} of {variable.name} has no coordinate")
        if along:
            found[role] = along[0]
    return found if len(found) == len(HORIZONTAL) else None


def degrees(variable: Any) -> list[float]:
    """Values of a latitude or longitude.

    Raises:
        ValueError: It is not in degrees.
    """
    units = str(getattr(variable, "units", ""))
    if units and not units.lower().startswith("deg"):
        raise ValueError(f"coordinate {variable.name} is in {units!r}, not in degrees")
    values: list[float] = unpack(np.asarray(variable[...]), attributes_of(variable)).tolist()
    return values


def coordinates_of(
    variable: Any, outer: Sequence[str], visible: Mapping[str, Any]
) -> dict[str, Coordinate]:
    """The coordinates of a variable beside the horizontal ones, by role.

    Args:
        variable: The variable.
        outer: Its dimensions but for the horizontal ones.
        visible: Variables of its group and of those around it.

    Raises:
        ValueError: A coordinate cannot be read, two claim one role, or times contradict
            each other.
    """
    found = list(_candidates(variable, outer, visible))
    _refuse_bare(variable, outer, found)
    by_role: dict[str, list[Coordinate]] = {}
    for coordinate in _told_apart(found):
        by_role.setdefault(coordinate.role, []).append(coordinate)
    chosen = {role: _one_of(variable, some) for role, some in by_role.items()}
    _cross_check(variable, outer, chosen)
    return chosen


def unknown_dims(variable: Any, outer: Sequence[str], chosen: Mapping[str, Coordinate]) -> bool:
    """Whether the variable runs along a dimension that none of its coordinates tells of."""
    told = {dim for coordinate in chosen.values() for dim in coordinate.dims}
    sizes = dict(zip(variable.dimensions, variable.shape, strict=True))
    return any(sizes[dim] > 1 and dim not in told for dim in outer)


def attributes_of(variable: Any) -> dict[str, Any]:
    """All attributes of a variable, or of a file."""
    return {name: variable.getncattr(name) for name in variable.ncattrs()}


def _candidates(
    variable: Any, outer: Sequence[str], visible: Mapping[str, Any]
) -> Iterator[Coordinate]:
    listed = str(getattr(variable, "coordinates", "")).split()
    for name, other in visible.items():
        role = role_of(other)
        if role is None or role in HORIZONTAL or other is variable:
            continue
        if name not in ROLE and name not in other.dimensions and name not in listed and other.ndim:
            continue  # a field that has the standard name of a coordinate
        is_text = other.dtype is not str and other.dtype.kind == "S" and other.ndim > 0
        dims = other.dimensions[:-1] if is_text else other.dimensions
        if not set(dims) <= set(outer):
            continue
        if role == LEVEL and not dims and listed and name not in listed:
            continue  # the level of another variable of the file
        is_time = str(getattr(other, "standard_name", "")) == "time"
        yield Coordinate(name, role, dims, _values(other, role, is_text=is_text), is_time)


def _refuse_bare(variable: Any, outer: Sequence[str], found: Sequence[Coordinate]) -> None:
    told = {dim for coordinate in found for dim in coordinate.dims}
    sizes = dict(zip(variable.dimensions, variable.shape, strict=True))
    for dim in outer:
        if dim in ROLE and dim not in told and sizes[dim] > 1:
            raise ValueError(f"dimension {dim} of {variable.name} has no coordinate")


def _told_apart(found: Sequence[Coordinate]) -> Iterator[Coordinate]:
    """``time`` is the start of a forecast or the valid time: what is beside it tells which."""
    roles = {coordinate.role for coordinate in found}
    leads = [coordinate for coordinate in found if coordinate.role == LEAD]
    for one in found:
        if one.role != TIME:
            yield one
        elif VALID in roles:
            same = any(_same(one, other) for other in found if other.role == VALID)
            yield replace(one, role=VALID if INIT in roles or (same and not leads) else INIT)
        elif INIT in roles or not leads:
            yield replace(one, role=VALID)
        else:
            # CF: a lead time that runs along a time of validity belongs to it.
            along = one.is_time and all(set(lead.dims) <= set(one.dims) for lead in leads)
            yield replace(one, role=VALID if along else INIT)


def _same(one: Coordinate, other: Coordinate) -> bool:
    return one.dims == other.dims and bool(np.array_equal(one.values, other.values))


def _one_of(variable: Any, some: Sequence[Coordinate]) -> Coordinate:
    """The coordinate of a role; that of its own dimension first.

    Raises:
        ValueError: Two of them differ.
    """
    first, *others = sorted(some, key=lambda coordinate: coordinate.name not in coordinate.dims)
    for other in others:
        if not _same(first, other):
            raise ValueError(
                f"{variable.name} has two coordinates for its {first.role.replace('_', ' ')},"
                f" {first.name} and {other.name}, and they differ"
            )
    return first


def _cross_check(variable: Any, outer: Sequence[str], chosen: Mapping[str, Coordinate]) -> None:
    """Hold the valid time against the start of the forecast and the lead time.

    Raises:
        ValueError: They contradict each other.
    """
    if not {VALID, INIT, LEAD} <= set(chosen):
        return
    sizes = dict(zip(variable.dimensions, variable.shape, strict=True))
    valid, init, lead = (_spread(chosen[role], outer, sizes) for role in (VALID, INIT, LEAD))
    wrong = np.argwhere(init + lead != valid)
    if wrong.size:
        at = {dim: int(i) for dim, i in zip(outer, wrong[0], strict=True)}
        said = {role: chosen[role].at(at) for role in (INIT, LEAD, VALID)}
        raise ValueError(
            f"the times of {variable.name} contradict each other: init time {said[INIT]}"
            f" ({chosen[INIT].name}) and lead time {said[LEAD]} ({chosen[LEAD].name}), but"
            f" valid time {said[VALID]} ({chosen[VALID].name})"
        )


def _spread(coordinate: Coordinate, outer: Sequence[str], sizes: Mapping[str, int]) -> NDArray[Any]:
    """The values along all outer dimensions, of length one where they do not vary."""
    order = [coordinate.dims.index(dim) for dim in outer if dim in coordinate.dims]
    shape = [sizes[dim] if dim in coordinate.dims else 1 for dim in outer]
    return coordinate.values.transpose(order).reshape(shape)


def _values(variable: Any, role: str, *, is_text: bool) -> NDArray[Any]:
    raw, attributes = np.asarray(variable[...]), attributes_of(variable)
    if role == LABEL:
        return _labels(raw, attributes, is_text=is_text)
    if is_text or raw.dtype.kind not in "iuf":
        raise ValueError(f"coordinate {variable.name} is text, not numbers")
    units = str(attributes.get("units", ""))
    is_whole = raw.dtype.kind in "iu" and "scale_factor" not in attributes
    numbers = unpack(raw, attributes)
    if np.isnan(numbers).any() or not np.isfinite(numbers).all():
        raise ValueError(f"coordinate {variable.name} has missing values")
    precise = raw.astype(np.int64) if is_whole else numbers
    spacing = 0.0 if is_whole else float(np.spacing(np.abs(raw).max(initial=0)).astype(np.float64))
    spacing *= abs(float(np.ravel(attributes.get("scale_factor", 1.0))[0]))
    if role in (VALID, INIT, TIME):
        calendar = str(attributes.get("calendar", "standard"))
        return moments(variable.name, precise, spacing, units, calendar)
    if role == LEAD:
        return distances(variable.name, precise, spacing, units)
    found = np.empty(numbers.shape, object)
    for at, value in np.ndenumerate(numbers):
        found[at] = _level(variable, value, units) if role == LEVEL else _member(variable, value)
    return found


def _labels(raw: NDArray[Any], attributes: Mapping[str, Any], *, is_text: bool) -> NDArray[Any]:
    """Versions as text, from text, characters or numbers."""
    if is_text:
        encoding = str(attributes.get("_Encoding", "utf-8"))
        raw = np.asarray(netCDF4.chartostring(raw, encoding=encoding))
    found = np.empty(raw.shape, object)
    for at, value in np.ndenumerate(raw):
        is_number = isinstance(value, float | np.floating) and float(value).is_integer()
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        found[at] = str(int(value)) if is_number else text.strip("\x00 ")
    return found


def _member(variable: Any, value: float) -> int:
    if not float(value).is_integer():
        raise ValueError(f"coordinate {variable.name} has {value}, which is no member")
    return int(value)


def _level(variable: Any, value: float, units: str) -> tuple[str, int | None]:
    """Kind of level, and hPa where it is one of pressure."""
    known = units in (*PASCALS, *HECTOPASCALS) or (variable.name in ALWAYS_PRESSURE and not units)
    if not known:
        return f"level in {units or 'no units'}", None
    hpa = value / 100 if units in PASCALS else value
    return (PRESSURE, round(hpa)) if abs(hpa - round(hpa)) < SAME_HPA else (f"{hpa} hPa", None)
