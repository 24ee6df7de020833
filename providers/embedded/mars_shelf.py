"""What ECMWF's archive holds, read from the source declarations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from aurora_prep.sources.spec import (
    Branch,
    Dialect,
    Grid,
    Kind,
    Mars,
    Native,
    Product,
    Source,
    Variable,
    table_and_number,
)

LEVTYPE = {Kind.SURFACE: "sfc", Kind.STATIC: "sfc", Kind.ATMOSPHERIC: "pl"}
# Keywords that are labels of a message too.
LABELS = ("class", "stream", "type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One class, stream and type, as all sources that read it see it.

    Attributes:
        labels: GRIB keys that all its messages share.
        product: How the fields were made.
        natives: ``(levtype, param)`` to what it stands for.
        levels: Pressure levels in hPa.
        grid: The grid delivered where none is asked for.
        first: First valid time; of forecasts, first init time.
        branches: Declarations of what it holds: hours of the day, and their ends.
        lead_times: Steps of each time.
    """

    labels: tuple[tuple[str, str], ...]
    product: Product
    natives: Mapping[tuple[str, str], Native]
    levels: tuple[int, ...]
    grid: Grid
    first: datetime
    branches: tuple[Branch, ...]
    lead_times: tuple[timedelta, ...]

    def holds(self, time: datetime) -> bool:
        """Whether a time is archived here."""
        return time >= self.first and any(branch.holds(time) for branch in self.branches)

    @property
    def dialect(self) -> Dialect:
        """How its files are laid out."""
        return Dialect(labels=self.labels)


def shelves(sources: Iterable[Source]) -> dict[str, Shelf]:
    """All branches of every ``Mars`` access, by ``class/stream/type``."""
    held: dict[str, Shelf] = {}
    for source in sources:
        for access in source.accesses:
            if isinstance(access, Mars):
                for branch in access.branches:
                    new = _shelf(source, branch)
                    old = held.get(branch.place)
                    held[branch.place] = new if old is None else _merged(old, new)
    return held


def param(variable: Variable) -> str:
    """A parameter as the archive names it: ``167.128``."""
    table, number = table_and_number(variable)
    return f"{number}.{table}"


def _shelf(source: Source, branch: Branch) -> Shelf:
    words = dict(branch.keywords)
    natives = source.of_kind(*branch.kinds)
    is_deep = any(native.variable.has_levels for native in natives)
    return Shelf(
        labels=tuple((word, words[word]) for word in LABELS),
        product=source.product,
        natives=MappingProxyType(
            {(LEVTYPE[n.variable.kind], param(n.variable)): n for n in natives if n.request}
        ),
        levels=source.levels.hpa if is_deep else (),
        grid=source.grid,
        first=source.first,
        branches=(branch,),
        lead_times=source.lead_times,
    )


def _merged(old: Shelf, new: Shelf) -> Shelf:
    return replace(
        old,
        natives=MappingProxyType({**new.natives, **old.natives}),
        levels=tuple(sorted({*old.levels, *new.levels})),
        first=min(old.first, new.first),
        branches=(*old.branches, *new.branches),
        lead_times=tuple(sorted({*old.lead_times, *new.lead_times})),
    )
