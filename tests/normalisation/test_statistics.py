"""What is rounded, written and read; what is refused."""

import json
import math
from datetime import datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from aurora_prep.normalisation import (
    ShardStatistics,
    Statistics,
    area_weights,
    finish,
    reduce_changes,
    reduce_difference,
    reduce_field,
    reduce_fields,
)
from aurora_prep.sources.era5 import SOURCE
from aurora_prep.sources.spec import FrameKey, Grid, StatisticsError

from .conftest import frame_key, normal, with_holes

WEIGHTS = area_weights(Grid.regular("30"))
SHAPE = WEIGHTS.size, 12
FRAMES = [(frame_key(i), f"digest-{i}") for i in range(10)]
STEP = timedelta(hours=12)


def surface(index: int) -> np.ndarray:
    return normal("msl", SHAPE, index)


def total() -> ShardStatistics:
    statistics = ShardStatistics()
    for index, (key, digest) in enumerate(FRAMES):
        statistics.add("surface/msl", None, reduce_field(surface(index), WEIGHTS))
        for level in (850, 50):
            field = with_holes(normal("z_50", SHAPE, index + level), 0.2)
            statistics.add("atmospheric/z", level, reduce_field(field, WEIGHTS))
        if index >= 2:
            change = reduce_difference(surface(index), surface(index - 2), WEIGHTS)
            statistics.add_difference("surface/msl", None, STEP, change)
        statistics.add_frame(key, digest)
    statistics.add("static/z", None, reduce_field(normal("msl", SHAPE, 99), WEIGHTS))
    return statistics


def finished(**changes) -> Statistics:
    options = {
        "source": "era5",
        "grid": "30",
        "split": "train",
        "frames": FRAMES,
        "software_version": "1.2.3",
        "variables": SOURCE.variables,
    }
    return finish(changes.pop("total", None) or total(), **(options | changes))


def test_both_conventions_periods_and_units() -> None:
    found = finished()
    msl = found.of("surface/msl")
    everything = np.stack([surface(i) for i in range(10)]).astype(np.float64)
    assert msl.mean == pytest.approx(everything.mean(), rel=1e-14)
    by_area = (everything.mean(axis=(0, 2)) * WEIGHTS).sum() / WEIGHTS.sum()
    assert msl.area_mean == pytest.approx(by_area, rel=1e-14)
    assert msl.area_mean != msl.mean
    assert msl.mean_maximum == pytest.approx(everything.max(axis=(1, 2)).mean(), rel=1e-15)
    assert (msl.units, msl.fields, msl.transform) == ("Pa", 10, "none: physical values")
    assert found.period == (datetime(2020, 1, 1), datetime(2020, 1, 3, 6))
    assert [(e.path, e.level) for e in found.values] == [
        ("atmospheric/z", 50),
        ("atmospheric/z", 850),
        ("static/z", None),
        ("surface/msl", None),
    ]
    (change,) = found.differences
    assert (change.step_hours, change.fields) == (12, 8)
    assert all(entry.remarks == () for entry in (*found.values, *found.differences))


def test_json_comes_back_without_loss() -> None:
    found = finished(transforms={"surface/msl": "standardised"})
    text = found.to_json()
    assert Statistics.from_json(text) == found
    assert Statistics.from_json(text).to_json() == text
    document = json.loads(text)
    assert document["frames"]["era5/2020-01-01T00+000h"] == "digest-0"
    assert document["conventions"].keys() == {"plain", "area_"}
    assert found.of("surface/msl").transform == "standardised"


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"format": "other", "version": 1}'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(StatisticsError, match="not a statistics file"):
        Statistics.from_json(text)


def test_netcdf_selects_by_statistic_and_level(tmp_path) -> None:
    found = finished()
    found.to_netcdf(tmp_path / "statistics.nc")
    with xr.open_dataset(tmp_path / "statistics.nc") as dataset:
        z = dataset["atmospheric_z"]
        assert z.sel(statistic="mean", level=850).item() == found.of("atmospheric/z", 850).mean
        assert z.attrs["units"] == "m2 s-2"
        assert dataset["static_z"].dims == ("statistic",)
        change = dataset["surface_msl_change_12h"].sel(statistic="mean_absolute").item()
        assert change == found.differences[0].mean_absolute
        assert dataset.attrs["split"] == "train"
        assert dataset.attrs["frames"] == 10


