"""Estimates: products of a plan's own numbers and of measured costs."""

from dataclasses import replace

import pytest

from aurora_prep import sources
from aurora_prep.pipelines.estimates.costs import Costs, family, measured_costs
from aurora_prep.pipelines.estimates.estimate import Present, estimate, rows
from aurora_prep.pipelines.estimates.load import load_of
from aurora_prep.pipelines.estimates.prices import Setting
from aurora_prep.pipelines.plan.recipe_plan import Plan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.sources.spec import HOUR, Timeline
from aurora_prep.sources.spec.catalogue import AURORA_13

SETTING = Setting.load()
FREE = Costs(
    measured={},
    decode={"grib": 0.0, "netcdf": 0.0, "zarr": 0.0},
    regrid={"regular": 0.0, "reduced": 0.0},
    statistics=0.0,
    encode=0.0,
    change=0.0,
    write=0.0,
    packed={"weather": 2.0, "composition": 3.0, "waves": 1.0},
    netcdf=1.5,
    ratio={name: {"native": 2.0, "regridded": 1.6} for name in ("weather", "composition", "waves")},
)


def seconds(plan, *, differences=(), **costs):
    return load_of(plan, replace(FREE, **costs), differences=differences).core_seconds


def test_a_source_is_counted(make_source_plan):
    plan = make_source_plan()  # 5 frames of 2t and t at two levels on 7 x 12, 2 in a shard
    found = estimate(plan, SETTING, present=Present(frames=3), costs=FREE)
    assert (found.source, found.grid, found.access) == ("era5", "30", "cds")
    assert (found.frames, found.fields, found.shards, found.objects) == (5, 15, 3, 6)
    # The first day has four hours and the second one: two products for each collection.
    assert found.requests == len(list(plan.requests(synthetic=False))) == 4
    assert found.present == 3
    assert found.download_bytes == 15 * 721 * 1440 * 2
    assert found.output_bytes == int(15 * 7 * 12 * 4 / 1.6)
    assert found.left.objects == pytest.approx((6 + 3) * 2 / 5)
    assert found.left.output_bytes == pytest.approx(15 * 7 * 12 * 4 / 1.6 * 2 / 5)


def test_every_step_costs_what_it_was_measured_to(make_source_plan):
    plan = make_source_plan()
    came, made = 15 * 721 * 1440 / 1e6, 15 * 7 * 12 / 1e6
    assert seconds(plan, decode={"grib": 2.0}) == pytest.approx(2 * came)
    assert seconds(plan, regrid={"regular": 2.0}) == pytest.approx(2 * made)
    assert seconds(plan, statistics=2.0) == pytest.approx(2 * made)
    assert seconds(plan, encode=2.0) == pytest.approx(2 * made)
    assert seconds(plan, write=2.0) == pytest.approx(2 * made * 4 / 1.6)
    assert seconds(plan, change=2.0) == 0
    assert seconds(plan, change=2.0, differences=(HOUR, 6 * HOUR)) == pytest.approx(4 * made)


def test_core_hours_have_a_price(make_source_plan):
    plan = make_source_plan()
    costs = replace(FREE, statistics=3600e6 / (15 * 7 * 12))  # one core-hour in all
    found = estimate(plan, SETTING, costs=costs)
    assert found.core_hours == pytest.approx(1)
    assert found.dollars == pytest.approx(SETTING.worker_hour / 4, abs=5e-3)


def test_a_forecast_counts_shards_for_each_start(make_source_plan, forecast):
    plan = make_source_plan(forecast, lead_times=tuple(i * 6 * HOUR for i in range(3)))
    found = estimate(plan, SETTING)
    assert (found.frames, found.shards, found.requests) == (15, 10, 0)


def test_static_fields_are_objects_of_their_own(make_source_plan):
    plan = make_source_plan(paths=("surface/2t", "static/lsm", "static/z"), has_static=True)
    found = estimate(plan, SETTING)
    assert found.objects == 3 + 2
    assert found.left.parts == 3 + 1
    assert found.left.objects == 3 + 2 + 4


def test_nothing_is_regridded_onto_its_own_grid(make_source_plan):
    native, other = make_source_plan(step="0.25"), make_source_plan(step="0.4")
    assert seconds(native, regrid={"regular": 1.0}) == 0
    assert seconds(other, regrid={"regular": 1.0}) == pytest.approx(15 * 451 * 900 / 1e6)
    stored = load_of(native, FREE).output_bytes, load_of(other, FREE).output_bytes
    assert stored == pytest.approx((15 * 721 * 1440 * 4 / 2.0, 15 * 451 * 900 * 4 / 1.6))


def test_variables_are_of_a_family():
    cams, wave = sources.load("cams_analysis"), sources.load("wave")
    families = {v.short_name: family(v) for v in (*cams.variables, *wave.variables)}
    found = {name: families[name] for name in ("2t", "t", "pm10", "go3", "swh", "mwd")}
    assert found == {
        "2t": "weather",
        "t": "weather",
        "pm10": "composition",
        "go3": "composition",
        "swh": "waves",
        "mwd": "waves",
    }


