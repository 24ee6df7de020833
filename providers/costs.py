"""What a request to a data store costs: the product of the lengths of its lists.

The stores' own rule: dates count as the days that exist, ``area`` is free, ``grid`` as a
list counts its two numbers. What a format weighs, only the store knows (see ``desk``).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from aurora_prep.providers.splitting import days_of
from aurora_prep.sources.spec.request import Body

FREE = ("area",)
DAYS = ("year", "month", "day", "date")


def product_of(body: Mapping[str, str | list[str]]) -> int:
    """Fields a request asks, as its store counts them."""
    sizes = [
        len(value) if isinstance(value, list) else 1
        for key, value in body.items()
        if key not in FREE and key not in DAYS
    ]
    return prod(sizes) * max(1, len(days_of(dict(body))))


def shape_of(body: Body) -> str:
    """What requests of equal weight have in common: their format."""
    value = body.get("data_format", "")
    return value if isinstance(value, str) else "/".join(value)
