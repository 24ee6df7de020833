"""Estimates: products of a plan's own numbers."""

import pytest

from aurora_prep.pipelines.estimate import Rates, estimate, rows
from aurora_prep.pipelines.plan import Plan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.sources.spec import HOUR


def test_a_source_is_counted(make_source_plan):
    plan = make_source_plan()  # 5 frames of 2t and t at two levels on 7 x 12, 2 in a shard
    rates = Rates(decode=1.0, regrid=0.5, reduce_and_write=0.25, dollars_per_core_hour=2.0)
    found = estimate(plan, synthetic=False, present=3, rates=rates)
    assert (found.source, found.grid, found.access) == ("era5", "30", "cds")
    assert (found.frames, found.fields, found.shards, found.objects) == (5, 15, 3, 6)
    # The first day has four hours and the second one: two products for each collection.
    assert found.requests == len(list(plan.requests(synthetic=False))) == 4
    assert found.present == 3
    assert found.download_bytes == 15 * 721 * 1440 * 2
    assert found.output_bytes == int(15 * 7 * 12 * 4 / 1.85)
    seconds = 15 * (721 * 1440 * 1.0 + 7 * 12 * (0.5 + 0.25)) / 1e6
    assert found.core_hours == pytest.approx(seconds / 3600, abs=6e-4)
    assert found.dollars == pytest.approx(2 * seconds / 3600, abs=5e-3)


def test_a_forecast_counts_shards_for_each_start(make_source_plan, forecast):
    plan = make_source_plan(forecast, lead_times=tuple(i * 6 * HOUR for i in range(3)))
    found = estimate(plan, synthetic=False, present=0)
    assert (found.frames, found.shards, found.requests) == (15, 10, 0)


def test_static_fields_are_objects_of_their_own(make_source_plan):
    plan = make_source_plan(paths=("surface/2t", "static/lsm", "static/z"), has_static=True)
    assert estimate(plan, synthetic=False, present=0).objects == 3 + 2


def test_nothing_is_regridded_onto_its_own_grid(make_source_plan):
    free = Rates(decode=0.0, reduce_and_write=0.0, regrid=3600.0)
    native = make_source_plan(step="0.25")
    assert estimate(native, synthetic=False, present=0, rates=free).core_hours == 0
    other = make_source_plan(step="0.4")
    assert estimate(other, synthetic=False, present=0, rates=free).core_hours == pytest.approx(
        15 * 451 * 900 / 1e6, abs=6e-4
    )


def test_rows_add_up(make_source_plan):
    entry = {"source": "era5", "grid": "1", "period": {"start": "2020-01-01", "end": "2020-01-01"}}
    recipe = Recipe.parse({"name": "n", "output": "o", "sources": [entry]})
    plan = Plan(recipe, (make_source_plan(), make_source_plan(step="10", times=3)))
    estimates = [estimate(e, synthetic=False, present=1) for e in plan.sources]
    found = rows(plan, estimates)
    assert [row["grid"] for row in found["sources"]] == ["30", "10"]
    assert found["sources"][0]["first"] == "2020-01-01T00:00:00"
    assert found["sources"][0]["last"] == "2020-01-02T00:00:00"
    assert found["sources"][0]["levels"] == [500, 850]
    totals = found["totals"]
    assert (totals["frames"], totals["fields"], totals["present"]) == (8, 24, 2)
    assert "source" not in totals
    assert totals["download_bytes"] == 24 * 721 * 1440 * 2
