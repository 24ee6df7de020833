"""Pairs never cross a gap, a source, a member or a forecast; splits never meet."""

from datetime import timedelta

import pytest

from aurora_prep.normalisation import pairs, require_separate
from aurora_prep.sources.spec import FrameKey, StatisticsError

from .conftest import START, frame_key

H6, H12, H24 = (timedelta(hours=h) for h in (6, 12, 24))


def test_analysis_pairs_leave_out_gaps_and_other_sources() -> None:
    frames = [frame_key(i) for i in (0, 1, 2, 5, 6)] + [frame_key(7, source="cams")]

    assert list(pairs(frames, H6, forecast=False)) == [
        (frame_key(1), frame_key(0)),
        (frame_key(2), frame_key(1)),
        (frame_key(6), frame_key(5)),
    ]
    assert list(pairs(frames, H24, forecast=False)) == [
        (frame_key(5), frame_key(1)),
        (frame_key(6), frame_key(2)),
    ]


def test_forecast_pairs_stay_within_one_forecast_and_member() -> None:
    frames = [
        FrameKey("ens", START + i * H12, lead * H6, member)
        for i in range(2)
        for lead in range(3)
        for member in (None, 1, 2)
    ]

    found = list(pairs(frames, H12, forecast=True))

    assert len(found) == 6
    for later, earlier in found:
        assert (later.init_time, later.member) == (earlier.init_time, earlier.member)
        assert (later.lead_time, earlier.lead_time) == (H12, timedelta(0))


def test_the_order_of_frames_does_not_matter() -> None:
    frames = [frame_key(i) for i in range(9)]
    assert list(pairs(frames[::-1], H12, forecast=False)) == list(
        pairs(frames, H12, forecast=False)
    )


@pytest.mark.parametrize("step", [timedelta(0), -H6, timedelta(minutes=30)])
def test_steps_are_whole_hours(step: timedelta) -> None:
    with pytest.raises(StatisticsError, match="whole number of hours"):
        list(pairs([], step, forecast=False))


def test_shared_frames_are_refused_and_named() -> None:
    train = [frame_key(i) for i in range(10)]
    validation = [frame_key(i) for i in range(9, 20)]
    with pytest.raises(
        StatisticsError, match=r"(?s)'train'.*1 frames.*'validation'.*2020-01-03T06"
    ):
        require_separate("train", train, {"validation": validation})


def test_history_steps_count_where_samples_reach_back() -> None:
    train = [frame_key(i) for i in range(10)]
    others = {"validation": [frame_key(i) for i in range(10, 20)]}

    require_separate("train", train, others)
    with pytest.raises(StatisticsError, match="1 frames"):
        require_separate("train", train, others, history=(H6,))
    with pytest.raises(StatisticsError, match="4 frames"):
        require_separate("train", train, others, history=(H12, H24))
    require_separate("train", train[:6], others, history=(H12, H24))
    require_separate("train", train, others, history=(H6,), forecast=True)
