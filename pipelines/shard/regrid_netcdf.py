"""Every variable of a NetCDF file that lies on a grid, onto another grid, field by field."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from aurora_prep.pipelines.shard.groups import Bond
from aurora_prep.pipelines.shard.regrid_job import (
    Field,
    RegridJob,
    bonded,
    known_variables,
    nature_of_words,
    refuse_radians,
    vector_nature,
)
from aurora_prep.pipelines.shard.regrid_output import HORIZONTAL, Output, axes
from aurora_prep.providers.packing import unpack
from aurora_prep.regridding import (
    Coordinate,
    Geometry,
    NotOnAGridError,
    Rectilinear,
    Reduced,
    located,
)
from aurora_prep.sources.spec import (
    DecodeError,
    Grid,
    HarmoniseError,
    Nature,
    Orientation,
    RegridError,
    orient,
)

BATCH_BYTES = 64e6  # read at once: a compressed chunk of many times is not read for each of them
KEPT = ("units", "long_name", "standard_name", "cell_methods", "short_name")
ALONG_AXES = ("grid_eastward", "grid_northward", "x_", "y_")


@dataclass(frozen=True, eq=False)
class _OnGrid:
    """A variable on a grid.

    Attributes:
        name: Its name.
        leading: Its dimensions but the horizontal ones.
        dims: Its horizontal dimensions, in the order of the geometry.
        geometry: Where its points lie.
        orientation: How to turn its fields to a regular grid; ``None`` for other geometries.
        nature: How its values behave.
        short_name: The catalogue's name, or its own.
        attributes: As the file gives them.
    """

    name: str
    leading: tuple[str, ...]
    dims: tuple[str, ...]
    geometry: Geometry
    orientation: Orientation | None
    nature: Nature
    short_name: str
    attributes: Mapping[str, Any]

    @property
    def source(self) -> Geometry | Grid:
        """Where its fields lie once turned."""
        return self.geometry if self.orientation is None else self.orientation.grid

    @property
    def along(self) -> bool:
        """Whether it is a component along the axes of a grid that do not run east and north."""
        standard = str(self.attributes.get("standard_name", ""))
        return standard.startswith(ALONG_AXES) and not isinstance(
            self.geometry, Rectilinear | Reduced
        )


def regrid_netcdf(path: Path, output: Path, job: RegridJob, history: str) -> None:
    """Move all variables that lie on a grid.

    Args:
        path: The file.
        output: The file or store to write.
        job: What is asked of every field.
        history: One line for the attributes of the output.

    Raises:
        RegridError: No variable lies on a grid, or one cannot be moved so.
    """
    try:
        data = xr.open_dataset(path, decode_coords="all")
        raw = xr.open_dataset(path, mask_and_scale=False, decode_times=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise _unreadable(path, error) from error
    with data, raw:
        names = map(str, data.data_vars)
        found = {name: on for name in names if (on := _on_grid(data, raw, name)) is not None}
        if not found:
            raise RegridError(
                "nothing in the file lies on a grid",
                str(path),
                "no variable with latitude and longitude",
                "give a file of gridded fields",
            )
        coords: dict[Any, Any] = {}
        for on in found.values():
            array = data[on.name]
            coords |= {k: c for k, c in array.coords.items() if set(c.dims) <= set(on.leading)}
        frame = xr.Dataset(coords={**axes(job.target), **_plain(coords)})
        frame.attrs = {**data.attrs, "history": history}
        with Output(output, frame) as out:
            for on in found.values():
                sizes = {dim: data.sizes[dim] for dim in on.leading}
                kept = {key: on.attributes[key] for key in KEPT if key in on.attributes}
                out.create(on.name, sizes, job.target, kept)
            for bond, group in _groups(found, job.winds):
                for place, fields in _fields(raw, group):
                    natures = [on.nature for on in group]
                    along, where = any(on.along for on in group), f"{group[0].name} in {path}"
                    moved = job.moved(
                        bond, group[0].source, fields, natures, along=along, where=where
                    )
                    for on, field in zip(group, moved, strict=True):
                        out.put(on.name, place, field)


def _plain(coords: Mapping[Any, xr.DataArray]) -> dict[Any, Any]:
    """Coordinates without the horizontal names, whose place the target's axes take."""
    return {key: c.variable for key, c in coords.items() if str(key) not in HORIZONTAL}


def _groups(found: Mapping[str, _OnGrid], winds: str) -> Iterator[tuple[Bond, list[_OnGrid]]]:
    """Variables that belong together: by the catalogue's names, then by standard names."""
    done: set[str] = set()
    for on in found.values():
        if on.name in done:
            continue
        bond, group = _bonded(on, found, winds)
        group = [member for member in group if member.name not in done]
        if len(group) < 2:  # noqa: PLR2004  a bond takes two
            bond, group = Bond.ALONE, [on]
        done |= {member.name for member in group}
        yield bond, group


def _bonded(on: _OnGrid, found: Mapping[str, _OnGrid], winds: str) -> tuple[Bond, list[_OnGrid]]:
    bond, names = bonded(on.short_name, winds)
    if bond is Bond.ALONE and winds == "vectors":
        names = _named_alike(on, found)
        members = [found[name] for name in names]
        return (Bond.WIND, members) if len(members) == 2 else (Bond.ALONE, [on])  # noqa: PLR2004
    members = []
    for name in names:
        hits = [o for o in found.values() if o.short_name == name and _like(o, on)]
        members += hits[:1] if on not in hits else [on]
    whole = len(members) == len(names) if bond is Bond.WIND else members[0].short_name == names[0]
    return (bond, members) if whole else (Bond.ALONE, [on])


