"""Fields that belong together, through the command line: winds as arrows, waves by height."""

import json

import numpy as np
import pytest
import xarray as xr
import yaml

from aurora_prep.manifest.query import Manifest
from aurora_prep.pipelines.cli import main
from aurora_prep.regridding import octahedral, reduced_gaussian
from aurora_prep.sources.spec import Grid

WIND = 10.0
U10, V10 = {"paramId": 165}, {"paramId": 166}


def across_the_pole(latitude, longitude):
    """Eastward and northward components of air that turns about the axis 0 N 40 E."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    axis = np.radians(40.0)
    return (
        -WIND * np.sin(phi) * np.cos(lam - axis),
        WIND * np.sin(lam - axis) + 0 * phi,
    )


def files(grib, folder, grid, points, variables=(U10, V10), name="wind.grib", wind=across_the_pole):
    """A GRIB file of both components."""
    parts = dict(zip((165, 166), wind(*points), strict=True))
    fields = [
        (grid, keys, np.broadcast_to(parts[keys["paramId"]], points[0].shape)) for keys in variables
    ]
    folder.joinpath("data").mkdir(exist_ok=True)
    return grib.write(folder / "data" / name, fields)


def run(folder, grid, *, variables=("10u", "10v"), source="era5", path="data/*", **entry):
    """Exit code of a run, and its store where there is one."""
    body = {"source": source, "access": "files", "path": [path], "grid": grid}
    body |= {"variables": list(variables), **entry}
    recipe = folder / "recipe.yaml"
    top = {"name": "case", "output": str(folder / "out"), "sources": [body]}
    recipe.write_text(yaml.safe_dump(top))
    code = main(["run", str(recipe), "--cache", str(folder / "cache")])
    store = folder / "out" / source / f"{grid}.zarr"
    return code, xr.open_zarr(store).load() if store.exists() else None


def error_of_rows(data, wind=across_the_pole):
    """Largest error of the wind in each row, m/s."""
    truth = wind(data.latitude.values[:, None], data.longitude.values[None, :])
    return np.hypot(data["10u"].values[0] - truth[0], data["10v"].values[0] - truth[1]).max(axis=1)


def points_of(grid):
    """Latitudes and longitudes of a regular grid, flat."""
    latitude, longitude = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    return latitude.ravel(), longitude.ravel()


def grid_of(grib, name):
    """Grid keys and points of ``octahedral``, ``O1280``, ``N320`` or ``regular STEP``."""
    if name.startswith("regular"):
        step = name.split()[1]
        return grib.regular(float(step)), points_of(Grid.regular(step))
    if name.startswith("N"):
        order, rows = int(name[1:]), grib.rows_of(int(name[1:]))
        return grib.classic(order, rows), reduced_gaussian(order, np.array(rows)).points()
    order = 48 if name == "octahedral" else int(name[1:])
    return grib.octahedral(order), octahedral(order).points()


@pytest.mark.parametrize(
    ("source", "target", "method"),
    [
        ("octahedral", "4", "auto"),
        ("octahedral", "1", "auto"),
        ("N48", "1", "auto"),
        ("regular 2.5", "1", "auto"),
        ("regular 2.5", "5", "conservative"),
        ("regular 4", "2.5", "bilinear"),
    ],
)
def test_a_wind_across_the_pole_stays_that_wind(grib, tmp_path, source, target, method):
    keys, points = grid_of(grib, source)
    files(grib, tmp_path, keys, points)
    code, data = run(tmp_path, target, method=method)
    assert code == 0
    rows = error_of_rows(data)
    assert rows.max() < 0.02
    assert np.hypot(data["10u"], data["10v"]).values[0, 0] == pytest.approx(WIND, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("O1280", "0.25"),
        ("O1280", "0.1"),
        ("N320", "0.1"),
        ("regular 0.75", "0.4"),
        ("regular 0.25", "0.4"),
    ],
)
def test_a_full_size_wind_across_the_pole_stays_that_wind(grib, tmp_path, source, target):
    files(grib, tmp_path, *grid_of(grib, source))
    code, data = run(tmp_path, target)
    assert code == 0
    assert error_of_rows(data).max() < 0.02


def test_components_bring_the_old_way_back_and_are_recorded(grib, tmp_path):
    keys, points = grid_of(grib, "octahedral")
    files(grib, tmp_path, keys, points)
    code, plain = run(tmp_path, "1", winds="components")
    assert code == 0
    found = json.loads((tmp_path / "out/dataset.json").read_text())
    assert found["recipe"]["sources"][0]["winds"] == "components"
    assert found["sources"][0]["winds"] == "components"
    (tmp_path / "other").mkdir()
    files(grib, tmp_path / "other", keys, points)
    _, arrows = run(tmp_path / "other", "1")
    away = np.abs(plain["10u"].values - arrows["10u"].values)
    assert away[0, 1:4].max() > 1e-4  # near the pole they differ
    assert away[0, 60:120].max() < 0.01
    record = json.loads((tmp_path / "other/out/dataset.json").read_text())
    assert record["sources"][0]["winds"] == "vectors"


def test_a_wind_that_is_not_on_offer_is_named(grib, tmp_path, capsys):
    files(grib, tmp_path, *grid_of(grib, "regular 4"))
    code, _ = run(tmp_path, "10", winds="arrows")
    assert code == 2
    assert "winds" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["octahedral", "regular 2.5"])
def test_run_and_regrid_give_the_same_bytes(grib, tmp_path, source):
    keys, points = grid_of(grib, source)
    path = files(grib, tmp_path, keys, points)
    code, data = run(tmp_path, "2")
    assert code == 0
    assert main(["regrid", str(path), str(tmp_path / "out.nc"), "--grid", "2"]) == 0
    with xr.open_dataset(tmp_path / "out.nc") as moved:
        for name in ("10u", "10v"):
            expected = data[name].values.squeeze()
            assert moved[name].values.squeeze().tobytes() == expected.tobytes()


def test_winds_along_a_projected_grid_are_turned(grib, tmp_path):
    keys = grib.lambert(40, 50e3, relative=True)
    shape = 1600
    fields = [(keys, U10, np.full(shape, 10.0)), (keys, V10, np.zeros(shape))]
    path = grib.write(tmp_path / "in.grib", fields)
    assert main(["regrid", str(path), str(tmp_path / "out.nc"), "--grid", "1"]) == 0
    with xr.open_dataset(tmp_path / "out.nc") as moved:
        there = moved.sel(latitude=35, longitude=268).squeeze()
        east, north = float(there["10u"]), float(there["10v"])
    turn = np.radians((268 - 262.5) * np.sin(np.radians(38.5)))
    assert east == pytest.approx(10 * np.cos(turn), abs=0.01)
    assert north == pytest.approx(-10 * np.sin(turn), abs=0.01)


@pytest.mark.parametrize("lone", [U10, V10], ids=["10u", "10v"])
def test_a_lone_component_along_a_projected_grid_is_refused(grib, tmp_path, capsys, lone):
    keys = grib.lambert(20, 100e3, relative=True)
    path = grib.write(tmp_path / "in.grib", [(keys, lone, np.full(400, 10.0))])
    assert main(["regrid", str(path), str(tmp_path / "out.nc"), "--grid", "2"]) == 2
    told = capsys.readouterr().err
    assert "cannot be turned" in told
    assert "both components" in told
    assert [p.name for p in tmp_path.iterdir()] == ["in.grib"]


def test_a_lone_component_that_points_east_is_moved(grib, tmp_path):
    keys = grib.lambert(20, 100e3, relative=False)
    path = grib.write(tmp_path / "in.grib", [(keys, U10, np.full(400, 10.0))])
    assert main(["regrid", str(path), str(tmp_path / "out.nc"), "--grid", "2"]) == 0
    with xr.open_dataset(tmp_path / "out.nc") as moved:
        assert np.nanmax(np.abs(moved["10u"].values - 10)) < 1e-3


def rotated(grib, *, relative):
    """A global grid about a moved pole."""
    return {
        **grib.regular(5.0),
        "gridType": "rotated_ll",
        "latitudeOfSouthernPoleInDegrees": -40.0,
        "longitudeOfSouthernPoleInDegrees": 10.0,
        "angleOfRotationInDegrees": 0.0,
        "uvRelativeToGrid": int(relative),
    }


def test_winds_along_a_rotated_grid_are_turned_in_a_run(grib, tmp_path):
    """Eastward in the rotated frame is a turn about the rotated axis, and regular to the eye."""
    latitude, _ = points_of(Grid.regular("5"))
    u = WIND * np.cos(np.radians(latitude))
    fields = [(rotated(grib, relative=True), U10, u), (rotated(grib, relative=True), V10, 0 * u)]
    (tmp_path / "data").mkdir()
    path = grib.write(tmp_path / "data/in.grib", fields)
    code, data = run(tmp_path, "5", method="bilinear")
    assert code == 0
    pole = np.radians([50.0 - 10.0, 10.0 + 180.0])  # the rotated north pole: 40 N, 190 E
    axis = np.array(
        [np.cos(pole[0]) * np.cos(pole[1]), np.cos(pole[0]) * np.sin(pole[1]), np.sin(pole[0])]
    )
    phi, lam = np.radians(np.meshgrid(data.latitude, data.longitude, indexing="ij"))
    here = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    arrow = WIND * np.cross(axis, here, axis=0)
    east = np.stack([-np.sin(lam), np.cos(lam), 0 * lam])
    north = np.cross(here, east, axis=0)
    assert np.abs(data["10u"].values[0] - (arrow * east).sum(axis=0)).max() < 0.05
    assert np.abs(data["10v"].values[0] - (arrow * north).sum(axis=0)).max() < 0.05
    assert (
        main(["regrid", str(path), str(tmp_path / "o.nc"), "--grid", "5", "--method", "bilinear"])
        == 0
    )
    with xr.open_dataset(tmp_path / "o.nc") as moved:
        assert moved["10v"].values.tobytes() == data["10v"].values.tobytes()


def test_a_lone_component_along_a_rotated_grid_is_refused_in_a_run(grib, tmp_path):
    size = len(points_of(Grid.regular("5"))[0])
    (tmp_path / "data").mkdir()
    grib.write(
        tmp_path / "data/in.grib", [(rotated(grib, relative=True), U10, np.full(size, 10.0))]
    )
    code, _ = run(tmp_path, "5", variables=["10u"])
    assert code == 1
    reasons = missing_reasons(tmp_path / "out")
    assert len(reasons) == 1
    assert "cannot be turned" in reasons[0]


def test_the_other_component_is_read_where_the_files_hold_it(grib, tmp_path):
    size = len(points_of(Grid.regular("5"))[0])
    both = [(rotated(grib, relative=True), keys, np.full(size, 10.0)) for keys in (U10, V10)]
    (tmp_path / "data").mkdir()
    grib.write(tmp_path / "data/in.grib", both)
    code, data = run(tmp_path, "5", variables=["10u"])
    assert code == 0
    assert set(data.data_vars) == {"10u"}


def missing_reasons(root):
    """Reasons in the ledger for frames that are not written."""
    with Manifest.open(str(root)) as manifest:
        return [row["reason"] for row in manifest.missing().to_pylist()]


# ---- waves ----

SWH, MWD, MWP = {"paramId": 140229}, {"paramId": 140230}, {"paramId": 140232}


def land(longitude):
    """Where there are no waves."""
    return np.abs(longitude - 180) < 30


def waves(grib, folder):
    """Heights, directions and periods on 2.5 degrees; no waves where there is land."""
    latitude, longitude = points_of(Grid.regular("2.5"))
    missing = land(longitude)
    high = np.where(np.round(longitude / 2.5) % 2 == 0, 4.0, 1.0)
    height = np.where(missing, np.nan, high)
    direction = np.where(missing, np.nan, np.where(high > 2, 355.0, 35.0))
    period = np.where(missing & (latitude > 10), np.nan, 8.0 + 0 * latitude)
    keys = grib.regular(2.5)
    (folder / "data").mkdir()
    return grib.write(
        folder / "data/waves.grib",
        [(keys, SWH, height), (keys, MWD, direction), (keys, MWP, period)],
    )


def test_wave_directions_count_by_height_and_periods_follow_its_mask(grib, tmp_path):
    path = waves(grib, tmp_path)
    code, data = run(
        tmp_path, "5", source="era5_wave", variables=["swh", "mwd", "mwp"], method="conservative"
    )
    assert code == 0
    height, direction, period = (data[name].values[0] for name in ("swh", "mwd", "mwp"))
    assert np.isnan(height).any()
    np.testing.assert_array_equal(np.isnan(direction), np.isnan(height))
    np.testing.assert_array_equal(np.isnan(period), np.isnan(height))
    away = (direction[18, 2] + 180) % 360 - 180
    assert -5.0 < away < 2.0  # 16 times the energy comes from 355 degrees
    assert (
        main(
            ["regrid", str(path), str(tmp_path / "o.nc"), "--grid", "5", "--method", "conservative"]
        )
        == 0
    )
    with xr.open_dataset(tmp_path / "o.nc") as moved:
        for name in ("swh", "mwd", "mwp"):
            assert moved[name].values.squeeze().tobytes() == data[name].values[0].tobytes()


def test_nearest_copies_wave_directions(grib, tmp_path):
    waves(grib, tmp_path)
    code, data = run(tmp_path, "5", source="era5_wave", variables=["swh", "mwd"], method="nearest")
    assert code == 0
    found = data["mwd"].values
    assert set(np.unique(found[np.isfinite(found)])) <= {np.float32(355.0), np.float32(35.0)}
