"""Counts by arithmetic equal counting one by one, whatever is asked."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_prep import sources
from aurora_prep.pipelines.estimates.counts import (
    object_count,
    part_count,
    request_count,
    shard_count,
)
from aurora_prep.pipelines.estimates.present import answers_present, frames_present
from aurora_prep.pipelines.estimates.prices import Setting
from aurora_prep.pipelines.plan.source_plan import SourcePlan, is_static
from aurora_prep.pipelines.recipe import SourceRecipe
from aurora_prep.providers.cache import Cache
from aurora_prep.sources.spec import HOUR, Cds, Files, Grid, Levels, Product, Timeline, Zarr

FETCHED = [
    (name, access.name)
    for name in sources.names()
    for access in sources.load(name).accesses
    if not isinstance(access, Files | Zarr)
]
STARTS = st.integers(0, 5 * 365 * 24).map(lambda hours: datetime(2016, 1, 1) + hours * HOUR)


def plan_of(name, access, start, count, step, **changes):
    """A plan of all variables of a source, static ones too."""
    source = sources.load(name)
    natives = [n for n in source.delivered(source.access(access)) if not n.optional]
    paths = tuple(native.variable.path for native in natives)
    period = Timeline(start, start + (count - 1) * step, step)
    leads = source.lead_times if source.product is Product.FORECAST else (timedelta(0),)
    whole = {
        "position": 0,
        "recipe": SourceRecipe(source=name, access=access, period=period, grid=Grid.regular("30")),
        "source": source,
        "init_times": period,
        "lead_times": leads,
        "paths": tuple(path for path in paths if not is_static(path)),
        "levels": source.levels,
        "grid": Grid.regular("30"),
        "frames_per_shard": 3,
        "static_paths": tuple(filter(is_static, paths)),
        **changes,
    }
    return SourcePlan(**whole)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(FETCHED), STARTS, st.integers(1, 130), st.sampled_from((1, 2, 5)))
def test_requests_are_counted_as_if_they_were_made(where, start, count, factor):
    source = sources.load(where[0])
    cadence = source.cadence
    start = source.first + (start - datetime(2016, 1, 1)) // cadence * cadence
    plan = plan_of(*where, start, count, factor * cadence)
    assert request_count(plan) == sum(1 for _ in plan.requests(synthetic=False))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(STARTS, st.integers(1, 900), st.sampled_from((1, 3, 5, 6, 7, 11, 12, 13, 24, 36, 100)))
def test_hours_that_drift_through_the_day_are_counted_too(start, count, step):
    levels = Levels((500, 850))
    plan = plan_of("era5", "cds", start, count, step * HOUR, levels=levels)
    assert request_count(plan) == sum(1 for _ in plan.requests(synthetic=False))


def test_months_around_the_end_of_a_stream_are_counted():
    """In May 2026 step 0 moves from one stream to another: no other month is like it."""
    plan = plan_of("hres_t0", "mars", datetime(2025, 11, 3), 420 * 4, 6 * HOUR)
    assert request_count(plan) == sum(1 for _ in plan.requests(synthetic=False))


@pytest.mark.parametrize("max_fields", [7, 40, 500])
def test_requests_that_are_cut_small_are_counted(max_fields):
    plan = plan_of("era5", "cds", datetime(2019, 12, 30, 5), 1500, HOUR)
    access = plan.source.access("cds")
    assert isinstance(access, Cds)
    small = Cds(tuple(replace(c, max_fields=max_fields) for c in access.collections))
    plan = replace(plan, source=replace(plan.source, accesses=(small, Files())))
    assert request_count(plan) == sum(1 for _ in plan.requests(synthetic=False))


def test_every_provider_that_is_asked_has_a_queue():
    assert {access for _, access in FETCHED} <= set(Setting.load().providers)


def test_decades_are_counted_right():
    plan = plan_of("era5", "cds", datetime(1979, 1, 1), 368_184, HOUR)
    assert plan.init_times[-1] == datetime(2020, 12, 31, 23)
    # 504 months of surface fields, 15,341 days of those on levels, the static fields once.
    assert request_count(plan) == 504 + 15_341 + 1


def test_times_of_files_bring_no_requests():
    plan = plan_of("era5", "cds", datetime(2020, 1, 1), 3, HOUR)
    assert request_count(replace(plan, init_times=tuple(plan.init_times))) == 0


@st.composite
def frame_plans(draw):
    """Plans over any times, lead times and members."""
    step = draw(st.sampled_from((1, 6, 7, 36))) * HOUR
    source = sources.load("era5")
    ahead = draw(st.booleans())
    leads = (timedelta(0),)
    if ahead:
        leads = tuple(i * 6 * HOUR for i in range(draw(st.integers(1, 7))))
        source = replace(source, product=Product.FORECAST, lead_times=leads)
    start, count = draw(STARTS), draw(st.integers(1, 30))
    members = draw(st.sampled_from(((None,), (1,), (1, 2, 17))))
    plan = plan_of("era5", "cds", start, count, step)
    if draw(st.booleans()):
        plan = replace(plan, init_times=tuple(plan.init_times))
    return replace(
        plan,
        source=source,
        lead_times=leads,
        members=members,
        frames_per_shard=draw(st.integers(1, 6)),
        static_paths=draw(st.sampled_from(((), ("static/lsm",)))),
    )


@settings(deadline=None, derandomize=True)
@given(frame_plans())
def test_shards_objects_and_parts_are_those_of_the_tasks(plan):
    tasks = list(plan.tasks())
    assert part_count(plan) == len(tasks)
    assert shard_count(plan) == sum(not task.is_static for task in tasks)
    assert object_count(plan) == sum(
        len(plan.static_variables if task.is_static else plan.variables) for task in tasks
    )


@settings(deadline=None, derandomize=True)
@given(frame_plans(), st.data())
def test_frames_are_present_whose_shards_have_a_part(plan, data):
    tasks = list(plan.tasks())
    done = data.draw(st.sets(st.sampled_from(tasks)))
    foreign = {
        "18991231T23+000h",
        "20209931T23+000h",
        "static",
        "20200101T00",
        plan.init_times[0].strftime("%Y"),
    }
    names = {task.name for task in done} | foreign
    assert frames_present(plan, names) == sum(len(task.frames) for task in done)


def test_parts_of_another_recipe_are_not_counted():
    plan = plan_of("era5", "cds", datetime(2020, 1, 1), 9, 6 * HOUR)
    tasks = list(plan.tasks())
    assert frames_present(plan, [task.name for task in tasks]) == 9
    assert frames_present(plan, ["20200101T06+000h"]) == 0  # no shard begins there
    assert frames_present(plan, ["20200101T01+000h", "20200104T00+000h"]) == 0
    assert frames_present(plan, ["20200101T00+006h", "20200101T00+000h-m01"]) == 0


def test_answers_in_the_cache_are_counted(tmp_path, grib):
    plan = plan_of("era5", "cds", datetime(2020, 1, 1), 9, 6 * HOUR)
    cache = Cache(tmp_path / "requests")
    assert answers_present(plan, cache) == (0, 0)
    first, second, *_ = plan.requests(synthetic=False)
    for request in (first, second):
        path = cache.temporary(request)
        path.write_bytes(grib())
        cache.store(request, path)
    stranger = plan_of("era5", "cds", datetime(2021, 1, 1), 9, 6 * HOUR)
    path = cache.temporary(next(stranger.requests(synthetic=False)))
    path.write_bytes(grib())
    cache.store(next(stranger.requests(synthetic=False)), path)
    assert answers_present(plan, cache) == (2, 2 * len(grib()))
    cache.lookup(first).path.unlink()  # a sidecar without its answer
    assert answers_present(plan, cache) == (1, len(grib()))