def _named_alike(on: _OnGrid, found: Mapping[str, _OnGrid]) -> tuple[str, ...]:
    """A component and the only variable with the standard name of the other component."""
    standard = str(on.attributes.get("standard_name", ""))
    for one, other in (("eastward", "northward"), ("x_", "y_")):
        for this, that, leads in ((one, other, True), (other, one, False)):
            starts = standard.startswith(this) if this.endswith("_") else this in standard
            if not starts:
                continue
            partner = standard.replace(this, that, 1)
            mine, hits = (
                [
                    o.name
                    for o in found.values()
                    if o.attributes.get("standard_name") == name and _like(o, on)
                ]
                for name in (standard, partner)
            )
            if len(mine) == len(hits) == 1:
                return (on.name, hits[0]) if leads else (hits[0], on.name)
    return ()


def _like(one: _OnGrid, other: _OnGrid) -> bool:
    same = one.leading == other.leading and one.dims == other.dims
    return same and one.geometry.digest == other.geometry.digest


def _fields(raw: xr.Dataset, group: list[_OnGrid]) -> Iterator[tuple[tuple[int, ...], list[Field]]]:
    """The fields of a group at each place of the leading dimensions, in batches of reading."""
    first = group[0]
    sizes = [raw.sizes[dim] for dim in first.leading]
    outer, last = sizes[:-1], sizes[-1:]
    each = sum(raw[on.name].dtype.itemsize for on in group) * first.geometry.size
    step = max(1, int(BATCH_BYTES // max(each, 1)))
    for place in itertools.product(*map(range, outer)):
        at = dict(zip(first.leading[:-1], place, strict=True))
        for start in range(0, last[0] if last else 1, step):
            stop = min(start + step, last[0]) if last else 1
            window = {**at, first.leading[-1]: slice(start, stop)} if last else at
            blocks = [_block(raw[on.name].isel(window), on) for on in group]
            for i in range(stop - start):
                fields = [
                    _field(block[i] if last else block, on)
                    for block, on in zip(blocks, group, strict=True)
                ]
                yield (*place, start + i) if last else place, fields


def _block(array: xr.DataArray, on: _OnGrid) -> np.ndarray[Any, Any]:
    leading = [dim for dim in array.dims if dim not in on.dims]
    try:
        return np.asarray(array.transpose(*leading, *on.dims).values)
    except (OSError, RuntimeError) as error:
        raise _unreadable(Path(str(array.encoding.get("source", on.name))), error) from error


def _field(values: np.ndarray[Any, Any], on: _OnGrid) -> Field:
    """Values unpacked in float64 and rounded once, as a run reads them."""
    field = unpack(values, on.attributes).astype(np.float32)
    return np.ascontiguousarray(field if on.orientation is None else on.orientation.apply(field))


def _on_grid(data: xr.Dataset, raw: xr.Dataset, name: str) -> _OnGrid | None:
    """A variable with its horizontal dimensions and geometry; ``None`` if it is on no grid."""
    array = data[name]
    coordinates = {
        str(key): Coordinate(tuple(map(str, c.dims)), c.values, {**c.attrs, **_bounds_of(c)})
        for key, c in data.coords.items()
        if set(c.dims) <= set(array.dims) or "bnds" in str(c.dims) or str(key).endswith("bounds")
    }
    mapping = str(array.encoding.get("grid_mapping", array.attrs.get("grid_mapping", "")))
    attributes = data[mapping].attrs if mapping in data.variables else None
    try:
        dims, geometry = located(coordinates, attributes)
    except NotOnAGridError:
        return None
    if not set(dims) <= set(map(str, array.dims)):
        return None
    said = {**array.attrs, **raw[name].attrs}
    known = known_variables()[1].get(name)
    return _OnGrid(
        name=name,
        leading=tuple(str(dim) for dim in array.dims if dim not in dims),
        dims=dims,
        geometry=geometry,
        orientation=_orientation(geometry, name),
        nature=_nature(name, said),
        short_name=known.short_name if known is not None else name,
        attributes=said,
    )


def _nature(name: str, attributes: Mapping[str, Any]) -> Nature:
    """Nature by the catalogue's names, then by CF attributes."""
    known = known_variables()[1].get(name)
    if known is not None:
        if known.nature is Nature.DIRECTION:
            refuse_radians(str(attributes.get("units", "")), name)
        return known.nature
    return vector_nature(name) or nature_of_words(attributes, name)


def _orientation(geometry: Geometry, name: str) -> Orientation | None:
    """How a regular grid is turned as a run turns it; ``None`` for any other grid."""
    if not isinstance(geometry, Rectilinear):
        return None
    try:
        return orient(geometry.latitude, geometry.longitude, name)
    except HarmoniseError:
        return None


def _bounds_of(coordinate: xr.DataArray) -> dict[str, object]:
    """The name of a coordinate's bounds, where xarray has put it away."""
    name = coordinate.encoding.get("bounds", coordinate.attrs.get("bounds"))
    return {} if name is None else {"bounds": name}


def _unreadable(path: Path, error: Exception) -> DecodeError:
    return DecodeError(
        "the NetCDF file cannot be read",
        str(path),
        f"{type(error).__name__}: {error}",
        "look at the file, or fetch it again",
    )
