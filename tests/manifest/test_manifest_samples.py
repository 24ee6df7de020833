"""Samples: complete, of one source and one split, counted as brute force counts them."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from aurora_prep.manifest import Manifest
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.manifest.ledger.parts import write_part
from aurora_prep.manifest.ledger.records import FrameRecord, Part, Status
from aurora_prep.manifest.samples import Window, samples_of
from aurora_prep.sources.spec import HOUR, FrameKey, ManifestError

START = datetime(2020, 1, 1)
SURFACE = ("surface/2t",)
POLLUTION = ("surface/2t", "surface/pm2p5")


def frame(source, init, lead=0, *, grid="0.25", member=None, variables=SURFACE, **others):
    return FrameRecord(
        source=source,
        grid=grid,
        shard="all",
        product="forecast" if source.endswith("forecast") else "analysis",
        access="files",
        init_time=START + init * HOUR,
        lead_time=lead * HOUR,
        member=member,
        **{"status": Status.WRITTEN, "recipe_digest": None, "variables": variables, **others},
    )


def opened(root, frames) -> Manifest:
    groups = {(f.source, f.grid) for f in frames}
    for source, grid in groups:
        own = tuple(f for f in frames if (f.source, f.grid) == (source, grid))
        write_part(str(root), Part(source=source, grid=grid, shard="all", frames=own))
    compact(str(root), [])
    return Manifest.open(str(root))


def brute_force(frames, window, spacing=6) -> set:
    """Every sample, by trying all frames as last input: ``{(inputs, targets)}``."""
    step = (window.history_step or spacing * HOUR) // HOUR
    lead = (window.lead or spacing * HOUR) // HOUR
    known = {
        (f.source, f.grid, f.init_time, f.lead_time, f.member): f
        for f in frames
        if f.status is Status.WRITTEN
    }
    found = set()
    for f in known.values():
        offsets = [-step * i for i in reversed(range(window.history))]
        offsets += [lead * (i + 1) for i in range(window.rollout)]
        moves = [
            (f.init_time, f.lead_time + offset * HOUR)
            if f.product == "forecast"
            else (f.init_time + offset * HOUR, f.lead_time)
            for offset in offsets
        ]
        chosen = [known.get((f.source, f.grid, *move, f.member)) for move in moves]
        if all(chosen) and len({c.split for c in chosen}) == 1:
            keys = tuple(c.key for c in chosen)
            found.add((f.grid, keys[: window.history], keys[window.history :]))
    return found


def many(seed) -> list:
    """Frames of three sources with gaps, splits, members and two grids."""
    rng = np.random.default_rng(seed)

    def splits(hour):
        return [None, "train", "test"][min(hour // 200, 2)]

    frames = []
    for grid in ("0.25", "0.1"):
        frames += [
            frame("reanalysis", hour, grid=grid, split=splits(hour))
            for hour in range(0, 500, 3)
            if rng.random() < 0.8
        ]
    frames += [
        frame("forecast", init, lead, member=member, split=splits(init + lead))
        for init in range(0, 300, 12)
        for lead in range(0, 49, 6)
        for member in (0, 1)
        if rng.random() < 0.8
    ]
    frames[5] = replace(frames[5], status=Status.REJECTED, reason="all NaN")
    return frames


WINDOWS = [
    Window(),
    Window(history=1),
    Window(history=3, rollout=2),
    Window(history_step=3 * HOUR, lead=12 * HOUR, rollout=4),
    Window(history_step=12 * HOUR, lead=6 * HOUR),
]


@pytest.mark.parametrize("seed", [0, 1])
def test_samples_are_those_brute_force_finds(tmp_path, seed):
    frames = many(seed)
    with opened(tmp_path, frames) as manifest:
        for window in WINDOWS:
            found = samples_of(manifest, window)
            expected = brute_force(frames, window)
            assert len(found) == len(expected) > 0
            assert {(s.grid, s.inputs, s.targets) for s in found} == expected
            by_split = Counter(s.split for s in found)
            counted = found.counts().to_pylist()
            totals = Counter()
            for row in counted:
                totals[row["split"]] += row["samples"]
            assert totals == by_split


def test_a_split_never_reaches_into_another(tmp_path):
    frames = [frame("era5", 6 * i, split="train" if i < 5 else "test") for i in range(10)]
    with opened(tmp_path, frames) as manifest:
        train, test = (samples_of(manifest, split=split) for split in ("train", "test"))
        assert len(samples_of(manifest)) == len(train) + len(test) == 6
        assert max(s.targets[-1].valid_time for s in train) == START + 24 * HOUR
        assert min(s.inputs[0].valid_time for s in test) == START + 30 * HOUR


def test_history_and_targets_share_the_run_of_a_forecast(tmp_path):
    frames = [frame("forecast", init, lead) for init in (0, 12) for lead in (0, 6, 12)]
    with opened(tmp_path, frames) as manifest:
        found = samples_of(manifest)
        assert [s.inputs[0].init_time for s in found] == [START, START + 12 * HOUR]
        assert all(k.init_time == s.inputs[0].init_time for s in found for k in s.targets)


def test_air_pollution_is_spaced_by_twelve_hours(tmp_path):
    frames = [frame("cams", 6 * i, variables=POLLUTION) for i in range(8)]
    with opened(tmp_path, frames) as manifest:
        found = samples_of(manifest)
        assert len(found) == 4
        first = found[0]
        assert [k.init_time for k in (*first.inputs, *first.targets)] == [
            START + 12 * i * HOUR for i in range(3)
        ]


def test_frames_with_other_fields_do_not_mix(tmp_path):
    frames = [frame("era5", 6 * i) for i in range(3)]
    frames += [frame("era5", 6 * i, variables=("surface/msl",)) for i in range(3, 7)]
    frames += [frame("era5", 6 * i, levels=(500,)) for i in range(7, 10)]
    with opened(tmp_path, frames) as manifest:
        assert len(samples_of(manifest)) == 1 + 2 + 1


def test_an_empty_manifest_has_no_samples(tmp_path):
    with opened(tmp_path, []) as manifest:
        found = samples_of(manifest)
        assert len(found) == 0
        assert list(found) == []
        assert found.counts().num_rows == 0
        assert found.order(1).tolist() == []


@pytest.fixture
def mixed(tmp_path):
    """100 samples of one source and 20 of another."""
    frames = [frame("era5", 6 * i) for i in range(102)] + [frame("hres", 6 * i) for i in range(22)]
    with opened(tmp_path, frames) as manifest:
        yield samples_of(manifest)


def test_an_epoch_has_every_sample_once_in_an_order_of_its_own(mixed):
    order = mixed.order(7)
    assert sorted(order) == list(range(120))
    assert (order == mixed.order(7)).all()
    assert (order != mixed.order(8)).any()
    assert (order != mixed.order(7, epoch=1)).any()
    assert (order != np.arange(120)).any()


def test_blocks_keep_neighbours_together(mixed):
    order = mixed.order(7, block=8)
    assert sorted(order) == list(range(120))
    groups = order.reshape(-1, 8)
    assert all(group.max() - group.min() == 7 for group in groups)
    assert any((np.diff(group) != 1).any() for group in groups)


def test_blocks_of_hourly_samples_share_frames(tmp_path):
    frames = [frame("era5", hour) for hour in range(60)]
    with opened(tmp_path, frames) as manifest:
        found = samples_of(manifest)
    order = found.order(1, block=8)
    assert sorted(order) == list(range(48))
    read = [len(np.unique(found.positions[group])) for group in order.reshape(-1, 8)]
    assert read == [10] * 6


@pytest.mark.parametrize("block", [1, 8])
def test_weights_mix_the_sources(mixed, block):
    order = mixed.order(7, weights={"era5": 1, "hres": 1}, block=block)
    assert len(order) == 120
    names, codes = mixed.groups
    assert names == [("era5", "0.25"), ("hres", "0.25")]
    share = (codes[order] == 1).mean()
    assert 0.3 < share < 0.7
    assert (order == mixed.order(7, weights={"era5": 1, "hres": 1}, block=block)).all()
    own = order[codes[order] == 0]
    assert len(set(own.tolist())) == len(own)


def test_a_small_source_comes_around_evenly(mixed):
    order = mixed.order(3, weights={"hres": 1})
    assert set(Counter(order.tolist()).values()) == {6}


@pytest.mark.parametrize("weights", [{}, {"cams": 1}, {"era5": -1}, {"era5": 0}])
def test_weights_that_do_not_fit_are_refused(mixed, weights):
    with pytest.raises(ManifestError, match="weight"):
        mixed.order(1, weights=weights)


@pytest.mark.parametrize(
    "wrong",
    [{"history": 0}, {"rollout": -1}, {"lead": timedelta(0)}, {"history_step": HOUR / 2}],
)
def test_a_window_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ManifestError, match="Window"):
        Window(**wrong)


def test_samples_index_and_slice_like_a_sequence(mixed):
    assert mixed[-1] == mixed[119]
    assert mixed[10:12] == (mixed[10], mixed[11])
    assert mixed[0].inputs == (FrameKey("era5", START), FrameKey("era5", START + 6 * HOUR))
    assert mixed.table().num_rows == 120


def test_hourly_decades_are_quick(tmp_path):
    frames = [frame("era5", hour) for hour in range(20_000)]
    with opened(tmp_path, frames) as manifest:
        assert len(samples_of(manifest)) == 20_000 - 12
