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
    """Surface variables and levels in requests of their own: a store multiplies its lists."""
    surface, air = plan(ANALYSIS, datetime(2021, 1, 1), datetime(2021, 1, 31, 12), 12)
    common = {
        "type": ["forecast"],
        "date": ["2021-01-01/2021-01-31"],
        "time": ["00:00", "12:00"],
        "leadtime_hour": ["0"],
        "data_format": "grib",
    }
    for request, names in (
        (surface, ("2m_temperature", "total_column_sulphur_dioxide", 12)),
        (air, ("geopotential", "sulphur_dioxide", 10)),
    ):
        assert request.dataset == "cams-global-atmospheric-composition-forecasts"
        assert request.access == "ads"
        body = dict(request.body)
        asked = body.pop("variable")
        levels = body.pop("pressure_level", None)
        assert levels == (None if request is surface else [str(x) for x in ANALYSIS.levels])
        assert (asked[0], asked[-1], len(asked)) == names
        assert body == common
        assert len(request.times) == 62
        assert request.lead_times == (timedelta(0),)
    assert (len(surface.fields), len(air.fields)) == (12, 10 * 13)


def test_netcdf_has_the_store_s_own_name():
    requests = plan(ANALYSIS, datetime(2021, 1, 1), datetime(2021, 1, 1), 12, data_format="netcdf")
    assert len(requests) == 2
    for request in requests:
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
    for whole in plan(FORECAST, start, start, 12, lead_times=leads):
        assert whole.body["leadtime_hour"] == ["0", "3", "6", "9"]
        assert whole.lead_times == leads

    small = Cds((replace(FORECAST.access("ads").collections[0], max_fields=300),), name="ads")
    parts = plan(FORECAST, start, start + 12 * HOUR, 12, lead_times=leads, access=small)
    groups = sorted(tuple(part.body["leadtime_hour"]) for part in parts)
    assert groups == [("0", "3"), ("0", "3"), ("0", "3", "6", "9"), ("6", "9"), ("6", "9")]
    asked = {
        (time, lead, field) for p in parts for time in p.times for lead in p.lead_times
        for field in p.fields
    }  # fmt: skip
    assert len(asked) == 2 * 4 * 142


def test_a_month_of_forecasts_is_cut_under_the_limit_of_the_store():
    """Forty-one lead times: by the product of its lists one init time alone would cost 11,726."""
    leads = FORECAST.lead_times
    parts = plan(FORECAST, datetime(2021, 1, 1), datetime(2021, 1, 31, 12), 12, lead_times=leads)
    surface = [part for part in parts if "pressure_level" not in part.body]
    air = [part for part in parts if "pressure_level" in part.body]
    assert {len(part.times) * 12 * 41 for part in surface} <= set(range(10_000))
    assert len(air) == 62
    assert {len(part.times) * 10 * 13 * 41 for part in air} == {5330}


def test_a_weight_of_netcdf_makes_requests_smaller():
    heavy = replace(EAC4.access("ads").collections[0], netcdf_weight=6, cost_limit=3_000)
    access = Cds((heavy,), name="ads")
    start, end = datetime(2021, 1, 1), datetime(2021, 1, 31, 21)
    for data_format, most in (("grib", 3_000), ("netcdf", 500)):
        parts = plan(EAC4, start, end, 3, access=access, data_format=data_format)
        sizes = [len(part.times) * len(part.fields) for part in parts]
        assert max(sizes) <= most
        assert sum(sizes) == 31 * 8 * 142


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
