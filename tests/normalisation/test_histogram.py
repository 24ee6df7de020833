"""The histogram is a function of the values seen, and its quantiles are close."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_prep.normalisation import Histogram, reduce_field
from aurora_prep.normalisation.histogram import BINS, FINEST, Binning, coordinates_of, values_at

from .conftest import LIKE, normal, pollutant

FRACTIONS = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


def of(values) -> Histogram:
    return reduce_field(np.array([values], np.float32)).histogram


@given(floats, floats)
def test_bins_are_as_fine_as_the_range_allows(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    binning = Binning.spanning(low, high)
    assert 1 <= binning.size <= BINS
    ends = coordinates_of(np.array([low, high], np.float32))
    largest = float(np.abs(ends).max())
    if largest and binning.level > math.frexp(largest)[1] - FINEST:
        assert 2 * binning.size >= BINS


@given(st.lists(floats, min_size=2, max_size=20))
def test_coordinates_increase_and_lead_back(values) -> None:
    x = np.unique(np.array(values, np.float32) + np.float32(0))
    y = coordinates_of(x)
    assert (np.diff(y) >= 0).all()
    assert values_at(y.astype(np.float64)) == pytest.approx(x, rel=2.0**-20, abs=1e-44)
    assert (np.sign(y) == np.sign(x)).all()


def test_coordinates_are_about_the_fourth_root() -> None:
    x = np.geomspace(1e-30, 1e30, 10_000, dtype=np.float32)
    assert coordinates_of(x) == pytest.approx(x**0.25, rel=0.13)
    assert coordinates_of(np.float32([1, 0, -0.0, -1])).tolist() == [1, 0, 0, -1]
    assert np.isnan(coordinates_of(np.float32([np.nan]))).all()


@given(st.lists(floats, min_size=4, max_size=4))
def test_wider_extremes_never_give_finer_bins(values) -> None:
    lowest, low, high, highest = sorted(values)
    assert Binning.spanning(lowest, highest).level >= Binning.spanning(low, high).level


@settings(deadline=None)
@given(st.lists(floats, min_size=1, max_size=40), st.data())
def test_merging_equals_counting_at_once(values, data) -> None:
    cut = data.draw(st.integers(0, len(values)))
    left = of(values[:cut]) if cut else Histogram()
    right = of(values[cut:]) if cut < len(values) else Histogram()
    assert left + right == of(values) == right + left
    assert of(values).count == len(values)


@pytest.mark.parametrize("name", LIKE)
def test_quantiles_are_within_a_twentieth_of_the_spread(name: str) -> None:
    field = normal(name, (200, 1000))
    found = np.array(reduce_field(field).histogram.quantiles(FRACTIONS))
    true = np.quantile(field.astype(np.float64), FRACTIONS)
    assert np.abs(found - true).max() < 0.05 * LIKE[name][1]


def test_quantiles_of_a_pollutant_hold_over_many_octaves() -> None:
    field = pollutant((400, 1000))
    fractions = (0.3, 0.5, 0.9, 0.99, 0.999)
    histogram = reduce_field(field).histogram
    found = np.array(histogram.quantiles(fractions), np.float32)
    true = np.quantile(field, fractions).astype(np.float32)
    apart = np.abs(coordinates_of(found) - coordinates_of(true))
    assert apart.max() <= math.ldexp(1.0, histogram.binning.level)


def test_ends_are_exact_and_nothing_gives_nan() -> None:
    histogram = of([3.0, -7.5, 2.25, 11.0])
    assert histogram.quantiles((0, 1)) == (-7.5, 11.0)
    assert all(math.isnan(value) for value in Histogram().quantiles((0, 0.5, 1)))
    assert of([4.0, 4.0]).quantiles((0, 0.5, 1)) == (4.0, 4.0, 4.0)


def test_adding_zeros_only() -> None:
    zeros = of([0.0, -0.0])
    assert zeros.quantiles((0.5,)) == (0.0,)
    assert (zeros + of([5.0])).count == 3
    assert zeros + Histogram() == zeros != of([5.0])
