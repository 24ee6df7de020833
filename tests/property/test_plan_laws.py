"""Shard tasks and requests are two partitions of the same frames, whatever is asked."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_prep import sources
from aurora_prep.pipelines.plan.source_plan import SourcePlan, blocks_of_moments, is_static
from aurora_prep.pipelines.plan.units import blocks_of_request, fetched_units
from aurora_prep.pipelines.recipe import Recipe, SourceRecipe
from aurora_prep.sources.spec import HOUR, FrameKey, Grid, Levels, Product, Timeline, digest_of

ERA5 = sources.load("era5")
AHEAD = replace(ERA5, name="ahead", product=Product.FORECAST)
STARTS = st.integers(0, 40 * 365 * 24).map(lambda hours: datetime(1979, 1, 1) + hours * HOUR)
STEPS = st.sampled_from([1, 2, 3, 5, 6, 7, 12, 24, 36])


@st.composite
def plans(draw):
    """Plans over any period, with any number of frames in a shard; forecasts or not."""
    start, step = draw(STARTS), draw(STEPS) * HOUR
    period = Timeline(start, start + draw(st.integers(0, 80)) * HOUR, step)
    ahead = draw(st.booleans())
    count, lead_step = draw(st.integers(1, 9)), draw(STEPS)
    leads = tuple(i * lead_step * HOUR for i in range(count)) if ahead else (timedelta(0),)
    source = AHEAD if ahead else ERA5
    paths = draw(
        st.sampled_from(
            [("surface/2t",), ("surface/2t", "static/lsm"), ("surface/msl", "atmospheric/q")]
        )
    )
    return SourcePlan(
        position=draw(st.integers(0, 3)),
        recipe=SourceRecipe(
            source=source.name,
            access="cds",
            period=period,
            lead_times=leads,
            grid=Grid.regular("30"),
        ),
        source=source,
        init_times=period,
        lead_times=leads,
        paths=tuple(path for path in paths if not is_static(path)),
        levels=Levels((500, 850)),
        grid=Grid.regular("30"),
        frames_per_shard=draw(st.integers(1, 12)),
        static_paths=tuple(filter(is_static, paths)) if draw(st.booleans()) else (),
    )


@given(plans())
def test_tasks_cover_all_frames_once_and_in_order(plan):
    tasks = list(plan.tasks())
    held = [frame for task in tasks for frame in task.frames]
    assert held == list(plan.frame_keys())
    assert len(set(held)) == plan.frames == len(plan.init_times) * len(plan.lead_times)
    assert len({task.name for task in tasks}) == len(tasks)
    assert all(len(task.frames) <= plan.frames_per_shard for task in tasks)
    assert [task.is_static for task in tasks].count(True) == bool(plan.static_variables)


@given(plans())
def test_a_block_is_found_from_its_frames(plan):
    for task in plan.tasks():
        assert plan.task_at(task.block) == task
        for frame in task.frames:
            moment = (frame.init_time, frame.lead_time, frame.member)
            assert blocks_of_moments([moment], plan) == {task.block}


@settings(max_examples=30)
@given(plans().filter(lambda plan: not plan.is_forecast), st.randoms(use_true_random=False))
def test_units_hold_every_shard_that_is_left_once_with_all_its_requests(plan, random):
    requests = tuple(plan.requests(synthetic=False))
    blocks = [task.block for task in plan.tasks()]
    left = set(random.sample(blocks, random.randint(0, len(blocks))))
    units = list(fetched_units(plan, requests, left, first=3))
    assert [unit.number for unit in units] == list(range(3, 3 + len(units)))
    assert [shard.block for unit in units for shard in unit.shards] == sorted(left)
    serves = [blocks_of_request(request, plan) for request in requests]
    for unit in units:
        assert unit.lane == plan.recipe.access
        for shard in unit.shards:
            needed = {number for number, blocks in enumerate(serves) if shard.block in blocks}
            assert set(shard.requests) == needed


@settings(max_examples=50)
@given(plans().filter(lambda plan: not plan.is_forecast))
def test_requests_bring_exactly_the_planned_fields(plan):
    brought = [
        (time, path, level)
        for request in plan.requests(synthetic=False)
        for time in request.times
        for path, level in request.fields
        if not path.startswith("static/")
    ]
    wanted = [
        (frame.valid_time, variable.path, level)
        for frame in plan.frame_keys()
        for variable in plan.variables
        for level in plan.levels_of(variable)
    ]
    assert sorted(brought, key=str) == sorted(wanted, key=str)


KEYS = st.builds(
    FrameKey,
    st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True),
    STARTS,
    st.integers(0, 2000).map(lambda hours: hours * HOUR),
    st.none() | st.integers(0, 200),
)


@given(KEYS)
def test_the_text_of_a_frame_key_is_the_key(key):
    assert FrameKey.parse(str(key)) == key


@given(KEYS, KEYS)
def test_two_frame_keys_never_share_a_text(one, other):
    assert (one == other) == (str(one) == str(other))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def turned(value):
    """The same value with all keys the other way round."""
    if isinstance(value, dict):
        return {key: turned(item) for key, item in reversed(value.items())}
    return [turned(item) for item in value] if isinstance(value, list) else value


@given(PLAIN)
def test_digests_do_not_depend_on_the_order_of_keys(value):
    assert digest_of(value) == digest_of(turned(value))
    assert digest_of(value) != digest_of([value])


@given(STARTS, st.integers(0, 3000), STEPS)
def test_a_recipe_means_its_period(start, hours, step):
    end = start + hours * HOUR
    entry = {
        "source": "era5",
        "grid": "1",
        "period": {"start": start.isoformat(), "end": end.isoformat(), "step": f"{step}h"},
    }
    recipe = Recipe.parse({"name": "n", "output": "o", "sources": [entry]})
    times = list(recipe.sources[0].period)
    assert times[0] == start
    assert end - step * HOUR < times[-1] <= end
    assert {b - a for a, b in pairwise(times)} <= {step * HOUR}
