"""Requests to ECMWF's archive: its own words, its own groups, and exactly what is planned."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_prep import sources
from aurora_prep.providers.planner import plan_requests
from aurora_prep.sources.spec import HOUR, Kind, Levels, Mars, SpecError, Timeline

NAMES = [
    name
    for name in sources.names()
    if any(isinstance(access, Mars) for access in sources.load(name).accesses)
]
T0, ANALYSIS, FORECAST, WAVE = map(
    sources.load, ("hres_t0", "hres_analysis", "hres_forecast", "wave")
)


def delivered(source):
    natives = source.delivered(source.access("mars"))
    return [native.variable.path for native in natives if not native.optional]


def plan(source, start, end=None, *, levels=None, paths=None, **options):
    """Everything the archive has of a source, or what is named."""
    timeline = Timeline(start, end or start, source.cadence)
    levels = source.levels if levels is None else levels
    wanted = paths or delivered(source)
    return list(plan_requests(source, source.access("mars"), timeline, wanted, levels, **options))


def test_four_sources_have_the_archive():
    assert set(NAMES) == {"hres_analysis", "hres_forecast", "hres_t0", "wave"}


def test_the_archive_is_asked_in_its_own_words():
    start = datetime(2020, 2, 28, 18)
    requests = plan(T0, start, datetime(2020, 2, 29, 18), levels=Levels((500, 850)))
    deep = [r for r in requests if r.body["levtype"] == "pl"]
    assert deep[0].body == {
        "class": "od",
        "stream": "scda",
        "expver": "1",
        "type": "fc",
        "grid": "0.25/0.25",
        "area": "90/0/-90/359.75",
        "levtype": "pl",
        "levelist": "500/850",
        "param": "129.128/131.128/132.128/130.128/133.128",
        "date": "2020-02-28",
        "time": "18",
        "step": "0",
        "expect": "any",
    }
    assert deep[0].times == (start,)
    assert deep[0].access == "mars"
    assert deep[0].dataset == "od/scda/fc"


def test_step_0_at_06_and_18_lies_in_another_stream():
    requests = plan(T0, datetime(2020, 3, 1), datetime(2020, 3, 31, 18))
    hours = {"oper": {0, 12}, "scda": {6, 18}}
    for request in requests:
        assert {time.hour for time in request.times} <= hours[request.body["stream"]]
    assert {request.body["time"] for request in requests} == {"00/12", "06/18"}
    surface = [r for r in requests if r.body["levtype"] == "sfc"]
    assert [(r.body["date"], len(r.times)) for r in surface] == [
        ("2020-03-01/to/2020-03-31", 62)
    ] * 2


def test_the_streams_of_06_and_18_end_with_cycle_50r1():
    """No request names scda from 2026-05-12 06 UTC on; every time is asked once."""
    requests = plan(T0, datetime(2026, 5, 1), datetime(2026, 6, 30, 18), paths=["surface/2t"])
    asked = {r.body["stream"] + " " + r.body["date"]: r.body["time"] for r in requests}
    assert asked == {
        "oper 2026-05-01/to/2026-05-11": "00/12",
        "scda 2026-05-01/to/2026-05-11": "06/18",
        "oper 2026-05-12/to/2026-05-31": "00/06/12/18",
        "oper 2026-06-01/to/2026-06-30": "00/06/12/18",
    }
    times = [time for request in requests for time in request.times]
    assert len(times) == len(set(times)) == 61 * 4
    assert {r.body["stream"] for r in plan(WAVE, datetime(2026, 5, 1), datetime(2026, 5, 31))} == {
        "wave"
    }


def test_requests_of_before_cycle_50r1_are_what_they_were():
    """Answers in caches stay good: digests as of 2026-11, before branches had ends."""
    requests = plan(T0, datetime(2020, 3, 1), datetime(2020, 3, 2, 18), paths=["surface/2t"])
    assert [request.digest[:16] for request in requests] == [
        "e97ddcf8028c93ee",
        "bc058f3a942ac7cf",
    ]


def test_waves_come_a_month_at_once_by_numbers_of_table_140():
    (request,) = plan(
        WAVE,
        datetime(2020, 2, 1),
        datetime(2020, 2, 29, 18),
        paths=[path for path in delivered(WAVE) if path.startswith("surface/")],
    )
    assert request.body["stream"] == "wave"
    assert request.body["type"] == "an"
    assert request.body["domain"] == "g"
    numbers = request.body["param"].split("/")
    assert len(numbers) == len(set(numbers)) == 18
    assert {number.partition(".")[2] for number in numbers} == {"140"}
    assert {"229.140", "249.140", "121.140"} <= set(numbers)
    assert request.body["date"] == "2020-02-01/to/2020-02-29"
    assert "step" not in request.body
    assert "levelist" not in request.body


def test_the_analysis_is_asked_on_its_own_grid_static_fields_once():
    requests = plan(ANALYSIS, datetime(2020, 1, 1), datetime(2020, 1, 2, 18))
    static, *moving = requests
    assert static.body["param"] == "129.128/172.128/43.128"
    assert static.times == (datetime(2020, 1, 1),)
    assert all(path.startswith("static/") for path, _ in static.fields)
    assert not any(path.startswith("static/") for r in moving for path, _ in r.fields)
    assert {request.body["grid"] for request in requests} == {"O1280"}
    assert all("area" not in request.body for request in requests)


def test_days_with_a_gap_are_named_one_by_one():
    step = timedelta(hours=60)
    timeline = Timeline(datetime(2020, 1, 1), datetime(2020, 1, 21), step)
    requests = plan_requests(
        ANALYSIS, ANALYSIS.access("mars"), timeline, ["surface/2t"], ANALYSIS.levels
    )
    assert [r.body["date"] for r in requests] == [
        "2020-01-01/2020-01-06/2020-01-11/2020-01-16/2020-01-21",
        "2020-01-03/2020-01-08/2020-01-13/2020-01-18",
    ]


def test_a_forecast_is_cut_by_steps():
    requests = plan(FORECAST, datetime(2020, 1, 1, 12), lead_times=FORECAST.lead_times)
    deep = [r for r in requests if r.body["levtype"] == "pl"]
    steps = [step for r in deep for step in r.body["step"].split("/")]
    assert sorted(map(int, steps)) == list(range(0, 241, 6))
    assert max(len(r.lead_times) * len(r.fields) * len(r.times) for r in requests) <= 1_400


TIMES = st.integers(0, 4 * 365).map(lambda number: datetime(2019, 1, 1) + 6 * number * HOUR)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(NAMES), TIMES, st.integers(0, 90), st.integers(1, 3), st.integers(1, 3))
def test_products_add_up_to_the_plan(name, start, count, stride, leads):
    """Every field once, at every time; nothing else; no branch asked for hours it lacks."""
    source = sources.load(name)
    step = stride * source.cadence
    start = start.replace(hour=start.hour - start.hour % (source.cadence // HOUR))
    timeline = Timeline(start, start + count * step, step)
    wanted_leads = source.lead_times[:leads]
    paths = delivered(source)
    requests = list(
        plan_requests(
            source, source.access("mars"), timeline, paths, source.levels, lead_times=wanted_leads
        )
    )
    asked = Counter(
        (time, lead, field)
        for request in requests
        for time, lead, field in product(request.times, request.lead_times, request.fields)
        if not field[0].startswith(f"{Kind.STATIC}/")
    )
    fields = [
        (native.variable.path, level)
        for native in source.delivered(source.access("mars"))
        if native.variable.kind is not Kind.STATIC and not native.optional
        for level in (source.levels if native.variable.has_levels else (None,))
    ]
    assert asked == Counter(product(timeline, wanted_leads, fields))
    assert len({request.digest for request in requests}) == len(requests)
    for request in requests:
        assert len({(time.year, time.month) for time in request.times}) == 1
        numbers = request.body["param"].split("/")
        levels = request.body.get("levelist", "1").split("/")
        assert len(numbers) * len(levels) == len(request.fields)


@pytest.mark.parametrize(
    ("source", "start", "options", "problem"),
    [
        (T0, datetime(2020, 1, 1), {"data_format": "netcdf"}, "delivers GRIB"),
        (FORECAST, datetime(2020, 1, 1, 6), {}, "holds these hours"),
        (WAVE, datetime(2020, 1, 1), {"lead_times": (0 * HOUR, 6 * HOUR)}, "no lead times"),
        (T0, datetime(2020, 1, 1), {"levels": Levels(())}, "without levels"),
    ],
)
def test_what_the_archive_cannot_have_is_refused_at_once(source, start, options, problem):
    with pytest.raises(SpecError, match=problem):
        plan(source, start, **options)
