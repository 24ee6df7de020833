"""The public buckets of the embedded provider, read by gcsfs, zarr and xarray unaided."""

import json
import pickle
from dataclasses import replace
from datetime import datetime, timedelta

import gcsfs.core
import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.core.sync import sync

from aurora_prep import sources
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.providers.embedded.atmosphere import truth
from aurora_prep.providers.embedded.faults import Faults
from aurora_prep.providers.embedded.gcs import GcsEmulator
from aurora_prep.providers.embedded.weatherbench import VirtualStore, stores_of, valid_of_member
from aurora_prep.providers.embedded.weatherbench_bucket import VirtualBucket
from aurora_prep.sources.spec import Grid

PRELIMINARY_FROM = datetime(2026, 7, 1)
SOURCES = ("era5", "hres_t0", "hres_forecast", "ifs_ens", "ifs_ens_mean")
MEMBERS = (1, 2, 3)


def _coarse(name):
    """A source as declared, on a grid of a few points."""
    source = replace(sources.load(name), grid=Grid.regular("10"))
    return replace(source, members=MEMBERS) if source.members else source


def _virtual(name, position=0):
    source = _coarse(name)
    access = source.access("zarr")
    return VirtualStore(source, access, access.stores[position], PRELIMINARY_FROM)


@pytest.fixture
def served():
    """Serve coarse stores; returns the emulator and how xarray opens a store there."""
    with GcsEmulator(
        buckets={
            bucket: VirtualBucket(stores)
            for bucket, stores in stores_of(tuple(map(_coarse, SOURCES)), PRELIMINARY_FROM).items()
        }
    ) as gcs:
        yield gcs


@pytest.fixture
def open_zarr():
    """Open a store by gcsfs alone; its connections are closed in the loop that made them.

    Left to the garbage collector, gcsfs closes them from whichever thread it comes by.
    """
    clients = []

    def opened(gcs, url, **more):
        files = gcsfs.core.GCSFileSystem(
            token="anon",  # noqa: S106  # a word of gcsfs, no secret
            endpoint_url=gcs.url,
            asynchronous=True,
            skip_instance_cache=True,
        )
        clients.append(files)
        store = zarr.storage.FsspecStore(files, path=url.removeprefix("gs://"), read_only=True)
        return xr.open_zarr(store, chunks=None, decode_timedelta=True, **more)

    async def close(files):
        if files._session is not None:
            await files._session.close()

    yield opened
    for files in clients:
        sync(close(files))


@pytest.mark.parametrize("name", SOURCES)
def test_xarray_opens_every_store_and_finds_the_truth(name, served, open_zarr):
    source = _coarse(name)
    for declared in source.access("zarr").stores:
        data = open_zarr(served, declared.url)
        at = {"time": datetime(2020, 2, 29, 12)}
        lead = timedelta(0)
        if "prediction_timedelta" in data.dims:
            lead = timedelta(hours=18)
            at["prediction_timedelta"] = np.timedelta64(lead)
        member = None
        if "number" in data.dims:
            member = at["number"] = 2
        valid = valid_of_member(at["time"] + lead, member)
        grid = source.grid
        for path, array, level in (
            ("atmospheric/t", "temperature", 850),
            ("surface/2t", "2m_temperature", None),
        ):
            chosen = data[array].sel(at if level is None else {**at, "level": level})
            wanted = truth(
                source.native(path).variable, level, valid, grid.latitude, grid.longitude
            )
            found = chosen.sortby("latitude", ascending=False).to_numpy()
            np.testing.assert_array_equal(found, wanted.astype(np.float32))
            assert chosen.attrs["units"] == "K"


def test_the_stores_are_laid_out_as_the_public_ones(served, open_zarr):
    """Shapes, orders and chunks as the data guide of WeatherBench2 prints them."""
    expected = {
        "hres_t0": ({"time": 10_268}, (1, 13, 19, 36), False),
        "hres_forecast": ({"time": 5_134, "prediction_timedelta": 41}, (1, 1, 13, 19, 36), False),
        "ifs_ens_mean": ({"time": 3_652, "prediction_timedelta": 61}, (1, 1, 3, 19, 36), False),
        "era5": ({"time": 93_544}, (1, 13, 19, 36), True),
    }
    for name, (sizes, chunks, descends) in expected.items():
        data = open_zarr(served, _coarse(name).access("zarr").stores[0].url)
        assert {dim: data.sizes[dim] for dim in sizes} == sizes
        assert data["geopotential"].encoding["chunks"] == chunks
        assert (data["latitude"][0] > data["latitude"][-1]) == descends
        assert data["geopotential"].dims[-3:] == ("level", "latitude", "longitude")
        assert data["time"].encoding["dtype"] == np.int64


def test_the_ensemble_has_its_members_in_one_chunk(served, open_zarr):
    data = open_zarr(served, _coarse("ifs_ens").access("zarr").stores[0].url)
    assert data["geopotential"].dims[:3] == ("time", "number", "prediction_timedelta")
    assert data["geopotential"].encoding["chunks"][:3] == (1, len(MEMBERS), 1)


