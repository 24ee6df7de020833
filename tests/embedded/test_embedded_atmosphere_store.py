"""The Atmosphere Data Store's dialect, and waves beside ERA5's other fields."""

import zipfile
from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import requests
import xarray as xr

from aurora_prep import sources
from aurora_prep.providers.embedded import truth

FORECASTS = "cams-global-atmospheric-composition-forecasts"
EAC4 = "cams-global-reanalysis-eac4"
SOURCE = sources.load("cams_forecast")
COARSE = {"grid": [2.5, 2.5]}
ASKED = {
    "type": ["forecast"],
    "variable": ["particulate_matter_10um", "ozone", "temperature"],
    "pressure_level": ["500", "1000"],
    "date": ["2021-12-31/2022-01-01"],
    "time": ["00:00", "12:00"],
    "leadtime_hour": ["0", "12"],
    **COARSE,
}


@pytest.fixture
def fetch(client, tmp_path):
    def get(provider, dataset, request, **more) -> Path:
        target = str(tmp_path / "answer")
        return Path(client(provider).retrieve(dataset, {**request, **more}, target))

    return get


def unpacked(path):
    with zipfile.ZipFile(path) as archive:
        archive.extractall(path.parent)  # our own
        return archive.namelist()


def expected(path, ds, level, moment):
    return truth(
        SOURCE.native(path).variable, level, moment, ds["latitude"].values, ds["longitude"].values
    )


def test_netcdf_is_a_zip_of_two_files_by_level(provider, fetch):
    path = fetch(provider, FORECASTS, ASKED, data_format="netcdf_zip")
    assert unpacked(path) == ["data_sfc.nc", "data_plev.nc"]
    with xr.open_dataset(path.parent / "data_plev.nc", decode_timedelta=True) as ds:
        ds.load()
    assert ds["go3"].dims == (
        "forecast_period",
        "forecast_reference_time",
        "pressure_level",
        "latitude",
        "longitude",
    )
    assert set(ds.data_vars) == {"go3", "t"}
    assert ds["pressure_level"].values.tolist() == [1000.0, 500.0]
    assert ds["valid_time"].dims == ("forecast_reference_time", "forecast_period")
    assert ds["valid_time"].values[1, 1] == np.datetime64("2022-01-01T00")
    assert "expver" not in ds
    field = ds["go3"].sel(pressure_level=500).values[1, 1]
    exact = expected("atmospheric/go3", ds, 500, datetime(2022, 1, 1))
    np.testing.assert_array_equal(field, exact.astype(np.float32))
    with xr.open_dataset(path.parent / "data_sfc.nc", decode_timedelta=True) as ds:
        assert set(ds.data_vars) == {"pm10"}
        assert dict(ds.sizes)["forecast_reference_time"] == 4


def test_one_kind_is_a_zip_of_one_file(provider, fetch):
    request = {**ASKED, "variable": ["ozone"]}
    assert unpacked(fetch(provider, FORECASTS, request, data_format="netcdf_zip")) == [
        "data_plev.nc"
    ]


def test_a_reanalysis_has_valid_times(provider, fetch):
    request = {k: v for k, v in ASKED.items() if k not in ("type", "leadtime_hour")}
    path = fetch(provider, EAC4, request, data_format="netcdf_zip")
    assert unpacked(path) == ["data_sfc.nc", "data_plev.nc"]
    with xr.open_dataset(path.parent / "data_sfc.nc") as ds:
        assert ds["pm10"].dims == ("valid_time", "latitude", "longitude")


