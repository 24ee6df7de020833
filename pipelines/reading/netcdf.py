"""NetCDF in the dialects of the stores: find every field, decode one.

The HDF5 library is not thread-safe: one lock guards every call into it.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray
from scipy.io import netcdf_file

from aurora_prep.pipelines.reading.fields import NO_TIME, SURFACE, NetcdfField
from aurora_prep.pipelines.reading.file_index import Contents
from aurora_prep.pipelines.reading.grid_description import GridDescription
from aurora_prep.pipelines.reading.netcdf_axes import (
    HORIZONTAL,
    INIT,
    LABEL,
    LEAD,
    LEVEL,
    MEMBER,
    VALID,
    Coordinate,
    attributes_of,
    coordinates_of,
    degrees,
    horizontal,
    role_of,
    unknown_dims,
)
from aurora_prep.pipelines.reading.netcdf_headers import headers_of, hours_of
from aurora_prep.providers.packing import unpack
from aurora_prep.sources.spec import DecodeError

LOCK = threading.RLock()
MOST_OPEN = 8
_OPEN: OrderedDict[tuple[str, int], Any] = OrderedDict()

# What the libraries raise on damaged files: HDF5, text that is none, times that are none.
UNREADABLE = (
    OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError,
)  # fmt: skip


def scan_netcdf(path: Path) -> Contents[NetcdfField]:
    """Find every field of a NetCDF file, of its groups too, by its axes.

    Raises:
        DecodeError: The file is damaged, or its coordinates cannot be read.
    """
    try:
        _check_size(path)
        with LOCK:
            return _scan(path, _opened(str(path), path.stat().st_ctime_ns))
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


def _scan(path: Path, data: Any) -> Contents[NetcdfField]:
    grids: dict[GridDescription, int] = {}
    fields: list[NetcdfField] = []
    skipped: list[str] = []
    elsewhere: list[str] = []
    for group, visible in _groups(data, {}):
        for name, variable in group.variables.items():
            if name in group.dimensions or role_of(variable):
                continue
            on = horizontal(variable, visible)
            if on is None:
                skipped.append(name)
                if _is_curvilinear(variable, visible):
                    elsewhere.append(name)
                continue
            grid = GridDescription(
                {"gridType": "axes", **{role: degrees(on[role]) for role in HORIZONTAL}}
            )
            number = grids.setdefault(grid, len(grids))
            try:
                fields += _fields(path, data, variable, on, visible, number)
            except ValueError as error:
                raise DecodeError(
                    "the coordinates of the NetCDF file cannot be read",
                    str(path),
                    str(error),
                    "give the coordinate in a form that CF knows, or leave the file out",
                ) from error
    if not fields and elsewhere:
        raise DecodeError(
            "the file's fields are on a projected or curvilinear grid, which run does not read"
            " from NetCDF",
            str(path),
            f"{', '.join(elsewhere[:8])} along rows and columns with latitudes of two dimensions",
            "make a file on a latitude-longitude grid first, with aurora-prep regrid",
        )
    if not fields:
        raise _damaged(path, f"no variable on latitude and longitude; variables: {skipped}")
    return Contents(str(path), "netcdf", tuple(fields), tuple(grids), tuple(skipped))


def _groups(group: Any, outside: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Every group, with the variables that are visible in it."""
    visible = {**outside, **group.variables}
    yield group, visible
    for inner in group.groups.values():
        yield from _groups(inner, visible)


def _is_curvilinear(variable: Any, visible: dict[str, Any]) -> bool:
    flat = [v for v in visible.values() if role_of(v) in HORIZONTAL and v.ndim > 1]
    return bool(flat) and all(set(v.dimensions) <= set(variable.dimensions) for v in flat)


