"""Any order, any grouping, any number of workers: the same bytes."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import reduce
from itertools import pairwise
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_prep.normalisation import (
    FieldReduction,
    ShardStatistics,
    area_weights,
    reduce_field,
)
from aurora_prep.sources.spec import Grid, StatisticsError

from .conftest import exact_moments, frame_key, normal, pollutant, with_holes

FULL_FRAMES = {"0.25, 69 fields": ("0.25", 69), "0.4, 142 fields": ("0.4", 142)}


@pytest.fixture(scope="module")
def whole(small_frames: list[ShardStatistics]) -> bytes:
    return ShardStatistics.merge(small_frames).to_bytes()


@pytest.mark.parametrize("splits", [1, 2, 3, 10, 137, 1000])
@pytest.mark.parametrize("seed", [0, 1])
def test_any_split_in_any_order(small_frames, whole, splits: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  not for secrets
    shuffled = chance.sample(small_frames, len(small_frames))
    cuts = [0, *sorted(chance.sample(range(1, 1000), splits - 1)), 1000]
    parts = [ShardStatistics.merge(shuffled[a:b]) for a, b in pairwise(cuts)]
    chance.shuffle(parts)
    carried = [ShardStatistics.from_bytes(part.to_bytes()) for part in parts]

    assert reduce(add, carried, ShardStatistics()).to_bytes() == whole


@pytest.mark.parametrize("workers", range(1, 9))
def test_any_number_of_workers(small_frames, whole, workers: int) -> None:
    shares = [small_frames[worker::workers] for worker in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(ShardStatistics.merge, shares))
    assert ShardStatistics.merge(reversed(parts)).to_bytes() == whole


def test_merged_equals_exact_moments_of_everything(small_frames) -> None:
    """Ragged missing values: a mean of means would be far off."""
    merged = ShardStatistics.merge(small_frames[:100])
    fields = [with_holes(normal("msl", (7, 12), i), (i % 5) / 4, i) for i in range(100)]
    stacked = np.concatenate(fields)
    weights = np.tile(area_weights(Grid.regular("30")), 100)[:, None]

    found = next(reduction for name, reduction in merged if name.path == "surface/msl")

    mean, variance = exact_moments(stacked)
    area_mean, _ = exact_moments(stacked, weights)
    assert found.mean == float(mean)
    assert found.standard_deviation == pytest.approx(float(variance) ** 0.5, rel=1e-15)
    assert found.area is not None
    assert found.area.mean == float(area_mean)
    highest = [np.nanmax(field) for field in fields if not np.isnan(field).all()]
    assert found.mean_maximum == pytest.approx(np.mean(highest, dtype=np.float64), rel=1e-15)
    assert found.empty == len(fields) - len(highest)
    assert found.histogram.count == found.count


numbers = (
    st.floats(-1e6, 1e6, width=32)
    | st.just(float("nan"))
    | st.floats(width=32, allow_nan=False, allow_infinity=False)
)
rows = st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=12)


@settings(deadline=None, max_examples=200)
@given(rows, st.randoms())
def test_reductions_are_a_commutative_monoid(values, chance) -> None:
    parts = [reduce_field(np.array([row], np.float32)) for row in values]
    forward = reduce(add, parts, FieldReduction())
    shuffled = chance.sample(parts, len(parts))
    while len(shuffled) > 1:
        shuffled.insert(chance.randrange(len(shuffled) - 1), shuffled.pop() + shuffled.pop())

    assert shuffled[0] == forward
    assert forward + FieldReduction() == forward == FieldReduction() + forward


def test_merging_leaves_the_parts_alone(small_frames) -> None:
    left, right = small_frames[:2]
    before = left.to_bytes(), right.to_bytes()
    assert (left + right).frames == 2
    assert (left.to_bytes(), right.to_bytes()) == before


def test_bytes_come_back_and_damage_is_noticed(small_frames) -> None:
    data = ShardStatistics.merge(small_frames[:5]).to_bytes()
    assert ShardStatistics.from_bytes(data).to_bytes() == data
    assert ShardStatistics.from_bytes(ShardStatistics().to_bytes()) == ShardStatistics()
    for damaged in (data[:-1], data[:40] + b"x" + data[41:], b"", b"no statistics"):
        with pytest.raises(StatisticsError, match="damaged"):
            ShardStatistics.from_bytes(damaged)


def full_frame(grid: str, fields: int) -> ShardStatistics:
    statistics = ShardStatistics()
    shape = Grid.regular(grid).shape
    weights = area_weights(Grid.regular(grid))
    makers = (
        lambda: normal("msl", shape),
        lambda: normal("10u", shape),
        lambda: pollutant(shape),
        lambda: with_holes(normal("2t", shape), 0.4),
    )
    reductions = [reduce_field(make(), weights) for make in makers]
    for index in range(fields):
        statistics.add(f"atmospheric/v{index}", 850, reductions[index % len(makers)])
    statistics.add_frame(frame_key(0), "digest")
    return statistics


@pytest.mark.parametrize(("grid", "fields"), FULL_FRAMES.values(), ids=FULL_FRAMES)
def test_a_full_frame_crosses_the_shuffle_in_less_than_200_kb(grid: str, fields: int) -> None:
    frame = full_frame(grid, fields)
    assert len(frame.to_bytes()) < 200_000
    year = reduce(lambda total, _: total + total, range(10), frame)
    assert len(year.to_bytes()) < 2 * len(frame.to_bytes())


def test_weighted_and_unweighted_do_not_mix() -> None:
    field = normal("2t", (3, 4))
    statistics = ShardStatistics()
    statistics.add("surface/2t", None, reduce_field(field))
    with pytest.raises(StatisticsError, match=r"(?s)row weights.*surface/2t"):
        statistics.add("surface/2t", None, reduce_field(field, np.ones(3)))


@pytest.mark.parametrize("step", [timedelta(0), timedelta(hours=-6), timedelta(minutes=90)])
def test_a_difference_needs_a_step_of_whole_hours(step: timedelta) -> None:
    with pytest.raises(StatisticsError, match="whole number of hours"):
        ShardStatistics().add_difference("surface/2t", None, step, FieldReduction())
