"""Fields as NetCDF-4 files in the dialect the store has spoken since September 2024.

Dimensions ``valid_time``, ``pressure_level`` (falling), ``latitude`` (falling)
and ``longitude``; scalar ``number``; ``expver`` as text along ``valid_time``;
float32 with ``_FillValue`` NaN; a wealth of ``GRIB_*`` attributes. Variables of
different step types never share a file. Chunks are single fields, so that a
file of any size is written field by field.

The older dialect, in which ``expver`` is a dimension and a time is filled in
only one of its two places, is here too: files of that kind are still about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from aurora_prep.providers.embedded.atmosphere import truth
from aurora_prep.providers.embedded.grib import MARS
from aurora_prep.providers.embedded.selection import Selection
from aurora_prep.sources.spec import Native, StepType

EPOCH = datetime(1970, 1, 1)
STEP_TYPE = {StepType.INSTANT: "instant", StepType.ACCUMULATED: "accum"}
EXPVERS = ("0001", "0005")
FILL = np.float32(np.nan)
LARGEST = float(np.finfo(np.float32).max)


def members(selection: Selection) -> dict[str, tuple[Native, ...]]:
    """Files that make up an answer, by name: one for each step type."""
    split: dict[str, list[Native]] = {}
    for native in selection.natives:
        step_type = STEP_TYPE[native.variable.step_type]
        split.setdefault(f"data_stream-oper_stepType-{step_type}.nc", []).append(native)
    return {name: tuple(natives) for name, natives in split.items()}


def write(
    selection: Selection, natives: Sequence[Native], path: Path, *, expver_dimension: bool = False
) -> None:
    """Write variables of one step type as one file.

    Args:
        selection: Times, levels and region.
        natives: Variables of the file.
        path: File to make.
        expver_dimension: Write the older dialect.
    """
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        _describe(file)
        _coordinates(file, selection, expver_dimension=expver_dimension)
        for native in natives:
            _variable(file, selection, native, expver_dimension=expver_dimension)


def _describe(file: Any) -> None:
    file.setncatts(
        {
            "GRIB_centre": "ecmf",
            "GRIB_centreDescription": "European Centre for Medium-Range Weather Forecasts",
            "GRIB_subCentre": 0,
            "Conventions": "CF-1.7",
            "institution": "European Centre for Medium-Range Weather Forecasts",
            "history": "written by the embedded provider of aurora-prep",
            "synthetic": "analytic fields for tests and rehearsals: not observations, not weather",
        }
    )


def _coordinates(file: Any, selection: Selection, *, expver_dimension: bool) -> None:
    region, levels = selection.region, sorted(selection.levels, reverse=True)
    seconds = [round((moment - EPOCH).total_seconds()) for moment in selection.times]
    expvers = [selection.expver(moment) for moment in selection.times]

    number = file.createVariable("number", "i8", ())
    number.setncatts(
        {
            "long_name": "ensemble member numerical id",
            "units": "1",
            "standard_name": "realization",
        }
    )
    number[...] = 0
    _axis(
        file,
        "valid_time",
        np.array(seconds, dtype=np.int64),
        long_name="time",
        standard_name="time",
        units="seconds since 1970-01-01",
        calendar="proleptic_gregorian",
    )
    if expver_dimension:
        _axis(file, "expver", np.array([int(e) for e in EXPVERS], dtype=np.int32))
    if levels:
        _axis(
            file,
            "pressure_level",
            np.array(levels, dtype=np.float64),
            long_name="pressure",
            units="hPa",
            positive="down",
            stored_direction="decreasing",
            standard_name="air_pressure",
        )
    _axis(
        file,
        "latitude",
        region.latitude,
        units="degrees_north",
        standard_name="latitude",
        long_name="latitude",
        stored_direction="decreasing",
    )
    _axis(
        file,
        "longitude",
        region.longitude,
        units="degrees_east",
        standard_name="longitude",
        long_name="longitude",
    )
    if not expver_dimension:
        expver = file.createVariable("expver", str, ("valid_time",))
        expver[:] = np.array(expvers, dtype=object)


def _axis(file: Any, name: str, values: np.ndarray[Any, Any], **attributes: str) -> None:
    file.createDimension(name, values.size)
    fill = np.nan if values.dtype.kind == "f" else False
    variable = file.createVariable(name, values.dtype, (name,), fill_value=fill)
    variable.setncatts(attributes)
    variable[:] = values


def _variable(file: Any, selection: Selection, native: Native, *, expver_dimension: bool) -> None:
    region, variable = selection.region, native.variable
    levels: list[int | None] = [*sorted(selection.levels, reverse=True)] or [None]
    dimensions = ["valid_time"]
    dimensions += ["expver"] if expver_dimension else []
    dimensions += ["pressure_level"] if selection.levels else []
    dimensions += ["latitude", "longitude"]
    stored = file.createVariable(
        native.fields[0],
        "f4",
        dimensions,
        fill_value=FILL,
        compression="zlib",
        complevel=1,
        shuffle=True,
        chunksizes=(*(1 for _ in dimensions[:-2]), *region.shape),
    )
    stored.setncatts(_attributes(selection, native))
    for (i, moment), (k, level) in product(enumerate(selection.times), enumerate(levels)):
        place: list[int] = [i]
        place += [EXPVERS.index(selection.expver(moment))] if expver_dimension else []
        place += [k] if selection.levels else []
        stored[tuple(place)] = truth(
            variable, level, moment, region.latitude, region.longitude
        ).astype(np.float32)


def _attributes(selection: Selection, native: Native) -> dict[str, Any]:
    region, variable = selection.region, native.variable
    pressure = variable.has_levels
    standard_name = variable.standard_name or "unknown"
    place = ["isobaricInhPa"] if pressure else []
    return {
        "GRIB_paramId": np.int64(variable.param),
        "GRIB_dataType": MARS[selection.product][1],
        "GRIB_numberOfPoints": np.int64(region.rows * region.columns),
        "GRIB_typeOfLevel": "isobaricInhPa" if pressure else "surface",
        "GRIB_stepUnits": np.int64(1),
        "GRIB_stepType": STEP_TYPE[variable.step_type],
        "GRIB_gridType": "regular_ll",
        "GRIB_Nx": np.int64(region.columns),
        "GRIB_Ny": np.int64(region.rows),
        "GRIB_cfName": standard_name,
        "GRIB_cfVarName": native.fields[0],
        "GRIB_iDirectionIncrementInDegrees": float(region.longitude_step),
        "GRIB_iScansNegatively": np.int64(0),
        "GRIB_jDirectionIncrementInDegrees": float(region.latitude_step),
        "GRIB_jScansPositively": np.int64(0),
        "GRIB_latitudeOfFirstGridPointInDegrees": float(region.north),
        "GRIB_latitudeOfLastGridPointInDegrees": float(region.south),
        "GRIB_longitudeOfFirstGridPointInDegrees": float(region.west),
        "GRIB_longitudeOfLastGridPointInDegrees": float(region.east),
        "GRIB_missingValue": LARGEST,
        "GRIB_name": variable.long_name,
        "GRIB_shortName": variable.short_name,
        "GRIB_totalNumber": np.int64(0),
        "GRIB_units": native.units,
        "long_name": variable.long_name,
        "units": native.units,
        "standard_name": standard_name,
        "coordinates": " ".join(
            ["number", "valid_time", *place, "latitude", "longitude", "expver"]
        ),
    }
