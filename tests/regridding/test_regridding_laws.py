"""Laws that hold for every pair of grids: constants, area means, order, symmetry."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.special import lpmv

from aurora_prep.regridding import (
    Projected,
    Projection,
    Reduced,
    RotatedPole,
    octahedral,
    of_grid,
    rectilinear,
    reduced_gaussian,
    regridder,
)
from aurora_prep.regridding.gaussian import gaussian_latitudes
from aurora_prep.sources.spec import Grid

STEPS = ["2", "2.5", "3", "4", "5", "7.5", "10", "22.5"]
LAW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def global_grids(draw):
    """Regular grids of the whole earth, any origin, with and without rows at the poles."""
    step = Fraction(draw(st.sampled_from(STEPS)))
    across = Fraction(draw(st.sampled_from(STEPS)))
    west = across * draw(st.fractions(0, 1, max_denominator=4)) % 360
    if draw(st.booleans()):
        return Grid(step, across, Fraction(90), west, int(180 / step) + 1, int(360 / across))
    return Grid(step, across, 90 - step / 2, west, int(180 / step), int(360 / across))


@st.composite
def sources(draw):
    """Whole-earth sources of every kind that has rows, in any order."""
    kind = draw(
        st.sampled_from(["regular", "irregular", "gaussian", "octahedral", "reduced", "ll"])
    )
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    order = draw(st.integers(4, 24))
    if kind == "regular":
        cells = of_grid(draw(global_grids()))
        latitude, longitude = cells.latitude, cells.longitude
        if draw(st.booleans()):
            latitude = latitude[::-1]
        if draw(st.booleans()):
            longitude = longitude[::-1]
        turn = draw(st.integers(0, len(longitude) - 1))
        return rectilinear(latitude, np.mod(np.roll(longitude, turn), 360))
    if kind == "irregular":
        latitude = np.concatenate([[-90.0], np.sort(random.uniform(-89, 89, 3 * order)), [90.0]])
        assume(np.diff(latitude).min() > 1e-3)
        steps = random.uniform(0.5, 1.5, 4 * order)
        longitude = np.cumsum(360 * steps / steps.sum()) + random.uniform(-180, 180)
        grid = rectilinear(latitude, longitude)
        assume(grid.periodic)
        return grid
    if kind == "gaussian":
        return rectilinear(gaussian_latitudes(order), 360 / (4 * order) * np.arange(4 * order))
    if kind == "octahedral":
        return octahedral(order)
    counts = random.integers(1, 8 * order, 2 * order)
    if kind == "reduced":
        return reduced_gaussian(order, counts)
    edges = np.linspace(-90, 90, 2 * order + 1)
    return Reduced(
        (edges[1:] + edges[:-1]) / 2,
        edges,
        counts,
        random.uniform(-180, 360, 2 * order),
        360 / counts,
    )


@given(
    sources(), global_grids(), st.sampled_from(["conservative", "bilinear", "nearest", "majority"])
)
@LAW
def test_a_constant_stays_constant(source, target, method):
    field = np.full(source.shape, 271.828)
    result = regridder(source, target, method)(field)
    np.testing.assert_allclose(result, 271.828, rtol=1e-12)


@given(sources(), global_grids(), st.integers(0, 2**32 - 1))
@LAW
def test_the_area_mean_is_conserved(tools, source, target, seed):
    field = np.random.default_rng(seed).uniform(0.5, 1.5, source.shape)
    result = regridder(source, target, "conservative")(field)
    areas = tools.source_areas(source)
    before = (field.ravel() * areas).sum() / areas.sum()
    after = (result * tools.cell_areas(target)).sum() / tools.cell_areas(target).sum()
    assert areas.sum() == pytest.approx(4 * np.pi, rel=1e-12)
    assert after == pytest.approx(before, rel=1e-12)


@given(sources(), global_grids(), st.integers(0, 2**32 - 1), st.floats(0.05, 0.9))
@LAW
def test_what_is_left_after_masking_is_conserved(tools, source, target, seed, missing):
    random = np.random.default_rng(seed)
    field = random.uniform(0.5, 1.5, source.shape)
    field[random.random(source.shape) < missing] = np.nan
    assume(np.isfinite(field).any())
    move = regridder(source, target, "conservative", valid_fraction=0.0)
    weight = move.valid_part(field) * tools.cell_areas(target)
    areas = tools.source_areas(source) * np.isfinite(field.ravel())
    assert weight.sum() == pytest.approx(areas.sum(), rel=1e-11)
    after = np.nansum(move(field) * weight)
    assert after == pytest.approx(np.nansum(field.ravel() * areas), rel=1e-11)


@given(sources(), global_grids(), st.integers(0, 2**32 - 1))
@LAW
def test_results_stay_between_the_values(source, target, seed):
    field = np.random.default_rng(seed).uniform(-3, 5, source.shape)
    for method in ("conservative", "bilinear", "nearest"):
        result = regridder(source, target, method)(field)
        assert result.min() >= field.min() - 1e-12
        assert result.max() <= field.max() + 1e-12


@given(global_grids(), global_grids(), st.integers(0, 2**32 - 1), st.floats(0, 0.5))
@LAW
def test_the_order_of_rows_and_columns_does_not_matter(source, target, seed, missing):
    random = np.random.default_rng(seed)
    field = random.normal(size=source.shape)
    field[random.random(source.shape) < missing] = np.nan
    turn = int(random.integers(source.columns))
    other = rectilinear(source.latitude[::-1], np.roll(source.longitude, turn))
    for method in ("conservative", "bilinear"):
        straight = regridder(source, target, method)(field)
        turned = regridder(other, target, method)(np.roll(field[::-1], turn, axis=1))
        np.testing.assert_allclose(turned, straight, atol=1e-12)


@given(sources(), st.integers(0, 2**32 - 1))
@LAW
def test_missing_values_never_become_numbers(source, seed):
    random = np.random.default_rng(seed)
    field = random.normal(size=source.shape)
    field[random.random(source.shape) < 0.4] = np.nan
    target = Grid.regular("3")
    for method in ("conservative", "bilinear"):
        move = regridder(source, target, method, valid_fraction=0.5)
        result, part = move(field), move.valid_part(field)
        clear = np.abs(part - 0.5) > 1e-6
        if method == "bilinear":  # a row made for the pole is there or not, its part is a mean
            clear &= np.abs(target.latitude)[:, None] <= np.abs(source.latitude).max()
        np.testing.assert_array_equal(np.isnan(result)[clear], (part < 0.5)[clear])
        full = regridder(source, target, method, valid_fraction=1.0)(field)
        assert np.isnan(full[(part < 1 - 1e-6) & clear]).all()


PROJECTED = [
    Projected(RotatedPole(-39.25, 18.0), np.arange(-20, 21, 1.0), np.arange(15, -16, -1.0)),
    Projected(RotatedPole(-20.0, -40.0), np.arange(0, 360, 10.0), np.arange(85, -90, -10.0)),
    Projected(
        Projection("+proj=stere +lat_0=90 +lat_ts=60 +lon_0=249 +R=6371229"),
        3e5 * np.arange(-6, 7),
        3e5 * np.arange(-6, 7),
    ),
    Projected(
        Projection("+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371229"),
        8e4 * np.arange(-20, 21),
        8e4 * np.arange(-15, 16),
    ),
]


@pytest.mark.parametrize("source", PROJECTED, ids=lambda source: source.name)
@pytest.mark.parametrize("method", ["conservative", "bilinear", "nearest"])
def test_a_constant_stays_constant_from_planes(source, method):
    result = regridder(source, Grid.regular("2"), method)(np.full(source.shape, 271.828))
    assert np.isfinite(result).any()
    np.testing.assert_allclose(result[np.isfinite(result)], 271.828, rtol=1e-12)


@pytest.mark.parametrize("source", PROJECTED, ids=lambda source: source.name)
def test_cells_of_planes_are_cut_without_loss(tools, source):
    """Pieces of a cell add up to the cell, wherever the target's borders lie."""
    field = np.random.default_rng(3).uniform(0.5, 1.5, source.shape)
    totals = []
    for step in ("2", "3.75", "30"):
        target = Grid.regular(step)
        move = regridder(source, target, "conservative", valid_fraction=0.0)
        weight = move.valid_part(field) * tools.cell_areas(target)
        totals.append((weight.sum(), np.nansum(move(field) * weight)))
    np.testing.assert_allclose(totals, [totals[0]] * 3, rtol=1e-11)


