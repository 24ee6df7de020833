"""Regrid a whole file: GRIB or NetCDF in, NetCDF or Zarr out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from aurora_prep.pipelines.reading.fields import PRESSURE, GribField
from aurora_prep.pipelines.reading.file_index import sniff
from aurora_prep.pipelines.reading.grib import read_grib, read_ranges, scan_grib
from aurora_prep.regridding import (
    Coordinate,
    Geometry,
    Regridder,
    geometry_from_grib,
    in_rows,
    located,
    mir_message,
    regridder,
    vectors,
)
from aurora_prep.sources.spec import Grid, Nature, RegridError, Variable, catalogue

WINDS = (("u", "v"), ("10u", "10v"), ("100u", "100v"), ("u10", "v10"), ("u100", "v100"))
DEGREES = {"degree", "degrees", "degree true", "degrees true"}
MIR = "mir-"
Key = tuple[object, ...]


@dataclass(frozen=True)
class Job:
    """What is asked of every field.

    Attributes:
        target: Grid wanted.
        method: Name of the method, ``auto`` included.
        valid_fraction: Least valid part of a target cell.
        cache: Folder for weights.
    """

    target: Grid
    method: str
    valid_fraction: float
    cache: Path | None

    def mover(self, source: Geometry, nature: Nature) -> Regridder:
        """The regridder of one kind of field; categories are never averaged."""
        categories = nature is Nature.CATEGORICAL and self.method not in ("nearest", "mir-nearest")
        method = "auto" if categories else self.method
        return regridder(
            source,
            self.target,
            method,
            nature=nature,
            valid_fraction=self.valid_fraction,
            cache=self.cache,
        )


def regrid_file(
    input: str | os.PathLike[str],  # noqa: A002  # the command's word
    output: str | os.PathLike[str],
    grid: str,
    method: str = "auto",
    *,
    valid_fraction: float = 0.5,
    cache: Path | None = None,
) -> None:
    """Move every field of a file to a global regular grid.

    Winds that come in pairs are moved as vectors, and turned to east and north
    where the file has them along the axes of a projected grid; directions are
    moved as unit vectors; soil types and other categories by majority.

    Args:
        input: GRIB or NetCDF file.
        output: NetCDF file, or a Zarr store if the name ends in ``.zarr``;
            replaced if it is there.
        grid: Step in degrees, for example ``"0.25"``.
        method: One of ``regridding.METHODS``.
        valid_fraction: A target cell is missing when less than this part of it
            holds valid values.
        cache: Folder for weights.

    Raises:
        RegridError: The file has no fields on a grid, or they cannot be moved so.
        DecodeError: The file is damaged.
        SpecError: ``grid`` is not the step of a global grid.
    """
    path = Path(input)
    if not path.is_file():
        raise RegridError("there is no such file", "regrid", str(path), "check the path")
    job = Job(Grid.regular(grid), method, valid_fraction, cache)
    moved = from_grib(path, job) if sniff(path) == "grib" else from_netcdf(path, job)
    if not moved.data_vars:
        raise RegridError(
            "nothing in the file lies on a grid",
            str(path),
            "no variable with latitude and longitude",
            "give a file of gridded fields",
        )
    moved.attrs["history"] = f"aurora-prep regrid {path.name} --grid {grid} --method {method}"
    write(moved, Path(output))


def write(moved: xr.Dataset, output: Path) -> None:
    """Write under another name, then put it in place."""
    part = output.with_name(f".{output.name}.part")
    if output.suffix == ".zarr":
        moved.to_zarr(part, mode="w", consolidated=False)
        if output.is_dir():
            shutil.rmtree(output)
    else:
        packing = {str(name): {"zlib": True, "complevel": 1} for name in moved.data_vars}
        moved.to_netcdf(part, engine="netcdf4", encoding=packing)
    part.replace(output)


def axes(target: Grid) -> dict[str, Any]:
    """Coordinates of the target."""
    return {
        "latitude": (
            "latitude",
            target.latitude,
            {"units": "degrees_north", "standard_name": "latitude"},
        ),
        "longitude": (
            "longitude",
            target.longitude,
            {"units": "degrees_east", "standard_name": "longitude"},
        ),
    }


# ---- GRIB ----


def from_grib(path: Path, job: Job) -> xr.Dataset:
    """All fields of a GRIB file on the target, one variable a name, level kind and grid."""
    contents = scan_grib(path)
    groups: dict[Key, list[GribField]] = {}
    for ref in contents.fields:
        groups.setdefault((ref.name, ref.level_kind, ref.grid), []).append(ref)
    names = [str(name) for name, _, _ in groups]
    moved = xr.Dataset(coords=axes(job.target))
    partners = wind_partners(contents.fields)
    done: dict[GribField, NDArray[np.float32]] = {}
    for (name, kind, grid), refs in groups.items():
        fields = [moved_field(ref, partners, contents.grids[ref.grid], job, done) for ref in refs]
        label = str(name) if names.count(str(name)) == 1 else f"{name}_{kind}_{grid}"
        # Every variable brings its own times and levels: xarray aligns them by label.
        moved = moved.merge(stacked(label, refs, fields), join="outer", compat="no_conflicts")
    return moved


def wind_partners(fields: tuple[GribField, ...]) -> dict[GribField, tuple[GribField, GribField]]:
    """The wind, both components, that each component belongs to.

    Components that headers do not tell apart belong together in the order of
    the file.
    """
    kinds: dict[Key, list[GribField]] = {}
    for ref in fields:
        where = ref.level_kind, ref.level, ref.init_time, ref.lead_time, ref.member, ref.label
        kinds.setdefault((ref.name, ref.grid, *where), []).append(ref)
    found: dict[GribField, tuple[GribField, GribField]] = {}
    for (name, *rest), refs in kinds.items():
        other = next((north for east, north in WINDS if east == name), None)
        northward = kinds.get((other, *rest), [])
        if len(northward) == len(refs):
            for pair in zip(refs, northward, strict=True):
                found |= dict.fromkeys(pair, pair)
    return found


def moved_field(
    ref: GribField,
    partners: dict[GribField, tuple[GribField, GribField]],
    keys: Mapping[str, Any],
    job: Job,
    done: dict[GribField, NDArray[np.float32]],
) -> NDArray[np.float32]:
    """One field on the target; of a wind both components at once, one kept for later."""
    if ref in done:
        return done.pop(ref)
    if job.method.startswith(MIR):
        return mir_message(read_ranges(ref), job.target, job.method).astype(np.float32)
    source = geometry(_Described(keys))
    if ref in partners:
        u, v = (values(part, keys) for part in partners[ref])
        along = bool(keys.get("uvRelativeToGrid")) and keys["gridType"] != "regular_ll"
        mover = job.mover(source, Nature.SCALAR)
        done |= dict(zip(partners[ref], vectors(mover, u, v, grid_relative=along), strict=True))
        return done.pop(ref)
    return job.mover(source, nature_of(ref))(values(ref, keys))


def values(ref: GribField, keys: Mapping[str, Any]) -> NDArray[np.float32]:
    """Decoded values in rows."""
    return in_rows(read_grib(ref, read_ranges(ref)), keys)


class _Described:
    """Grid keys, compared by identity, so that a geometry is made once a file."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self.keys = keys

    def __hash__(self) -> int:
        return id(self.keys)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Described) and self.keys is other.keys


