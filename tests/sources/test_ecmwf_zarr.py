"""ECMWF's own Zarr stores: opened by the store's key, axes by the arrays, values to the shards."""

from datetime import datetime

import numpy as np
import pytest
import requests

from aurora_prep import sources
from aurora_prep.pipelines.plan.recipe_plan import make_plan
from aurora_prep.pipelines.plan.store_choice import addresses_of
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.providers.embedded.atmosphere import truth
from aurora_prep.providers.zarr_store import StoreAddress, open_store
from aurora_prep.sources.spec import CredentialsError, FetchError, Grid, RecipeError

ERA5 = sources.load("era5")
ACCESS = ERA5.access("ecmwf_zarr")
UPPER, SURFACE = ACCESS.stores[0].urls
WHEN = {"start": "2020-02-29T18", "end": "2020-02-29T18", "step": "6h"}
ENTRY = {"access": "ecmwf_zarr", "grid": "0.25", "period": WHEN}


def plan_of(tmp_path, **changes):
    entry = {"source": "era5", **ENTRY, **changes}
    recipe = {"name": "one", "output": str(tmp_path / "out"), "sources": [entry]}
    return make_plan(Recipe.parse(recipe, base=str(tmp_path)), tmp_path / "cache").sources[0]


def test_a_plan_reads_both_stores_and_leaves_out_what_neither_has(tmp_path):
    plan = plan_of(tmp_path)
    assert [address.url for address in addresses_of(plan)] == [UPPER, SURFACE]
    assert all(str(address).endswith("#bearer ") for address in addresses_of(plan))
    assert plan.static_paths == ()
    assert len(plan.paths) == 9
    assert list(plan.requests(synthetic=False)) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"variables": ["static/z", "2t"]}, "does not deliver"),
        ({"extra_variables": ["tcwv"]}, "does not deliver"),
        ({"period": {**WHEN, "end": "2020-02-29T21", "step": "3h"}}, "every 6 h only"),
        ({"period": {"start": "2020-02-29T17", "end": "2020-02-29T17"}}, "every 6 h only"),
    ],
)
def test_what_they_lack_is_refused_by_name(tmp_path, changes, found):
    with pytest.raises(RecipeError) as caught:
        plan_of(tmp_path, **changes)
    assert found in str(caught.value)


def test_fields_of_both_stores_reach_the_shards_unchanged(prepare):
    """Rows from the south, columns from 180 west, levels falling, and attributes that lie."""
    prepared = prepare(
        "era5", embedded=True, **ENTRY, variables=["2t", "10u", "t", "z"], levels=[50, 850]
    )
    assert prepared.outcome.absent == 0
    grid, time = Grid.regular("0.25"), datetime(2020, 2, 29, 18)
    for path in ("surface/2t", "surface/10u", "atmospheric/t", "atmospheric/z"):
        variable = ERA5.native(path).variable
        stored = prepared.frames[variable.short_name].sel(time=time)
        for level in (50, 850) if variable.has_levels else (None,):
            one = stored if level is None else stored.sel(level=level)
            wanted = truth(variable, level, time, grid.latitude, grid.longitude)
            np.testing.assert_array_equal(one.to_numpy(), wanted.astype(np.float32))
    assert {row["access"] for row in prepared.rows()} == {"ecmwf_zarr"}
    assert all(row["synthetic"] for row in prepared.rows())


def test_axes_are_as_the_arrays_say_and_not_the_attributes():
    with EmbeddedProvider() as provider:
        service = Service.embedded(provider.url, provider.key, provider.buckets)
        store = open_store(str(StoreAddress(UPPER, endpoint=service.bearer_stores, key_of="cds")))
        axes = store.axes()
        said = store.arrays["t"].attributes
    assert (axes["latitude"][0], axes["latitude"][-1]) == (-90.0, 90.0)
    assert (axes["longitude"][0], axes["longitude"][-1]) == (-180.0, 179.75)
    assert axes["pressureLevel"].tolist() == sorted(ERA5.levels.hpa, reverse=True)
    assert (said["GRIB_latitudeOfFirstGridPoint"], said["GRIB_longitudeOfFirstGridPoint"]) == (
        90,
        0,
    )
    assert "2t" not in store.arrays
    assert "t2m" not in store.arrays


def test_only_a_bearer_is_let_in():
    place = f"/arco{UPPER.removeprefix('https://arco.datastores.ecmwf.int')}/.zmetadata"
    with EmbeddedProvider() as provider:
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer nobody"}, 401),
            ({"Authorization": f"Bearer {provider.key}"}, 200),
        ):
            found = requests.get(f"{provider.base}{place}", headers=headers, timeout=20)
            assert found.status_code == status
        wrong = f"{provider.base.replace('://', '://nobody@')}/arco"
        with pytest.raises((CredentialsError, FetchError)) as caught:
            open_store(str(StoreAddress(UPPER, endpoint=wrong, key_of="cds")))
    assert "refuses the key" in str(caught.value)


def test_trouble_on_the_way_is_outlasted(prepare, monkeypatch):
    from aurora_prep.pipelines.run import run as run_module  # noqa: PLC0415  # after the fixture

    def troubled(*args, **options):
        return EmbeddedProvider(*args, **{**options, "faults": {"busy": 2}})

    monkeypatch.setattr(run_module, "EmbeddedProvider", troubled)
    prepared = prepare("era5", embedded=True, **ENTRY, variables=["2t"])
    assert prepared.outcome.absent == 0
