"""Which requests bring a period: arithmetic on hours, no I/O.

A store's request body is a cartesian product: days x hours x lead times x
variables x levels, where some stores name days by years x months x days and
others by ranges of dates. Days are therefore grouped by the hours wanted of
them, so that the union of all products is exactly what was planned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby
from typing import TypeVar

from aurora_prep.sources.spec import (
    HOUR,
    Cds,
    Collection,
    Dates,
    Kind,
    Levels,
    Native,
    Request,
    Source,
    SpecError,
    Timeline,
    Unit,
)
from aurora_prep.sources.spec.request import Body

DAY_HOURS = 24
LONGEST_MONTH = 31
OFFSET = tuple(hour * HOUR for hour in range(DAY_HOURS))
CLOCK = tuple(f"{hour:02d}:00" for hour in range(DAY_HOURS))
DAY = tuple(f"{day:02d}" for day in range(LONGEST_MONTH + 1))

Hours = tuple[int, ...]
Fields = tuple[tuple[str, int | None], ...]
Leads = tuple[timedelta, ...]
Item = TypeVar("Item")


def plan_requests(
    source: Source,
    access: Cds,
    timeline: Timeline,
    paths: Sequence[str],
    levels: Levels,
    *,
    lead_times: Leads = (timedelta(0),),
    data_format: str = "grib",
    synthetic: bool = False,
) -> Iterator[Request]:
    """Requests that together bring exactly these variables at these times.

    Each request reads one whole unit of archive (a day or a month) of one
    collection. A unit of more fields than the collection accepts is cut into
    blocks of days, then into groups of hours, then of lead times, then of
    variables and levels.
    Blocks start on fixed days of the month, so that recipes with overlapping
    periods share most of their requests, and with them the cache.

    Args:
        source: Whose data.
        access: The store and its collections.
        timeline: Valid times wanted, of forecasts init times; whole hours.
        paths: ``kind/short_name`` of every variable wanted, in any order.
        levels: Pressure levels wanted of atmospheric variables.
        lead_times: Lead times wanted of each time, whole hours.
        data_format: Format asked for, ``grib`` or ``netcdf``.
        synthetic: Whether the embedded provider will answer.

    Returns:
        Requests in the order of their units of archive; the one for static
        variables, asked once at the first time, comes first.

    Raises:
        SpecError: The source or the access lacks a variable or lead times,
            levels are missing, times are not whole hours, or a collection
            accepts no field at all.
    """
    where = f"plan of {source.name}"
    first = timeline.start
    if first != first.replace(minute=0, second=0, microsecond=0):
        raise SpecError(
            "times are not whole hours", where, first.isoformat(), "start the period on the hour"
        )
    wanted = {source.native(path).variable.path for path in paths}
    chosen = [native for native in source.natives if native.variable.path in wanted]
    static: list[Iterator[Request]] = []
    moving: list[Iterator[Request]] = []
    for natives in _groups(chosen, access, where):
        kinds = {native.variable.kind for native in natives}
        if Kind.ATMOSPHERIC in kinds and not len(levels):
            raise SpecError(
                "atmospheric variables are asked for without levels",
                where,
                f"{[native.variable.path for native in natives]}, no levels",
                "give at least one pressure level",
            )
        shelf = _Shelf(
            source=source.name,
            access=access.name,
            collection=access.collection_of(natives[0].variable.kind, where),
            data_format=data_format,
            synthetic=synthetic,
        )
        leads = (timedelta(0),) if kinds == {Kind.STATIC} else lead_times
        blocks = tuple(_blocks(natives, levels.hpa, leads, shelf.collection))
        if kinds == {Kind.STATIC}:
            static.append(_requests(shelf, blocks, Timeline(first, first, HOUR)))
        else:
            moving.append(_requests(shelf, blocks, timeline))
    return _chained(static, moving)


def _groups(natives: Sequence[Native], access: Cds, where: str) -> Iterator[list[Native]]:
    """Variables that one request may ask together, in the order of their kinds."""
    grouped: dict[tuple[str, Kind | None], list[Native]] = {}
    for kind in Kind:
        for native in natives:
            if native.variable.kind is kind:
                collection = access.collection_of(kind, where)
                mixed = collection.dialect.mixes_kinds and kind is not Kind.STATIC
                key = (collection.dataset, None if mixed else kind)
                grouped.setdefault(key, []).append(native)
    yield from grouped.values()


def _chained(
    static: Sequence[Iterator[Request]], moving: Sequence[Iterator[Request]]
) -> Iterator[Request]:
    for requests in static:
        yield from requests
    yield from merge(*moving, key=_first_time)


def _first_time(request: Request) -> datetime:
    return request.times[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelf:
    """One collection, and what all requests to it share."""

    source: str
    access: str
    collection: Collection
    data_format: str
    synthetic: bool

    def request(self, block: _Block, days: Sequence[datetime], hours: Hours) -> Request:
        """Ask a block of fields of some days of one month, at the same hours."""
        dialect = self.collection.dialect
        body: Body = {
            key: value if isinstance(value, str) else list(value)
            for key, value in self.collection.constants
        }
        body["variable"] = list(block.names)
        if block.levels:
            body["pressure_level"] = list(block.levels)
        if dialect.dates is Dates.RANGES:
            body["date"] = _ranges(days)
        else:
            body["year"] = [f"{days[0].year:04d}"]
            body["month"] = [f"{days[0].month:02d}"]
            body["day"] = [DAY[day.day] for day in days]
        body["time"] = [CLOCK[hour] for hour in hours]
        if dialect.lead_key is not None:
            body[dialect.lead_key] = [str(lead // HOUR) for lead in block.leads]
        body["data_format"] = dialect.spelling(self.data_format)
        if dialect.asks_packaging:
            body["download_format"] = "unarchived"
        return Request(
            source=self.source,
            access=self.access,
            dataset=self.collection.dataset,
            body=body,
            times=tuple([day + OFFSET[hour] for day in days for hour in hours]),
            fields=block.fields,
            lead_times=block.leads,
            synthetic=self.synthetic,
        )


def _ranges(days: Sequence[datetime]) -> list[str]:
    """Runs of days without a gap, each as ``first/last``."""
    runs: list[list[datetime]] = []
    for day in days:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return [f"{run[0]:%Y-%m-%d}/{run[-1]:%Y-%m-%d}" for run in runs]


@dataclass(frozen=True, slots=True)
class _Block:
    """Fields asked together: a product of lead times, variables and levels."""

    names: tuple[str, ...]
    levels: tuple[str, ...]
    fields: Fields
    leads: Leads

    def __len__(self) -> int:
        """Fields of one time."""
        return len(self.fields) * len(self.leads)


def _blocks(
    natives: Sequence[Native], hpa: tuple[int, ...], lead_times: Leads, collection: Collection
) -> Iterator[_Block]:
    """The fields of one time, in blocks no larger than the collection accepts.

    Raises:
        SpecError: It accepts none, or knows no lead times.
    """
    most = collection.max_fields
    if most < 1:
        raise SpecError(
            "a collection accepts no field",
            f"{collection.dataset}, max_fields",
            str(most),
            "give the most fields that one request may ask",
        )
    if collection.dialect.lead_key is None and any(lead_times):
        raise SpecError(
            "the collection has no lead times",
            f"{collection.dataset}, dialect",
            f"{len(lead_times)} lead times asked",
            "give the collection a dialect with a lead_key",
        )
    for group, levels in _products(natives, hpa, most):
        fields = tuple(
            (native.variable.path, level)
            for native in group
            for level in (levels if native.variable.has_levels else (None,))
        )
        shown = levels if any(native.variable.has_levels for native in group) else ()
        for leads in _evenly(lead_times, max(1, most // len(fields))):
            yield _Block(
                tuple(native.request for native in group),
                tuple(str(level) for level in shown),
                fields,
                tuple(leads),
            )


def _products(
    natives: Sequence[Native], hpa: tuple[int, ...], most: int
) -> Iterator[tuple[Sequence[Native], Sequence[int]]]:
    """Variables and levels that together are no more than the most: all at once if possible.

    A variable without levels never comes with a part of the levels: it would
    come again with the next part.
    """
    flat = [native for native in natives if not native.variable.has_levels]
    deep = [native for native in natives if native.variable.has_levels]
    if len(flat) + len(deep) * len(hpa) <= most:
        yield natives, hpa
        return
    if flat:
        for some in _evenly(flat, most):
            yield some, ()
    if deep:
        for some in _evenly(deep, max(1, most // len(hpa))):
            for levels in _evenly(hpa, most):
                yield some, levels


def _requests(shelf: _Shelf, blocks: Sequence[_Block], timeline: Timeline) -> Iterator[Request]:
    """All requests to one collection, in the order of their units of archive."""
    days = _days(timeline)
    if shelf.collection.unit is Unit.MONTH:
        for _, month in groupby(days, key=lambda day: (day[0].year, day[0].month)):
            alike: dict[Hours, list[datetime]] = {}
            for midnight, hours in month:
                alike.setdefault(hours, []).append(midnight)
            for hours, midnights in alike.items():
                yield from _split(shelf, blocks, midnights, hours)
    else:
        for midnight, hours in days:
            yield from _split(shelf, blocks, [midnight], hours)


def _split(
    shelf: _Shelf, blocks: Sequence[_Block], days: Sequence[datetime], hours: Hours
) -> Iterator[Request]:
    """Cut a unit to what the collection accepts: days first, then hours."""
    for block in blocks:
        times = shelf.collection.max_fields // len(block)
        if len(days) * len(hours) <= times:
            yield shelf.request(block, days, hours)
        elif len(hours) <= times:
            for some_days in _calendar_blocks(days, times // len(hours)):
                yield shelf.request(block, some_days, hours)
        else:
            for day in days:
                for some_hours in _evenly(hours, times):
                    yield shelf.request(block, (day,), tuple(some_hours))


def _days(timeline: Timeline) -> Iterator[tuple[datetime, Hours]]:
    """Each day that has times, as its midnight and its hours.

    Counted in hours since the first midnight, so that a century of hours
    costs one short tuple a day.
    """
    midnight = timeline.start.replace(hour=0)
    step = timeline.step // HOUR
    first = timeline.start.hour
    last = first + (len(timeline) - 1) * step
    patterns: dict[tuple[int, int], Hours] = {}
    hour = first
    while hour <= last:
        number, start = divmod(hour, DAY_HOURS)
        stop = min(DAY_HOURS, last - number * DAY_HOURS + 1)
        hours = patterns.get((start, stop))
        if hours is None:
            hours = patterns[start, stop] = tuple(range(start, stop, step))
        yield midnight + timedelta(days=number), hours
        hour += len(hours) * step


def _calendar_blocks(days: Sequence[datetime], most: int) -> Iterator[Sequence[datetime]]:
    """Cut days at fixed days of the month, whatever day the period starts on."""
    size = _even_size(LONGEST_MONTH, most)
    return (tuple(some) for _, some in groupby(days, key=lambda day: (day.day - 1) // size))


def _even_size(length: int, most: int) -> int:
    """Size of the fewest parts of nearly equal size, none above ``most``."""
    parts = -(-length // most)
    return -(-length // parts)


def _evenly(items: Sequence[Item], most: int) -> Iterator[Sequence[Item]]:
    size = _even_size(len(items), most)
    return (items[start : start + size] for start in range(0, len(items), size))
