"""Dimensions and variables of a store, as STAC's datacube extension tells them.

Source:
    Datacube extension 2.2, https://github.com/stac-extensions/datacube.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.sources.spec import HOUR, Grid, Variable

Cube = dict[str, dict[str, Any]]


def dimensions_of(entry: SourcePlan) -> Cube:
    """Dimensions of a store of frames, in the order of its arrays."""
    every: Cube = {}
    for name, _ in entry.leading:
        if name == "lead_time":
            hours = [lead // HOUR for lead in entry.lead_times]
            every[name] = {"type": "lead_time", "values": hours, "unit": "h"}
        elif name == "member":
            every[name] = {"type": "ensemble_member", "values": list(entry.members)}
        else:
            every[name] = _times(entry.init_times)
    if len(entry.levels):
        every["level"] = {
            "type": "spatial",
            "axis": "z",
            "values": list(entry.levels),
            "unit": "hPa",
        }
    return every | space_of(entry.grid)


def _times(times: Sequence[datetime]) -> dict[str, Any]:
    steps = {after - before for before, after in pairwise(times)}
    step = _duration(steps.pop()) if len(steps) == 1 else None
    return {"type": "temporal", "extent": [utc(times[0]), utc(times[-1])], "step": step}


def space_of(grid: Grid) -> Cube:
    """Latitude and longitude, degrees."""
    spatial = {"type": "spatial", "reference_system": 4326}
    return {
        "latitude": {
            **spatial,
            "axis": "y",
            "extent": [float(grid.south), float(grid.north)],
            "step": -float(grid.latitude_step),
        },
        "longitude": {
            **spatial,
            "axis": "x",
            "extent": [float(grid.west), float(grid.east)],
            "step": float(grid.longitude_step),
        },
    }


def variables_of(
    entry: SourcePlan, variables: Iterable[Variable], leading: tuple[str, ...] | None = None
) -> Cube:
    """Variables with their dimensions and units.

    Args:
        entry: The plan of the source.
        variables: Which of its variables.
        leading: Dimensions before level and latitude; those of frames by default.
    """
    outer = tuple(name for name, _ in entry.leading) if leading is None else leading
    return {
        variable.short_name: {
            "type": "data",
            "dimensions": [
                *outer,
                *(["level"] if variable.has_levels else []),
                "latitude",
                "longitude",
            ],
            "unit": variable.units,
            "description": variable.long_name,
        }
        for variable in variables
    }


def merged(known: dict[str, Any] | None, other: dict[str, Any]) -> dict[str, Any]:
    """A dimension that covers both."""
    if known is None or known == other:
        return other
    common = {key: value for key, value in known.items() if other.get(key) == value}
    if "extent" in known:
        lows, highs = zip(known["extent"], other["extent"], strict=True)
        return {**common, "extent": [min(lows), max(highs)], "step": common.get("step")}
    return {**common, "values": sorted({*known["values"], *other["values"]})}


def _duration(step: timedelta) -> str:
    """ISO 8601: ``PT6H``."""
    return f"PT{step // HOUR}H"


def utc(time: datetime) -> str:
    """A time in the form of STAC, ``2020-01-01T00:00:00Z``."""
    return f"{time.isoformat()}Z"
