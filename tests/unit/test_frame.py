"""Frame keys and periods."""

from datetime import UTC, datetime, timedelta

import pytest

from aurora_prep.sources.spec import HOUR, FrameKey, SpecError, Timeline, moment_text

NEW_YEAR = datetime(2020, 1, 1)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (FrameKey("era5", NEW_YEAR), "era5/2020-01-01T00+000h"),
        (FrameKey("hres", NEW_YEAR, 6 * HOUR), "hres/2020-01-01T00+006h"),
        (FrameKey("hres", NEW_YEAR, 1000 * HOUR), "hres/2020-01-01T00+1000h"),
        (FrameKey("ens", NEW_YEAR, 240 * HOUR, 7), "ens/2020-01-01T00+240h#07"),
        (FrameKey("ens", NEW_YEAR, 0 * HOUR, 100), "ens/2020-01-01T00+000h#100"),
    ],
)
def test_the_text_form_goes_there_and_back(key, text):
    assert str(key) == text
    assert FrameKey.parse(text) == key


@pytest.mark.parametrize(
    ("key", "shard"),
    [
        (FrameKey("era5", datetime(2020, 2, 29, 18), 240 * HOUR), "20200229T18+240h"),
        (FrameKey("hres", NEW_YEAR, 1000 * HOUR), "20200101T00+1000h"),
        (FrameKey("ens", NEW_YEAR, 6 * HOUR, 7), "20200101T00+006h-m07"),
        (FrameKey("ens", NEW_YEAR, 6 * HOUR, 100), "20200101T00+006h-m100"),
    ],
)
def test_the_name_of_a_shard_goes_there_and_back(key, shard):
    assert key.shard_name == shard
    assert FrameKey.first_of_shard(key.source, shard) == key


@pytest.mark.parametrize(
    "shard",
    [
        "", "static", "20200101T00", "20200101T00+0h", "20200101T00+000h-m7", "20201301T00+000h",
        "20210229T00+000h", "2020-01-01T00+000h", "20200101T00+000h ", f"20200101T00+{'9' * 30}h",
    ],
)  # fmt: skip
def test_any_other_text_names_no_first_frame(shard):
    assert FrameKey.first_of_shard("era5", shard) is None


def test_a_moment_is_a_frame_without_its_source():
    for key in (FrameKey("era5", NEW_YEAR), FrameKey("ens", NEW_YEAR, 6 * HOUR, 7)):
        moment = moment_text(key.init_time, key.lead_time, key.member)
        assert str(key) == f"{key.source}/{moment}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "era5",
        "era5/2020-01-01",
        "era5/2020-01-01T00",
        "era5/2020-01-01T00+0h",
        "era5/2020-01-01T00+000",
        "era5/2020-01-01T00:00+000h",
        "era5/2020-01-01T00+000h#",
        "era5/2020-01-01T00+000h ",
        "/2020-01-01T00+000h",
        "era5/2020-13-01T00+000h",
        "era5/2021-02-29T00+000h",
        "era5/2020-01-01T24+000h",
        f"era5/2020-01-01T00+{'9' * 30}h",
    ],
)
def test_what_is_no_frame_key_is_refused(text):
    with pytest.raises(SpecError) as raised:
        FrameKey.parse(text)
    assert repr(text) in raised.value.args[2]


@pytest.mark.parametrize(
    ("init_time", "lead_time"),
    [
        (datetime(2020, 1, 1, 0, 30), 0 * HOUR),
        (datetime(2020, 1, 1, 0, 0, 1), 0 * HOUR),
        (datetime(2020, 1, 1, tzinfo=UTC), 0 * HOUR),
        (NEW_YEAR, -1 * HOUR),
        (NEW_YEAR, timedelta(minutes=90)),
    ],
)
def test_a_key_that_cannot_be_is_refused(init_time, lead_time):
    with pytest.raises(SpecError):
        FrameKey("era5", init_time, lead_time)


def test_valid_time_is_derived():
    assert FrameKey("hres", NEW_YEAR, 30 * HOUR).valid_time == datetime(2020, 1, 2, 6)


def test_keys_sort_by_source_then_time():
    keys = [
        FrameKey("hres", NEW_YEAR, 6 * HOUR),
        FrameKey("hres", NEW_YEAR),
        FrameKey("era5", NEW_YEAR + HOUR),
    ]
    assert sorted(keys) == keys[::-1]


def test_both_ends_of_a_period_count():
    day = Timeline(NEW_YEAR, datetime(2020, 1, 1, 18), 6 * HOUR)
    assert [time.hour for time in day] == [0, 6, 12, 18]
    assert (len(day), day[0].hour, day[-1].hour) == (4, 0, 18)
    assert day[1:3] == (datetime(2020, 1, 1, 6), datetime(2020, 1, 1, 12))
    with pytest.raises(IndexError):
        day[4]


def test_an_end_between_steps_is_not_reached():
    assert list(Timeline(NEW_YEAR, datetime(2020, 1, 1, 23), 12 * HOUR))[-1].hour == 12


def test_a_leap_day_is_there():
    days = Timeline(datetime(2020, 2, 28), datetime(2020, 3, 1), 24 * HOUR)
    assert [time.day for time in days] == [28, 29, 1]


def test_forty_two_years_of_hours():
    assert len(Timeline(datetime(1979, 1, 1), datetime(2020, 12, 31, 23), HOUR)) == 368_184


@pytest.mark.parametrize("step", [timedelta(0), -HOUR, timedelta(minutes=30), 1.5 * HOUR])
def test_a_step_is_whole_hours(step):
    with pytest.raises(SpecError):
        Timeline(NEW_YEAR, NEW_YEAR, step)


def test_an_empty_period_is_refused():
    with pytest.raises(SpecError) as raised:
        Timeline(NEW_YEAR, NEW_YEAR - HOUR, HOUR)
    assert "empty" in raised.value.args[0]
    assert len(Timeline(NEW_YEAR, NEW_YEAR, HOUR)) == 1
