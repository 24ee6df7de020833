"""The union of all requests is exactly what was planned, whatever the limits."""

import calendar
import itertools
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_prep import sources
from aurora_prep.providers.planner import plan_requests
from aurora_prep.sources.spec import (
    Cds,
    Collection,
    Kind,
    Levels,
    Request,
    SpecError,
    Timeline,
    Unit,
)

ERA5 = sources.load("era5")
CDS = ERA5.access("cds")
PATHS = tuple(
    native.variable.path for native in ERA5.delivered(ERA5.access("cds")) if not native.optional
)
SPELLING = {
    (native.request, native.variable.has_levels): native.variable.path for native in ERA5.natives
}
STATIC_NAMES = {native.request for native in ERA5.of_kind(Kind.STATIC)}


def asked(request: Request) -> Counter[tuple[datetime, str, int | None]]:
    """What a store reads in a body: the product of its lists, real days only."""
    body = request.body
    levels = body.get("pressure_level")
    found: Counter[tuple[datetime, str, int | None]] = Counter()
    for year, month, day, clock, name, level in itertools.product(
        body["year"], body["month"], body["day"], body["time"], body["variable"], levels or [None]
    ):
        if int(day) <= calendar.monthrange(int(year), int(month))[1]:
            moment = datetime.strptime(f"{year}-{month}-{day} {clock}", "%Y-%m-%d %H:%M")
            static = not levels and name in STATIC_NAMES
            path = f"static/{short(name)}" if static else SPELLING[name, level is not None]
            found[moment, path, None if level is None else int(level)] += 1
    return found


def short(name: str) -> str:
    native = next(n for n in ERA5.of_kind(Kind.STATIC) if n.request == name)
    return native.variable.short_name


def planned(timeline: Timeline, paths: list[str], levels: Levels) -> set:
    """The same by brute force."""
    kinds = {path: ERA5.native(path).variable.kind for path in paths}
    static = {(timeline[0], path, None) for path in paths if kinds[path] is Kind.STATIC}
    surface = {(t, p, None) for t in timeline for p in paths if kinds[p] is Kind.SURFACE}
    air = {
        (t, p, level)
        for t in timeline
        for p in paths
        if kinds[p] is Kind.ATMOSPHERIC
        for level in levels
    }
    return static | surface | air


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    start = datetime(2019, 12, 20) + draw(st.integers(0, 24 * 80)) * timedelta(hours=1)
    step = draw(st.sampled_from([1, 2, 3, 5, 6, 7, 12, 24, 25, 36, 48, 24 * 40]))
    count = draw(st.integers(1, 70 if step < 24 else 40))
    slack = draw(st.integers(0, step - 1))
    end = start + timedelta(hours=step * (count - 1) + slack)
    return Timeline(start, end, timedelta(hours=step))


@st.composite
def stores(draw: st.DrawFn) -> Cds:
    limits = st.integers(1, 300)
    units = st.sampled_from(Unit)
    if draw(st.booleans()):
        kinds = [(Kind.SURFACE, Kind.STATIC), (Kind.ATMOSPHERIC,)]
    else:
        kinds = [(Kind.ATMOSPHERIC, Kind.SURFACE, Kind.STATIC)]
    return Cds(
        tuple(
            Collection(
                dataset=f"set-{number}",
                kinds=served,
                constants=(("product_type", ("reanalysis",)), ("flag", "on")),
                unit=draw(units),
                max_fields=draw(limits),
            )
            for number, served in enumerate(kinds)
        )
    )


@settings(deadline=None)
@given(
    timelines(),
    stores(),
    st.lists(st.sampled_from(PATHS), min_size=1, unique=True),
    st.lists(st.sampled_from(ERA5.levels.hpa), min_size=1, unique=True),
)
def test_products_add_up_to_the_plan(
    timeline: Timeline, store: Cds, paths: list[str], hpa: list[int]
) -> None:
    levels = Levels(tuple(sorted(hpa)))
    requests = list(plan_requests(ERA5, store, timeline, paths, levels))

    together: Counter[tuple[datetime, str, int | None]] = Counter()
    for request in requests:
        product = asked(request)
        stated = {(t, path, level) for t in request.times for path, level in request.fields}
        assert set(product) == stated
        assert list(request.times) == sorted(set(request.times))
        assert max(product.values()) == 1
        limit = next(c for c in store.collections if c.dataset == request.dataset)
        assert len(stated) == len(request.times) * len(request.fields) <= limit.max_fields
        assert len({(t.year, t.month) for t in request.times}) == 1
        if limit.unit is Unit.DAY:
            assert len({t.date() for t in request.times}) == 1
        together += product
    assert set(together) == planned(timeline, paths, levels)
    assert max(together.values()) == 1
    assert len({request.digest for request in requests}) == len(requests)