def test_the_hourly_store_is_padded_and_says_where_it_ends(served, open_zarr):
    _, declared = _coarse("era5").access("zarr").stores
    data = open_zarr(served, declared.url)
    assert data["time"].to_numpy()[0] == np.datetime64("1900-01-01")
    assert data["time"].to_numpy()[-1] == np.datetime64("2050-12-31T23")
    assert data.sizes["level"] == 37
    assert data.attrs["valid_time_start"] == "1940-01-01"
    assert data.attrs["valid_time_stop"] == "2026-06-30"
    assert data.attrs["valid_time_stop_era5t"] == "2026-09-30"
    last = _virtual("era5", 1)
    array = last.arrays["2m_temperature"]
    hours = np.timedelta64(1, "h")
    for when, there in (
        ("1939-12-31T23", 0),
        ("1940-01-01", 1),
        ("2026-09-30T23", 1),
        ("2026-10-01", 0),
    ):
        position = (np.datetime64(when) - np.datetime64("1900-01-01")) // hours
        assert (last.find(f"{array.name}/{position}.0.0") is not None) == there


def test_static_fields_are_where_the_public_stores_have_them(served, open_zarr):
    data = open_zarr(served, _coarse("era5").access("zarr").stores[0].url)
    grid = _coarse("era5").grid
    for path, name in (
        ("static/z", "geopotential_at_surface"),
        ("static/lsm", "land_sea_mask"),
        ("static/slt", "soil_type"),
    ):
        variable = sources.load("era5").native(path).variable
        assert data[name].dims == ("latitude", "longitude")
        wanted = truth(variable, None, datetime(2020, 1, 1), grid.latitude, grid.longitude)
        np.testing.assert_array_equal(data[name].to_numpy(), wanted.astype(np.float32))


@pytest.mark.parametrize(
    "key",
    [
        *(f"geopotential/{key}" for key in ("", "1.0.0", "10268.0.0.0", "0.0.0.1", "01.0.0.0")),
        "geopotential/-1.0.0.0",
        "nothing/0",
        "time/1",
        "a/b/c",
    ],
)
def test_what_a_store_has_not_is_not_there(key):
    assert _virtual("hres_t0").find(key) is None


def test_consolidated_metadata_say_what_each_document_says():
    store = _virtual("hres_forecast")
    whole = json.loads(store.metadata[".zmetadata"])["metadata"]
    assert whole == {
        name: json.loads(content)
        for name, content in store.metadata.items()
        if name != ".zmetadata"
    }


def test_names_come_in_the_order_of_their_bytes():
    source = replace(_coarse("ifs_ens_mean"), lead_times=(timedelta(0), timedelta(hours=6)))
    access = source.access("zarr")
    short = replace(access.stores[0], last=datetime(2018, 1, 7))
    bucket = VirtualBucket({"x.zarr": VirtualStore(source, access, short, PRELIMINARY_FROM)})
    names = list(bucket.names("", ""))
    assert names == sorted(names, key=str.encode)
    assert "x.zarr/geopotential/12.1.0.0.0" in names
    assert len(set(names)) == len(names)
    assert all(bucket.stat(name) is not None for name in names if "geopotential/1" in name)
    late = list(bucket.names("x.zarr/geopotential/", "x.zarr/geopotential/3"))
    assert late == [n for n in names if n.startswith("x.zarr/geopotential/") and n >= late[0]]


def test_objects_are_forgotten_within_the_memory_given():
    bucket = VirtualBucket({"x.zarr": _virtual("hres_t0")}, kept=200_000)
    for position in range(40):
        assert bucket.stat(f"x.zarr/geopotential/{position}.0.0.0").size > 10_000
    held = [future.result() for future in bucket._held.values()]
    assert sum(map(len, held)) <= 200_000


def test_a_missing_chunk_stays_missing_and_others_stay():
    faults = Faults("missing_chunk")
    bucket = VirtualBucket({"x.zarr": _virtual("hres_t0")}, faults)
    assert bucket.stat("x.zarr/.zmetadata") is not None
    assert bucket.stat("x.zarr/time/0") is not None
    assert bucket.stat("x.zarr/geopotential/5.0.0.0") is None
    assert bucket.stat("x.zarr/geopotential/6.0.0.0") is not None
    assert bucket.stat("x.zarr/geopotential/5.0.0.0") is None
    assert faults.left("missing_chunk") == 0


def test_points_without_a_value_strike_geopotential_only():
    faults = Faults("nan_points")
    bucket = VirtualBucket({"x.zarr": _virtual("hres_t0")}, faults)
    bucket.stat("x.zarr/temperature/5.0.0.0")
    assert faults.left("nan_points") == 1
    bucket.stat("x.zarr/geopotential/5.0.0.0")
    assert faults.left("nan_points") == 0


def test_the_provider_serves_the_buckets_of_what_is_declared(open_zarr):
    with EmbeddedProvider(declared=[_coarse("hres_t0")]) as provider:
        data = open_zarr(provider.gcs, _coarse("hres_t0").access("zarr").stores[0].url)
        assert data["temperature"].sel(time="2016-01-01T06", level=500).notnull().all()
        assert provider.buckets == provider.gcs.url


def test_workers_hear_who_answers_for_the_buckets():
    service = Service.embedded("http://127.0.0.1:1/api", "key", "http://127.0.0.1:2")
    assert pickle.loads(pickle.dumps(service)) == service  # noqa: S301  # our own
    assert Service().buckets is None
