"""Requests to the Atmosphere Data Store: ranges of dates, lead times, kinds together."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from aurora_prep import sources
from aurora_prep.providers.planner import plan_requests
from aurora_prep.sources.spec import HOUR, Cds, SpecError, Timeline

ANALYSIS = sources.load("cams_analysis")
FORECAST = sources.load("cams_forecast")
EAC4 = sources.load("cams_reanalysis")


def plan(source, start, end, hours, paths=None, **options):
    usual = [n for n in source.delivered(source.access("ads")) if not n.optional]
    paths = paths or [native.variable.path for native in usual]
    levels = options.pop("levels", source.levels)
    access = options.pop("access", source.access("ads"))
    timeline = Timeline(start, end, timedelta(hours=hours))
    return list(plan_requests(source, access, timeline, paths, levels, **options))


def test_an_analysis_is_the_start_of_the_forecasts():
    (request,) = plan(ANALYSIS, datetime(2021, 1, 1), datetime(2021, 1, 31, 12), 12)
    assert request.dataset == "cams-global-atmospheric-composition-forecasts"
    assert request.access == "ads"
    body = dict(request.body)
    names = body.pop("variable")
    assert (names[0], names[-1], len(names)) == ("2m_temperature", "sulphur_dioxide", 22)
    assert body == {
        "type": ["forecast"],
        "pressure_level": [str(level) for level in ANALYSIS.levels],
        "date": ["2021-01-01/2021-01-31"],
        "time": ["00:00", "12:00"],
        "leadtime_hour": ["0"],
        "data_format": "grib",
    }
    assert len(request.times) == 62
    assert len(request.fields) == 12 + 10 * 13
    assert request.lead_times == (timedelta(0),)


def test_netcdf_has_the_store_s_own_name():
    (request,) = plan(
        ANALYSIS, datetime(2021, 1, 1), datetime(2021, 1, 1), 12, data_format="netcdf"
    )
    assert request.body["data_format"] == "netcdf_zip"
    assert request.body["date"] == ["2021-01-01/2021-01-01"]
    assert "download_format" not in request.body


def test_days_with_gaps_are_several_ranges():
    (request,) = plan(EAC4, datetime(2021, 1, 1), datetime(2021, 1, 7), 72, ["surface/pm1"])
    assert request.body["date"] == [
        "2021-01-01/2021-01-01",
        "2021-01-04/2021-01-04",
        "2021-01-07/2021-01-07",
    ]
    assert "pressure_level" not in request.body
    assert "leadtime_hour" not in request.body


def test_lead_times_are_asked_together_until_there_are_too_many():
    leads = tuple(lead * HOUR for lead in (0, 3, 6, 9))
    start = datetime(2021, 1, 1)
    (whole,) = plan(FORECAST, start, start, 12, lead_times=leads)
    assert whole.body["leadtime_hour"] == ["0", "3", "6", "9"]
    assert whole.lead_times == leads

    small = Cds((replace(FORECAST.access("ads").collections[0], max_fields=300),), name="ads")
    parts = plan(FORECAST, start, start + 12 * HOUR, 12, lead_times=leads, access=small)
    groups = sorted(tuple(part.body["leadtime_hour"]) for part in parts)
    assert groups == [("0", "3"), ("0", "3"), ("6", "9"), ("6", "9")]
    asked = {
        (time, lead, field) for p in parts for time in p.times for lead in p.lead_times
        for field in p.fields
    }  # fmt: skip
    assert len(asked) == 2 * 4 * 142


def test_a_small_store_asks_levels_apart_and_nothing_twice():
    small = Cds((replace(EAC4.access("ads").collections[0], max_fields=50),), name="ads")
    parts = plan(EAC4, datetime(2021, 1, 1), datetime(2021, 1, 1, 3), 3, access=small)
    asked = [(time, field) for part in parts for time in part.times for field in part.fields]
    assert len(asked) == len(set(asked)) == 2 * 142
    assert max(len(part.times) * len(part.fields) for part in parts) <= 50
    for part in parts:
        paths = {path for path, _ in part.fields}
        deep = {path for path in paths if path.startswith("atmospheric/")}
        assert ("pressure_level" in part.body) == bool(deep)


def test_lead_times_of_a_store_without_them_are_refused():
    with pytest.raises(SpecError, match="no lead times"):
        plan(EAC4, datetime(2021, 1, 1), datetime(2021, 1, 1), 3, lead_times=(0 * HOUR, 3 * HOUR))
