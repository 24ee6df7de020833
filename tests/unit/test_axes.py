"""From the axes of files to exact grids, in every orientation met in the field."""

from fractions import Fraction

import numpy as np
import pytest

from aurora_prep.sources.spec import Grid, HarmoniseError, orient

NORTH_SOUTH = 90 - np.arange(721) * 0.25
EASTWARD = np.arange(1440) * 0.25
QUARTER = Grid.regular("0.25")


def field_of(latitude, longitude):
    """Values that say where they lie: thousands of rows south, longitude in 0 to 360."""
    rows = (90 - np.asarray(latitude, np.float64))[:, None] * 1000
    return np.rint(rows + (np.asarray(longitude, np.float64) % 360)[None, :] * 4).astype(np.float32)


def check(latitude, longitude, grid):
    """The axes give the grid, and every value lands on its point; the orientation."""
    found = orient(latitude, longitude, "a file")
    assert found.grid == grid
    turned = found.apply(field_of(latitude, longitude))
    np.testing.assert_array_equal(turned, field_of(grid.latitude, grid.longitude))
    return found


def test_the_usual_order_is_left_alone():
    found = check(NORTH_SOUTH, EASTWARD, QUARTER)
    assert found.is_identity
    field = field_of(NORTH_SOUTH, EASTWARD)
    assert np.shares_memory(found.apply(field), field)


def test_south_to_north():
    assert check(NORTH_SOUTH[::-1], EASTWARD, QUARTER).flip


def test_from_minus_180_to_180():
    assert check(NORTH_SOUTH, EASTWARD - 180, QUARTER).roll == 720


def test_start_at_180_as_ifs_open_data():
    assert check(NORTH_SOUTH, 180 + EASTWARD, QUARTER).roll == 720


def test_a_repeated_360_is_dropped():
    found = check(NORTH_SOUTH, np.append(EASTWARD, 360.0), QUARTER)
    assert found.columns == 1440
    assert not found.is_identity


def test_both_180s():
    check(NORTH_SOUTH, np.arange(1441) * 0.25 - 180, QUARTER)


def test_east_to_west():
    assert check(NORTH_SOUTH, EASTWARD[::-1], QUARTER).mirror


def test_everything_at_once():
    found = check(NORTH_SOUTH[::-1], (np.arange(1441) * 0.25 - 180)[::-1], QUARTER)
    assert (found.flip, found.mirror, found.columns) == (True, True, 1440)


@pytest.mark.parametrize("step", ["0.1", "0.4", "0.25", "1"])
@pytest.mark.parametrize("shift", [0, -180, 180])
def test_float32_axes_give_the_exact_grid(step, shift):
    grid = Grid.regular(step)
    latitude = grid.latitude.astype(np.float32)
    longitude = (grid.longitude + shift).astype(np.float32)
    assert orient(latitude, longitude, "a file").grid == grid


def test_a_region():
    grid = Grid(Fraction(1, 4), Fraction(1, 4), Fraction(70), Fraction(5), 61, 61)
    assert check(70 - np.arange(61) * 0.25, 5 + np.arange(61) * 0.25, grid).is_identity


@pytest.mark.parametrize("turn", [0, 360])
def test_a_region_across_the_meridian(turn):
    grid = Grid(Fraction(1, 4), Fraction(1, 2), Fraction(60), Fraction(350), 5, 41)
    check(60 - np.arange(5) * 0.25, np.arange(41) * 0.5 - 10 + turn, grid)


def test_a_region_given_from_0_up_and_round_again():
    grid = Grid(Fraction(1), Fraction(1), Fraction(1), Fraction(358), 3, 5)
    check([1, 0, -1], [358, 359, 0, 1, 2], grid)


def test_columns_between_meridians_start_east_of_greenwich():
    half = Fraction(1, 2)
    grid = Grid(Fraction(1), Fraction(1), 90 - half, half, 180, 360)
    found = orient(89.5 - np.arange(180), np.arange(360) - 179.5, "a file")
    assert (found.grid, found.roll) == (grid, 180)


def test_corners_rounded_to_a_thousandth_give_the_exact_grid():
    """GRIB1 writes 89.667 for 89 and two thirds."""
    third = Fraction(1, 3)
    exact = Grid(third, third, Fraction(269, 3), Fraction(31, 3), 179, 61)
    latitude = np.linspace(89.667, 30.333, 179)
    longitude = np.linspace(10.333, 30.333, 61)
    assert orient(latitude, longitude, "a file").grid == exact
    float32 = exact.latitude.astype(np.float32), exact.longitude.astype(np.float32)
    assert orient(*float32, "a file").grid == exact


def test_cell_centres_of_15_seconds_stay_where_they_are():
    step = Fraction(1, 240)
    exact = Grid(step, step, Fraction(52) + step / 2, Fraction(10) + step / 2, 240, 264)
    assert orient(exact.latitude, exact.longitude, "a file").grid == exact


@pytest.mark.parametrize(
    ("latitude", "longitude", "axis"),
    [
        ([0.0], [0.0, 1.0], "latitude"),
        ([1.0, 0.0], [0.0], "longitude"),
        ([1.0, np.nan], [0.0, 1.0], "latitude"),
        ([], [0.0, 1.0], "latitude"),
    ],
)
def test_an_axis_needs_two_coordinates(latitude, longitude, axis):
    with pytest.raises(HarmoniseError) as raised:
        orient(latitude, longitude, "a file")
    assert "two finite coordinates" in raised.value.args[0]
    assert raised.value.args[1] == f"a file, {axis}"


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        ([2.0, 1.0, 0.5], [0.0, 1.0, 2.0]),
        ([2.0, 1.0, 0.0], [0.0, 1.0, 3.0]),
        ([1.0, 1.0, 1.0], [0.0, 1.0, 2.0]),
        ([2.0, 0.0, 1.0], [0.0, 1.0, 2.0]),
        ([2.0, 1.0, 0.0], [0.0, 1.0, 1.0]),
    ],
)
def test_uneven_axes_are_refused(latitude, longitude):
    with pytest.raises(HarmoniseError) as raised:
        orient(latitude, longitude, "a file")
    assert "evenly spaced" in raised.value.args[0]


def test_the_error_tells_the_worst_coordinate():
    latitude = [10.0, 9.0, 8.0, 7.25, 6.0]
    with pytest.raises(HarmoniseError) as raised:
        orient(latitude, [0.0, 1.0], "a file")
    assert raised.value.args[2] == "7.25 where 7.0 is expected (position 3)"


def test_gaussian_latitudes_are_refused():
    nodes = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(96)[0]))
    with pytest.raises(HarmoniseError):
        orient(nodes, np.arange(192) * 1.875, "a file")


@pytest.mark.parametrize("north", [95.0, 90.5, -80.0])
def test_latitudes_beyond_a_pole_are_refused(north):
    with pytest.raises(HarmoniseError) as raised:
        orient(north - np.arange(5) * 5, [0.0, 1.0], "a file")
    assert "pole" in raised.value.args[0]


def test_going_round_more_than_once_is_refused():
    """15 columns of 25 degrees: columns picked from a finer grid."""
    with pytest.raises(HarmoniseError) as raised:
        orient([10.0, 0.0], np.arange(15) * 25.0, "a file")
    assert raised.value.args[1].startswith("a file")


def test_a_rounding_beyond_the_pole_is_forgiven():
    latitude = np.linspace(90.0001, -90.0001, 181)
    assert orient(latitude, np.arange(360), "a file").grid == Grid.regular("1")
