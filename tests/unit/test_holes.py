"""Filling holes: hand-computed neighbours, edges, and what is left alone."""

import numpy as np
import pytest

from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.shard.holes import fill_holes
from aurora_prep.sources.spec import RecipeError

NAN = np.nan


def test_a_hole_gets_the_mean_of_its_four_neighbours():
    field = np.array([[0, 1, 2, 3], [4, NAN, 6, 7], [8, 9, 10, 11]], np.float32)
    filled, count = fill_holes(field, 1, is_global=True)
    assert count == 1
    assert filled[1, 1] == (1 + 9 + 4 + 6) / 4
    assert np.isnan(field[1, 1])  # the field that came is kept


def test_the_first_and_the_last_column_of_the_globe_are_neighbours():
    field = np.array([[0, 1, 2], [NAN, 4, 5], [6, 7, 8]], np.float32)
    assert fill_holes(field, 1, is_global=True)[0][1, 0] == (0 + 6 + 4 + 5) / 4
    assert fill_holes(field, 1, is_global=False)[0][1, 0] == np.float32((0 + 6 + 4) / 3)


def test_two_holes_side_by_side_never_fill_each_other():
    field = np.array([[1, 1, 1, 1], [2, NAN, NAN, 4], [3, 3, 3, 3]], np.float32)
    filled, count = fill_holes(field, 2, is_global=False)
    assert count == 2
    assert (filled[1, 1], filled[1, 2]) == (np.float32((1 + 3 + 2) / 3), np.float32(8 / 3))


def test_too_many_holes_or_one_too_wide_are_left():
    field = np.full((5, 5), NAN, np.float32)
    field[0] = 1
    for most in (0, 19, 100):
        same, count = fill_holes(field, most, is_global=True)
        assert count == 0
        assert same is field
    whole = np.ones((3, 3), np.float32)
    assert fill_holes(whole, 5, is_global=True)[1] == 0


@pytest.mark.parametrize("value", [-1, "many", True, 1.5, 100_000])
def test_a_recipe_says_a_sensible_number_of_points(value):
    entry = {"source": "era5", "access": "zarr", "grid": "0.25", "fill_holes": value,
             "period": {"start": "2020-01-01", "end": "2020-01-01"}}  # fmt: skip
    with pytest.raises(RecipeError, match="fill_holes"):
        Recipe.parse({"name": "x", "output": "out", "sources": [entry]})
