"""NetCDF through the real client: today's dialect, the older one, and ZIP."""

import hashlib
import warnings
import zipfile
from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from aurora_prep import sources
from aurora_prep.providers.embedded import truth

ERA5 = sources.load("era5")


@pytest.fixture
def fetch(client, tmp_path):
    def get(provider, dataset, request, name="a.nc") -> Path:
        request = {**request, "data_format": "netcdf"}
        return Path(client(provider).retrieve(dataset, request, str(tmp_path / name)))

    return get


def expected(path, ds, level=None, moment=datetime(2020, 1, 1, 6)):
    native = ERA5.native(path)
    latitude, longitude = ds["latitude"].values, ds["longitude"].values
    return truth(native.variable, level, moment, latitude, longitude).astype(np.float32)


def test_xarray_opens_it_without_a_warning_and_sees_the_truth(provider, fetch, levels):
    path = fetch(provider, *levels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xr.open_dataset(path) as ds:
            ds.load()
    assert dict(ds.sizes) == {
        "valid_time": 2,
        "pressure_level": 2,
        "latitude": 13,
        "longitude": 25,
    }
    assert ds["pressure_level"].values.tolist() == [850.0, 500.0]
    assert ds["latitude"].values[[0, -1]].tolist() == [60.0, 30.0]
    assert ds["longitude"].values[[0, -1]].tolist() == [-20.0, 40.0]
    assert ds["expver"].values.tolist() == ["0001", "0001"]
    assert ds["number"].shape == ()
    assert ds["valid_time"].values[1] == np.datetime64("2020-01-01T06")
    for name in ("t", "z"):
        for level in (500, 850):
            np.testing.assert_array_equal(
                ds[name].sel(pressure_level=level).values[1],
                expected(f"atmospheric/{name}", ds, level),
            )


def test_attributes_are_those_of_the_store(provider, fetch, surface):
    dataset, request = surface
    path = fetch(provider, dataset, {**request, "variable": ["2m_temperature", "soil_type"]})
    with netCDF4.Dataset(path) as ds:
        assert ds.data_model == "NETCDF4"
        assert "synthetic" in ds.ncattrs()
        assert ds["valid_time"].units == "seconds since 1970-01-01"
        assert ds["valid_time"].dtype == np.int64
        t2m = ds["t2m"]
        assert t2m.dimensions == ("valid_time", "latitude", "longitude")
        assert t2m.dtype == np.float32
        assert np.isnan(t2m._FillValue)
        assert t2m.units == "K"
        assert t2m.GRIB_paramId == 167
        assert t2m.GRIB_shortName == "2t"
        assert t2m.GRIB_stepType == "instant"
        assert t2m.GRIB_typeOfLevel == "surface"
        assert ds["slt"].units == ERA5.native("static/slt").units


def test_final_and_preliminary_times_share_a_file(start, fetch, surface):
    path = fetch(start(preliminary_from=datetime(2020, 1, 1, 6)), *surface)
    with xr.open_dataset(path) as ds:
        assert ds["expver"].dims == ("valid_time",)
        assert ds["expver"].values.tolist() == ["0001", "0005"]


def test_the_older_dialect_has_expver_as_a_dimension(start, fetch, levels):
    provider = start(preliminary_from=datetime(2020, 1, 1, 6), faults="expver_dimension")
    with xr.open_dataset(fetch(provider, *levels)) as ds:
        ds.load()
    assert ds["t"].dims == ("valid_time", "expver", "pressure_level", "latitude", "longitude")
    assert ds["expver"].values.tolist() == [1, 5]
    filled = ds["t"].notnull().any(["pressure_level", "latitude", "longitude"]).values
    assert filled.tolist() == [[True, False], [False, True]]
    np.testing.assert_array_equal(
        ds["t"].sel(expver=5, pressure_level=850).values[1], expected("atmospheric/t", ds, 850)
    )


def test_step_types_never_share_a_file(start, fetch, invented, tmp_path):
    request = {
        "date": "2010-05-05",
        "time": ["03:00", "06:00"],
        "variable": ["wave_height", "total_precipitation", "wave_direction"],
    }
    path = fetch(start(declared=[invented]), "invented-surface", request)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [
            "data_stream-oper_stepType-instant.nc",
            "data_stream-oper_stepType-accum.nc",
        ]
        archive.extractall(tmp_path)
    with xr.open_dataset(tmp_path / "data_stream-oper_stepType-instant.nc") as ds:
        assert set(ds.data_vars) == {"swh", "mwd"}
        assert ds["swh"].isnull().any()
    with xr.open_dataset(tmp_path / "data_stream-oper_stepType-accum.nc") as ds:
        assert set(ds.data_vars) == {"tp"}


@pytest.mark.parametrize(
    ("data_format", "member"),
    [("grib", "data.grib"), ("netcdf", "data_stream-oper_stepType-instant.nc")],
)
def test_a_zip_on_demand(provider, client, surface, tmp_path, data_format, member):
    dataset, request = surface
    request |= {"data_format": data_format, "download_format": "zip"}
    path = client(provider).retrieve(dataset, request, str(tmp_path / "a.zip"))
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [member]
        assert archive.testzip() is None


def test_the_same_request_gives_the_same_bytes(start, fetch, levels):
    digests = {
        hashlib.sha256(fetch(start(), *levels, name=f"{n}.nc").read_bytes()).hexdigest()
        for n in range(2)
    }
    assert len(digests) == 1


def test_reading_while_the_provider_writes_is_safe(provider, fetch, levels):
    """HDF5 is not made for threads: the server writes in a process of its own."""
    first = fetch(provider, *levels)
    for number in range(3):
        fetch(provider, *levels, name=f"{number}.nc")
        for _ in range(50):
            with netCDF4.Dataset(first) as ds:
                assert ds["t"][:].shape == (2, 2, 13, 25)


def test_a_full_size_field(provider, fetch, surface):
    dataset, request = surface
    del request["area"], request["grid"]
    request |= {"time": ["06:00"], "variable": "10m_v_component_of_wind"}
    with xr.open_dataset(fetch(provider, dataset, request)) as ds:
        assert ds["v10"].shape == (1, 721, 1440)
        np.testing.assert_array_equal(ds["v10"].values[0], expected("surface/10v", ds))
