"""Grids wider than half the globe, mappings that lie, and nearest points, by the command line."""

import time

import numpy as np
import pytest
import xarray as xr

from aurora_prep.pipelines.cli import main
from aurora_prep.regridding import (
    Curvilinear,
    Projected,
    Projection,
    RotatedPole,
    Scattered,
    rectilinear,
    regridder,
)
from aurora_prep.sources.spec import Grid

MERCATOR = {
    "gridType": "mercator", "Ni": 90, "Nj": 20, "LaDInDegrees": 0.0, "jScansPositively": 1,
    "latitudeOfFirstGridPointInDegrees": -25.0, "latitudeOfLastGridPointInDegrees": 25.0,
    "DiInMetres": 300e3, "DjInMetres": 300e3,
}  # fmt: skip
LAMBERT = "+proj=lcc +lat_1=38.5 +lat_2=38.5 +lat_0=38.5 +lon_0=262.5 +R=6371229"


def smooth(latitude, longitude):
    """A field that has no jump anywhere on the globe."""
    lam = np.radians(longitude)
    return 280 + 10 * np.cos(lam) * np.cos(np.radians(latitude))


def moved(folder, source, method, grid="2"):
    """The file after the command."""
    output = folder / f"{method}.nc"
    words = ["regrid", str(source), str(output), "--grid", grid, "--method", method]
    assert main(words) == 0
    with xr.open_dataset(output) as data:
        return data.load()


@pytest.mark.parametrize("method", ["bilinear", "nearest", "conservative"])
@pytest.mark.parametrize("first", [130.0, 10.0, 359.0])
def test_a_wide_mercator_grid_keeps_its_east(grib, tmp_path, method, first):
    width = 89 * 300e3 / (2 * np.pi * 6_371_229.0) * 360
    last = (first + width) % 360
    keys = {**MERCATOR, "longitudeOfFirstGridPointInDegrees": first}
    keys["longitudeOfLastGridPointInDegrees"] = last
    columns = first + np.linspace(0, width, 90)
    values = np.broadcast_to(smooth(0, columns), (20, 90))
    path = grib.write(tmp_path / "in.grib", [(keys, {"paramId": 167}, values)])
    row = moved(tmp_path, path, method)["2t"].squeeze().sel(latitude=0)
    held = row.dropna("longitude")
    within = (row["longitude"].values - first) % 360 <= width - 1
    assert np.isfinite(row.values[within]).all()
    assert np.abs(held.values - smooth(0, held["longitude"].values)).max() < 1.0


def projected(folder, *, pole, claimed, earth=True, plane=None):
    """A NetCDF file on a plane with 2-D coordinates made with one pole, a mapping with another."""
    x, y = np.arange(-10.0, 10.5, 0.5), np.arange(-8.0, 8.5, 0.5)
    names, units = ("grid_longitude", "grid_latitude"), "degrees"
    if plane is None:
        plane = RotatedPole(-pole[0], pole[1] + 180.0)
        mapping = {
            "grid_mapping_name": "rotated_latitude_longitude",
            "grid_north_pole_latitude": claimed[0],
            "grid_north_pole_longitude": claimed[1],
        }
    else:
        x, y = x * 24e3, y * 24e3
        names, units = ("projection_x_coordinate", "projection_y_coordinate"), "m"
        mapping = {
            "grid_mapping_name": "lambert_conformal_conic",
            "standard_parallel": 38.5,
            "longitude_of_central_meridian": claimed,
            "latitude_of_projection_origin": 38.5,
            **({"earth_radius": 6371229.0} if earth else {}),
        }
    latitude, longitude = plane.to_sphere(*(s.ravel() for s in np.meshgrid(x, y)))
    shape = len(y), len(x)
    field = smooth(latitude, longitude).reshape(shape).astype("f4")
    data = xr.Dataset(
        {
            "t2m": (
                ("y", "x"),
                field,
                {"units": "K", "grid_mapping": "crs", "coordinates": "lat lon"},
            ),
            "crs": ((), 0, mapping),
        },
        {
            "x": ("x", x, {"standard_name": names[0], "units": units}),
            "y": ("y", y, {"standard_name": names[1], "units": units}),
        },
    )
    data["lat"] = (("y", "x"), latitude.reshape(shape), {"units": "degrees_north"})
    data["lon"] = (("y", "x"), longitude.reshape(shape), {"units": "degrees_east"})
    data.to_netcdf(folder / "in.nc")
    return folder / "in.nc"


