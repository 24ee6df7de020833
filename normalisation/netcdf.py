"""Statistics as a NetCDF file: ``ds["atmospheric_t"].sel(statistic="mean", level=850)``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from aurora_prep.normalisation.statistics import NUMBERS, FieldStatistics, Statistics

SAME_UNITS = "units are those of the variable; fields, count and missing are numbers"
COUNTS = ("fields", "count", "missing")


def dataset(statistics: Statistics) -> xr.Dataset:
    """One variable a path, dimensions ``(statistic, level)`` or ``(statistic,)``.

    Changes are variables of their own, such as ``atmospheric_t_change_12h``.
    """
    grouped: dict[str, list[FieldStatistics]] = {}
    for entry in (*statistics.values, *statistics.differences):
        change = f"_change_{entry.step_hours}h" if entry.step_hours else ""
        grouped.setdefault(entry.path.replace("/", "_") + change, []).append(entry)
    parts = [_variable(name, entries).to_dataset() for name, entries in grouped.items()]
    merged = xr.merge(parts, join="outer", combine_attrs="drop_conflicts")
    merged.attrs = {
        "title": f"Statistics of {statistics.source}, split {statistics.split}",
        "source": statistics.source,
        "grid": statistics.grid,
        "split": statistics.split,
        "period_start": statistics.period[0].isoformat(),
        "period_end": statistics.period[1].isoformat(),
        "frames": len(statistics.frames),
        "missing_rule": statistics.missing_rule,
        "software_version": statistics.software_version,
        "comment": SAME_UNITS,
    }
    return merged


def to_netcdf(statistics: Statistics, path: str | Path) -> None:
    """Write the statistics to a NetCDF file."""
    dataset(statistics).to_netcdf(path, engine="netcdf4")


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
