"""Grids counted by arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from aurora_prep.sources.spec import Grid, SpecError, grid_name


@pytest.mark.parametrize(
    ("step", "shape", "last"),
    [
        ("0.25", (721, 1440), 359.75),
        ("0.1", (1801, 3600), 359.9),
        ("0.4", (451, 900), 359.6),
        ("10", (19, 36), 350.0),
        ("1/4", (721, 1440), 359.75),
    ],
)
def test_a_global_grid_is_counted(step, shape, last):
    grid = Grid.regular(step)
    assert grid.shape == shape
    assert grid.latitude.shape == shape[:1]
    assert grid.longitude.shape == shape[1:]
    assert (grid.latitude[0], grid.latitude[-1]) == (90.0, -90.0)
    assert (grid.longitude[0], grid.longitude[-1]) == (0.0, last)
    assert grid.is_global
    assert grid.is_periodic


def test_every_coordinate_is_rounded_once():
    grid = Grid.regular("0.1")
    assert grid.longitude.tolist() == [i / 10 for i in range(3600)]
    assert grid.latitude.tolist() == [(900 - i) / 10 for i in range(1801)]


@pytest.mark.parametrize(
    ("step", "name"),
    [("0.25", "0.25"), ("0.250", "0.25"), ("0.1", "0.1"), ("0.4", "0.4"), ("1", "1"), ("10", "10")],
)
def test_a_global_grid_is_named_by_its_step(step, name):
    assert Grid.regular(step).name == name


@pytest.mark.parametrize("step", ["0", "-1", "0.7", "", "x", "1/0", "nan", "inf", "200", "0.35"])
def test_a_step_that_does_not_divide_the_globe_is_refused(step):
    with pytest.raises(SpecError):
        Grid.regular(step)


def test_a_regional_grid():
    quarter = Fraction(1, 4)
    grid = Grid(quarter, quarter, Fraction(70), Fraction(350), 3, 81)
    assert grid.latitude.tolist() == [70.0, 69.75, 69.5]
    assert (grid.longitude[0], grid.longitude[40], grid.longitude[-1]) == (350.0, 360.0, 370.0)
    assert (grid.south, grid.east) == (Fraction(139, 2), Fraction(370))
    assert not grid.is_global
    assert not grid.is_periodic
    assert grid.name == "0.25x0.25-n70-w350-3x81"


def test_a_band_round_the_globe_is_periodic_but_not_global():
    grid = Grid(Fraction(1), Fraction(1), Fraction(60), Fraction(0), 121, 360)
    assert grid.is_periodic
    assert not grid.is_global


def test_cell_centres_are_not_a_global_grid_with_poles():
    half = Fraction(1, 2)
    grid = Grid(Fraction(1), Fraction(1), 90 - half, half, 180, 360)
    assert grid.is_periodic
    assert not grid.is_global
    assert grid.name != Grid.regular("1").name


def test_unequal_steps_are_both_in_the_name():
    grid = Grid(Fraction(5, 2), Fraction(15, 4), Fraction(90), Fraction(0), 73, 96)
    assert grid.is_global
    assert grid.name == "2.5x3.75-n90-w0-73x96"


@pytest.mark.parametrize(
    "parts",
    [
        (0, 1, 90, 0, 2, 2),
        (1, -1, 90, 0, 2, 2),
        (1, 1, 90, 0, 0, 2),
        (1, 1, 90, 0, 2, 0),
        (1, 1, 91, 0, 2, 2),
        (1, 1, 90, 0, 182, 2),
        (1, 1, 90, 360, 2, 2),
        (1, 1, 90, -1, 2, 2),
        (1, 1, 90, 0, 2, 361),
    ],
)
def test_a_grid_off_the_globe_is_refused(parts):
    steps_and_corner = map(Fraction, parts[:4])
    with pytest.raises(SpecError):
        Grid(*steps_and_corner, *parts[4:])


def test_equality_is_exact():
    assert Grid.regular("0.25") == Grid.regular("1/4")
    assert Grid.regular("0.25") != Grid.regular("0.1")
    assert len({Grid.regular("0.25"), Grid.regular("0.250")}) == 1


def test_coordinates_are_float64():
    grid = Grid.regular("0.4")
    assert grid.latitude.dtype == grid.longitude.dtype == np.float64


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("0.25", "0.25"),
        ("0.250", "0.25"),
        ("1/4", "0.25"),
        ("2.5e-1", "0.25"),
        ("1/3", "0.3333"),
        ("0.3333", "0.3333"),
        ("30.0", "30"),
        ("0.25x0.25-n60-w350-81x121", "0.25x0.25-n60-w350-81x121"),
        ("N320", "N320"),
        ("1/0", "1/0"),
        ("-0.25", "-0.25"),
    ],
)
def test_a_grid_is_named_however_it_is_spelled(text, name):
    assert grid_name(text) == name