def test_the_measured_costs_are_those_of_real_files():
    costs = measured_costs()
    assert set(costs.measured) == {"date", "machine", "python", "command"}
    assert costs.packed["weather"] == pytest.approx(2, abs=0.1)
    for ratio in costs.ratio.values():
        assert 1 < ratio["regridded"] < 4
        assert 1 < ratio["native"] < 4
    assert 0 < costs.statistics < costs.decode["grib"] < 0.1
    assert costs.regrid["regular"] < costs.regrid["reduced"] < 0.1


@pytest.mark.parametrize("hours", [1, 6])
@pytest.mark.parametrize(
    ("wanted", "read"), [((500, 850), {1: 2, 6: 2}), (AURORA_13.hpa[:7], {1: 7, 6: 13})]
)
def test_a_chunk_is_read_in_part_where_that_is_less(make_source_plan, hours, wanted, read):
    """The hourly store holds 37 levels, the other one 13."""
    plan = make_source_plan(step="0.25", levels=wanted)
    recipe = replace(plan.recipe, access="zarr")
    points = 721 * 1440
    start = plan.init_times.start
    times = Timeline(start, start + 4 * hours * HOUR, hours * HOUR)
    plan = replace(plan, recipe=recipe, init_times=times)
    load = load_of(plan, FREE)
    assert load.download_bytes == pytest.approx(5 * (1 + read[hours]) * points * 2)
    assert (load.requests, load.reads, load.is_fetched) == (0, 5 * 2, False)
    fields = 5 * (1 + read[hours])
    assert seconds(plan, decode={"zarr": 1.0}) == pytest.approx(fields * points / 1e6)


def test_gaussian_fields_have_the_points_of_their_grid(make_source_plan):
    source = sources.load("hres_analysis")
    plan = make_source_plan(source, step="0.1")
    mars = replace(plan, recipe=replace(plan.recipe, access="mars"))
    came = load_of(mars, FREE).download_bytes
    assert came == pytest.approx(5 * (1 + 2) * 6_599_680 * 2)  # octahedral O1280
    assert seconds(mars, regrid={"reduced": 1.0}) == pytest.approx(15 * 1801 * 3600 / 1e6)
    http = replace(plan, recipe=replace(plan.recipe, access="http"))
    came = load_of(http, FREE).download_bytes
    assert came == pytest.approx(5 * (1 + 25) * 2560 * 5120 * 2)  # regular N1280, all levels
    assert seconds(http, decode={"grib": 1.0}) == pytest.approx(15 * 2560 * 5120 / 1e6)


def test_files_of_ones_own_are_not_downloaded(make_source_plan):
    plan = replace(make_source_plan(), files=("a.grib",))
    plan = replace(plan, recipe=replace(plan.recipe, access="files"))
    load = load_of(plan, FREE)
    assert (load.download_bytes, load.requests, load.is_fetched) == (0, 0, False)


def test_rows_add_up(make_source_plan):
    entry = {"source": "era5", "grid": "1", "period": {"start": "2020-01-01", "end": "2020-01-01"}}
    recipe = Recipe.parse({"name": "n", "output": "o", "sources": [entry]})
    plan = Plan(recipe, (make_source_plan(), make_source_plan(step="10", times=3)))
    estimates = [
        estimate(e, SETTING, present=Present(frames=1, requests=2, request_bytes=7), costs=FREE)
        for e in plan.sources
    ]
    found = rows(plan, estimates, SETTING, (1, 8))
    assert [row["grid"] for row in found["sources"]] == ["30", "10"]
    assert found["sources"][0]["first"] == "2020-01-01T00:00:00"
    assert found["sources"][0]["last"] == "2020-01-02T00:00:00"
    assert found["sources"][0]["levels"] == [500, 850]
    totals = found["totals"]
    assert (totals["frames"], totals["fields"], totals["present"]) == (8, 24, 2)
    assert (totals["cached_requests"], totals["cached_bytes"]) == (4, 14)
    assert "source" not in totals
    assert totals["download_bytes"] == 24 * 721 * 1440 * 2
    for row in (*found["sources"], totals):
        assert [times["workers"] for times in row["times"]] == [1, 8]


def test_what_is_done_or_answered_takes_no_time(make_source_plan):
    plan = make_source_plan()
    done = estimate(plan, SETTING, present=Present(frames=5))
    assert (done.left.requests, done.left.core_seconds, done.left.output_bytes) == (0, 0, 0)
    answered = estimate(plan, SETTING, present=Present(requests=4))
    assert answered.left.requests == answered.left.download_bytes == 0
    assert answered.left.core_seconds == estimate(plan, SETTING).left.core_seconds