def read_netcdf(ref: NetcdfField) -> NDArray[np.float32]:
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
            data = _opened(ref.file, path.stat().st_ctime_ns)
            variable = data[ref.variable]
            others = iter(ref.index)
            window = tuple(
                slice(None) if at in ref.axes else next(others) for at in range(variable.ndim)
            )
            raw, attributes = np.asarray(variable[window]), attributes_of(variable)
        except UNREADABLE as error:
            raise _damaged(path, f"{ref}: {error}") from error
    try:
        field = unpack(raw, attributes).astype(np.float32)
    except (TypeError, ValueError) as error:
        raise _damaged(path, f"{ref}: {error}") from error
    return field if ref.axes[0] < ref.axes[1] else field.T


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
        data = netCDF4.Dataset(path)
    except OSError as error:
        raise _damaged(Path(path), error.strerror or str(error)) from error
    _raw(data)
    _OPEN[key] = data
    return data


def _raw(group: Any) -> None:
    """Have the library give numbers and characters as they are stored."""
    for variable in group.variables.values():
        variable.set_auto_maskandscale(False)
        variable.set_auto_chartostring(False)
    for inner in group.groups.values():
        _raw(inner)


def _fields(
    path: Path,
    data: Any,
    variable: Any,
    on: dict[str, Any],
    visible: dict[str, Any],
    grid: int,
) -> Iterator[NetcdfField]:
    along = {on[role].dimensions[0] for role in HORIZONTAL}
    outer = [dim for dim in variable.dimensions if dim not in along]
    place = variable.name
    group = variable.group()
    if group.parent is not None:
        place = f"{group.path}/{variable.name}"
    common: dict[str, Any] = {
        "file": str(path),
        "name": variable.name,
        "variable": place,
        "units": str(getattr(variable, "units", "")),
        "grid": grid,
        "axes": tuple(variable.dimensions.index(on[role].dimensions[0]) for role in HORIZONTAL),
        "headers": headers_of(attributes_of(data), attributes_of(variable)),
    }
    chosen = coordinates_of(variable, outer, visible)
    if unknown_dims(variable, outer, chosen):
        yield _unknown(variable, outer, common)
        return
    common["hours"] = hours_of(chosen, visible)
    sizes = dict(zip(variable.dimensions, variable.shape, strict=True))
    for index in itertools.product(*(range(sizes[dim]) for dim in outer)):
        yield _field(dict(zip(outer, index, strict=True)), index, chosen, common)


def _field(
    at: dict[str, int],
    index: tuple[int, ...],
    chosen: dict[str, Coordinate],
    common: dict[str, Any],
) -> NetcdfField:
    said = {role: coordinate.at(at) for role, coordinate in chosen.items()}
    init, lead, valid = said.get(INIT), said.get(LEAD), said.get(VALID)
    if init is None and valid is not None:
        init = valid if lead is None else valid - lead
    elif lead is None and init is not None and valid is not None:
        lead = valid - init
    kind, level = said.get(LEVEL, (SURFACE, None))
    return NetcdfField(
        **common,
        index=index,
        level_kind=kind,
        level=level,
        init_time=NO_TIME if init is None else init.item(),
        lead_time=timedelta(0) if lead is None else lead.item(),
        member=said.get(MEMBER),
        label=said.get(LABEL, ""),
        has_init=INIT in said or lead is not None,
    )


def _unknown(variable: Any, outer: list[str], common: dict[str, Any]) -> NetcdfField:
    """One entry for a variable on axes we do not know: seen, named, never taken for ours."""
    sizes = dict(zip(variable.dimensions, variable.shape, strict=True))
    dims = ", ".join(f"{dim} ({sizes[dim]})" for dim in outer if sizes[dim] > 1)
    return NetcdfField(
        **common,
        index=(),
        level_kind=f"axes {dims}",
        level=None,
        init_time=NO_TIME,
        lead_time=timedelta(0),
        member=None,
        label="",
    )


def _damaged(path: Path, found: str) -> DecodeError:
    return DecodeError(
        "the NetCDF file cannot be read",
        str(path),
        found,
        "fetch it again; a file of the cache may simply be deleted",
    )
