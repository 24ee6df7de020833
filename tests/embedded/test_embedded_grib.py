"""GRIB through the real client: labels, order, geometry, values."""

import hashlib
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.providers.embedded import truth
from aurora_prep.sources.spec import Kind

ERA5 = sources.load("era5")
T, Z = ERA5.native("atmospheric/t").variable, ERA5.native("atmospheric/z").variable


def assert_true(message, variable, level) -> None:
    """The message holds the truth to half a packing step and the reference value's rounding."""
    expected = truth(
        variable, level, message.valid_time, message.latitude, np.mod(message.longitude, 360.0)
    )
    np.testing.assert_array_equal(np.isnan(message.values), np.isnan(expected))
    worst = np.nanmax(np.abs(message.values - expected))
    assert worst <= 0.5001 * message.step + 1e-6 * np.nanmax(np.abs(expected))
    spread = np.nanmax(expected) - np.nanmin(expected)
    assert message.step < 2.0 * (spread + 1e-6 * np.nanmax(np.abs(expected))) / 2**15
    assert message.keys["bitsPerValue"] == (24 if variable.kind is Kind.STATIC else 16)


def test_messages_come_by_time_then_level_then_variable(
    provider, client, levels, read_grib, tmp_path
):
    path = client(provider).retrieve(*levels, str(tmp_path / "a.grib"))
    found = [
        (m.valid_time.hour, m.keys["level"], m.keys["paramId"], m.keys["levtype"])
        for m in read_grib(path)
    ]
    assert found == [
        (hour, level, param, "pl")
        for hour in (0, 6)
        for level in (500, 850)
        for param in (130, 129)
    ]


def test_messages_are_labelled_as_era5(provider, client, surface, read_grib, tmp_path):
    message, *_ = read_grib(client(provider).retrieve(*surface, str(tmp_path / "a.grib")))
    assert message.keys == {
        "edition": 1,
        "paramId": 167,
        "levtype": "sfc",
        "level": 0,
        "dataDate": 20200101,
        "dataTime": 0,
        "validityDate": 20200101,
        "validityTime": 0,
        "class": "ea",
        "stream": "oper",
        "type": "an",
        "expver": "0001",
        "stepRange": "0",
        "stepType": "instant",
        "packingType": "grid_simple",
        "bitsPerValue": 16,
        "gridType": "regular_ll",
        "Ni": 25,
        "Nj": 13,
        "bitmapPresent": 0,
        "binaryScaleFactor": message.keys["binaryScaleFactor"],
        "decimalScaleFactor": 0,
    }


@pytest.mark.parametrize(
    ("edition", "packing"), [(1, "grid_simple"), (2, "grid_ccsds")], ids=["grib1", "grib2"]
)
def test_values_are_the_truth(start, client, levels, read_grib, tmp_path, edition, packing):
    path = client(start(edition=edition)).retrieve(*levels, str(tmp_path / "a.grib"))
    messages = read_grib(path)
    assert len(messages) == 8
    for message in messages:
        assert (message.keys["edition"], message.keys["packingType"]) == (edition, packing)
        variable = {130: T, 129: Z}[message.keys["paramId"]]
        assert_true(message, variable, message.keys["level"])


def test_every_declared_variable_is_served(provider, client, read_grib, tmp_path):
    everywhere = {"date": "2020-01-01", "time": "00:00", "grid": [30, 30]}
    natives = {native.variable.param: native for native in ERA5.of_kind(*("surface", "static"))}
    path = client(provider).retrieve(
        "reanalysis-era5-single-levels",
        {**everywhere, "variable": [native.request for native in natives.values()]},
        str(tmp_path / "a.grib"),
    )
    messages = read_grib(path)
    assert [m.keys["paramId"] for m in messages] == list(natives)
    for message in messages:
        assert message.values.shape == (7, 12)
        assert_true(message, natives[message.keys["paramId"]].variable, None)


