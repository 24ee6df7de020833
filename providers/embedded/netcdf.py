"""Fields as NetCDF-4 files in the dialects the stores have spoken since September 2024.

The Climate Data Store: dimensions ``valid_time``, ``pressure_level`` (falling),
``latitude`` (falling) and ``longitude``; scalar ``number``; ``expver`` as text
along ``valid_time``; one file for each stream and step type. The Atmosphere
Data Store: no ``number`` and no ``expver``; ``forecast_period`` and
``forecast_reference_time`` in place of ``valid_time`` where there are
forecasts; ``data_sfc.nc`` and ``data_plev.nc`` in a ZIP. Both: float32 with
``_FillValue`` NaN and a wealth of ``GRIB_*`` attributes. Chunks are single
fields, so that a file of any size is written field by field.

Older dialects are here too, since files of their kind are still about:
``expver`` as a dimension, a time being filled in only one of its two places,
and values scaled to 16-bit integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from aurora_prep.providers import marks
from aurora_prep.providers.embedded.atmosphere import truth
from aurora_prep.providers.embedded.grib import MARS
from aurora_prep.providers.embedded.netcdf_axes import EXPVERS, coordinates, leading_axes
from aurora_prep.providers.embedded.selection import Field, Selection, Wanted
from aurora_prep.sources.spec import StepType

STEP_TYPE = {StepType.INSTANT: "instant", StepType.ACCUMULATED: "accum"}
FILL = np.float32(np.nan)
LARGEST = float(np.finfo(np.float32).max)
# 16-bit integers: the largest number of steps, and what stands for missing.
STEPS, MISSING = 65_000, -32_767


@dataclass(frozen=True, slots=True)
class Older:
    """Which older dialects to write.

    Attributes:
        expver_dimension: ``expver`` is a dimension.
        scaled: Values are 16-bit integers with scale and offset.
    """

    expver_dimension: bool = False
    scaled: bool = False


def members(selection: Selection) -> dict[str, tuple[Wanted, ...]]:
    """Files that make up an answer, by name."""
    split: dict[str, list[Wanted]] = {}
    for wanted in selection.wanted:
        variable = wanted.native.variable
        if wanted.dialect.split_by_level:
            name = f"data_{'plev' if variable.has_levels else 'sfc'}.nc"
        else:
            name = f"data_stream-{wanted.stream}_stepType-{STEP_TYPE[variable.step_type]}.nc"
        split.setdefault(name, []).append(wanted)
    return {name: tuple(some) for name, some in split.items()}


def write(
    selection: Selection, wanted: Sequence[Wanted], path: Path, older: Older | None = None
) -> None:
    """Write variables of one region and one kind of axes as one file.

    Args:
        selection: Times and levels.
        wanted: Variables of the file.
        path: File to make.
        older: Older dialects to write.
    """
    older = older or Older()
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        _describe(file)
        coordinates(file, selection, wanted, expver_dimension=older.expver_dimension)
        for one in wanted:
            _variable(file, selection, one, older)


def _describe(file: Any) -> None:
    file.setncatts(
        {
            "GRIB_centre": "ecmf",
            "GRIB_centreDescription": "European Centre for Medium-Range Weather Forecasts",
            "GRIB_subCentre": 0,
            "Conventions": "CF-1.7",
            "institution": "European Centre for Medium-Range Weather Forecasts",
            "history": "written by the embedded provider of aurora-prep",
            marks.ATTRIBUTE: marks.TEXT,
        }
    )


def _variable(file: Any, selection: Selection, wanted: Wanted, older: Older) -> None:
    region, native = wanted.region, wanted.native
    dimensions = list(leading_axes(wanted.dialect))
    dimensions += ["expver"] if older.expver_dimension else []
    dimensions += ["pressure_level"] if native.variable.has_levels else []
    dimensions += ["latitude", "longitude"]
    stored = file.createVariable(
        native.fields[0],
        "i2" if older.scaled else "f4",
        dimensions,
        fill_value=np.int16(MISSING) if older.scaled else FILL,
        compression="zlib",
        complevel=1,
        shuffle=True,
        chunksizes=(*(1 for _ in dimensions[:-2]), *region.shape),
    )
    stored.setncatts(_attributes(selection, wanted))
    levels = sorted(selection.levels_of(wanted), key=lambda level: -(level or 0))
    if older.scaled:
        stored.setncatts(_scaling(selection, wanted))
        stored.set_auto_scale(True)
    for (i, init), (j, lead), (k, level) in product(
        enumerate(selection.times), enumerate(selection.lead_times), enumerate(levels)
    ):
        field = Field(init, lead, level, wanted)
        place: list[int] = [j, i] if wanted.dialect.by_reference else [i]
        if older.expver_dimension:
            place.append(EXPVERS.index(selection.expver(field.valid_time)))
        place += [k] if native.variable.has_levels else []
        values = _values(field)
        stored[tuple(place)] = np.ma.masked_invalid(values) if older.scaled else values


def _values(field: Field) -> NDArray[np.float32]:
    region = field.wanted.region
    exact = truth(
        field.wanted.native.variable,
        field.level,
        field.valid_time,
        region.latitude,
        region.longitude,
    )
    return exact.astype(np.float32)


def _scaling(selection: Selection, wanted: Wanted) -> dict[str, float]:
    """Scale and offset that cover all values of a variable in this file.

    The lowest step lies a little below the lowest value, as rounding in the
    stores has it: an amount that is nowhere negative comes out negative.
    """
    lowest, highest = np.inf, -np.inf
    for field in selection.fields():
        if field.wanted == wanted:
            values = _values(field)
            if not np.isnan(values).all():
                lowest = min(lowest, float(np.nanmin(values)))
                highest = max(highest, float(np.nanmax(values)))
    if not lowest < highest:
        return {"scale_factor": 1.0, "add_offset": lowest if np.isfinite(lowest) else 0.0}
    scale = (highest - lowest) / STEPS
    return {"scale_factor": scale, "add_offset": lowest + scale * (STEPS // 2 - 0.25)}


def _attributes(selection: Selection, wanted: Wanted) -> dict[str, Any]:
    region, native = wanted.region, wanted.native
    variable = native.variable
    pressure = variable.has_levels
    standard_name = variable.standard_name or "unknown"
    labels = dict(wanted.dialect.labels)
    return {
        "GRIB_paramId": np.int64(variable.param),
        "GRIB_dataType": labels.get("type", MARS[selection.product][1]),
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
        "coordinates": _coordinate_names(wanted),
    }


def _coordinate_names(wanted: Wanted) -> str:
    level = ["isobaricInhPa"] if wanted.native.variable.has_levels else []
    if wanted.dialect.split_by_level:
        times = dict.fromkeys([*leading_axes(wanted.dialect), "valid_time"])
        return " ".join([*times, *level, "latitude", "longitude"])
    return " ".join(["number", "valid_time", *level, "latitude", "longitude", "expver"])
