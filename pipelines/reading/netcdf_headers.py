"""What the attributes of a NetCDF variable say of how its fields were made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from aurora_prep.pipelines.reading.fields import ACCUMULATED, INSTANT, Headers
from aurora_prep.pipelines.reading.grib_headers import DERIVED, TYPES
from aurora_prep.pipelines.reading.netcdf_axes import TIME, VALID, Coordinate, role_of
from aurora_prep.pipelines.reading.netcdf_times import SECONDS

METHODS = {"point": INSTANT, "sum": ACCUMULATED, "mean": "avg", "maximum": "max", "minimum": "min"}
ENSEMBLE = {"standard_deviation": "spread", "mean": "mean", "variance": "variance"}
TIMES = frozenset({"time", "valid_time", "step", "forecast_period", "lead_time"})
MEMBERS = frozenset({"realization", "number", "member", "ensemble"})
METHOD = re.compile(r"((?:[A-Za-z_]\w*\s*:\s*)+)([a-z_]+)")
HOUR = 3600.0


def headers_of(of_file: Mapping[str, Any], attributes: Mapping[str, Any]) -> Headers:
    """How attributes say that a variable was made: ``GRIB_*`` and ``cell_methods``.

    Args:
        of_file: Attributes of the file, or of the Zarr store.
        attributes: Attributes of the variable.
    """

    def said(*names: str) -> str:
        for holder in (attributes, of_file):
            for name in names:
                if f"GRIB_{name}" in holder:
                    return str(holder[f"GRIB_{name}"])
        return ""

    over_time, over_members = methods_of(str(attributes.get("cell_methods", "")))
    kind = said("type", "marsType", "dataType")
    derived = said("derivedForecast")
    ensemble = TYPES.get(kind, "")
    if derived.lstrip("-").isdigit():
        ensemble = DERIVED.get(int(derived), f"derivedForecast {derived}")
    return Headers(
        mars_class=said("class", "marsClass"),
        stream=said("stream", "marsStream"),
        type="" if kind == "af" else kind,
        centre=said("centre"),
        statistic=over_time or said("stepType"),
        ensemble=over_members or ensemble,
    )


def methods_of(text: str) -> tuple[str, str]:
    """What ``cell_methods`` says was done over time and over members; empty for nothing.

    Several methods over time, such as the maximum of a day averaged over a month, are named
    one after the other.
    """
    over_time: list[str] = []
    over_members: list[str] = []
    for names, method in METHOD.findall(re.sub(r"\([^)]*\)", "", text)):
        axes = {name.strip() for name in names.split(":") if name.strip()}
        if axes & TIMES:
            over_time.append(METHODS.get(method, method))
        if axes & MEMBERS:
            over_members.append(ENSEMBLE.get(method, method))
    return " of ".join(over_time), " of ".join(over_members)


def hours_of(chosen: Mapping[str, Coordinate], visible: Mapping[str, Any]) -> float:
    """Most hours between the bounds of the variable's times; 0 where there are no bounds."""
    for coordinate in chosen.values():
        stored = visible.get(coordinate.name)
        if stored is None or role_of(stored) not in (TIME, VALID):
            continue
        bounds = visible.get(str(getattr(stored, "bounds", "")))
        units = str(getattr(stored, "units", "")).split(maxsplit=1)
        seconds = SECONDS.get(units[0].lower()) if units else None
        if bounds is None or seconds is None or not bounds.shape or bounds.shape[-1] != 2:  # noqa: PLR2004  start and end
            continue
        edges = np.asarray(bounds[...], np.float64)
        lengths = np.abs(edges[..., 1] - edges[..., 0]) * seconds / HOUR
        # The longest counts: what is too long must not hide behind one that is not.
        return round(float(lengths.max(initial=0.0)), 3)
    return 0
