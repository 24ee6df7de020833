"""Requests to the data stores: some name days by years x months x days, others by ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aurora_prep.providers.planning.blocks import (
    DAY_HOURS,
    LONGEST_MONTH,
    OFFSET,
    Block,
    Hours,
    blocks,
    requests,
    runs,
)
from aurora_prep.providers.planning.wish import Wish, chained
from aurora_prep.sources.spec import (
    HOUR,
    Cds,
    Collection,
    Dates,
    Kind,
    Request,
    SpecError,
    Unit,
)
from aurora_prep.sources.spec.request import Body

CLOCK = tuple(f"{hour:02d}:00" for hour in range(DAY_HOURS))
DAY = tuple(f"{day:02d}" for day in range(LONGEST_MONTH + 1))


def plan(wish: Wish, access: Cds) -> Iterator[Request]:
    """Requests to a store.

    Each request reads one whole unit of archive (a day or a month) of one
    collection, and variables of one kind: its cost is the product of the lengths
    of its lists, so that surface variables beside levels would be paid for once
    for each level. A unit of more fields than one request may ask is cut into
    blocks of days, then into groups of hours, then of lead times, then of
    variables and levels.

    Raises:
        SpecError: The access lacks a kind of variable or lead times, or a
            collection accepts no field at all.
    """
    static: list[Iterator[Request]] = []
    moving: list[Iterator[Request]] = []
    for kind in Kind:
        natives = wish.of_kind(kind)
        if not natives:
            continue
        is_static = kind is Kind.STATIC
        collection = access.collection_of(kind, wish.where)
        leads = (timedelta(0),) if is_static else wish.lead_times
        if collection.dialect.lead_key is None and any(leads):
            raise SpecError(
                "the collection has no lead times",
                f"{collection.dataset}, dialect",
                f"{len(leads)} lead times asked",
                "give the collection a dialect with a lead_key",
            )
        shelf = _Shelf(wish, access.name, collection)
        parts = tuple(blocks(natives, wish.levels.hpa, leads, shelf.max_fields, collection.dataset))
        if is_static:
            static.append(requests(shelf, parts, wish.first))
        else:
            moving.append(requests(shelf, parts, wish.timeline))
    return chained(static, moving)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """One collection, and what all requests to it share."""

    wish: Wish
    access: str
    collection: Collection

    @property
    def unit(self) -> Unit:
        return self.collection.unit

    @property
    def max_fields(self) -> int:
        return self.collection.most_fields(self.wish.data_format)

    def request(self, block: Block, days: Sequence[datetime], hours: Hours) -> Request:
        """Ask a block of fields of some days of one month, at the same hours."""
        dialect = self.collection.dialect
        body: Body = {
            key: value if isinstance(value, str) else list(value)
            for key, value in self.collection.constants
        }
        body["variable"] = [native.request for native in block.natives if native.request]
        if block.levels:
            body["pressure_level"] = [str(level) for level in block.levels]
        if dialect.dates is Dates.RANGES:
            body["date"] = [f"{first:%Y-%m-%d}/{last:%Y-%m-%d}" for first, last in runs(days)]
        else:
            body["year"] = [f"{days[0].year:04d}"]
            body["month"] = [f"{days[0].month:02d}"]
            body["day"] = [DAY[day.day] for day in days]
        body["time"] = [CLOCK[hour] for hour in hours]
        if dialect.lead_key is not None:
            body[dialect.lead_key] = [str(lead // HOUR) for lead in block.leads]
        body["data_format"] = dialect.spelling(self.wish.data_format)
        if dialect.asks_packaging:
            body["download_format"] = "unarchived"
        return Request(
            source=self.wish.source.name,
            access=self.access,
            dataset=self.collection.dataset,
            body=body,
            times=tuple([day + OFFSET[hour] for day in days for hour in hours]),
            fields=block.fields,
            lead_times=block.leads,
            synthetic=self.wish.synthetic,
        )
