"""A request in two halves: days first, then hours, lead times, variables and levels.

The halves of a request are always the same two, so that a later run finds them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import product
from typing import TypeVar

from aurora_prep.providers.planning.blocks import runs
from aurora_prep.sources.spec import HOUR, Request
from aurora_prep.sources.spec.request import Body

LEAD_KEY = "leadtime_hour"
Item = TypeVar("Item")
Halves = tuple[Request, Request]


def halves(request: Request) -> Halves | None:
    """The two halves of a request; ``None`` where it cannot be cut.

    Together they ask exactly what the request asks: the same times, lead times and fields.
    """
    for cut in (_days, _hours, _leads, _variables, _levels):
        if (found := cut(request)) is not None:
            return found
    return None


def as_grib(request: Request) -> Request | None:
    """The same fields as GRIB; ``None`` where that was asked already."""
    if request.body.get("data_format") in (None, "grib", ["grib"]):
        return None
    return replace(request, body={**request.body, "data_format": "grib"})


def days_of(body: Body) -> list[date]:
    """Days that a body asks, of those that exist, in order."""
    found: set[date] = set()
    for text in _texts(body, "date"):
        first, _, last = text.partition("/")
        try:
            start, end = date.fromisoformat(first), date.fromisoformat(last or first)
        except ValueError:
            return []
        found |= {start + timedelta(days=n) for n in range((end - start).days + 1)}
    if "date" in body:
        return sorted(found)
    for parts in product(*(_texts(body, key) for key in ("year", "month", "day"))):
        try:
            found.add(date(*map(int, parts)))
        except ValueError:
            continue
    return sorted(found)


def _days(request: Request) -> Halves | None:
    days = days_of(request.body)
    if len(days) < 2:  # noqa: PLR2004  # two halves
        return None
    by_ranges = "date" in request.body
    if not by_ranges and len({(day.year, day.month) for day in days}) > 1:
        return None  # years x months x days are no list of days

    def part(some: Sequence[date]) -> Request:
        kept = set(some)
        body = {**request.body}
        if by_ranges:
            body["date"] = [f"{first:%Y-%m-%d}/{last:%Y-%m-%d}" for first, last in _runs(some)]
        else:
            body["day"] = [f"{day:%d}" for day in some]
        times = tuple(moment for moment in request.times if moment.date() in kept)
        return replace(request, body=body, times=times)

    first, second = _two(days)
    return part(first), part(second)


def _hours(request: Request) -> Halves | None:
    hours = _texts(request.body, "time")
    if len(hours) < 2:  # noqa: PLR2004
        return None

    def part(some: Sequence[str]) -> Request:
        kept = {int(text[:2]) for text in some}
        times = tuple(moment for moment in request.times if moment.hour in kept)
        return replace(request, body={**request.body, "time": list(some)}, times=times)

    first, second = _two(hours)
    return part(first), part(second)


def _leads(request: Request) -> Halves | None:
    leads = _texts(request.body, LEAD_KEY)
    if len(leads) < 2:  # noqa: PLR2004
        return None

    def part(some: Sequence[str]) -> Request:
        kept = {int(text) * HOUR for text in some}
        held = tuple(lead for lead in request.lead_times if lead in kept)
        return replace(request, body={**request.body, LEAD_KEY: list(some)}, lead_times=held)

    first, second = _two(leads)
    return part(first), part(second)


def _variables(request: Request) -> Halves | None:
    names = _texts(request.body, "variable")
    paths = list(dict.fromkeys(path for path, _ in request.fields))
    if len(names) < 2 or len(names) != len(paths):  # noqa: PLR2004
        return None

    def part(some: Sequence[tuple[str, str]]) -> Request:
        kept = {path for _, path in some}
        body = {**request.body, "variable": [name for name, _ in some]}
        fields = tuple(field for field in request.fields if field[0] in kept)
        if all(level is None for _, level in fields):
            body.pop("pressure_level", None)
        return replace(request, body=body, fields=fields)

    first, second = _two(list(zip(names, paths, strict=True)))
    return part(first), part(second)


def _levels(request: Request) -> Halves | None:
    levels = _texts(request.body, "pressure_level")
    if len(levels) < 2 or any(level is None for _, level in request.fields):  # noqa: PLR2004
        return None

    def part(some: Sequence[str]) -> Request:
        kept = {int(text) for text in some}
        body = {**request.body, "pressure_level": list(some)}
        return replace(
            request, body=body, fields=tuple(field for field in request.fields if field[1] in kept)
        )

    first, second = _two(levels)
    return part(first), part(second)


def _runs(days: Sequence[date]) -> list[tuple[datetime, datetime]]:
    """Runs of days without a gap."""
    return runs([datetime.combine(day, time()) for day in days])


def _two(items: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]]:
    middle = (len(items) + 1) // 2
    return items[:middle], items[middle:]


def _texts(body: Body, key: str) -> list[str]:
    value = body.get(key, [])
    return [value] if isinstance(value, str) else list(value)
