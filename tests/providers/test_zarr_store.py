"""Zarr stores in folders and on a bucket: every layout gives the same values, or an error."""

import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from aurora_prep.providers.embedded.gcs import GcsEmulator
from aurora_prep.providers.zarr_store import ChunkMemory, OpenStore, StoreAddress
from aurora_prep.sources.spec import DecodeError, FetchError

DIMS = ("time", "level", "latitude", "longitude")
SHAPE = (4, 3, 19, 36)


@pytest.fixture
def values():
    return np.random.default_rng(7).normal(280, 10, SHAPE).astype(np.float32)


@pytest.fixture
def write(tmp_path, values):
    """Write the values as a store; returns the folder."""

    def make(name="store.zarr", *, dims=DIMS, chunks=None, zarr_format=2, encoding=None, **more):
        data = xr.Dataset(
            {"temperature": (DIMS, values, {"units": "K"})},
            {
                "time": np.datetime64("2020-01-01T00", "ns")
                + np.arange(SHAPE[0]) * np.timedelta64(6, "h"),
                "level": np.array([500, 700, 850], np.int32),
                "latitude": np.linspace(-90, 90, SHAPE[2]).astype(np.float32),
                "longitude": (np.arange(SHAPE[3]) * 10).astype(np.float32),
            },
        ).transpose(*dims)
        sizes = chunks or {"time": 1}
        laid = tuple(sizes.get(dim, data.sizes[dim]) for dim in dims)
        chosen = {"chunks": laid, **(encoding or {}), **more}
        folder = tmp_path / "buckets" / "bucket" / name
        data.to_zarr(
            folder,
            zarr_format=zarr_format,
            encoding={"temperature": chosen},
            consolidated=zarr_format == 2,
        )
        return folder

    return make


def _open(folder: Path, **more) -> OpenStore:
    return OpenStore(StoreAddress.of_path(str(folder), Path("/")), ChunkMemory(**more))


def _by_index(store: OpenStore, name="temperature"):
    """All values through ``read``, in the order of ``DIMS``."""
    dims = store.arrays[name].dims
    outer = [dim for dim in dims if dim not in ("latitude", "longitude")]
    whole = np.empty(SHAPE, np.float32)
    for time in range(SHAPE[0]):
        for level in range(SHAPE[1]):
            at = {"time": time, "level": level}
            field = store.read(name, [at[dim] for dim in outer])
            is_turned = dims.index("longitude") < dims.index("latitude")
            whole[time, level] = field.T if is_turned else field
    return whole


LAYOUTS = {
    "one time a chunk": {},
    "all in one chunk": {"chunks": {"time": 4}},
    "a level a chunk": {"chunks": {"time": 1, "level": 1}},
    "times in pairs, tiles of the globe": {"chunks": {"time": 2, "latitude": 7, "longitude": 10}},
    "longitude first": {"dims": ("time", "level", "longitude", "latitude")},
    "level last": {"dims": ("time", "latitude", "longitude", "level")},
    "format 3": {"zarr_format": 3},
    "format 3, sharded": {
        "zarr_format": 3, "chunks": {"time": 1, "level": 1}, "shards": (2, 3, 19, 36),
    },
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_same_values(layout, write, values):
    store = _open(write(**layout))
    np.testing.assert_array_equal(_by_index(store), values)


def test_packed_values_are_scaled_once_and_missing_ones_are_nan(write, values):
    values[1, 2, 3, 4] = np.nan
    packing = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -32768}
    for zarr_format in (2, 3):
        folder = write(f"packed{zarr_format}.zarr", zarr_format=zarr_format, encoding=packing)
        found = _by_index(_open(folder))
        assert np.isnan(found[1, 2, 3, 4])
        assert np.isnan(found).sum() == 1
        whole = xr.open_zarr(folder, consolidated=False)["temperature"].to_numpy()
        np.testing.assert_allclose(found, whole, rtol=1e-7)


def test_axes_come_decoded(write):
    axes = _open(write()).axes()
    assert axes["time"][1] == np.datetime64(datetime(2020, 1, 1, 6))
    assert axes["level"].tolist() == [500, 700, 850]
    assert axes["latitude"][0] == -90


def test_a_chunk_that_is_not_there_is_an_error_and_no_fill_value(write, values):
    folder = write()
    (folder / "temperature" / "2.0.0.0").unlink()
    store = _open(folder)
    np.testing.assert_array_equal(store.read("temperature", (1, 0)), values[1, 0])
    with pytest.raises(FetchError, match=r"(?s)a chunk is not in the Zarr store.*2\.0\.0\.0"):
        store.read("temperature", (2, 0))


def test_a_damaged_chunk_is_an_error_with_its_place(write):
    folder = write()
    chunk = folder / "temperature" / "3.0.0.0"
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises(DecodeError, match=r"(?s)damaged.*temperature at 3\.0\.0\.0"):
        _open(folder).read("temperature", (3, 1))


def test_levels_of_a_time_share_one_fetch(write):
    folder = write()
    store = _open(folder)
    store.read("temperature", (0, 0))
    shutil.rmtree(folder)
    assert store.read("temperature", (0, 2)).shape == SHAPE[2:]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FetchError, match="there is no such Zarr store"):
        StoreAddress.of_path("nowhere.zarr", tmp_path)


def test_a_folder_without_a_store_is_refused(tmp_path):
    with pytest.raises(FetchError, match="there is no Zarr store"):
        _open(tmp_path)


def test_an_unknown_kind_of_url_is_refused():
    with pytest.raises(FetchError, match="no way to the Zarr store"):
        StoreAddress.parse("nosuch://place/store.zarr#").open()


@pytest.mark.parametrize(
    "address",
    [
        StoreAddress("gs://bucket/store.zarr"),
        StoreAddress("gs://bucket/store.zarr", is_anonymous=True),
        StoreAddress("gs://bucket/a%20#1.zarr", is_anonymous=True, endpoint="http://127.0.0.1:9"),
        StoreAddress("file:///data/store.zarr"),
    ],
)
def test_the_text_of_an_address_comes_back_as_the_address(address):
    assert StoreAddress.parse(str(address)) == address
    assert StoreAddress.is_address(str(address))


def test_the_path_of_a_file_is_no_address():
    assert not StoreAddress.is_address("/data/2020#01.grib")


def test_a_bucket_is_read_through_trouble(write, values, tmp_path):
    write(chunks={"time": 1, "level": 1})
    faults = {"busy": 1, "too_many_requests": 1, "reset": 1}
    with GcsEmulator(tmp_path / "buckets") as gcs:
        address = StoreAddress("gs://bucket/store.zarr", is_anonymous=True, endpoint=gcs.url)
        store = OpenStore(address, ChunkMemory())
        for name, times in faults.items():
            gcs.faults.switch(name, times)
        np.testing.assert_array_equal(_by_index(store), values)
        assert {name: gcs.faults.struck[name] for name in faults} == faults
        assert all("Authorization" not in str(exchange) for exchange in gcs.requests)


def test_a_bucket_that_is_not_there_is_an_error(tmp_path):
    with GcsEmulator(tmp_path) as gcs:
        address = StoreAddress("gs://no-bucket/store.zarr", is_anonymous=True, endpoint=gcs.url)
        with pytest.raises(FetchError, match="there is no Zarr store"):
            OpenStore(address, ChunkMemory())
