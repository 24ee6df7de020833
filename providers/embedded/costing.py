"""What a request costs: the product of the lengths of its lists, and the limits on that.

The rule is the store's own: keys that the store does not know multiply too, an ``area``
lowers nothing, ``grid`` counts its two numbers, and NetCDF weighs more than GRIB.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import product
from math import prod
from types import MappingProxyType
from typing import Any

from aurora_prep.providers.embedded.archive import Holding

FREE = ("area",)
DATE_PARTS = ("year", "month", "day")
NETCDF = ("netcdf", "netcdf_zip", "netcdf_legacy")
# As the stores' own answers showed in August and September 2026.
LIMITS: Mapping[str, float] = MappingProxyType(
    {
        "reanalysis-era5-single-levels": 121_000.0,
        "reanalysis-era5-pressure-levels": 60_000.0,
        "cams-global-atmospheric-composition-forecasts": 10_000.0,
    }
)
NETCDF_WEIGHT: Mapping[str, int] = MappingProxyType(
    {"reanalysis-era5-single-levels": 6, "reanalysis-era5-pressure-levels": 6}
)


def limit_of(holding: Holding) -> float:
    """The limit of a collection: the store's where it is known, else the declared one."""
    collection = holding.collection
    return LIMITS.get(collection.dataset, float(collection.limit))


def cost_of(dataset: str, inputs: Mapping[str, Any]) -> float:
    """Cost of a request: no more than an arithmetic of its lists."""
    sizes = {key: _length(value) for key, value in inputs.items() if key not in FREE}
    if all(key in sizes for key in DATE_PARTS):
        for key in DATE_PARTS:
            del sizes[key]
        sizes["date"] = _real_days(*(_texts(inputs[key]) for key in DATE_PARTS))
    elif "date" in sizes:
        sizes["date"] = sum(_days(text) for text in _texts(inputs["date"]))
    if any(text in NETCDF for text in _texts(inputs.get("data_format", []))):
        sizes["data_format"] = NETCDF_WEIGHT.get(dataset, 1)
    return float(prod(sizes.values()))


def _texts(value: Any) -> list[str]:
    return [str(item) for item in (value if isinstance(value, list) else [value])]


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 1


def _real_days(years: list[str], months: list[str], days: list[str]) -> int:
    """Days that exist: 31 days of February are 28 or 29."""
    found = 0
    for year, month, day in product(years, months, days):
        try:
            date(int(year), int(month), int(day))
        except ValueError:
            continue
        found += 1
    return found


def _days(text: str) -> int:
    first, _, last = text.partition("/")
    try:
        length = date.fromisoformat(last or first) - date.fromisoformat(first)
    except ValueError:
        return 1
    return max(0, length // timedelta(days=1) + 1)
