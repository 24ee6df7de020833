"""One field: exact against rationals, in both conventions, compiled or not."""

import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from aurora_prep.normalisation import area_weights, reduce_difference, reduce_field
from aurora_prep.normalisation.kernel import BLOCK
from aurora_prep.sources.spec import Grid, StatisticsError

from .conftest import LIKE, exact_moments, normal, pollutant, with_holes

any_float = st.floats(width=32, allow_nan=True, allow_infinity=False)
fields = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=any_float)


def correctly_rounded_root(value: Fraction) -> float:
    shift = 400
    scaled = math.isqrt((value.numerator << (2 * shift)) // value.denominator)
    return float(Fraction(scaled, 1 << shift))


@pytest.mark.parametrize("name", LIKE)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_moments_equal_exact_rationals(name: str, share: float) -> None:
    field = with_holes(normal(name, (40, 500)), share)
    weights = np.random.default_rng(3).random(40) + 0.01

    found = reduce_field(field, weights)

    mean, variance = exact_moments(field)
    assert found.mean == float(mean)
    assert found.standard_deviation == pytest.approx(correctly_rounded_root(variance), rel=4e-16)
    seen = field[~np.isnan(field)].astype(np.float64)
    assert found.mean == pytest.approx(math.fsum(seen) / seen.size, rel=1e-15)
    assert (found.count, found.missing) == (seen.size, field.size - seen.size)
    assert (found.minimum, found.maximum) == (seen.min(), seen.max())
    assert found.points.mean_absolute == pytest.approx(math.fsum(abs(seen)) / seen.size, rel=1e-15)
    area_mean, area_variance = exact_moments(field, weights[:, None])
    assert found.area is not None
    assert found.area.mean == float(area_mean)
    assert found.area.standard_deviation == pytest.approx(
        correctly_rounded_root(area_variance), rel=4e-16
    )


@pytest.mark.parametrize(("name", "bits"), [("msl", 7), ("z_50", 6)])
def test_whole_fields_with_large_offsets(name: str, bits: int) -> None:
    """All values share an exponent, so they are whole numbers of one unit."""
    field = normal(name, (721, 1440))
    whole = np.ldexp(field.astype(np.float64), bits).astype(np.int64)
    assert np.array_equal(np.ldexp(whole, -bits), field)
    numbers = whole.ravel().tolist()
    total, squares = sum(numbers), sum(number * number for number in numbers)
    variance = Fraction(len(numbers) * squares - total**2, (len(numbers) << bits) ** 2)

    found = reduce_field(field, area_weights(Grid.regular("0.25")))

    assert found.mean == float(Fraction(total, len(numbers) << bits))
    assert found.mean == math.fsum(field.ravel().tolist()) / field.size
    assert found.standard_deviation == pytest.approx(correctly_rounded_root(variance), rel=2e-16)


@settings(deadline=None, max_examples=300)
@given(fields, st.data())
def test_any_finite_float32_adds_up_exactly(field: np.ndarray, data: st.DataObject) -> None:
    weight = st.just(0.0) | st.floats(2.0**-52, 2.0**11, exclude_max=True)
    weights = data.draw(arrays(np.float64, field.shape[0], elements=weight))

    found = reduce_field(field, weights)

    assert found == reduce_field(field, weights, compiled=False)
    seen = [Fraction(float(x)) for x in field[~np.isnan(field)]]
    unit = Fraction(1, 2**149)
    assert found.points.total * unit == sum(seen)
    assert found.points.absolute * unit == sum(abs(x) for x in seen)
    assert found.points.squares * unit**2 == sum(x * x for x in seen)
    assert found.area is not None
    by_row = [
        (Fraction(float(w)), [Fraction(float(x)) for x in row[~np.isnan(row)]])
        for w, row in zip(weights, field, strict=True)
    ]
    light = Fraction(1, 2**104)
    assert found.area.weight * light == sum(w * len(row) for w, row in by_row)
    assert found.area.squares * light * unit**2 == sum(
        w * sum(x * x for x in row) for w, row in by_row
    )


@pytest.mark.parametrize("columns", [1, 3, 1440, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
@pytest.mark.parametrize("make", [pollutant, lambda shape: normal("10u", shape)])
def test_compiled_and_plain_agree_at_any_width(columns: int, make) -> None:
    field = with_holes(make((3, columns)), 0.2)
    weights = np.array([2.0**-52, 0.0, 2047.999])

    assert reduce_field(field, weights) == reduce_field(field, weights, compiled=False)


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 1e-45, -1e-45, 1.1754942e-38, np.finfo(np.float32).max, -3.4e38]
)
def test_extreme_values(value: float) -> None:
    field = np.full((5, 4100), value, np.float32)

    found = reduce_field(field, np.ones(5))

    assert found.mean == float(field[0, 0])
    assert found.standard_deviation == 0.0
    assert (found.minimum, found.maximum) == (field[0, 0], field[0, 0])
    assert found == reduce_field(field, np.ones(5), compiled=False)


def test_a_long_row_of_large_values_does_not_overflow() -> None:
    field = np.full((2, 50_000), np.finfo(np.float32).max, np.float32)
    assert reduce_field(field).points.squares == 100_000 * ((2**24 - 1) << (104 + 149)) ** 2


def test_the_last_bit_of_a_long_row_of_large_values_is_kept() -> None:
    """Values of 1 to 2 beside one whose last bit is 2**-39: more than float64 adds up exactly."""
    field = np.full((1, 60_000), np.nextafter(np.float32(2), np.float32(0)))
    field[0, 31_007] = 2.0**-16 * (1 + 2.0**-23)
    field[0, 31_008] = -field[0, 31_007]
    field[0, 59_999] = field[0, 31_007]

    found = reduce_field(field)

    assert found == reduce_field(field, compiled=False)
    numbers = [Fraction(float(x)) for x in field[0]]
    assert found.points.total == sum(numbers) * 2**149
    assert found.points.squares == sum(x * x for x in numbers) * 2**298


def test_a_field_of_nothing_but_nan_has_no_statistics() -> None:
    found = reduce_field(np.full((3, 4), np.nan, np.float32), np.ones(3))

    assert (found.count, found.missing, found.fields, found.empty) == (0, 12, 1, 1)
    assert found.missing_fraction == 1.0
    for number in (found.mean, found.standard_deviation, found.minimum, found.mean_maximum):
        assert math.isnan(number)
    assert found == reduce_field(np.full((3, 4), np.nan, np.float32), np.ones(3), compiled=False)


def test_a_view_and_a_copy_reduce_to_the_same() -> None:
    whole = normal("2t", (20, 60))
    view = whole[::-2, 5:40:3]
    assert reduce_field(view) == reduce_field(view.copy())


def test_threads_do_not_disturb_each_other() -> None:
    fields = [with_holes(normal("2t", (181, 360), seed), 0.1, seed) for seed in range(24)]
    weights = area_weights(Grid.regular("1"))
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(lambda field: reduce_field(field, weights), fields))
    assert threaded == [reduce_field(field, weights) for field in fields]