def test_cells_of_a_whole_turned_globe_cover_the_globe():
    target = Grid.regular("5")
    move = regridder(PROJECTED[1], target, "conservative")
    np.testing.assert_allclose(move.operator.cover, 1, atol=1e-9)


def harmonic(degree, order, latitude, longitude):
    """A real spherical harmonic, of size about 1."""
    lobes = lpmv(order, degree, np.sin(np.radians(latitude)))
    return lobes * np.cos(order * np.radians(longitude) + 0.3)


def cell_means(degree, order, grid):
    """Exact means of a harmonic over cells: analytic in longitude, Gauss in sine of latitude."""
    cells = of_grid(grid)
    node, weight = np.polynomial.legendre.leggauss(16)
    low, high = np.sin(np.radians([cells.latitude_edges[1:], cells.latitude_edges[:-1]]))
    at = (high + low)[:, None] / 2 + (high - low)[:, None] / 2 * node
    rows = (lpmv(order, degree, at) * weight).sum(axis=1) / 2
    edges = np.radians(cells.longitude_edges)
    if order == 0:
        columns = np.full(grid.columns, np.cos(0.3))
    else:
        columns = np.diff(np.sin(order * edges + 0.3)) / (order * np.diff(edges))
    return rows[:, None] * columns


@pytest.mark.parametrize(("degree", "order"), [(1, 0), (1, 1), (4, 2), (10, 5), (20, 0), (20, 13)])
@pytest.mark.parametrize(
    ("method", "expected"), [("conservative", 0.9), ("bilinear", 1.9), ("nearest", 0.9)]
)
def test_harmonics_converge_at_the_order_of_the_method(degree, order, method, expected):
    target = Grid(Fraction("3.07"), Fraction("3.43"), Fraction("85.73"), Fraction("1.137"), 55, 104)
    size = np.abs(harmonic(degree, order, *np.meshgrid(np.arange(-90, 91), np.arange(360)))).max()
    errors = []
    for step in ("1", "0.5", "0.25"):
        source = Grid.regular(step)
        if method == "conservative":
            values, truth = cell_means(degree, order, source), cell_means(degree, order, target)
        else:
            values, truth = (
                harmonic(degree, order, grid.latitude[:, None], grid.longitude)
                for grid in (source, target)
            )
        result = regridder(source, target, method)(values)
        errors.append(np.sqrt(np.mean((result - truth) ** 2)) / size)
    slope = np.log2(errors[0] / errors[2]) / 2
    assert slope > expected, errors
    assert errors[2] < {"conservative": 2e-3, "bilinear": 2e-3, "nearest": 3e-2}[method]


@pytest.mark.parametrize("source", [octahedral(24), octahedral(48), octahedral(96)])
def test_harmonics_from_reduced_grids_are_right_at_the_poles(source):
    latitude, longitude = source.points()
    target = Grid.regular("2")
    for degree, order in ((1, 0), (1, 1), (6, 1)):
        size = np.abs(harmonic(degree, order, latitude, longitude)).max()
        truth = harmonic(degree, order, target.latitude[:, None], target.longitude)
        result = regridder(source, target, "bilinear")(harmonic(degree, order, latitude, longitude))
        error = np.abs(result - truth).max() / size
        assert error < 3 * (degree * np.radians(source.spacing)) ** 2 + 2e-2 / len(source.counts)
