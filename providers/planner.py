"""Which requests bring a period: arithmetic on hours, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from aurora_prep.providers.planning import cds, http, index, mars
from aurora_prep.providers.planning.wish import Wish
from aurora_prep.sources.spec import Cds, Http, Index, Levels, Mars, Request, Source, Timeline


def plan_requests(
    source: Source,
    access: Cds | Mars | Http | Index,
    timeline: Timeline,
    paths: Sequence[str],
    levels: Levels,
    *,
    lead_times: tuple[timedelta, ...] = (timedelta(0),),
    members: tuple[int, ...] = (),
    data_format: str = "grib",
    synthetic: bool = False,
) -> Iterator[Request]:
    """Requests that together bring exactly these variables at these times.

    Args:
        source: Whose data.
        access: Who is asked: a data store, ECMWF's archive, or a tree of files,
            whole or cut by their index.
        timeline: Valid times wanted, of forecasts init times; whole hours.
        paths: ``kind/short_name`` of every variable wanted, in any order.
        levels: Pressure levels wanted of atmospheric variables.
        lead_times: Lead times wanted of each time, whole hours.
        members: Members wanted of an ensemble.
        data_format: Format asked for, ``grib`` or ``netcdf``.
        synthetic: Whether the embedded provider will answer.

    Returns:
        Requests in the order of their units of archive; those for static
        variables, asked once at the first time, come first.

    Raises:
        SpecError: The source or the access lacks a variable, times, levels or
            lead times, or a shelf of it accepts no field at all.
    """
    wish = Wish.of(
        source,
        timeline,
        paths,
        levels,
        lead_times=lead_times,
        members=members,
        data_format=data_format,
        synthetic=synthetic,
    )
    match access:
        case Mars():
            return mars.plan(wish, access)
        case Http():
            return http.plan(wish, access)
        case Index():
            return index.plan(wish, access)
        case Cds():
            return cds.plan(wish, access)