def test_a_century_of_hours_is_planned_fast_and_lazily() -> None:
    timeline = Timeline(datetime(1979, 1, 1), datetime(2020, 12, 31, 23), timedelta(hours=1))
    assert len(timeline) == 368_184

    began = time.process_time()
    first = next(plan_requests(ERA5, CDS, timeline, PATHS, ERA5.levels))
    to_first = time.process_time() - began
    requests = list(plan_requests(ERA5, CDS, timeline, PATHS, ERA5.levels))
    to_all = time.process_time() - began

    assert first.fields == (("static/z", None), ("static/lsm", None), ("static/slt", None))
    assert len(requests) == 1 + 42 * 12 + 15_341
    assert sum(len(r.times) for r in requests if r.fields[0] == ("surface/2t", None)) == 368_184
    assert to_first < 0.5
    assert to_all < 10


def test_bodies_are_what_the_store_wants_today() -> None:
    timeline = Timeline(datetime(2020, 2, 28, 18), datetime(2020, 3, 1, 6), timedelta(hours=6))
    static, *moving = plan_requests(ERA5, CDS, timeline, PATHS, ERA5.levels, data_format="netcdf")

    assert static.dataset == "reanalysis-era5-single-levels"
    assert static.body == {
        "product_type": ["reanalysis"],
        "variable": ["geopotential", "land_sea_mask", "soil_type"],
        "year": ["2020"],
        "month": ["02"],
        "day": ["28"],
        "time": ["18:00"],
        "data_format": "netcdf",
        "download_format": "unarchived",
    }
    surface = [r.body for r in moving if r.dataset == "reanalysis-era5-single-levels"]
    assert [(b["month"], b["day"], b["time"]) for b in surface] == [
        (["02"], ["28"], ["18:00"]),
        (["02"], ["29"], ["00:00", "06:00", "12:00", "18:00"]),
        (["03"], ["01"], ["00:00", "06:00"]),
    ]
    air = [r.body for r in moving if r.dataset == "reanalysis-era5-pressure-levels"]
    assert air[0]["pressure_level"] == [str(level) for level in ERA5.levels]
    assert air[0]["variable"][0] == "geopotential"


def test_overlapping_periods_share_requests() -> None:
    """Blocks of days start on fixed days, so a later recipe meets a filled cache."""
    small = Cds((replace(CDS.collections[0], max_fields=24 * 10),))
    hour, end = timedelta(hours=1), datetime(2020, 3, 31, 23)
    early = plan_requests(
        ERA5, small, Timeline(datetime(2020, 3, 1), end, hour), PATHS[:1], ERA5.levels
    )
    later = plan_requests(
        ERA5, small, Timeline(datetime(2020, 3, 4), end, hour), PATHS[:1], ERA5.levels
    )
    early_digests = [request.digest for request in early]
    later_digests = [request.digest for request in later]

    assert len(early_digests) == len(later_digests) == 4
    assert early_digests[1:] == later_digests[1:]


@pytest.mark.parametrize(
    ("paths", "levels", "start", "problem"),
    [
        (["surface/nothing"], ERA5.levels, datetime(2020, 1, 1), "no such variable"),
        (["atmospheric/t"], Levels(()), datetime(2020, 1, 1), "without levels"),
        (["surface/2t"], ERA5.levels, datetime(2020, 1, 1, 0, 30), "whole hours"),
    ],
)
def test_impossible_plans_are_refused_at_once(paths, levels, start, problem) -> None:
    timeline = Timeline(start, start, timedelta(hours=1))
    with pytest.raises(SpecError, match=problem):
        plan_requests(ERA5, CDS, timeline, paths, levels)


def test_a_collection_that_accepts_nothing_is_refused() -> None:
    closed = Cds(tuple(replace(c, max_fields=0) for c in CDS.collections))
    timeline = Timeline(datetime(2020, 1, 1), datetime(2020, 1, 1), timedelta(hours=1))
    with pytest.raises(SpecError, match="accepts no field"):
        plan_requests(ERA5, closed, timeline, PATHS, ERA5.levels)


def test_synthetic_answers_have_other_digests() -> None:
    timeline = Timeline(datetime(2020, 1, 1), datetime(2020, 1, 2), timedelta(hours=6))
    real = {r.digest for r in plan_requests(ERA5, CDS, timeline, PATHS, ERA5.levels)}
    made = {
        r.digest for r in plan_requests(ERA5, CDS, timeline, PATHS, ERA5.levels, synthetic=True)
    }
    assert not real & made
