"""Requests for parts of files that are cut by their index: one a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import product

from aurora_prep.providers.indexed.wanted import Choice, Named, body_of
from aurora_prep.providers.planning.wish import Wish, chained
from aurora_prep.sources.spec import HOUR, Kind, Native, Request, SpecError
from aurora_prep.sources.spec.index_access import LEVEL, Index, IndexedFiles, Term

Place = tuple[str, int | None]


def plan(wish: Wish, access: Index) -> Iterator[Request]:
    """Requests for the files that hold what is wanted, in the order of their init times.

    Of a file that holds all variables everything wanted of a lead time is asked together; of
    one that holds all lead times, everything wanted of a variable.

    Raises:
        SpecError: No files hold a field, or NetCDF is asked for.
    """
    if wish.data_format != "grib":
        raise SpecError(
            "the files hold GRIB",
            wish.where,
            f"data_format {wish.data_format}",
            "leave data_format out",
        )
    static = [n for n in wish.natives if n.variable.kind is Kind.STATIC]
    moving = [n for n in wish.natives if n.variable.kind is not Kind.STATIC]
    planner = _Planner(wish, access)
    zero = wish.lead_times[:1]
    return chained(
        [planner.requests(static, wish.timeline.start, zero)] if static else [],
        [planner.all_of(moving)] if moving else [],
    )


@dataclass(frozen=True, slots=True)
class _Planner:
    """Plans one access."""

    wish: Wish
    access: Index

    def all_of(self, natives: list[Native]) -> Iterator[Request]:
        """Requests of all init times."""
        for time in self.wish.timeline:
            yield from self.requests(natives, time, self.wish.lead_times)

    def requests(
        self, natives: list[Native], time: datetime, leads: tuple[timedelta, ...]
    ) -> Iterator[Request]:
        """Requests of one init time: each member, each sort of files, each file."""
        labels = dict(self.access.labels)
        for member in self.wish.members or (None,):
            for files, places in self._by_files(natives, time):
                groups = [(lead,) for lead in leads] if not files.has_all_leads else [leads]
                names = sorted({p for p, _ in places}, key=[p for p, _ in places].index)
                parts = [[p] for p in names] if files.is_by_name else [names]
                for group, part in product(groups, parts):
                    held = tuple(place for place in places if place[0] in part)
                    label = "" if member is None else labels[member]
                    yield self._request(files, held, time, group, member, label)

    def _by_files(
        self, natives: list[Native], time: datetime
    ) -> list[tuple[IndexedFiles, list[Place]]]:
        """The fields of one time by the files that hold them."""
        sorts: list[tuple[IndexedFiles, list[Place]]] = []
        for native in natives:
            variable = native.variable
            for level in self.wish.levels.hpa if variable.has_levels else (None,):
                files = self.access.holder(variable.path, level, time, self.wish.where)
                for held, places in sorts:
                    if held is files:
                        places.append((variable.path, level))
                        break
                else:
                    sorts.append((files, [(variable.path, level)]))
        return sorts

    def _request(
        self,
        files: IndexedFiles,
        places: tuple[Place, ...],
        time: datetime,
        leads: tuple[timedelta, ...],
        member: int | None,
        label: str,
    ) -> Request:
        path, lead = places[0][0], leads[0] // HOUR
        return Request(
            source=self.wish.source.name,
            access=self.access.name,
            dataset=files.dataset,
            body=body_of(
                files=files.places(files.patterns, path, time, lead, label),
                secondary=files.places(files.secondary, path, time, lead, label),
                form=files.form,
                choices=_choices(self.access, self.wish.source.natives, places),
                steps=[one // HOUR for one in leads],
                init_time=time,
                member=member,
            ),
            times=(time,),
            fields=places,
            lead_times=leads,
            members=() if member is None else (member,),
            mirrors=files.hosts,
            synthetic=self.wish.synthetic,
        )


@lru_cache(maxsize=256)
def _choices(
    access: Index, natives: tuple[Native, ...], places: tuple[Place, ...]
) -> tuple[str, ...]:
    """The text of fields, with their substitutes where the files do not hold them."""
    there = {native.variable.path: native for native in natives}
    pairs = ((there[path], level) for path, level in places)
    return tuple(str(_choice(access.term(n.variable), n.number, level)) for n, level in pairs)


def _choice(term: Term, param: int, level: int | None) -> Choice:
    instead = (_named(words, number, level) for words, number in term.instead)
    return Choice(_named(term.words, param, level), tuple(instead))


def _named(words: str, param: int, level: int | None) -> Named:
    return Named(words if level is None else words.replace(LEVEL, str(level)), param, level)
