"""Stores: metadata and coordinates that open at once, and are never wiped."""

import json
import shutil
import warnings

import numpy as np
import pytest
import xarray as xr

from aurora_prep.pipelines.dataset.create import set_up_stores
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.shard.encode import assemble_shard, encode_field, layout_of
from aurora_prep.sources.spec import HOUR, WriteError


def no(_):
    """Whether a source is synthetic: none is."""
    return False


def yes(_):
    """Whether a source is synthetic: each is."""
    return True


@pytest.fixture
def recipe():
    entry = {"source": "era5", "grid": "1", "period": {"start": "2020-01-01", "end": "2020-01-01"}}
    return Recipe.parse({"name": "n", "output": "o", "sources": [entry]})


def opened(store):
    """As a user opens it: any warning fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return xr.open_zarr(store)


def test_a_store_opens_without_a_warning_and_says_what_it_is(tmp_path, make_source_plan, recipe):
    plan = make_source_plan(
        paths=("surface/2t", "atmospheric/t", "atmospheric/z"), levels=(50, 500, 1000)
    )
    set_up_stores(str(tmp_path), [plan], recipe, no)
    with opened(tmp_path / "era5" / "30.zarr") as data:
        assert dict(data.sizes) == {"time": 5, "level": 3, "latitude": 7, "longitude": 12}
        assert data["2t"].dims == ("time", "latitude", "longitude")
        assert data["t"].dims == ("time", "level", "latitude", "longitude")
        assert {data[name].dtype.name for name in ("2t", "t", "z")} == {"float32"}
        assert data["time"].values.tolist() == [
            np.datetime64(time, "ns").astype(int) for time in plan.init_times
        ]
        np.testing.assert_array_equal(data["latitude"], plan.grid.latitude)
        np.testing.assert_array_equal(data["longitude"], plan.grid.longitude)
        assert data["level"].values.tolist() == [50, 500, 1000]
        names = {name: data[name].attrs.get("standard_name") for name in data.variables}
        assert names == {
            "2t": "air_temperature",
            "t": "air_temperature",
            "z": "geopotential",
            "time": "time",
            "latitude": "latitude",
            "longitude": "longitude",
            "level": "air_pressure",
        }
        units = {name: data[name].attrs["units"] for name in ("2t", "z", "level", "latitude")}
        assert units == {"2t": "K", "z": "m2 s-2", "level": "hPa", "latitude": "degrees_north"}
        assert data["level"].attrs["positive"] == "down"
        assert data["2t"].attrs["short_name"] == "2t"
        assert data.attrs["Conventions"].startswith("CF-")
        assert data.attrs["licence"] == "CC-BY-4.0"
        assert "Copernicus" in data.attrs["attribution"]
        assert data.attrs["synthetic"] == 0
        assert data["time"].encoding["units"] == "hours since 1900-01-01"
        assert np.isnan(data["t"].values).all()


def test_synthetic_values_are_labelled(tmp_path, make_source_plan, recipe):
    set_up_stores(str(tmp_path), [make_source_plan()], recipe, yes)
    with opened(tmp_path / "era5" / "30.zarr") as data:
        assert data.attrs["synthetic"] == 1
        assert "SYNTHETIC" in data.attrs["source"]
        assert "Copernicus" not in data.attrs["attribution"]
        assert "CC-BY" not in data.attrs["licence"]


def test_a_forecast_has_two_times(tmp_path, make_source_plan, recipe, forecast):
    plan = make_source_plan(forecast, lead_times=(0 * HOUR, 6 * HOUR, 240 * HOUR))
    set_up_stores(str(tmp_path), [plan], recipe, no)
    with opened(tmp_path / "invented" / "30.zarr") as data:
        assert data["t"].dims == ("init_time", "lead_time", "level", "latitude", "longitude")
        assert data["init_time"].attrs["standard_name"] == "forecast_reference_time"
        assert data["lead_time"].attrs["standard_name"] == "forecast_period"
        hours = data["lead_time"].values.astype("timedelta64[h]").astype(int)
        assert hours.tolist() == [0, 6, 240]


def test_static_fields_have_a_store_of_their_own(tmp_path, make_source_plan, recipe):
    plan = make_source_plan(paths=("surface/2t", "static/z", "static/lsm"), has_static=True)
    set_up_stores(str(tmp_path), [plan], recipe, no)
    with opened(tmp_path / "static" / "30.zarr") as data:
        assert dict(data.sizes) == {"latitude": 7, "longitude": 12}
        assert set(data.data_vars) == {"z", "lsm"}
    with opened(tmp_path / "era5" / "30.zarr") as data:
        assert set(data.data_vars) == {"2t"}


def test_metadata_and_shards_fit_each_other(tmp_path, make_source_plan, recipe):
    plan = make_source_plan(paths=("atmospheric/t",))
    set_up_stores(str(tmp_path), [plan], recipe, no)
    variable = plan.variable("atmospheric/t")
    layout = layout_of(plan, variable, "auto")
    values = np.random.default_rng(3).normal(280, 9, plan.array_shape(variable))
    values = values.astype(np.float32)
    fields = values[4:].reshape(-1, 7, 12)  # the last shard: one frame of two
    chunks = [encode_field(field, layout.compressor()) for field in fields]
    path = tmp_path / "era5" / "30.zarr" / "t" / "c" / "2" / "0" / "0" / "0"
    path.parent.mkdir(parents=True)
    path.write_bytes(assemble_shard(chunks, layout))
    with opened(tmp_path / "era5" / "30.zarr") as data:
        np.testing.assert_array_equal(data["t"].values[4], values[4])
        assert np.isnan(data["t"].values[:4]).all()


def listing(folder):
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_existing_store_is_not_touched(tmp_path, make_source_plan, recipe):
    plan = make_source_plan()
    set_up_stores(str(tmp_path), [plan], recipe, no)
    shard = tmp_path / "era5" / "30.zarr" / "2t" / "c" / "0" / "0" / "0"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(b"precious")
    before = listing(tmp_path)
    set_up_stores(str(tmp_path), [plan], recipe, no)
    assert listing(tmp_path) == before


def test_another_layout_is_refused_and_not_touched(tmp_path, make_source_plan, recipe):
    set_up_stores(str(tmp_path), [make_source_plan()], recipe, no)
    before = listing(tmp_path)
    for other in (
        make_source_plan(times=6),
        make_source_plan(frames_per_shard=3),
        make_source_plan(levels=(500,)),
    ):
        with pytest.raises(WriteError):
            set_up_stores(str(tmp_path), [other], recipe, no)
    assert listing(tmp_path) == before


def test_a_store_whose_set_up_was_cut_short_is_set_up_again(tmp_path, make_source_plan, recipe):
    """Any subset of the metadata may be there when a run dies; consolidation comes last."""
    plan = make_source_plan()
    whole, store = tmp_path / "whole", tmp_path / "cut" / "era5" / "30.zarr"
    set_up_stores(str(whole), [plan], recipe, no)
    reference = {name: data for name, (_, data) in listing(whole / "era5" / "30.zarr").items()}
    group = json.loads(reference["zarr.json"])
    assert group.pop("consolidated_metadata")
    for absent in ("2t", "t", "time", "level"):
        shutil.rmtree(store.parent, ignore_errors=True)
        shutil.copytree(whole / "era5" / "30.zarr", store)
        (store / "zarr.json").write_text(json.dumps(group))
        shutil.rmtree(store / absent)
        set_up_stores(str(tmp_path / "cut"), [plan], recipe, no)
        assert {name: data for name, (_, data) in listing(store).items()} == reference


@pytest.mark.parametrize("damage", ["", "{", "{}"])
def test_shards_without_metadata_are_not_wiped(tmp_path, make_source_plan, recipe, damage):
    plan = make_source_plan()
    set_up_stores(str(tmp_path), [plan], recipe, no)
    shard = tmp_path / "era5" / "30.zarr" / "2t" / "c" / "0" / "0" / "0"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(b"precious")
    (tmp_path / "era5" / "30.zarr" / "zarr.json").write_text(damage)
    with pytest.raises(WriteError) as raised:
        set_up_stores(str(tmp_path), [plan], recipe, no)
    assert "shards" in raised.value.args[0]
    assert shard.read_bytes() == b"precious"


def test_the_same_plan_gives_the_same_bytes(tmp_path, make_source_plan, recipe):
    for name in ("one", "other"):
        set_up_stores(str(tmp_path / name), [make_source_plan()], recipe, no)
    one, other = (
        {key: data for key, (_, data) in listing(tmp_path / name).items()}
        for name in ("one", "other")
    )
    assert one == other
