"""Statistics of one variable and level, as they are kept and printed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

NUMBERS = (
    "minimum",
    "maximum",
    "mean",
    "standard_deviation",
    "mean_absolute",
    "area_mean",
    "area_standard_deviation",
    "area_mean_absolute",
    "mean_maximum",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldStatistics:
    """Statistics of one variable and level, or of its change over a step.

    All in the units of the variable; NaN where there is no valid value, or no
    row weights were given. ``area_`` marks the area-weighted convention; the
    others count every grid point the same.

    Attributes:
        path: ``kind/short_name``.
        level: Pressure level in hPa, ``None`` where there is none.
        step_hours: Hours the change is taken over, ``None`` for the values.
        units: Units, empty when they were not told.
        transform: What was done to the values before they were reduced.
        fields: Number of fields.
        count: Number of valid values.
        missing: Number of missing values.
        minimum: Smallest value.
        maximum: Largest value.
        mean: Mean.
        standard_deviation: Population standard deviation.
        mean_absolute: Mean absolute value; of a change, the persistence error.
        area_mean: Mean by area.
        area_standard_deviation: Population standard deviation by area.
        area_mean_absolute: Mean absolute value by area.
        mean_maximum: Mean over time of the largest value of a field.
        quantiles: ``(fraction, value)``, the value off by less than its bin is wide.
        remarks: What a user should know before dividing by these.
    """

    path: str
    level: int | None
    step_hours: int | None
    units: str
    transform: str
    fields: int
    count: int
    missing: int
    minimum: float
    maximum: float
    mean: float
    standard_deviation: float
    mean_absolute: float
    area_mean: float
    area_standard_deviation: float
    area_mean_absolute: float
    mean_maximum: float
    quantiles: tuple[tuple[float, float], ...]
    remarks: tuple[str, ...]

    @property
    def short_name(self) -> str:
        """ECMWF short name."""
        return self.path.rpartition("/")[2]

    @property
    def aurora_key(self) -> str:
        """Aurora's key: ``2t``, ``t_850``, ``z`` for the static field."""
        return self.short_name if self.level is None else f"{self.short_name}_{self.level}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: NaN is null."""
        found = {item.name: _json(getattr(self, item.name)) for item in fields(self)}
        return found | {"quantiles": {str(q): _json(value) for q, value in self.quantiles}}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> FieldStatistics:
        """Read back what ``to_dict`` wrote."""
        numbers = {name: _number(found[name]) for name in NUMBERS}
        quantiles = tuple((float(q), _number(value)) for q, value in found["quantiles"].items())
        rest = {"quantiles": quantiles, "remarks": tuple(found["remarks"])}
        return cls(**(dict(found) | numbers | rest))


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
