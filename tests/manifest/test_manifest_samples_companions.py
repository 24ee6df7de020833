"""Companions: samples of one source that are complete in others too."""

import tempfile
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_prep.manifest.ledger.records import Status
from aurora_prep.manifest.samples import Window, samples_of
from aurora_prep.sources.spec import HOUR, FrameKey, ManifestError

from .test_manifest_samples import POLLUTION, START, brute_force, frame, opened

WAVES, WEATHER, AIR = ("surface/swh",), ("surface/2t", "atmospheric/t"), ("surface/co2",)


def wave(hour, **others):
    return frame("wave", hour, variables=WAVES, **others)


def weather(hour, **others):
    return frame("weather", hour, **{"variables": WEATHER, "levels": (500, 850), **others})


def joined(manifest, window=None, names=("weather",), **others):
    return samples_of(manifest, window, source="wave", companions=names, **others)


def brute_force_joined(frames, window, companions) -> set:
    """Samples of waves whose every frame stands in one group of each companion."""
    own = [f for f in frames if f.source == "wave"]
    splits = {(f.key, f.grid): f.split for f in own}
    found = set()
    for grid, inputs, targets in brute_force(own, window):
        keys = (*inputs, *targets)
        split = splits[keys[0], grid]
        beside = []
        for name in companions:
            groups = {}
            for f in frames:
                if f.source == name and f.status is Status.WRITTEN:
                    same = f.grid == grid and f.split == split and f.member == keys[0].member
                    if same:
                        group = (f.lead_time, f.variables, f.levels)
                        groups.setdefault(group, {})[f.key.valid_time] = f.key
            whole = [
                tuple(times[k.valid_time] for k in keys)
                for times in groups.values()
                if all(k.valid_time in times for k in keys)
            ]
            if not whole:
                break
            beside.append(whole)
        else:
            found.add((grid, inputs, targets))
    return found


@st.composite
def datasets(draw):
    """Waves and two companions with gaps, splits, members, grids and changing fields."""
    hours = st.integers(0, 12).map(lambda i: 6 * i)
    places = st.tuples(hours, st.sampled_from(["0.25", "0.1"]), st.sampled_from([None, 0, 1]))
    cut = draw(st.integers(0, 13)) * 6
    frames = []
    for source, variables in (("wave", WAVES), ("weather", WEATHER), ("air", AIR)):
        for hour, grid, member in sorted(
            draw(st.sets(places, min_size=60)),
            key=lambda place: (place[0], place[1], str(place[2])),
        ):
            lead = draw(st.sampled_from([0, 0, 0, 6])) if source == "weather" else 0
            late = draw(st.integers(0, 9)) == 0
            frames.append(
                frame(
                    source,
                    hour - lead,
                    lead,
                    grid=grid,
                    member=member,
                    variables=variables,
                    levels=(500, 850) if source == "weather" and not late else (),
                    split="train" if hour < cut else "test",
                )
            )
    return frames


@settings(max_examples=15, deadline=None)
@given(frames=datasets(), companions=st.sampled_from([("weather",), ("air", "weather")]))
def test_samples_beside_companions_are_those_brute_force_finds(frames, companions):
    with tempfile.TemporaryDirectory() as folder, opened(folder, frames) as manifest:
        for window in (Window(), Window(history=1), Window(rollout=3, lead=12 * HOUR)):
            found = joined(manifest, window, companions)
            expected = brute_force_joined(frames, window, companions)
            assert {(s.grid, s.inputs, s.targets) for s in found} == expected
            assert len(found) == len(expected) == sum(found.counts()["samples"].to_pylist())
            for sample in found:
                own = (*sample.inputs, *sample.targets)
                assert [keys[0].source for keys in sample.companions] == list(companions)
                for keys in sample.companions:
                    assert [k.valid_time for k in keys] == [k.valid_time for k in own]
                    assert {k.member for k in keys} == {own[0].member}


def test_a_companion_s_frame_names_itself(tmp_path):
    with opened(tmp_path, [f(6 * i) for i in range(3) for f in (wave, weather)]) as manifest:
        (sample,) = joined(manifest)
        assert [k.source for k in sample.inputs] == ["wave", "wave"]
        times = [START + 6 * i * HOUR for i in range(3)]
        assert sample.companions == (tuple(FrameKey("weather", time) for time in times),)
        assert len(samples_of(manifest, source="wave")) == 1
        assert len(samples_of(manifest)) == 2


