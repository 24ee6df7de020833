"""Curvilinear and scattered points: bilinear, triangles, cells with corners."""

import numpy as np
import pytest

from aurora_prep.regridding import (
    Curvilinear,
    Projected,
    RotatedPole,
    Scattered,
    octahedral,
    of_grid,
    regridder,
)
from aurora_prep.regridding.plane_grids import quadrilaterals
from aurora_prep.sources.spec import Grid

TARGET = Grid.regular("2")


def smooth(latitude, longitude):
    """A field without kinks."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    return np.sin(phi) + np.cos(phi) * np.cos(lam) + np.cos(phi) ** 2 * np.sin(2 * lam)


def lattice(step):
    """A turned globe as two-dimensional coordinates with corners."""
    x, y = np.arange(step / 2, 360, step), np.arange(90 - step / 2, -90, -step)
    flat = Projected(RotatedPole(-50.0, 30.0), x, y)
    latitude, longitude = (side.reshape(flat.shape) for side in flat.points())
    return Curvilinear(latitude, longitude, flat.cells())


@pytest.mark.parametrize("step", [2.0, 4.0])
def test_curvilinear_bilinear_is_of_second_order(step):
    source = lattice(step)
    result = regridder(source, TARGET, "bilinear")(smooth(source.latitude, source.longitude))
    truth = smooth(TARGET.latitude[:, None], TARGET.longitude)
    held = np.isfinite(result)
    assert held.mean() > 0.99
    assert np.abs(result - truth)[held].max() < 1.5 * np.radians(step) ** 2


def test_curvilinear_cells_conserve(tools):
    source = lattice(5.0)
    field = np.random.default_rng(1).uniform(0.5, 1.5, source.shape)
    one, other = TARGET, Grid.regular("7.5")
    totals = []
    for target in (one, other):
        move = regridder(source, target, "conservative")
        np.testing.assert_allclose(move.operator.cover, 1, atol=1e-9)
        totals.append((move(field) * tools.cell_areas(target)).sum())
    assert totals[0] == pytest.approx(totals[1], rel=1e-12)


def test_a_lattice_of_corners_is_the_grid_itself():
    """Parallels are not great circles, which tells in the wide cells near the poles only."""
    grid = of_grid(Grid.regular("2"))
    corners = quadrilaterals(*np.meshgrid(grid.latitude_edges, grid.longitude_edges, indexing="ij"))
    latitude, longitude = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    source = Scattered(latitude.ravel(), longitude.ravel(), corners)
    field = np.random.default_rng(2).uniform(0.5, 1.5, grid.shape)
    target = Grid.regular("5")
    cut = regridder(source, target, "conservative")(field.ravel())
    exact = regridder(grid, target, "conservative")(field)
    np.testing.assert_allclose(cut, exact, atol=3e-2)
    np.testing.assert_allclose(cut[4:-4], exact[4:-4], atol=1e-3)


def test_scattered_bilinear_is_of_second_order():
    errors = []
    for order in (24, 48):
        points = octahedral(order).points()
        result = regridder(Scattered(*points), TARGET, "bilinear")(smooth(*points))
        truth = smooth(TARGET.latitude[:, None], TARGET.longitude)
        errors.append(np.abs(result - truth).max())
    assert errors[0] / errors[1] > 3


def test_a_regional_cloud_of_points_ends_at_its_hull():
    random = np.random.default_rng(4)
    latitude, longitude = random.uniform(30, 60, 4000), random.uniform(0, 40, 4000)
    source = Scattered(latitude, longitude)
    result = regridder(source, TARGET, "bilinear")(smooth(latitude, longitude))
    rows, columns = TARGET.latitude[:, None], TARGET.longitude
    inside = (rows > 33) & (rows < 57) & (columns > 3) & (columns < 37)
    outside = (rows < 29) | (rows > 62) | (columns > 41)
    assert np.isfinite(result[inside]).all()
    assert np.isnan(result[outside]).all()
    near = regridder(source, TARGET, "nearest")(smooth(latitude, longitude))
    assert np.isnan(near[(rows < 27) | (rows > 64) | (columns > 44)]).all()


def test_real_icosahedral_points(real_data, tools):
    latitude, longitude, land = (
        tools.read_messages(real_data / f"static/icon_{name}.grib2")[0][1]
        for name in ("clat", "clon", "lsm")
    )
    source = Scattered(latitude, longitude)
    for method in ("bilinear", "nearest"):
        result = regridder(source, Grid.regular("1"), method)(land)
        assert np.isfinite(result).all()
        weight = np.cos(np.radians(Grid.regular("1").latitude))
        assert np.average(result.mean(axis=1), weights=weight) == pytest.approx(
            land.mean(), abs=0.01
        )
