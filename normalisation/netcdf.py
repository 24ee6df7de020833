"""Statistics as a NetCDF file: ``ds["atmospheric_t"].sel(statistic="mean", level=850)``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from aurora_prep.normalisation.field_statistics import NUMBERS, FieldStatistics

SAME_UNITS = "units are those of the variable; fields, count and missing are numbers"
COUNTS = ("fields", "count", "missing")


def dataset(entries: Iterable[FieldStatistics], attributes: Mapping[str, Any]) -> xr.Dataset:
    """One variable a path, dimensions ``(statistic, level)`` or ``(statistic,)``.

    Changes are variables of their own, such as ``atmospheric_t_change_12h``.

    Args:
        entries: Statistics of values and of changes.
        attributes: Attributes of the whole file.
    """
    grouped: dict[str, list[FieldStatistics]] = {}
    for entry in entries:
        change = f"_change_{entry.step_hours}h" if entry.step_hours else ""
        grouped.setdefault(entry.path.replace("/", "_") + change, []).append(entry)
    parts = [_variable(name, found).to_dataset() for name, found in grouped.items()]
    merged = xr.merge(parts, join="outer", combine_attrs="drop_conflicts")
    merged.attrs = {**attributes, "comment": SAME_UNITS}
    return merged


def to_netcdf(
    entries: Iterable[FieldStatistics], attributes: Mapping[str, Any], path: str | Path
) -> None:
    """Write statistics to a NetCDF file; arguments as of ``dataset``."""
    dataset(entries, attributes).to_netcdf(path, engine="netcdf4")


def _variable(name: str, entries: list[FieldStatistics]) -> xr.DataArray:
    first = entries[0]
    statistic = [*COUNTS, *NUMBERS, *(f"quantile_{q}" for q, _ in first.quantiles)]
    values = np.array([_column(entry) for entry in entries], np.float64)
    attrs = {"units": first.units or "unknown", "transform": first.transform}
    if first.level is None:
        return xr.DataArray(
            values[0], {"statistic": statistic}, ("statistic",), name=name, attrs=attrs
        )
    levels = xr.Variable("level", [entry.level for entry in entries], {"units": "hPa"})
    return xr.DataArray(
        values.T,
        {"statistic": statistic, "level": levels},
        ("statistic", "level"),
        name=name,
        attrs=attrs,
    )


def _column(entry: FieldStatistics) -> list[float]:
    return [
        *(getattr(entry, name) for name in (*COUNTS, *NUMBERS)),
        *(value for _, value in entry.quantiles),
    ]