def test_area_and_grid_choose_the_points(provider, client, surface, read_grib, tmp_path):
    dataset, request = surface
    request |= {"area": [51.1, -3.2, 49.9, 1.0], "grid": ["0.5", "0.25"], "time": "06:00"}
    message, *_ = read_grib(client(provider).retrieve(dataset, request, str(tmp_path / "a.grib")))
    np.testing.assert_allclose(message.latitude, [51.0, 50.75, 50.5, 50.25, 50.0])
    np.testing.assert_allclose(message.longitude, np.arange(-3.0, 1.01, 0.5))
    assert_true(message, ERA5.native("surface/2t").variable, None)


@pytest.mark.parametrize("area", [[90, -180, -90, 180], "90/0/-90/360"])
def test_the_whole_circle_repeats_no_column(provider, client, surface, read_grib, tmp_path, area):
    dataset, request = surface
    request |= {"area": area, "grid": [10, 10]}
    message, *_ = read_grib(client(provider).retrieve(dataset, request, str(tmp_path / "a.grib")))
    assert message.values.shape == (19, 36)


def test_an_area_may_cross_the_date_line(provider, client, surface, read_grib, tmp_path):
    dataset, request = surface
    request |= {"area": [10, 170, 0, -170], "grid": [5, 5]}
    message, *_ = read_grib(client(provider).retrieve(dataset, request, str(tmp_path / "a.grib")))
    np.testing.assert_allclose(message.longitude, [170, 175, 180, 185, 190])
    assert_true(message, ERA5.native("surface/2t").variable, None)


def test_the_newest_months_are_preliminary(start, client, surface, read_grib, tmp_path):
    provider = start(preliminary_from=datetime(2020, 1, 1, 6))
    messages = read_grib(client(provider).retrieve(*surface, str(tmp_path / "a.grib")))
    assert [m.keys["expver"] for m in messages] == ["0001", "0001", "0005", "0005"]


def test_a_new_source_is_served_from_its_declaration(start, client, invented, read_grib, tmp_path):
    provider = start(declared=[invented])
    request = {"date": "2010-05-05", "time": "15:00", "area": [60, 0, -60, 350]}
    names = ["wave_height", "wave_direction", "total_precipitation"]
    path = client(provider).retrieve(
        "invented-surface", {**request, "variable": names}, str(tmp_path / "a.grib")
    )
    wave, direction, rain = read_grib(path)
    assert wave.keys["bitmapPresent"] == 1
    assert 0 < np.isnan(wave.values).sum() < wave.values.size
    assert rain.keys["stepType"] == "accum"
    assert (rain.keys["type"], rain.keys["stepRange"], rain.keys["dataTime"]) == ("fc", "8-9", 600)
    assert wave.valid_time == direction.valid_time == rain.valid_time == datetime(2010, 5, 5, 15)
    for message, native in zip((wave, direction, rain), invented.natives, strict=False):
        assert_true(message, native.variable, None)

    ozone = {**request, "variable": "ozone", "pressure_level": "100"}
    (message,) = read_grib(
        client(provider).retrieve("invented-levels", ozone, str(tmp_path / "b.grib"))
    )
    assert message.keys["paramId"] == 210203
    assert_true(message, invented.native("atmospheric/go3").variable, 100)


def test_the_same_request_gives_the_same_bytes(start, client, levels, tmp_path):
    digests = set()
    for number in range(3):
        path = Path(client(start()).retrieve(*levels, str(tmp_path / f"{number}.grib")))
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_full_size_field(provider, client, surface, read_grib, tmp_path):
    dataset, request = surface
    del request["area"], request["grid"]
    request |= {"time": ["18:00"], "variable": "mean_sea_level_pressure"}
    (message,) = read_grib(client(provider).retrieve(dataset, request, str(tmp_path / "a.grib")))
    assert message.values.shape == (721, 1440)
    grid = ERA5.grid
    np.testing.assert_array_equal(message.latitude, grid.latitude)
    np.testing.assert_array_equal(message.longitude, grid.longitude)
    assert_true(message, ERA5.native("surface/msl").variable, None)
