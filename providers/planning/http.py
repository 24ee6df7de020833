"""Requests for the files of a tree: each file once, whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from aurora_prep.providers.planning.blocks import fields_of
from aurora_prep.providers.planning.wish import Wish, chained
from aurora_prep.sources.spec import Http, Kind, Native, Request, Series, SpecError


def plan(wish: Wish, access: Http) -> Iterator[Request]:
    """Requests for the files that hold what is wanted.

    A file is asked for whole: the same file answers recipes of other levels
    and times, so they share the cache.

    Raises:
        SpecError: No series holds a kind of variable, lead times are asked for,
            or NetCDF is.
    """
    if wish.data_format != "grib" or any(wish.lead_times):
        raise SpecError(
            "the tree holds GRIB files of analyses",
            wish.where,
            f"data_format {wish.data_format}, {len(wish.lead_times)} lead times",
            "leave data_format and lead_time out",
        )
    static: list[Iterator[Request]] = []
    moving: list[Iterator[Request]] = []
    for native in wish.natives:
        variable = native.variable
        shelf = _Shelf(wish, access, _series_of(access, variable.kind, wish.where))
        if variable.kind is Kind.STATIC:
            static.append(shelf.requests(native, wish.first))
        else:
            moving.append(shelf.requests(native, wish.timeline))
    return chained(static, moving)


def _series_of(access: Http, kind: Kind, where: str) -> Series:
    for series in access.series:
        if kind in series.kinds:
            return series
    raise SpecError(
        "no series of files holds this kind of variable",
        where,
        f"{kind!r} in {access.dataset}",
        "add the kind to a series of the source",
    )


@dataclass(frozen=True, slots=True)
class _Shelf:
    """One series of files."""

    wish: Wish
    access: Http
    series: Series

    def requests(self, native: Native, times: Sequence[datetime]) -> Iterator[Request]:
        """A request for each file that holds a variable at any of the times."""
        fields = fields_of([native], self.wish.levels.hpa)
        paths = groupby(times, key=lambda time: self.series.path(native.variable, time))
        for path, held in paths:
            yield Request(
                source=self.wish.source.name,
                access=self.access.name,
                dataset=self.access.dataset,
                body={"url": self.access.url, "file": path},
                times=tuple(held),
                fields=fields,
                synthetic=self.wish.synthetic,
                addresses=self.access.addresses,
            )
