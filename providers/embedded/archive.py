"""What the store holds, read from the source declarations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from aurora_prep.sources.spec import Cds, Collection, Grid, Native, Product, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One collection of the store.

    Attributes:
        collection: Its declaration.
        title: One line for people.
        product: How the fields were made.
        natives: Request names and what they stand for.
        levels: Pressure levels in hPa, empty where there are none.
        grid: The grid delivered without ``grid`` in the request.
        first: First valid time.
        cadence: Time between two valid times.
    """

    collection: Collection
    title: str
    product: Product
    natives: Mapping[str, Native]
    levels: tuple[int, ...]
    grid: Grid
    first: datetime
    cadence: timedelta

    @property
    def hours(self) -> tuple[int, ...]:
        """Hours of the day that exist."""
        step = self.cadence // timedelta(hours=1)
        start = self.first.hour % step
        return tuple(range(start, 24, step))


def holdings(sources: Iterable[Source]) -> dict[str, Holding]:
    """All collections of every ``Cds`` access, by the store's identifier.

    Sources may share a collection; it then serves the variables and levels of
    all of them, from the earliest first time, on the grid of the first.
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
        natives=MappingProxyType({native.request: native for native in natives}),
        levels=source.levels.hpa if with_levels else (),
        grid=source.grid,
        first=source.first,
        cadence=source.cadence,
    )


def _merged(old: Holding, new: Holding) -> Holding:
    return replace(
        old,
        natives=MappingProxyType({**new.natives, **old.natives}),
        levels=tuple(sorted({*old.levels, *new.levels})),
        first=min(old.first, new.first),
        cadence=min(old.cadence, new.cadence),
    )
