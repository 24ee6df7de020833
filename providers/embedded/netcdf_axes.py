"""The axes of a store's NetCDF files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from aurora_prep.providers.embedded.selection import Selection, Wanted
from aurora_prep.sources.spec import HOUR, Dialect

EPOCH = datetime(1970, 1, 1)
EXPVERS = ("0001", "0005")
TIME = {"units": "seconds since 1970-01-01", "calendar": "proleptic_gregorian"}


def leading_axes(dialect: Dialect) -> tuple[str, ...]:
    """Names of the axes of time, outermost first."""
    if dialect.by_reference:
        return "forecast_period", "forecast_reference_time"
    return ("valid_time",)


def coordinates(
    file: Any, selection: Selection, wanted: Sequence[Wanted], *, expver_dimension: bool
) -> None:
    """Write all coordinates of a file whose variables share their region and axes."""
    dialect, region = wanted[0].dialect, wanted[0].region
    if not dialect.split_by_level:
        _number(file)
    if dialect.by_reference:
        _reference_times(file, selection)
    else:
        seconds = np.array(_seconds(selection.times), dtype=np.int64)
        _axis(file, "valid_time", seconds, long_name="time", standard_name="time", **TIME)
    if expver_dimension:
        _axis(file, "expver", np.array([int(e) for e in EXPVERS], dtype=np.int32))
    if wanted[0].native.variable.has_levels:
        _axis(
            file,
            "pressure_level",
            np.array(sorted(selection.levels, reverse=True), dtype=np.float64),
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
    if not (expver_dimension or dialect.split_by_level):
        expver = file.createVariable("expver", str, ("valid_time",))
        expvers = [selection.expver(moment) for moment in selection.times]
        expver[:] = np.array(expvers, dtype=object)


def _seconds(times: Iterable[datetime]) -> list[int]:
    return [round((moment - EPOCH).total_seconds()) for moment in times]


def _number(file: Any) -> None:
    number = file.createVariable("number", "i8", ())
    number.setncatts(
        {
            "long_name": "ensemble member numerical id",
            "units": "1",
            "standard_name": "realization",
        }
    )
    number[...] = 0


def _reference_times(file: Any, selection: Selection) -> None:
    """Init times and lead times, and the valid time of every pair."""
    _axis(
        file,
        "forecast_period",
        np.array([lead / HOUR for lead in selection.lead_times]),
        long_name="time since forecast_reference_time",
        standard_name="forecast_period",
        units="hours",
    )
    _axis(
        file,
        "forecast_reference_time",
        np.array(_seconds(selection.times), dtype=np.int64),
        long_name="initial time of forecast",
        standard_name="forecast_reference_time",
        **TIME,
    )
    valid = file.createVariable("valid_time", "i8", ("forecast_reference_time", "forecast_period"))
    valid.setncatts({"long_name": "time", "standard_name": "time", **TIME})
    valid[:] = [_seconds(init + lead for lead in selection.lead_times) for init in selection.times]


def _axis(file: Any, name: str, values: np.ndarray[Any, Any], **attributes: str) -> None:
    file.createDimension(name, values.size)
    fill = np.nan if values.dtype.kind == "f" else False
    variable = file.createVariable(name, values.dtype, (name,), fill_value=fill)
    variable.setncatts(attributes)
    variable[:] = values
