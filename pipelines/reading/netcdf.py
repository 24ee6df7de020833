"""NetCDF in the dialects of the stores: find every field, decode one.

The HDF5 library is not thread-safe: one lock guards every call into it.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray
from scipy.io import netcdf_file

from aurora_prep.pipelines.reading.file_index import PRESSURE, SURFACE, Contents, FieldRef
from aurora_prep.sources.spec import DecodeError

LOCK = threading.RLock()
MOST_OPEN = 8
_OPEN: OrderedDict[tuple[str, int], Any] = OrderedDict()

# The names under which files carry an axis. Names first: units alone cannot
# tell a lead time from a time, nor model levels from others.
AXES = {
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon"),
    "valid_time": ("valid_time", "time"),
    "init_time": ("forecast_reference_time",),
    "lead_time": ("forecast_period", "step"),
    "level": ("pressure_level", "level", "isobaricInhPa", "plev", "air_pressure"),
    "member": ("number", "member", "realization"),
    "label": ("expver",),
}
ROLE = {name: role for role, names in AXES.items() for name in names}
PASCALS = ("Pa", "pascal", "pascals")
HECTOPASCALS = ("hPa", "millibars", "millibar", "mbar", "hectopascal")
HORIZONTAL = ("latitude", "longitude")
# What the libraries raise on damaged files: HDF5, text that is none, times that are none.
UNREADABLE = (
    OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError,
)  # fmt: skip


def scan_netcdf(path: Path) -> Contents:
    """Find every field of a NetCDF file by its axes.

    Raises:
        DecodeError: The file is damaged, or its times cannot be read.
    """
    try:
        _check_size(path)
        with LOCK:
            return _scan(path, _opened(str(path), path.stat().st_mtime_ns))
    except DecodeError:
        raise
    except UNREADABLE as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def _check_size(path: Path) -> None:
    """Read the header of NetCDF-3 once more: the library takes what a cut file lacks for zeros.

    Raises:
        ValueError: The file is shorter than its header says.
    """
    with path.open("rb") as file:
        is_classic = file.read(4) in (b"CDF\x01", b"CDF\x02")
    if is_classic:
        netcdf_file(path, "r", mmap=True).close()


def _scan(path: Path, data: Any) -> Contents:
    grids: list[dict[str, Any]] = []
    fields: list[FieldRef] = []
    skipped: list[str] = []
    for name, variable in data.variables.items():
        roles = [ROLE.get(dim, dim) for dim in variable.dimensions]
        if name in data.dimensions or ROLE.get(name) or not set(HORIZONTAL) <= set(roles):
            if name not in data.dimensions and not ROLE.get(name):
                skipped.append(name)
            continue
        grid = _grid_of(data, variable, roles)
        if grid not in grids:
            grids.append(grid)
        fields += _fields(path, data, variable, roles, grids.index(grid))
    if not fields:
        raise _damaged(path, f"no variable on latitude and longitude; variables: {skipped}")
    return Contents(str(path), "netcdf", tuple(fields), tuple(grids), tuple(skipped))


def read_netcdf(ref: FieldRef) -> NDArray[np.float32]:
    """Decode one field, rows and columns in the order of the file.

    Packed integers are scaled in float64 and rounded to float32 once; fill
    values become NaN.

    Returns:
        Shape ``(rows, columns)``: latitude first.

    Raises:
        DecodeError: The field cannot be read.
    """
    path = Path(ref.file)
    with LOCK:
        try:
            variable = _opened(ref.file, path.stat().st_mtime_ns)[str(ref.place[0])]
            roles = [ROLE.get(dim, dim) for dim in variable.dimensions]
            others = iter(ref.place[1:])
            window = tuple(slice(None) if r in HORIZONTAL else int(next(others)) for r in roles)
            values = variable[window]
        except UNREADABLE as error:
            raise _damaged(path, f"{ref}: {error}") from error
    field = np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan).astype(np.float32)
    horizontal = [role for role in roles if role in HORIZONTAL]
    return field if horizontal == list(HORIZONTAL) else field.T


def _opened(path: str, modified: int) -> Any:
    """The open file; call it, and use what it gives, with ``LOCK`` held.

    Files are closed here, in turn. Left to the garbage collector, one would be
    closed by whichever thread collects, while another is inside the library.
    """
    key = path, modified
    if key in _OPEN:
        _OPEN.move_to_end(key)
        return _OPEN[key]
    while len(_OPEN) >= MOST_OPEN:
        _, oldest = _OPEN.popitem(last=False)
        oldest.close()
    try:
        _OPEN[key] = netCDF4.Dataset(path)
    except OSError as error:
        raise _damaged(Path(path), error.strerror or str(error)) from error
    return _OPEN[key]


def _grid_of(data: Any, variable: Any, roles: list[str]) -> dict[str, Any]:
    grid: dict[str, Any] = {"gridType": "axes"}
    for role in HORIZONTAL:
        name = variable.dimensions[roles.index(role)]
        if name not in data.variables:
            raise _damaged(Path(data.filepath()), f"dimension {name} has no coordinate")
        axis = np.ma.filled(np.ma.asarray(data[name][:], np.float64), np.nan)
        grid[role] = axis.tolist()
    return grid


def _fields(
    path: Path, data: Any, variable: Any, roles: list[str], grid: int
) -> Iterator[FieldRef]:
    outer = [(d, r) for d, r in zip(variable.dimensions, roles, strict=True) if r not in HORIZONTAL]
    if unknown := [
        dim for dim, role in outer if role not in AXES and data.dimensions[dim].size > 1
    ]:
        yield from _unknown(path, data, variable, outer, unknown, grid)
        return
    axes = {role: _axis(data, dim, role) for dim, role in outer if role in AXES}
    scalars = _scalars(data, axes)
    units = getattr(variable, "units", "")
    # A scalar coordinate may still run along an axis: expver along valid_time.
    along = _along(data, outer)
    for index in itertools.product(*(range(data.dimensions[dim].size) for dim, _ in outer)):
        at = dict(scalars)
        for (_dim, role), i in zip(outer, index, strict=True):
            if role in axes:
                at[role] = axes[role][i]
        for role, (position, values) in along.items():
            at[role] = values[index[position]]
        yield _ref(path, variable.name, units, index, at, grid)


def _ref(
    path: Path, name: str, units: str, index: tuple[int, ...], at: dict[str, Any], grid: int
) -> FieldRef:
    lead = at.get("lead_time", timedelta(0))
    if "init_time" in at:
        init = at["init_time"]
        lead = at["valid_time"] - init if "valid_time" in at else lead
    elif "valid_time" in at:
        init = at["valid_time"]
        lead = lead if "lead_time" in at else timedelta(0)
    else:
        init = datetime.min  # a file without time holds what does not change
    kind, level = at.get("level", (SURFACE, None))
    member = at.get("member")
    return FieldRef(
        file=str(path),
        place=(name, *index),
        param=0,
        name=name,
        units=units,
        level_kind=kind,
        level=level,
        init_time=init,
        lead_time=lead,
        member=None if member is None else int(member),
        label=str(at.get("label", "")),
        grid=grid,
    )


def _unknown(
    path: Path, data: Any, variable: Any, outer: list[tuple[str, str]], dims: list[str], grid: int
) -> Iterator[FieldRef]:
    """One entry for a variable on axes we do not know: seen, named, never taken for ours."""
    sizes = {dim: data.dimensions[dim].size for dim, _ in outer}
    kind = f"axes {', '.join(f'{dim} ({sizes[dim]})' for dim in dims)}"
    yield FieldRef(
        str(path), (variable.name,), 0, variable.name, getattr(variable, "units", ""),
        kind, None, datetime.min, timedelta(0), None, "", grid,
    )  # fmt: skip


def _axis(data: Any, dim: str, role: str) -> list[Any]:
    if dim not in data.variables:
        return list(range(data.dimensions[dim].size))
    return _values(data[dim], role)


def _scalars(data: Any, axes: dict[str, list[Any]]) -> dict[str, Any]:
    """Coordinates without a dimension of their own."""
    found = {}
    for name, role in ROLE.items():
        if name in data.variables and role not in axes and role not in HORIZONTAL:
            variable = data[name]
            if variable.ndim == 0:
                found[role] = _values(variable, role)[0]
    return found


def _along(data: Any, outer: list[tuple[str, str]]) -> dict[str, tuple[int, list[Any]]]:
    """Coordinates that run along another coordinate's dimension."""
    dims = [dim for dim, _ in outer]
    found = {}
    for name, role in ROLE.items():
        variable = data.variables.get(name)
        if variable is None or name in dims or variable.ndim != 1 or role in HORIZONTAL:
            continue
        if variable.dimensions[0] in dims:
            found[role] = (dims.index(variable.dimensions[0]), _values(variable, role))
    return found


