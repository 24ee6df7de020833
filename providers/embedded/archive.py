"""What the store holds, read from the source declarations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from aurora_prep.sources.spec import HOUR, Cds, Collection, Dialect, Grid, Native, Product, Source


@dataclass(frozen=True, slots=True)
class Offer:
    """One variable of a collection.

    Attributes:
        native: What it is.
        grid: The grid delivered without ``grid`` in the request.
        dialect: How its files are laid out.
    """

    native: Native
    grid: Grid
    dialect: Dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One collection of the store.

    Attributes:
        collection: Its declaration.
        title: One line for people.
        product: How the fields were made.
        offers: Request names and what they stand for.
        levels: Pressure levels in hPa, empty where there are none.
        grid: The grid of most variables.
        first: First valid time; of forecasts, first init time.
        cadence: Time between two of them.
        lead_times: Lead times of each.
    """

    collection: Collection
    title: str
    product: Product
    offers: Mapping[str, Offer]
    levels: tuple[int, ...]
    grid: Grid
    first: datetime
    cadence: timedelta
    lead_times: tuple[timedelta, ...]

    @property
    def lead_hours(self) -> tuple[str, ...]:
        """Lead times as a request names them."""
        return tuple(str(lead // HOUR) for lead in self.lead_times)

    @property
    def hours(self) -> tuple[int, ...]:
        """Hours of the day that exist."""
        step = self.cadence // HOUR
        start = self.first.hour % step
        return tuple(range(start, 24, step))


def holdings(sources: Iterable[Source]) -> dict[str, Holding]:
    """All collections of every ``Cds`` access, by the store's identifier.

    Sources may share a collection; it then serves the variables, levels and
    lead times of all of them, from the earliest first time, each variable on
    the grid of its own source.
    """
    held: dict[str, Holding] = {}
    for source in sources:
        for access in source.accesses:
            if isinstance(access, Cds):
                for collection in access.collections:
                    new = _holding(source, collection)
                    old = held.get(collection.dataset)
                    held[collection.dataset] = new if old is None else _merged(old, new)
    return held


def _holding(source: Source, collection: Collection) -> Holding:
    natives = source.of_kind(*collection.kinds)
    with_levels = any(native.variable.has_levels for native in natives)
    return Holding(
        collection=collection,
        title=source.title,
        product=source.product,
        offers=MappingProxyType(
            {n.request: Offer(n, source.grid, collection.dialect) for n in natives if n.request}
        ),
        levels=source.levels.hpa if with_levels else (),
        grid=source.grid,
        first=source.first,
        cadence=source.cadence,
        lead_times=source.lead_times,
    )


def _merged(old: Holding, new: Holding) -> Holding:
    return replace(
        old,
        offers=MappingProxyType({**new.offers, **old.offers}),
        levels=tuple(sorted({*old.levels, *new.levels})),
        first=min(old.first, new.first),
        cadence=min(old.cadence, new.cadence),
        lead_times=tuple(sorted({*old.lead_times, *new.lead_times})),
    )