def test_a_split_of_a_companion_does_not_leak(tmp_path):
    frames = [wave(6 * i, split="train") for i in range(6)]
    frames += [weather(6 * i, split="train" if i != 3 else "test") for i in range(6)]
    with opened(tmp_path, frames) as manifest:
        assert len(samples_of(manifest, source="wave")) == 4
        assert [s.inputs[0].init_time for s in joined(manifest)] == [START]
        assert len(joined(manifest, split="train")) == 1


def test_missing_and_rejected_frames_of_a_companion_do_not_count(tmp_path):
    frames = [wave(6 * i) for i in range(6)]
    status = [Status.WRITTEN, Status.WRITTEN, Status.WRITTEN, Status.MISSING, Status.REJECTED]
    frames += [
        weather(6 * i, status=s, reason=None if s is Status.WRITTEN else "gone")
        for i, s in enumerate(status)
    ]
    with opened(tmp_path, frames) as manifest:
        assert len(joined(manifest)) == 1


def test_forecasts_stand_beside_forecasts_of_the_same_run(tmp_path):
    frames = [
        frame(source, init, lead, variables=variables)
        for init in (0, 12)
        for lead in range(0, 25, 6)
        for source, variables in (("wave_forecast", WAVES), ("forecast", WEATHER))
        if (source, init, lead) != ("forecast", 12, 6)
    ]
    frames += [weather(6 * i) for i in range(8)]
    with opened(tmp_path, frames) as manifest:
        found = samples_of(manifest, source="wave_forecast", companions=["forecast"])
        assert len(found) == 3 + 1
        for sample in found:
            (beside,) = sample.companions
            assert [(k.init_time, k.lead_time) for k in beside] == [
                (k.init_time, k.lead_time) for k in (*sample.inputs, *sample.targets)
            ]
        assert not samples_of(manifest, source="wave_forecast", companions=["weather"])


def test_an_analysis_never_stands_beside_a_forecast(tmp_path):
    frames = [wave(6 * i) for i in range(3)]
    frames += [frame("forecast", 0, 6 * i, variables=WEATHER) for i in range(3)]
    with opened(tmp_path, frames) as manifest:
        assert not joined(manifest, names=["forecast"])


def test_air_pollution_in_a_companion_spaces_by_twelve_hours(tmp_path):
    frames = [wave(6 * i) for i in range(5)]
    frames += [frame("air", 6 * i, variables=POLLUTION) for i in range(5)]
    with opened(tmp_path, frames) as manifest:
        (sample,) = joined(manifest, names=["air"])
        assert sample.inputs[1].init_time - sample.inputs[0].init_time == timedelta(hours=12)


def test_one_variable_in_two_sources_is_refused(tmp_path):
    frames = [wave(0), weather(0), frame("other", 0, variables=("atmospheric/t",))]
    with opened(tmp_path, frames) as manifest:
        with pytest.raises(ManifestError, match="atmospheric/t"):
            joined(manifest, names=["weather", "other"])
        with pytest.raises(ManifestError, match="same variable"):
            samples_of(manifest, source="weather", companions=["other"])


@pytest.mark.parametrize(
    ("source", "companions"),
    [(None, ["weather"]), ("wave", ["wave"]), ("wave", ["weather", "weather"])],
)
def test_companions_need_one_source_and_come_once(tmp_path, source, companions):
    with opened(tmp_path, [wave(0), weather(0)]) as manifest, pytest.raises(ManifestError):
        samples_of(manifest, source=source, companions=companions)


def test_an_unknown_companion_is_named(tmp_path):
    with opened(tmp_path, [wave(0)]) as manifest, pytest.raises(ManifestError, match="nowhere"):
        joined(manifest, names=["nowhere"])


def test_frames_of_a_sample_are_of_one_member(tmp_path):
    frames = [
        frame("ens_forecast", 0, lead, member=member)
        for lead in (0, 6, 12)
        for member in (1, 2, 3)
        if (lead, member) != (6, 2)
    ]
    with opened(tmp_path, frames) as manifest:
        found = samples_of(manifest)
        assert [{k.member for k in (*s.inputs, *s.targets)} for s in found] == [{1}, {3}]


def test_samples_of_other_fields_are_of_another_kind(tmp_path):
    frames = [wave(6 * i) for i in range(6)]
    frames += [weather(6 * i, levels=(500, 850) if i < 3 else (500,)) for i in range(6)]
    with opened(tmp_path, frames) as manifest:
        found = joined(manifest)
        assert len(found) == 2
        assert len(set(found.kinds.tolist())) == 2
        assert len(set(samples_of(manifest, source="wave").kinds.tolist())) == 1
