"""ECMWF's own interpolation, where the extra is installed."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from aurora_prep.regridding import Scattered, mir_message, octahedral, rectilinear, regridder
from aurora_prep.regridding import mir as our_mir
from aurora_prep.regridding.gaussian import gaussian_latitudes
from aurora_prep.sources.spec import Grid, RegridError


@pytest.fixture(scope="module")
def library():
    return pytest.importorskip(
        "mir", reason="install MIR to run this: pip install aurora-prep[mir]"
    )


def test_mir_linear_of_the_native_mask_is_a_direct_call(library, real_data, tools):
    source, field = tools.read_grib(real_data / "gaussian/ifs_N320_lsm.grib2")
    ours = regridder(source, Grid.regular("0.25"), "mir-linear")(field)
    result = library.ArrayOutput()
    message = (real_data / "gaussian/ifs_N320_lsm.grib2").read_bytes()
    job = library.Job(grid="0.25/0.25", interpolation="linear")
    job.execute(library.GribMemoryInput(message), result)
    direct = np.array(result.values()).reshape(721, 1440)
    assert ours.tobytes() == direct.tobytes()


def test_mir_linear_of_the_native_mask_is_what_the_store_delivers(library, real_data, tools):
    assert library
    xarray = pytest.importorskip("xarray", reason="install xarray to read NetCDF")
    source, field = tools.read_grib(real_data / "gaussian/ifs_N320_lsm.grib2")
    ours = regridder(source, Grid.regular("0.25"), "mir-linear")(field.astype(np.float32))
    with xarray.open_dataset(real_data / "static/era5_static_norway.nc") as data:
        wanted = data["lsm"].values.squeeze()
        row = int((90 - float(data["latitude"][0])) * 4)
        column = int(float(data["longitude"][0]) * 4)
    part = ours[row : row + wanted.shape[0], column : column + wanted.shape[1]]
    np.testing.assert_allclose(part, wanted, atol=2e-5)  # the store packs to 16 bits


@pytest.mark.parametrize(("method", "bound"), [("mir-linear", 0.2), ("mir-average", 0.2)])
def test_mir_and_our_methods_are_near_each_other(library, method, bound):
    assert library
    source = octahedral(32)
    latitude, longitude = source.points()
    field = np.sin(np.radians(latitude)) + np.cos(np.radians(latitude)) * np.cos(
        np.radians(longitude)
    )
    target = Grid.regular("5")
    own = {"mir-linear": "bilinear", "mir-average": "conservative"}[method]
    apart = regridder(source, target, method)(field) - regridder(source, target, own)(field)
    assert np.abs(apart).max() < bound
    assert np.abs(apart).mean() < 5e-3


def quadrature_edges(order):
    """Borders of rows whose areas are the weights of Gaussian quadrature, north to south."""
    _, weight = np.polynomial.legendre.leggauss(2 * order)
    return np.degrees(np.arcsin(np.clip(1 - np.cumsum([0, *weight]), -1, 1)))


@pytest.mark.parametrize("kind", ["regular", "reduced"])
def test_mir_average_is_conservative_on_cells_of_quadrature(library, kind):
    """The one difference between the two: where the rows of a Gaussian grid end."""
    assert library
    order, target = 32, Grid.regular("5")
    edges = quadrature_edges(order)
    if kind == "reduced":
        source = octahedral(order)
    else:
        source = rectilinear(gaussian_latitudes(order), 360 / 128 * np.arange(128))
    same = replace(source, latitude_edges=edges)
    field = np.random.default_rng(3).uniform(0.5, 1.5, source.shape)
    wanted = regridder(source, target, "mir-average")(field)
    assert np.abs(regridder(source, target, "conservative")(field) - wanted).max() > 1e-3
    ours = regridder(same, target, "conservative")(field)
    np.testing.assert_allclose(ours, wanted, atol=1e-9)


def test_regional_and_regular_grids_have_names(library, tools):
    assert library
    source = rectilinear(np.arange(70, 29, -1.0), np.arange(-10, 41, 1.0))
    field = np.add.outer(source.latitude, source.longitude)
    target = tools.regional(60, 0, "0.5", 21, 21)
    result = regridder(source, target, "mir-linear")(field)
    np.testing.assert_allclose(result, np.add.outer(target.latitude, target.longitude), atol=0.01)


def test_missing_values_go_through_messages(library, real_data):
    assert library
    xarray = pytest.importorskip("xarray", reason="install xarray to read the golden file")
    message = (real_data / "wave/ecwam_reduced_ll_swh_20080206.grib2").read_bytes()
    ours = mir_message(message, Grid.regular("0.5"), "mir-linear")
    with xarray.open_dataset(real_data / "golden/HRESWAM_rll_swh_to_0.5.mir-linear.nc") as data:
        np.testing.assert_allclose(ours, data["swh"].values.squeeze(), atol=1e-6)
    with pytest.raises(RegridError, match="messages only"):
        regridder(octahedral(8), Grid.regular("10"), "mir-linear")(
            np.full(octahedral(8).shape, np.nan)
        )


def test_grids_without_a_name_are_refused(library):
    assert library
    with pytest.raises(RegridError, match="no name"):
        regridder(Scattered(*octahedral(8).points()), Grid.regular("10"), "mir-linear")


def test_without_the_extra_the_fix_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mir", None)
    with pytest.raises(RegridError, match=r"aurora-prep\[mir\]"):
        regridder(octahedral(8), Grid.regular("10"), "mir-linear")
    assert "mir-average" in our_mir.METHODS
