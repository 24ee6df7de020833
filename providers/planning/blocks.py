"""Cutting what is wanted into products that one request may ask: arithmetic on hours.

A request asks a cartesian product: days x hours x lead times x variables x
levels. Days are grouped by the hours wanted of them, so that the union of all
products is exactly what was planned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol, TypeVar

from aurora_prep.sources.spec import HOUR, Native, Request, SpecError, Timeline, Unit

DAY_HOURS = 24
LONGEST_MONTH = 31
OFFSET = tuple(hour * HOUR for hour in range(DAY_HOURS))

Hours = tuple[int, ...]
Fields = tuple[tuple[str, int | None], ...]
Leads = tuple[timedelta, ...]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Block:
    """Fields asked together: a product of lead times, variables and levels.

    Attributes:
        natives: The variables.
        levels: hPa of those that have levels; empty where none has.
        fields: ``(path, level)`` of every field of one time and lead time.
        leads: Lead times.
    """

    natives: tuple[Native, ...]
    levels: tuple[int, ...]
    fields: Fields
    leads: Leads

    def __len__(self) -> int:
        """Fields of one time."""
        return len(self.fields) * len(self.leads)


class Shelf(Protocol):
    """One part of an archive, and how it is asked."""

    @property
    def unit(self) -> Unit:
        """Largest stretch of archive asked for at once."""

    @property
    def max_fields(self) -> int:
        """Most fields it accepts in one request."""

    def request(self, block: Block, days: Sequence[datetime], hours: Hours) -> Request:
        """Ask a block of fields of some days of one month, at the same hours."""


def blocks(
    natives: Sequence[Native], hpa: tuple[int, ...], leads: Leads, most: int, where: str
) -> Iterator[Block]:
    """The fields of one time, in blocks of no more than ``most``.

    Args:
        natives: The variables, with and without levels.
        hpa: Levels of those that have them.
        leads: Lead times of each.
        most: Most fields in a block.
        where: The shelf, for messages.

    Raises:
        SpecError: ``most`` is no field at all.
    """
    if most < 1:
        raise SpecError(
            "a collection accepts no field",
            f"{where}, max_fields",
            str(most),
            "give the most fields that one request may ask",
        )
    for group, levels in _products(natives, hpa, most):
        fields = fields_of(group, levels)
        for some in _evenly(leads, max(1, most // len(fields))):
            yield Block(tuple(group), tuple(levels), fields, tuple(some))


def fields_of(natives: Iterable[Native], hpa: Sequence[int]) -> Fields:
    """``(path, level)`` of every field of one time."""
    return tuple(
        (native.variable.path, level)
        for native in natives
        for level in (hpa if native.variable.has_levels else (None,))
    )


def requests(shelf: Shelf, parts: Sequence[Block], timeline: Timeline) -> Iterator[Request]:
    """All requests to one shelf, in the order of their units of archive.

    Blocks of days start on fixed days of the month, so that recipes with
    overlapping periods share most of their requests, and with them the cache.
    """
    yield from requests_of_days(shelf, parts, days_of(timeline))


def requests_of_days(
    shelf: Shelf, parts: Sequence[Block], days: Iterable[tuple[datetime, Hours]]
) -> Iterator[Request]:
    """As ``requests``, for days with the hours wanted of each."""
    if shelf.unit is Unit.MONTH:
        for _, month in groupby(days, key=lambda day: (day[0].year, day[0].month)):
            alike: dict[Hours, list[datetime]] = {}
            for midnight, hours in month:
                alike.setdefault(hours, []).append(midnight)
            for hours, midnights in alike.items():
                yield from _split(shelf, parts, midnights, hours)
    else:
        for midnight, hours in days:
            yield from _split(shelf, parts, [midnight], hours)


def days_of(timeline: Timeline) -> Iterator[tuple[datetime, Hours]]:
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


def runs(days: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """Runs of days without a gap, each as its first and last day."""
    found: list[tuple[datetime, datetime]] = []
    for day in days:
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def _products(
    natives: Sequence[Native], hpa: tuple[int, ...], most: int
) -> Iterator[tuple[Sequence[Native], Sequence[int]]]:
    """Variables and levels that together are no more than the most: all at once if possible.

    Variables with and without levels never come together: a store counts a
    request as the product of its lists.
    """
    flat = [native for native in natives if not native.variable.has_levels]
    deep = [native for native in natives if native.variable.has_levels]
    if flat:
        for some in _evenly(flat, most):
            yield some, ()
    if deep:
        for some in _evenly(deep, max(1, most // len(hpa))):
            for levels in _evenly(hpa, most):
                yield some, levels


def _split(
    shelf: Shelf, parts: Sequence[Block], days: Sequence[datetime], hours: Hours
) -> Iterator[Request]:
    """Cut a unit to what the shelf accepts: days first, then hours."""
    for block in parts:
        times = shelf.max_fields // len(block)
        if len(days) * len(hours) <= times:
            yield shelf.request(block, days, hours)
        elif len(hours) <= times:
            for some_days in _calendar_blocks(days, times // len(hours)):
                yield shelf.request(block, some_days, hours)
        else:
            for day in days:
                for some_hours in _evenly(hours, times):
                    yield shelf.request(block, (day,), tuple(some_hours))


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