def test_a_mapping_that_contradicts_the_coordinates_is_refused_with_both(tmp_path, capsys):
    source = projected(tmp_path, pole=(39.25, -162.0), claimed=(18.0, -140.75))
    assert main(["regrid", str(source), str(tmp_path / "out.nc"), "--grid", "1"]) == 2
    told = capsys.readouterr().err
    assert "by its coordinates" in told
    assert "by the mapping" in told
    assert not (tmp_path / "out.nc").exists()


def test_a_mapping_off_by_a_quarter_of_a_cell_is_refused(tmp_path):
    plane = Projection(LAMBERT)
    source = projected(tmp_path, pole=None, claimed=262.54, plane=plane)
    assert main(["regrid", str(source), str(tmp_path / "out.nc"), "--grid", "0.25"]) == 2


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_a_mapping_that_agrees_is_used(tmp_path, method):
    source = projected(tmp_path, pole=(39.25, -162.0), claimed=(39.25, -162.0))
    data = moved(tmp_path, source, method, grid="0.5")["t2m"]
    held = data.stack(p=("latitude", "longitude")).dropna("p")
    assert held.size > 400
    away = np.abs(held - smooth(held["latitude"], held["longitude"])).max()
    assert away < (0.01 if method == "bilinear" else 0.1)


def test_coordinates_count_where_a_mapping_names_no_earth(tmp_path):
    small = Projection(LAMBERT.replace("6371229", "6171229"))
    source = projected(tmp_path, pole=None, claimed=262.5, earth=False, plane=small)
    data = moved(tmp_path, source, "bilinear", grid="0.25")["t2m"]
    held = data.stack(p=("latitude", "longitude")).dropna("p")
    assert held.size > 100
    assert np.abs(held - smooth(held["latitude"], held["longitude"])).max() < 1e-3


def test_a_mapping_without_earth_or_coordinates_is_refused(tmp_path, capsys):
    source = projected(tmp_path, pole=None, claimed=262.5, earth=False, plane=Projection(LAMBERT))
    with xr.open_dataset(source) as data:
        bare = data.drop_vars(["lat", "lon"]).load()
    bare.to_netcdf(tmp_path / "bare.nc")
    assert main(["regrid", str(tmp_path / "bare.nc"), str(tmp_path / "o.nc"), "--grid", "1"]) == 2
    assert "earth_radius" in capsys.readouterr().err


def lambert():
    axis = 12e3 * np.arange(-200, 200)
    return Projected(Projection(LAMBERT), axis, axis)


def curved():
    latitude, longitude = (side.reshape(400, 400) for side in lambert().points())
    return Curvilinear(latitude, longitude)


def turned():
    axis = np.arange(-20, 20, 0.1)
    return Projected(RotatedPole(-35.0, 10.0), axis, axis)


def scattered():
    latitude, longitude = lambert().points()
    return Scattered(latitude[::5], longitude[::5])


def wide():
    return rectilinear(np.arange(60.0, -61.0, -1.0), 130.0 + np.arange(0.0, 271.0))


SHAPES = {f.__name__: f for f in (lambert, curved, turned, scattered, wide)}


@pytest.mark.parametrize("shape", SHAPES)
def test_nearest_takes_at_most_three_times_bilinear(shape):
    def seconds(method):
        best = np.inf
        for _ in range(3):
            source = SHAPES[shape]()
            begun = time.process_time()
            regridder(source, Grid.regular("0.5"), method)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds("nearest") <= 3 * seconds("bilinear") + 0.05


@pytest.mark.parametrize("shape", ["lambert", "turned"])
def test_nearest_in_a_plane_is_nearest_on_the_globe(shape):
    source, target = SHAPES[shape](), Grid.regular("2.5")
    index = regridder(source, target, "nearest").operator.index
    phi, lam = (np.radians(side) for side in source.points())
    vectors = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    latitude, longitude = np.meshgrid(target.latitude, target.longitude, indexing="ij")
    for place in np.flatnonzero(index >= 0):
        p, q = np.radians(latitude.ravel()[place]), np.radians(longitude.ravel()[place])
        here = np.array([np.cos(p) * np.cos(q), np.cos(p) * np.sin(q), np.sin(p)])
        ahead = here @ vectors
        assert ahead[index[place]] >= ahead.max() - 1e-14