@pytest.mark.parametrize("edition", [1, 2])
def test_grib_tells_start_and_step(start, fetch, read_grib, edition):
    messages = read_grib(fetch(start(edition=edition), FORECASTS, ASKED, data_format="grib"))
    assert len(messages) == 4 * 2 * (1 + 2 * 2)
    assert {m.keys["class"] for m in messages} == {"mc"}
    assert {m.keys["type"] for m in messages} == {"fc"}
    assert {m.keys["paramId"] for m in messages} == {210074, 210203, 130}
    assert {(m.keys["dataDate"], m.keys["dataTime"], m.keys["stepRange"]) for m in messages} == {
        (date, time, step)
        for date in (20211231, 20220101)
        for time in (0, 1200)
        for step in ("0", "12")
    }
    late = [m for m in messages if m.keys["stepRange"] == "12" and m.keys["dataTime"] == 1200]
    assert {m.keys["validityTime"] for m in late} == {0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"leadtime_hour": ["5"]}, "leadtime_hour"),
        ({"leadtime_hour": []}, "Missing mandatory key: 'leadtime_hour'"),
        ({"type": ["analysis"]}, "type"),
        ({"data_format": "netcdf"}, "data_format"),
        ({"date": []}, "No valid dates"),
        ({"pressure_level": []}, "pressure_level"),
        ({"time": ["06:00"]}, "time"),
    ],
)
def test_what_the_store_does_not_understand_is_refused(provider, fetch, change, words):
    with pytest.raises(requests.HTTPError, match=words):
        fetch(provider, FORECASTS, {**ASKED, **change})


def test_levels_are_not_asked_of_surface_fields(provider, fetch, read_grib):
    request = {k: v for k, v in ASKED.items() if k != "pressure_level"}
    request["variable"] = ["particulate_matter_10um"]
    assert len(read_grib(fetch(provider, FORECASTS, request))) == 8


def test_scaled_integers_make_clean_air_a_little_negative(start, fetch):
    request = {**ASKED, "variable": ["particulate_matter_10um"]}
    provider = start(faults="scaled_integers")
    path = fetch(provider, FORECASTS, request, data_format="netcdf_zip")
    unpacked(path)
    with netCDF4.Dataset(path.parent / "data_sfc.nc") as ds:
        assert ds["pm10"].dtype == np.int16
        scale = float(ds["pm10"].scale_factor)
    with xr.open_dataset(path.parent / "data_sfc.nc", decode_timedelta=True) as ds:
        ds.load()
    exact = expected("surface/pm10", ds, None, datetime(2021, 12, 31))
    assert exact.min() == 0.0
    found = ds["pm10"].values[0, 0]
    assert -scale < found.min() < 0.0
    assert np.abs(found - exact).max() <= 0.51 * scale


def test_scaled_waves_keep_what_is_missing(start, fetch):
    request = {
        "product_type": ["reanalysis"],
        "variable": ["mean_wave_direction"],
        "date": ["2020-01-01"],
        "time": ["00:00"],
        "data_format": "netcdf",
        **COARSE,
    }
    path = fetch(start(faults="scaled_integers"), "reanalysis-era5-single-levels", request)
    with xr.open_dataset(path) as ds:
        ds.load()
    native = sources.load("era5_wave").native("surface/mwd")
    exact = truth(
        native.variable, None, datetime(2020, 1, 1), ds["latitude"].values, ds["longitude"].values
    )
    found = ds["mwd"].values[0]
    np.testing.assert_array_equal(np.isnan(found), np.isnan(exact))
    assert 0 < np.isnan(exact).sum() < exact.size
    assert np.nanmax(np.abs(found - exact)) <= 0.51 * 360 / 65_000 * 1.01


def test_waves_have_a_stream_a_file_and_a_grid_of_their_own(provider, fetch, read_grib):
    request = {
        "product_type": ["reanalysis"],
        "variable": ["2m_temperature", "significant_height_of_combined_wind_waves_and_swell"],
        "date": ["2020-01-01"],
        "time": ["00:00"],
    }
    dataset = "reanalysis-era5-single-levels"
    air, sea = read_grib(fetch(provider, dataset, request, data_format="grib"))
    assert (air.keys["stream"], air.keys["Ni"], air.keys["bitmapPresent"]) == ("oper", 1440, 0)
    assert (sea.keys["stream"], sea.keys["Ni"], sea.keys["bitmapPresent"]) == ("wave", 720, 1)
    path = fetch(provider, dataset, request, data_format="netcdf")
    assert unpacked(path) == [
        "data_stream-oper_stepType-instant.nc",
        "data_stream-wave_stepType-instant.nc",
    ]
    with xr.open_dataset(path.parent / "data_stream-wave_stepType-instant.nc") as ds:
        assert ds["swh"].shape == (1, 361, 720)