@lru_cache(maxsize=8)
def geometry(described: _Described) -> Geometry:
    """Geometry of a description."""
    return geometry_from_grib(described.keys)


def nature_of(ref: GribField) -> Nature:
    """Nature by parameter number, else by units."""
    known = [v for v in vars(catalogue).values() if isinstance(v, Variable)]
    for variable in known:
        if variable.param == ref.param:
            return variable.nature
    return Nature.DIRECTION if ref.units.lower() in DEGREES else Nature.SCALAR


def stacked(name: str, refs: list[GribField], fields: list[NDArray[np.float32]]) -> xr.Dataset:
    """Fields of one variable along the dimensions in which they differ."""
    places: dict[str, list[Any]] = {
        "number": [ref.member for ref in refs],
        "init_time": [np.datetime64(ref.init_time, "ns") for ref in refs],
        "lead_time": [np.timedelta64(ref.lead_time, "ns") for ref in refs],
        "level": [ref.level for ref in refs],
    }
    dims = [dim for dim, labels in places.items() if labels[0] is not None]
    if refs[0].level_kind != PRESSURE:
        dims.remove("level") if "level" in dims else None
    labels = {dim: sorted(set(places[dim])) for dim in dims}
    spots = [tuple(labels[dim].index(places[dim][i]) for dim in dims) for i in range(len(refs))]
    attributes = {"units": refs[0].units, "short_name": refs[0].name}
    shape = fields[0].shape
    if len(set(spots)) < len(spots):  # something the headers read here do not tell apart
        dims, labels = ["message"], {"message": list(range(len(refs)))}
        spots = [(i,) for i in range(len(refs))]
    block = np.full((*(len(labels[dim]) for dim in dims), *shape), np.nan, dtype=np.float32)
    for spot, field in zip(spots, fields, strict=True):
        block[spot] = field
    return xr.Dataset(
        {name: ((*dims, "latitude", "longitude"), block, attributes)},
        coords={dim: (dim, np.array(labels[dim])) for dim in dims},
    )