def test_nothing_valid_and_no_variance_are_stated() -> None:
    statistics = ShardStatistics()
    statistics.add("surface/2t", None, reduce_field(np.full(SHAPE, np.nan, np.float32)))
    statistics.add("surface/msl", None, reduce_field(np.full(SHAPE, 7.0, np.float32)))
    statistics.add_frame(*FRAMES[0])

    found = finished(total=statistics, frames=FRAMES[:1])

    assert found.of("surface/2t").remarks == ("no valid value",)
    assert found.of("surface/msl").remarks == ("all values are equal: 7.0",)
    assert math.isnan(found.of("surface/2t").mean)
    assert math.isnan(found.of("surface/msl").area_mean)
    assert repr(Statistics.from_json(found.to_json())) == repr(found)


def test_a_variable_in_some_frames_only_is_stated() -> None:
    statistics = total()
    statistics.add("surface/2t", None, reduce_field(normal("2t", SHAPE), WEIGHTS))
    assert finished(total=statistics).of("surface/2t").remarks == ("in 1 of 10 frames only",)


def test_a_missing_level_is_refused() -> None:
    with pytest.raises(StatisticsError, match=r"(?s)no statistics.*atmospheric/z at 500 hPa"):
        finished(expected=[("atmospheric/z", 50), ("atmospheric/z", 500)])


@pytest.mark.parametrize(
    "frames",
    [
        FRAMES[:-1],
        [*FRAMES, (frame_key(10), "digest-10")],
        [*FRAMES[:-1], (frame_key(11), "digest-9")],
        [*FRAMES[:-1], (FRAMES[-1][0], "another digest")],
    ],
    ids=["one less", "one more", "another", "other content"],
)
def test_other_frames_than_stated_are_refused(frames) -> None:
    with pytest.raises(StatisticsError, match="other frames went into"):
        finished(frames=frames)


def test_a_shard_merged_twice_is_refused() -> None:
    with pytest.raises(StatisticsError, match="other frames went into"):
        finished(total=total() + total())


def test_no_frame_is_refused() -> None:
    with pytest.raises(StatisticsError, match="no frame"):
        finished(total=ShardStatistics(), frames=[])


def test_an_absent_variable_is_named() -> None:
    with pytest.raises(StatisticsError, match="no statistics of this variable"):
        finished().of("surface/2t")


def test_alone_over_fields_that_exist_gives_the_same_bytes() -> None:
    """As ``statistics --recompute`` does, in another order than the run."""
    stored = [
        (key, path, level, field)
        for index, (key, _) in enumerate(FRAMES)
        for path, level, field in (
            ("surface/msl", None, surface(index)),
            ("atmospheric/z", 50, with_holes(normal("z_50", SHAPE, index + 50), 0.2)),
            ("atmospheric/z", 850, with_holes(normal("z_50", SHAPE, index + 850), 0.2)),
        )
    ]
    stored.append((None, "static/z", None, normal("msl", SHAPE, 99)))

    again = reduce_fields(reversed(stored), dict(FRAMES), WEIGHTS)
    again.add_difference(
        "surface/msl",
        None,
        STEP,
        reduce_changes(
            lambda key: surface([k for k, _ in FRAMES].index(key)),
            [key for key, _ in FRAMES],
            STEP,
            forecast=False,
            row_weights=WEIGHTS,
        ),
    )

    assert again.to_bytes() == total().to_bytes()


def test_changes_read_each_field_once_and_hold_few() -> None:
    reads: list[FrameKey] = []

    def read(key: FrameKey) -> np.ndarray:
        reads.append(key)
        return surface(len(reads))

    found = reduce_changes(read, [key for key, _ in FRAMES], STEP, forecast=False)
    assert found.fields == 8
    assert sorted(reads) == [key for key, _ in FRAMES]