def _values(variable: Any, role: str) -> list[Any]:
    found = np.ma.asarray(variable[...])
    if np.ma.is_masked(found):
        raise ValueError(f"coordinate {variable.name} has missing values")
    raw = np.atleast_1d(np.ma.filled(found, 0))
    units = str(getattr(variable, "units", ""))
    if role in ("valid_time", "init_time"):
        return _times(variable, raw, units)
    if role == "lead_time":
        unit = units.split(maxsplit=1)[0] if units else "hours"
        scale = {"hours": 3600, "hour": 3600, "h": 3600, "days": 86400, "minutes": 60}
        return [timedelta(seconds=float(v) * scale.get(unit, 1)) for v in raw.tolist()]
    if role == "level":
        return [_level(variable, float(v), units) for v in raw.tolist()]
    if role == "label":
        return ["".join(map(str, np.atleast_1d(v))) for v in raw.tolist()]
    return list(raw.tolist())


def _times(variable: Any, raw: NDArray[Any], units: str) -> list[datetime]:
    calendar = str(getattr(variable, "calendar", "standard"))
    path = Path(variable.group().filepath())
    try:
        moments = netCDF4.num2date(
            raw, units, calendar, only_use_cftime_datetimes=False, only_use_python_datetimes=True
        )
    except (ValueError, OverflowError) as error:
        raise _damaged(path, f"times {raw[:3].tolist()} in {units!r}: {error}") from error
    return [
        datetime(m.year, m.month, m.day, m.hour, m.minute, m.second)
        for m in np.ravel(np.asarray(moments, dtype=object)).tolist()
    ]


def _level(variable: Any, value: float, units: str) -> tuple[str, int | None]:
    named = variable.name in ("pressure_level", "isobaricInhPa", "plev", "air_pressure")
    hpa = value / 100 if units in PASCALS else value
    if not named and units not in (*PASCALS, *HECTOPASCALS):
        return f"level in {units or 'no units'}", None
    return (PRESSURE, round(hpa)) if abs(hpa - round(hpa)) < 1e-3 else (f"{hpa} hPa", None)  # noqa: PLR2004


def _damaged(path: Path, found: str) -> DecodeError:
    return DecodeError(
        "the NetCDF file cannot be read",
        str(path),
        found,
        "fetch it again; a file of the cache may simply be deleted",
    )
