"""Requests to ECMWF's archive, in its own keywords, grouped as its tapes are.

One request stays on one branch of the archive's tree, on one kind of level,
and in one month or one day, since those lie together on tape.

Source: ECMWF, MARS user documentation: retrieval efficiency; keywords in
MARS/GRIB requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from aurora_prep.providers.planning.blocks import (
    DAY_HOURS,
    OFFSET,
    Block,
    Hours,
    blocks,
    days_of,
    requests_of_days,
    runs,
)
from aurora_prep.providers.planning.wish import Wish, chained
from aurora_prep.sources.spec import (
    HOUR,
    Branch,
    Kind,
    Mars,
    Request,
    SpecError,
    Timeline,
    Unit,
    Variable,
    table_and_number,
)
from aurora_prep.sources.spec.request import Body

LEVTYPE = {Kind.SURFACE: "sfc", Kind.STATIC: "sfc", Kind.ATMOSPHERIC: "pl"}


def plan(wish: Wish, access: Mars) -> Iterator[Request]:
    """Requests to the archive.

    Raises:
        SpecError: No branch holds a wanted kind of variable or hour, or NetCDF
            is asked for.
    """
    if wish.data_format != "grib":
        raise SpecError(
            "ECMWF's archive delivers GRIB",
            wish.where,
            f"data_format {wish.data_format}",
            "leave data_format out",
        )
    static: list[Iterator[Request]] = []
    moving: list[Iterator[Request]] = []
    for kind in Kind:
        natives = wish.of_kind(kind)
        if not natives:
            continue
        is_static = kind is Kind.STATIC
        timeline = wish.first if is_static else wish.timeline
        for branch in _branches(wish, access, kind):
            leads = (timedelta(0),) if is_static else wish.lead_times
            if any(leads) and not branch.has_steps:
                raise SpecError(
                    "the branch of the archive has no lead times",
                    f"{wish.where}, {branch.place}",
                    f"{len(leads)} lead times asked",
                    "declare a branch of type fc",
                )
            parts = tuple(blocks(natives, wish.levels.hpa, leads, branch.max_fields, branch.place))
            days = _within(branch, days_of(timeline))
            asked = requests_of_days(_Shelf(wish, access.name, branch, kind), parts, days)
            (static if is_static else moving).append(asked)
    return chained(static, moving)


def _branches(wish: Wish, access: Mars, kind: Kind) -> tuple[Branch, ...]:
    """The branches that hold a kind, which together hold every time wanted.

    Raises:
        SpecError: They do not.
    """
    timeline = wish.first if kind is Kind.STATIC else wish.timeline
    start, end = timeline[0], timeline[-1]
    branches = tuple(b for b in access.branches if kind in b.kinds and b.meets(start, end))
    # Whatever the step, hours of the day repeat after so many times; branches change at their ends.
    turns = {moment for b in branches for moment in (b.first, b.last) if moment is not None}
    looked = [*islice(timeline, DAY_HOURS), *_around(timeline, turns)]
    absent = sorted({time for time in looked if not any(b.holds(time) for b in branches)})
    if absent:
        raise SpecError(
            "no branch of the archive holds these hours",
            f"{wish.where}, {kind} variables",
            f"hours {sorted({time.hour for time in absent})}, first {absent[0]:%Y-%m-%dT%H};"
            f" held {sorted({hour for b in branches for hour in b.hours})}",
            "choose a period and a step whose times the source has",
        )
    return branches


def _around(timeline: Timeline, turns: Iterable[datetime]) -> Iterator[datetime]:
    """A day's worth of times on both sides of each moment."""
    for moment in turns:
        near = (moment - timeline.start) // timeline.step
        for index in range(max(0, near - DAY_HOURS), min(len(timeline), near + DAY_HOURS + 1)):
            yield timeline[index]


def _within(
    branch: Branch, days: Iterable[tuple[datetime, Hours]]
) -> Iterator[tuple[datetime, Hours]]:
    """Days with those of their hours that a branch holds."""
    for midnight, hours in days:
        held = tuple(hour for hour in hours if branch.holds(midnight + OFFSET[hour]))
        if held:
            yield midnight, held


@dataclass(frozen=True, slots=True)
class _Shelf:
    """One branch and one kind of level of it."""

    wish: Wish
    access: str
    branch: Branch
    kind: Kind

    @property
    def unit(self) -> Unit:
        return self.branch.unit

    @property
    def max_fields(self) -> int:
        return self.branch.max_fields

    def request(self, block: Block, days: Sequence[datetime], hours: Hours) -> Request:
        """Ask a block of fields of some days of one month, at the same hours."""
        body: Body = dict(self.branch.keywords)
        body["levtype"] = LEVTYPE[self.kind]
        if block.levels:
            body["levelist"] = "/".join(map(str, block.levels))
        body["param"] = "/".join(_number(native.variable) for native in block.natives)
        body["date"] = _dates(days)
        body["time"] = "/".join(f"{hour:02d}" for hour in hours)
        if self.branch.has_steps:
            body["step"] = "/".join(str(lead // HOUR) for lead in block.leads)
        # What is not archived must not cost what is: the frames that lack it are known by name.
        body["expect"] = "any"
        return Request(
            source=self.wish.source.name,
            access=self.access,
            dataset=self.branch.place,
            body=body,
            times=tuple([day + OFFSET[hour] for day in days for hour in hours]),
            fields=block.fields,
            lead_times=block.leads,
            synthetic=self.wish.synthetic,
        )


def before(request: Request, moment: datetime) -> Request | None:
    """The same for the days that end before a moment; ``None`` where that is all or nothing."""
    days = sorted({time.replace(hour=0) for time in request.times})
    held = [day for day in days if day + timedelta(days=1) <= moment]
    if not held or len(held) == len(days):
        return None
    times = tuple(time for time in request.times if time.replace(hour=0) in held)
    return replace(request, body={**request.body, "date": _dates(held)}, times=times)


def _number(variable: Variable) -> str:
    """``167.128``: a parameter by number and table, which no short name can confuse."""
    table, number = table_and_number(variable)
    return f"{number}.{table}"


def _dates(days: Sequence[datetime]) -> str:
    """``first/to/last`` for days without a gap, else every day."""
    (first, last), *more = runs(days)
    if more:
        return "/".join(f"{day:%Y-%m-%d}" for day in days)
    return f"{first:%Y-%m-%d}" if first == last else f"{first:%Y-%m-%d}/to/{last:%Y-%m-%d}"
