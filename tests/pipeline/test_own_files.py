"""The user's own files through the command line: refused by name, chosen by key, or told."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from aurora_prep.pipelines.cli import main

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first

RECIPE = """
name: own
output: ./out
sources:
  - {{source: {source}, access: files, path: ["data/*"], grid: native{more}}}
"""
STEP = 30


def message(value=280.0, edition=1, **keys):
    """One field of 7 x 12 points."""
    handle = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
    base = {
        "dataDate": 20200101, "dataTime": 0, "paramId": 167, "Ni": 12, "Nj": 7,
        "latitudeOfFirstGridPointInDegrees": 90, "latitudeOfLastGridPointInDegrees": -90,
        "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": 330,
        "iDirectionIncrementInDegrees": STEP, "jDirectionIncrementInDegrees": STEP,
        **({"class": "ea"} if edition == 1 else {}), **keys,
    }  # fmt: skip
    try:
        for key, one in base.items():
            eccodes.codes_set(handle, key, one)
        size = base["Ni"] * base["Nj"]
        eccodes.codes_set_values(handle, np.broadcast_to(np.asarray(value, float), size))
        return bytes(eccodes.codes_get_message(handle))
    finally:
        eccodes.codes_release(handle)


def netcdf(path, name="t2m", hours=(0, 6), values=None, units="K", dims=("time",)):
    field = np.full((len(hours), 7, 12), 280, "f4") if values is None else values
    time = np.datetime64("2020-01-01", "ns") + (np.array(hours) * 60).astype("m8[m]")
    coords = {"latitude": np.linspace(90, -90, 7), "longitude": np.arange(12.0) * STEP}
    if dims:
        coords["time"] = time
    else:
        field = field[0]
    xr.Dataset(
        {name: ((*dims, "latitude", "longitude"), field, {"units": units})}, coords
    ).to_netcdf(path)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command on a recipe of the folder ``data``: exit code, and what was said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()

    def make(word, more="", source="era5"):
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(RECIPE.format(source=source, more=f", {more}" if more else ""))
        code = main([word, str(recipe)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return make


def stored(name="2t"):
    (path,) = Path("out/era5").glob("*.zarr")
    with xr.open_zarr(path) as data:
        return data[name].values, dict(data.attrs)


def refused(command, *parts, more="", source="era5"):
    """``plan`` and ``run`` refuse alike, before anything is written."""
    for word in ("plan", "run"):
        code, said = command(word, more, source)
        assert code == 2, said
        assert said.count("fix:") == 1
        for part in parts:
            assert part in said
    assert not Path("out").exists()


def test_another_product_is_refused_and_accepted_by_key_alone(command):
    Path("data/a.grib").write_bytes(message(**{"class": "od"}))
    refused(command, "of class od and not ea", "accept_product: true", "a.grib")
    code, _ = command("run", "accept_product: true, licence: ours, title: mine")
    assert code == 0
    values, attributes = stored()
    assert (values == 280).all()
    assert attributes["licence"] == "ours"
    (entry,) = json.loads(Path("out/dataset.json").read_text())["sources"]
    assert entry["accepted_products"] == [
        "class od, stream oper, type an, centre ecmf, statistic instant"
    ]
    assert entry["title"] == "mine"
    assert "Copernicus" not in json.dumps([entry, attributes])


def test_the_licence_of_another_product_is_never_the_sources(command):
    Path("data/a.grib").write_bytes(message(edition=2, centre="kwbc"))
    refused(command, "of centre kwbc and not ecmf")
    assert command("run", "accept_product: true")[0] == 0
    _, attributes = stored()
    assert attributes["licence"].startswith("unknown; the headers say: centre kwbc")
    assert "kwbc" in attributes["attribution"]


@pytest.mark.parametrize(
    ("more", "said"),
    [("licence: ours", "licence goes with accept_product"),
     ("accept_product: maybe", "neither true nor false"),
     ("area: [1, 2, 3]", "no area"), ("area: [0, 0, 10, 0]", "no area"),
     ("members: [3]", "no ensemble"),
     ("accept_product: true, members: [1, 2]", "not one member")],
)  # fmt: skip
def test_keys_that_make_no_sense(command, more, said):
    Path("data/a.grib").write_bytes(message())
    refused(command, said, more=more)


def test_one_of_two_members_is_chosen_by_key(command):
    member = {"class": "od", "stream": "enfo", "type": "pf"}
    Path("data/a.grib").write_bytes(
        message(280, **member, number=1) + message(281, **member, number=2)
    )
    refused(command, "members: [NUMBER]", "two different fields", more="accept_product: true")
    assert command("run", "accept_product: true, members: [2]")[0] == 0
    assert (stored()[0] == 281).all()


def test_one_of_two_areas_is_chosen_by_key(command):
    north = message(
        270, Nj=3, latitudeOfFirstGridPointInDegrees=90, latitudeOfLastGridPointInDegrees=30
    )
    Path("data/a.grib").write_bytes(message(280) + north)
    refused(command, "area: [north, west, south, east]", "[90.0, 0.0, 30.0, 330.0]")
    assert command("run", "area: [90, 0, -90, -30]")[0] == 0
    assert (stored()[0] == 280).all()


def test_two_different_fields_cost_their_frame_and_not_the_run(command):
    Path("data/a.grib").write_bytes(
        message(280) + message(281, dataTime=600) + message(285, dataTime=600)
    )
    code, said = command("plan")
    assert code == 0
    assert "two different fields claim the same variable" in said
    code, said = command("run")
    assert code == 1, said
    values, _ = stored()
    assert (values[0] == 280).all()
    assert np.isnan(values[1]).all()
    frames = json.loads(Path("out/dataset.json").read_text())["sources"][0]["frames"]
    assert (frames["written"], frames["rejected"]) == (1, 1)


def test_one_infinite_value_costs_its_frame(command):
    values = np.full((2, 7, 12), 280, "f4")
    values[1, 2, 3] = np.inf
    netcdf("data/a.nc", values=values)
    code, said = command("run")
    assert code == 1, said
    assert (stored()[0][0] == 280).all()
    frames = json.loads(Path("out/dataset.json").read_text())["sources"][0]["frames"]
    assert (frames["written"], frames["rejected"]) == (1, 1)


@pytest.mark.parametrize("hour", [12.5, 18.25])
def test_a_time_off_the_hour_is_told_with_its_file(command, hour):
    netcdf("data/good.nc")
    netcdf("data/odd.nc", hours=(hour,))
    refused(command, "odd.nc", "no whole hour")
    code, said = command("run", "period: {start: 2020-01-01T00, end: 2020-01-01T06, step: 6h}")
    assert code == 0, said
    (entry,) = json.loads(Path("out/dataset.json").read_text())["sources"]
    assert any("odd.nc" in text for text in entry["ignored"])


def test_only_variables_that_a_recipe_must_name(command):
    netcdf("data/a.nc", "sp", values=np.full((2, 7, 12), 98_000, "f4"), units="Pa")
    refused(command, "extra_variables: [sp]")
    refused(command, "none of the variables", "surface/sp", more="variables: [2t]")
    assert command("run", "extra_variables: [sp]")[0] == 0
    assert (stored("sp")[0] == 98_000).all()


def test_only_static_fields(command):
    netcdf("data/a.nc", "lsm", values=np.ones((1, 7, 12), "f4"), units="(0 - 1)", dims=())
    refused(command, "only static fields", "static/lsm", "a.nc")


def test_no_time(command):
    netcdf("data/a.nc", values=np.full((1, 7, 12), 280, "f4"), dims=())
    refused(command, "t2m (surface, no time)")


def test_valid_times_alone_are_no_forecasts(command):
    netcdf("data/a.nc")
    refused(command, "no init time or lead time", source="hres_forecast")


@pytest.mark.parametrize("front", [b"\x00" * 200, b"an archive's own header\n" * 40])
def test_bytes_before_the_first_message(command, front):
    Path("data/a.grib").write_bytes(front + message(281))
    assert command("run")[0] == 0
    assert (stored()[0] == 281).all()


@pytest.mark.parametrize("across", [0, 1])
def test_rows_to_and_fro_are_read(command, across):
    truth = np.add.outer(np.arange(7.0), np.arange(12.0)) + 250
    laid = (truth.T if across else truth).copy()
    laid[1::2] = laid[1::2, ::-1].copy()
    keys = {"alternativeRowScanning": 1, "jPointsAreConsecutive": across, "bitsPerValue": 24}
    Path("data/a.grib").write_bytes(message(laid.ravel(), edition=2, **keys))
    assert command("run")[0] == 0
    np.testing.assert_allclose(stored()[0][0], truth, atol=1e-3)


def test_sum_since_the_start_of_the_forecast(command):
    keys = {"paramId": 228, "type": "fc", "stepRange": "12"}
    Path("data/a.grib").write_bytes(message(1e-3, **keys))
    refused(command, "since the start of the forecast, 12 h", more="extra_variables: all")


def test_monthly_means(command):
    Path("data/a.grib").write_bytes(message(timeRangeIndicator=123) + message(stream="moda"))
    refused(command, "a mean over many times, such as a month", "of stream moda")
