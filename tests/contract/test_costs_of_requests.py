"""What a store charges for a request, by its own rule, against what it allows.

The rule is read off the body that is sent, as the store reads it: the product of the lengths of
all lists. Source: ecmwf-projects/cads-adaptors, ``costing.py`` (2026-05).
"""

from calendar import monthrange
from datetime import date, datetime, timedelta
from itertools import product
from math import prod
from pathlib import Path

import pytest

from aurora_prep import sources
from aurora_prep.pipelines.plan.recipe_plan import make_plan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.providers.planner import plan_requests
from aurora_prep.sources.spec import Cds, Timeline

RECIPES = sorted((Path(sources.__file__).parents[1] / "recipes").glob("*.yaml"))
# As the stores' own answers showed them, with where: public captures of 2026-08 and 2026-09.
LIMITS = {
    "reanalysis-era5-single-levels": (121_000, 6),
    "reanalysis-era5-pressure-levels": (60_000, 6),
    "cams-global-atmospheric-composition-forecasts": (10_000, 1),
}
STORES = [
    (name, access.name)
    for name in sources.names()
    for access in sources.load(name).accesses
    if isinstance(access, Cds)
]


def product_cost(body, weight):
    """Cost of a body: days are counted as days, an area is free, all other lists multiply."""
    lists = {k: v if isinstance(v, list) else [v] for k, v in body.items() if k != "area"}
    if "date" in lists:
        ranges = [text.split("/") for text in lists.pop("date")]
        days = sum(
            (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
            for first, last in ranges
        )
    else:
        years, months, numbers = (list(map(int, lists.pop(k))) for k in ("year", "month", "day"))
        days = sum(d <= monthrange(y, m)[1] for y, m, d in product(years, months, numbers))
    heavy = str(body["data_format"]).startswith("netcdf")
    return days * prod(map(len, lists.values())) * (weight if heavy else 1)


def collection_of(access, request):
    return next(c for c in access.collections if c.dataset == request.dataset)


def check(access, request):
    collection = collection_of(access, request)
    cost = product_cost(request.body, collection.netcdf_weight)
    counted = len(request.times) * len(request.lead_times) * len(request.fields)
    form = "netcdf" if request.body["data_format"] != "grib" else "grib"
    assert cost == counted * collection.weight(form), request.body
    assert cost <= collection.limit, request.body
    return cost


@pytest.mark.parametrize(("name", "access"), STORES)
def test_declared_limits_are_those_the_stores_told(name, access):
    for collection in sources.load(name).access(access).collections:
        if collection.dataset in LIMITS:
            told = LIMITS[collection.dataset]
            assert (collection.limit, collection.netcdf_weight) == told
        else:
            assert collection.dataset == "cams-global-reanalysis-eac4"  # not known in public


@pytest.mark.parametrize(("name", "access"), STORES)
@pytest.mark.parametrize("data_format", ["grib", "netcdf"])
@pytest.mark.parametrize("levels", ["all", "one"])
def test_requests_of_every_source_cost_less_than_the_limit(name, access, data_format, levels):
    source = sources.load(name)
    store = source.access(access)
    start = source.first.replace(year=2020, month=1, day=1)
    period = Timeline(start, start + timedelta(days=70), source.cadence)
    paths = [native.variable.path for native in source.delivered(store)]
    some = source.levels if levels == "all" else type(source.levels)(source.levels.hpa[:1])
    costs = [
        check(store, request)
        for request in plan_requests(
            source, store, period, paths, some,
            lead_times=source.lead_times, data_format=data_format,
        )
    ]  # fmt: skip
    assert costs


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_request_of_every_recipe_costs_less_than_the_limit(path, tmp_path):
    """Every one of them, to the end of each period."""
    plan = make_plan(Recipe.load(path), tmp_path)
    for part in plan.sources:
        access = part.source.access(part.recipe.access)
        if isinstance(access, Cds):
            asked = [check(access, request) for request in part.requests(synthetic=False)]
            assert asked


def test_the_rule_is_the_store_s():
    """Three public captures of 2026: 612 fields cost 3,672 as NetCDF, 24 cost 144, and so on."""
    season = {
        "product_type": ["reanalysis"], "variable": ["t"], "pressure_level": ["850"],
        "year": ["2020"], "month": ["05", "06", "07", "08", "09"],
        "day": [f"{d:02d}" for d in range(1, 32)],
        "time": ["00:00", "06:00", "12:00", "18:00"],
        "data_format": "netcdf", "area": [60, -10, 50, 2],
    }  # fmt: skip
    assert product_cost(season, 6) == 3_672
    half_year = {
        "variable": list("abcd"), "date": ["2020-01-01/2020-06-30"],
        "time": [f"{h:02d}:00" for h in range(24)], "data_format": "netcdf",
    }  # fmt: skip
    days = (datetime(2020, 7, 1) - datetime(2020, 1, 1)).days
    assert (days, product_cost(half_year, 6)) == (182, 104_832)
    mixed = {
        "variable": list(range(22)), "pressure_level": list(range(13)), "leadtime_hour": ["0"],
        "date": ["2021-01-01/2021-01-31"], "time": ["00:00", "12:00"], "type": ["forecast"],
        "data_format": "grib",
    }  # fmt: skip
    assert product_cost(mixed, 1) == 17_732