# ---- NetCDF ----


def from_netcdf(path: Path, job: Job) -> xr.Dataset:
    """All variables of a NetCDF file that lie on a grid."""
    with xr.open_dataset(path, decode_coords="all") as data:
        moved = xr.Dataset(coords=axes(job.target), attrs=dict(data.attrs))
        pairs = dict(winds(data))
        for name in data.data_vars:
            if name in moved.data_vars:
                continue
            on = grid_of(data, str(name))
            if on is None:
                continue
            dims, source = on
            partner = pairs.get(str(name))
            if partner is not None and not job.method.startswith(MIR):
                blocks = [block(data[part], dims) for part in (str(name), partner)]
                mover = job.mover(source, Nature.SCALAR)
                results = vectors(mover, *(part for _, part in blocks))
                both = zip((str(name), partner), blocks, results, strict=True)
                for part, (leading, _), result in both:
                    moved[part] = placed(data[part], leading, result)
                continue
            leading, field = block(data[name], dims)
            nature = cf_nature(data[name])
            moved[name] = placed(data[name], leading, job.mover(source, nature)(field))
    return moved


def winds(data: xr.Dataset) -> Iterator[tuple[str, str]]:
    """Pairs of eastward and northward components, by name or by standard name."""
    known = {str(data[name].attrs.get("standard_name")): str(name) for name in data.data_vars}
    for standard, name in known.items():
        other = known.get(standard.replace("eastward", "northward"))
        if "eastward" in standard and other and data[name].dims == data[other].dims:
            yield name, other
    for east, north in WINDS:
        both = east in data.data_vars and north in data.data_vars
        if both and data[east].dims == data[north].dims:
            yield east, north


def grid_of(data: xr.Dataset, name: str) -> tuple[tuple[str, ...], Geometry] | None:
    """Horizontal dimensions and geometry of a variable; ``None`` if it is not on a grid."""
    array = data[name]
    coordinates = {
        str(key): Coordinate(tuple(map(str, c.dims)), c.values, {**c.attrs, **bounds_of(c)})
        for key, c in data.coords.items()
        if set(c.dims) <= set(array.dims) or "bnds" in str(c.dims) or str(key).endswith("bounds")
    }
    mapping = str(array.encoding.get("grid_mapping", array.attrs.get("grid_mapping", "")))
    attributes = data[mapping].attrs if mapping in data.variables else None
    try:
        dims, source = located(coordinates, attributes)
    except RegridError:
        if {"latitude", "longitude", "lat", "lon"} & set(map(str, array.dims)):
            raise
        return None
    return (dims, source) if set(dims) <= set(map(str, array.dims)) else None


def bounds_of(coordinate: xr.DataArray) -> dict[str, object]:
    """The name of a coordinate's bounds, where xarray has put it away."""
    name = coordinate.encoding.get("bounds", coordinate.attrs.get("bounds"))
    return {} if name is None else {"bounds": name}


def block(array: xr.DataArray, dims: tuple[str, ...]) -> tuple[list[str], NDArray[np.floating]]:
    """Leading dimensions and values with the horizontal ones last."""
    leading = [str(dim) for dim in array.dims if dim not in dims]
    field = array.transpose(*leading, *dims).values
    return leading, field if field.dtype == np.float64 else field.astype(np.float32)


def placed(array: xr.DataArray, leading: list[str], result: NDArray[np.floating]) -> xr.DataArray:
    """A moved variable with the coordinates and attributes that still hold."""
    kept = {key: array.coords[key] for key in array.coords if set(array[key].dims) <= set(leading)}
    names = ("units", "long_name", "standard_name", "cell_methods", "short_name")
    attributes = {key: array.attrs[key] for key in names if key in array.attrs}
    return xr.DataArray(
        result.astype(np.float32),
        dims=(*leading, "latitude", "longitude"),
        coords=kept,
        attrs=attributes,
    )


def cf_nature(array: xr.DataArray) -> Nature:
    """Nature by the catalogue's names and by CF attributes."""
    standard = str(array.attrs.get("standard_name", ""))
    if "flag_values" in array.attrs or array.name == "slt":
        return Nature.CATEGORICAL
    angle = str(array.attrs.get("units", "")).lower() in DEGREES
    if angle and ("direction" in standard or "direction" in str(array.attrs.get("long_name"))):
        return Nature.DIRECTION
    return Nature.SCALAR
