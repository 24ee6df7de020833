"""What a plan needs from one provider."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge

from aurora_prep.sources.spec import (
    HOUR,
    Kind,
    Levels,
    Native,
    Request,
    Source,
    SpecError,
    Timeline,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Variables at times, before anybody knows how they are asked.

    Attributes:
        source: Whose data.
        natives: Variables wanted, in the order of the declaration.
        timeline: Valid times wanted, of forecasts init times; whole hours.
        levels: Pressure levels wanted of atmospheric variables.
        lead_times: Lead times wanted of each time, whole hours.
        data_format: Format asked for, ``grib`` or ``netcdf``.
        synthetic: Whether the embedded provider will answer.
        where: The plan, for messages.
        members: Members wanted of an ensemble; empty for what is none.
    """

    source: Source
    natives: tuple[Native, ...]
    timeline: Timeline
    levels: Levels
    lead_times: tuple[timedelta, ...]
    data_format: str
    synthetic: bool
    where: str
    members: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        source: Source,
        timeline: Timeline,
        paths: Sequence[str],
        levels: Levels,
        *,
        lead_times: tuple[timedelta, ...],
        data_format: str,
        synthetic: bool,
        members: tuple[int, ...] = (),
    ) -> Wish:
        """Check what is wanted against the source.

        Raises:
            SpecError: The source lacks a variable, levels are missing, or times
                are not whole hours.
        """
        where = f"plan of {source.name}"
        first = timeline.start
        if first != first.replace(minute=0, second=0, microsecond=0):
            raise SpecError(
                "times are not whole hours",
                where,
                first.isoformat(),
                "start the period on the hour",
            )
        wanted = {source.native(path).variable.path for path in paths}
        natives = tuple(native for native in source.natives if native.variable.path in wanted)
        deep = [native.variable.path for native in natives if native.variable.has_levels]
        if deep and not len(levels):
            raise SpecError(
                "atmospheric variables are asked for without levels",
                where,
                f"{deep}, no levels",
                "give at least one pressure level",
            )
        return cls(
            source=source,
            natives=natives,
            timeline=timeline,
            levels=levels,
            lead_times=lead_times,
            data_format=data_format,
            synthetic=synthetic,
            where=where,
            members=members,
        )

    @property
    def first(self) -> Timeline:
        """The first time alone: static variables are asked once."""
        return Timeline(self.timeline.start, self.timeline.start, HOUR)

    def of_kind(self, kind: Kind) -> tuple[Native, ...]:
        """The wanted variables of a kind."""
        return tuple(native for native in self.natives if native.variable.kind is kind)


def chained(
    static: Sequence[Iterator[Request]], moving: Sequence[Iterator[Request]]
) -> Iterator[Request]:
    """Requests for static variables first, then the others in the order of their times."""
    for some in static:
        yield from some
    yield from merge(*moving, key=_first_time)


def _first_time(request: Request) -> datetime:
    return request.times[0]
