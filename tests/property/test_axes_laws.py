"""Whatever way a file lies, its grid is found and every value lands on its point."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aurora_prep.sources.spec import Grid, orient

STEPS = [Fraction(1, 10), Fraction(1, 4), Fraction(2, 5), Fraction(3, 4), Fraction(1), Fraction(5)]


@st.composite
def grids(draw):
    """Global grids with poles, and regions anywhere, on multiples of half a step."""
    if draw(st.booleans()):
        return Grid.regular(draw(st.sampled_from(["1", "2.5", "5", "10"])))
    step = draw(st.sampled_from(STEPS))
    rows, columns = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    highest = int(2 * (180 - (rows - 1) * step) / step)
    north = Fraction(90) - draw(st.integers(0, highest)) * step / 2
    west = draw(st.integers(0, int(720 / step) - 1)) * step / 2
    return Grid(step, step, north, west, rows, columns)


@given(
    grid=grids(),
    flip=st.booleans(),
    mirror=st.booleans(),
    repeat=st.booleans(),
    turn=st.sampled_from([-360, 0, 360]),
    start=st.integers(0, 1000),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_every_orientation_is_undone(grid, flip, mirror, repeat, turn, start, dtype):
    field = np.arange(grid.rows * grid.columns, dtype=np.float32).reshape(grid.shape)
    latitude, longitude = grid.latitude, grid.longitude
    stored = field
    if grid.is_periodic:
        start %= grid.columns
        longitude = np.concatenate([longitude[start:], longitude[:start] + 360])
        stored = np.roll(stored, -start, axis=1)
        if repeat:
            longitude = np.append(longitude, longitude[0] + 360)
            stored = np.concatenate([stored, stored[:, :1]], axis=1)
    if flip:
        latitude, stored = latitude[::-1], stored[::-1]
    if mirror:
        longitude, stored = longitude[::-1], stored[:, ::-1]
    found = orient(latitude.astype(dtype), (longitude + turn).astype(dtype), "here")
    assert found.grid == grid
    np.testing.assert_array_equal(found.apply(stored), field)