@pytest.mark.parametrize(
    ("field", "weights", "problem"),
    [
        (np.zeros((2, 2)), None, "not a matrix of float32"),
        (np.zeros(4, np.float32), None, "not a matrix of float32"),
        (np.zeros((0, 4), np.float32), None, "not a matrix of float32"),
        (np.array([[1, np.inf]], np.float32), None, "infinite"),
        (np.array([[1, -np.inf]], np.float32), None, "infinite"),
        (np.zeros((2, 2), np.float32), np.ones(3), "row weights"),
        (np.zeros((2, 2), np.float32), np.array([1, -1.0]), "row weights"),
        (np.zeros((2, 2), np.float32), np.array([1, np.nan]), "row weights"),
        (np.zeros((2, 2), np.float32), np.array([1, 1e-30]), "row weights"),
    ],
)
@pytest.mark.parametrize("compiled", [True, False])
def test_what_cannot_be_reduced_is_refused(field, weights, problem, compiled) -> None:
    with pytest.raises(StatisticsError, match=problem):
        reduce_field(field, weights, compiled=compiled)


def test_a_difference_is_that_of_float32_and_missing_where_either_is() -> None:
    earlier = with_holes(normal("msl", (30, 200), 1), 0.1, 5)
    later = with_holes(normal("msl", (30, 200), 2), 0.1, 6)

    found = reduce_difference(later, earlier)

    mean, variance = exact_moments(later - earlier)
    assert found.mean == float(mean)
    assert found.standard_deviation == pytest.approx(math.sqrt(variance), rel=4e-16)
    assert found.missing == int(np.isnan(later + earlier).sum())
    rationals = [
        abs(Fraction(float(a)) - Fraction(float(b)))
        for a, b in zip(later.ravel(), earlier.ravel(), strict=True)
        if not (math.isnan(a) or math.isnan(b))
    ]
    assert found.points.mean_absolute == float(sum(rationals) / len(rationals))


def test_first_difference_of_white_noise_is_root_two_wide() -> None:
    """A second difference would be root six wide."""
    later, earlier = normal("10u", (400, 500), 1), normal("10u", (400, 500), 2)
    ratio = reduce_difference(later, earlier).standard_deviation / LIKE["10u"][1]
    assert ratio == pytest.approx(math.sqrt(2), rel=0.01)


def test_differences_of_different_shapes_are_refused() -> None:
    with pytest.raises(StatisticsError, match="different shapes"):
        reduce_difference(np.zeros((2, 3), np.float32), np.zeros((1, 3), np.float32))


def test_infinite_fields_do_not_become_missing_in_a_difference() -> None:
    infinite = np.full((2, 2), np.inf, np.float32)
    with pytest.raises(StatisticsError, match="infinite"):
        reduce_difference(infinite, infinite)


def test_a_difference_with_nothing_is_missing_and_one_beyond_float32_is_refused() -> None:
    nothing, highest = np.full((2, 2), np.nan, np.float32), np.full((2, 2), 3e38, np.float32)
    assert reduce_difference(nothing, highest).count == 0
    with pytest.raises(StatisticsError, match="infinite"):
        reduce_difference(highest, -highest)


def test_area_weights_are_shares_of_the_sphere() -> None:
    for step in ("0.25", "0.4", "0.1"):
        weights = area_weights(Grid.regular(step))
        assert math.fsum(weights) == pytest.approx(2.0, rel=1e-15)
        assert weights[0] == pytest.approx(1 - math.cos(math.radians(float(step) / 2)), rel=1e-9)
    latitude = np.radians(Grid.regular("0.25").latitude)
    weights = area_weights(Grid.regular("0.25"))
    assert (weights @ np.sin(latitude) ** 2) / 2 == pytest.approx(1 / 3, abs=1e-5)
