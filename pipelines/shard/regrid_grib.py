"""Every field of a GRIB file onto another grid, one group of fields at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from aurora_prep.pipelines.reading.fields import PRESSURE, GribField
from aurora_prep.pipelines.reading.grib import read_grib, read_ranges, scan_grib
from aurora_prep.pipelines.reading.grid_description import GridDescription
from aurora_prep.pipelines.reading.harmonise import Placement, placement_of
from aurora_prep.pipelines.shard.groups import Bond, is_along_axes
from aurora_prep.pipelines.shard.regrid import described
from aurora_prep.pipelines.shard.regrid_job import (
    DEGREES,
    Field,
    RegridJob,
    bonded,
    known_variables,
    vector_nature,
)
from aurora_prep.pipelines.shard.regrid_output import HORIZONTAL, Output, axes
from aurora_prep.regridding import Geometry, in_rows, mir_message
from aurora_prep.regridding.mir import METHODS as MIR
from aurora_prep.sources.spec import DecodeError, Grid, HarmoniseError, Nature, RegridError

Key = tuple[object, ...]


@dataclass(frozen=True)
class _Variable:
    """A variable of the output.

    Attributes:
        name: Its name.
        places: Where each field goes along the leading dimensions.
        dims: The leading dimensions.
        labels: The labels of each dimension that these fields have.
        units: Units of the fields.
        short_name: ecCodes' short name.
    """

    name: str
    places: dict[GribField, tuple[Any, ...]]
    dims: tuple[str, ...]
    labels: dict[str, list[Any]]
    units: str
    short_name: str


def regrid_grib(path: Path, output: Path, job: RegridJob, history: str) -> None:
    """Move all fields: one variable a name, level kind and grid.

    Args:
        path: The file.
        output: The file or store to write.
        job: What is asked of every field.
        history: One line for the attributes of the output.

    Raises:
        DecodeError: The file is damaged.
        RegridError: A field cannot be moved so.
    """
    contents = scan_grib(path)
    variables = _variables(contents.fields)
    labels: dict[str, list[Any]] = {}
    for variable in variables:
        for dim, found in variable.labels.items():
            labels[dim] = sorted({*labels.get(dim, []), *found})
    places = {dim: {label: i for i, label in enumerate(found)} for dim, found in labels.items()}
    coords = {dim: (dim, np.array(found)) for dim, found in labels.items()}
    frame = xr.Dataset(coords={**axes(job.target), **coords}, attrs={"history": history})
    of_field = {ref: variable for variable in variables for ref in variable.places}
    with Output(output, frame) as out:
        for variable in variables:
            leading = {dim: len(labels[dim]) for dim in variable.dims}
            attributes = {"units": variable.units, "short_name": variable.short_name}
            out.create(variable.name, leading, job.target, attributes)
        for bond, refs in _groups(contents.fields, job.winds):
            moved = _moved(bond, refs, contents.grids[refs[0].grid], job)
            for ref, field in zip(refs, moved, strict=True):
                variable = of_field[ref]
                spot = zip(variable.dims, variable.places[ref], strict=True)
                out.put(variable.name, [places[dim][label] for dim, label in spot], field)


def _variables(fields: Sequence[GribField]) -> list[_Variable]:
    groups: dict[Key, list[GribField]] = {}
    for ref in fields:
        groups.setdefault((ref.name, ref.level_kind, ref.grid), []).append(ref)
    names = [str(name) for name, _, _ in groups]
    variables = []
    for (name, kind, grid), refs in groups.items():
        is_alone = names.count(str(name)) == 1 and str(name) not in HORIZONTAL
        label = str(name) if is_alone else f"{name}_{kind}_{grid}"
        variables.append(_variable(label, refs))
    return variables


def _variable(name: str, refs: list[GribField]) -> _Variable:
    """Fields of one variable along the dimensions in which they differ."""
    found: dict[str, list[Any]] = {
        "number": [ref.member for ref in refs],
        "init_time": [np.datetime64(ref.init_time, "ns") for ref in refs],
        "lead_time": [np.timedelta64(ref.lead_time, "ns") for ref in refs],
        "level": [ref.level for ref in refs],
    }
    dims = [dim for dim, labels in found.items() if None not in labels]
    if refs[0].level_kind != PRESSURE and "level" in dims:
        dims.remove("level")
    spots = [tuple(found[dim][i] for dim in dims) for i in range(len(refs))]
    if len(set(spots)) < len(spots):  # something the headers read here do not tell apart
        dims, found = ["message"], {"message": list(range(len(refs)))}
        spots = [(i,) for i in range(len(refs))]
    labels = {dim: sorted(set(found[dim])) for dim in dims}
    places = dict(zip(refs, spots, strict=True))
    return _Variable(name, places, tuple(dims), labels, refs[0].units, refs[0].name)


def _groups(fields: Sequence[GribField], winds: str) -> Iterator[tuple[Bond, list[GribField]]]:
    """Fields that belong together, in the order of the file.

    Fields that headers do not tell apart belong together in the order of the file.
    """
    kinds: dict[Key, dict[str, list[GribField]]] = {}
    for ref in fields:
        kinds.setdefault(_where(ref), {}).setdefault(ref.name, []).append(ref)
    done: set[int] = set()
    for ref in fields:
        if id(ref) in done:
            continue
        bond, names = bonded(ref.name, winds)
        here = kinds[_where(ref)]
        rows = [here[name] for name in names if len(here.get(name, ())) == len(here[ref.name])]
        whole = len(rows) == len(names) if bond is Bond.WIND else names[0] in here
        if bond is Bond.ALONE or len(rows) < 2 or not whole:  # noqa: PLR2004  a bond takes two
            bond, rows = Bond.ALONE, [[ref]]
        at = next(i for i, row in enumerate(zip(*rows, strict=True)) if any(r is ref for r in row))
        refs = [row[at] for row in rows]
        done |= set(map(id, refs))
        yield bond, refs


def _where(ref: GribField) -> Key:
    moment = ref.init_time, ref.lead_time, ref.member, ref.label
    return (ref.grid, ref.level_kind, ref.level, *moment)


def _moved(bond: Bond, refs: list[GribField], keys: GridDescription, job: RegridJob) -> list[Field]:
    natures = [_nature_of(ref) for ref in refs]
    where = str(refs[0])
    if job.method in MIR:
        return [
            _moved_by_mir(ref, nature, keys, job) for ref, nature in zip(refs, natures, strict=True)
        ]
    placement = _placement(keys, refs[0].file)
    source: Geometry | Grid = (placement and placement.grid) or described(keys)
    along = not isinstance(source, Grid) and is_along_axes(keys, source)
    fields = [_values(ref, keys, placement) for ref in refs]
    return job.moved(bond, source, fields, natures, along=along, where=where)


def _moved_by_mir(ref: GribField, nature: Nature, keys: GridDescription, job: RegridJob) -> Field:
    is_component = nature in (Nature.EASTWARD, Nature.NORTHWARD)
    if is_component and is_along_axes(keys, described(keys)):
        raise RegridError(
            "a wind along the axes of the grid cannot be turned to east and north",
            str(ref),
            f"uvRelativeToGrid is set, and method {job.method} moves single components",
            "take one of our own methods",
        )
    return mir_message(read_ranges(ref), job.target, job.method).astype(np.float32)


def _placement(keys: GridDescription, file: str) -> Placement | None:
    """Where points of a regular grid lie; ``None`` for any other grid."""
    if keys.get("alternativeRowScanning"):
        return None
    try:
        placement = placement_of(keys, file)
    except (DecodeError, HarmoniseError):
        return None  # the geometry says what is wrong, or can do with it
    return placement if placement.grid is not None else None


def _values(ref: GribField, keys: GridDescription, placement: Placement | None) -> Field:
    """Decoded values in the order of their source."""
    values = read_grib(ref, read_ranges(ref))
    if placement is None or placement.shape is None or placement.orientation is None:
        return in_rows(values, keys)
    rows, columns = placement.shape
    field = values.reshape(columns, rows).T if placement.transposed else values
    return placement.orientation.apply(field.reshape(rows, columns))


def _nature_of(ref: GribField) -> Nature:
    """Nature by parameter number, else by name, else by units."""
    known = known_variables()[0].get(ref.param)
    if known is not None:
        return known.nature
    component = vector_nature(ref.name)
    if component is not None:
        return component
    return Nature.DIRECTION if ref.units.lower() in DEGREES else Nature.SCALAR
