"""Winds, directions and waves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_prep.regridding import (
    Projected,
    RotatedPole,
    directions,
    following,
    octahedral,
    of_grid,
    rectilinear,
    regridder,
    to_east_north,
    vectors,
)
from aurora_prep.regridding.gaussian import gaussian_latitudes
from aurora_prep.sources.spec import Grid, Nature, RegridError

TARGET = Grid.regular("2")


def turning(latitude, longitude):
    """Solid rotation about an axis in the equator: a wind straight across both poles."""
    phi, lam = np.radians(latitude), np.radians(longitude - 25)
    return -np.sin(phi) * np.cos(lam), np.sin(lam) + 0 * phi


@pytest.mark.parametrize("method", ["bilinear", "conservative"])
@pytest.mark.parametrize(
    "source",
    [
        of_grid(Grid.regular("1")),
        octahedral(80),
        rectilinear(gaussian_latitudes(80), 1.125 * np.arange(320)),
    ],
    ids=["regular", "octahedral", "gaussian"],
)
def test_a_wind_across_the_pole_stays_that_wind(source, method):
    u, v = (side.reshape(source.shape) for side in turning(*source.points()))
    east, north = vectors(regridder(source, TARGET, method), u, v)
    truth = turning(TARGET.latitude[:, None], TARGET.longitude)
    error = np.hypot(east - truth[0], north - truth[1])
    assert error.max() < (2e-3 if method == "bilinear" else 2e-2)


def test_components_alone_are_right_at_poles_without_a_row():
    latitude = np.arange(89.5, -90, -1.0)
    source = rectilinear(latitude, np.arange(0, 360, 1.0))
    u, v = turning(latitude[:, None], source.longitude)
    truth = turning(TARGET.latitude[:, None], TARGET.longitude)
    for side, exact, nature in ((u, truth[0], Nature.EASTWARD), (v, truth[1], Nature.NORTHWARD)):
        result = regridder(source, TARGET, "bilinear", nature=nature)(side)
        assert np.abs(result - exact).max() < 1e-3
    scalar = regridder(source, TARGET, "bilinear")(v)
    assert np.abs(scalar[0]).max() < 1e-12  # what a scalar would do: the wind is lost


def test_rotated_winds_come_back_as_the_reference(real_data):
    given_ = np.load(real_data / "golden/ekg_rotated_wind_20x20_input.npz")
    wanted = np.load(real_data / "golden/ekg_rotated_wind_20x20_ref.npz")
    source = Projected(
        RotatedPole(-20.0, -40.0), np.arange(0, 360, 20.0), np.arange(80, -81, -20.0)
    )
    names = set(given_.files)
    u, v = (given_[next(n for n in sorted(names) if n.startswith(k))] for k in ("x_wind", "y_wind"))
    east, north = to_east_north(source, u.reshape(9, 18), v.reshape(9, 18))
    np.testing.assert_allclose(east.ravel(), wanted["x_wind"], atol=2e-4)
    np.testing.assert_allclose(north.ravel(), wanted["y_wind"], atol=2e-4)


def test_grid_relative_winds_are_turned():
    source = Projected(RotatedPole(-35.0, 10.0), np.arange(-10, 11, 0.5), np.arange(10, -11, -0.5))
    latitude, longitude = source.points()
    u, v = (side.reshape(source.shape) for side in turning(latitude, longitude))
    angle = source.east_angle()
    along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    east, north = vectors(regridder(source, TARGET, "bilinear"), along, across, grid_relative=True)
    truth = turning(TARGET.latitude[:, None], TARGET.longitude)
    held = np.isfinite(east)
    assert held.any()
    assert np.hypot(east - truth[0], north - truth[1])[held].max() < 1e-3
    with pytest.raises(RegridError, match="x and y axes"):
        vectors(regridder(TARGET, Grid.regular("4")), u, v, grid_relative=True)


@given(st.floats(0, 359.999), st.floats(0, 60))
@settings(deadline=None, max_examples=40)
def test_directions_are_averaged_round_the_circle(middle, spread):
    source = Grid.regular("1")
    random = np.random.default_rng(1)
    away = random.uniform(-spread, spread, source.shape)
    field = np.mod(middle + away, 360).astype(np.float32)
    result = regridder(source, Grid.regular("5"), nature=Nature.DIRECTION)(field)
    assert (result >= 0).all()
    assert (result < 360).all()
    apart = np.abs(np.mod(result - middle + 180, 360) - 180)
    assert apart.max() <= spread + 1e-2


def test_directions_that_cancel_are_missing():
    source = Grid.regular("1")
    field = np.where(np.arange(360) % 2, 90.0, 270.0) * np.ones(source.shape)
    result = regridder(source, Grid.regular("2"), "conservative", nature=Nature.DIRECTION)(field)
    assert np.isnan(result).all()


def test_directions_count_by_energy():
    source, target = Grid.regular("1"), Grid.regular("3")
    field = np.where(np.arange(360) % 3 == 0, 90.0, 0.0) * np.ones(source.shape)
    height = np.where(np.arange(360) % 3 == 0, 4.0, 0.5) * np.ones(source.shape)
    plain = directions(regridder(source, target, "conservative"), field)
    energy = directions(regridder(source, target, "conservative"), field, height)
    np.testing.assert_allclose(plain[20:40], np.degrees(np.arctan2(1, 2)), atol=0.5)
    np.testing.assert_allclose(energy[20:40], np.degrees(np.arctan2(16, 0.5)), atol=0.5)


def test_periods_follow_the_mask_of_their_height():
    source, target = Grid.regular("1"), Grid.regular("3")
    random = np.random.default_rng(9)
    height = random.uniform(0.5, 4, source.shape).astype(np.float32)
    height[random.random(source.shape) < 0.4] = np.nan
    period = np.where(random.random(source.shape) < 0.05, np.nan, 8.0).astype(np.float32)
    move = regridder(source, target, "conservative")
    result, mask = following(move, period, height), np.isnan(move(height))
    assert not np.isfinite(result[mask]).any()
    assert np.isfinite(result[~mask]).mean() > 0.99
    np.testing.assert_allclose(result[np.isfinite(result)], 8.0, rtol=1e-6)
    sea = regridder(source, target, "conservative", nature=Nature.DIRECTION)
    turned = following(sea, np.full_like(period, 350.0), height)
    np.testing.assert_array_equal(np.isnan(turned), mask)
    np.testing.assert_allclose(turned[~mask], 350.0, atol=1e-3)


def test_real_wave_directions_stay_within_their_neighbours(real_data):
    xarray = pytest.importorskip("xarray", reason="install xarray to read NetCDF")
    with xarray.open_dataset(real_data / "wave/ERA5_wave_DutchCoast.nc") as data:
        names = [str(name) for name in data.coords]
        latitude = data[next(n for n in names if n.startswith("lat"))].values
        longitude = data[next(n for n in names if n.startswith("lon"))].values
        mwd, swh = data["mwd"].values.squeeze(), data["swh"].values.squeeze()
    target = Grid.regular("1")
    source = rectilinear(latitude, longitude)
    move = regridder(source, target, "conservative", nature=Nature.DIRECTION)
    result = following(move, mwd.astype("f4"), swh.astype("f4"))
    height = regridder(source, target, "conservative")(swh.astype("f4"))
    assert np.isfinite(result).any()
    np.testing.assert_array_equal(np.isnan(result), np.isnan(height))
    assert ((result >= 0) & (result < 360))[np.isfinite(result)].all()
