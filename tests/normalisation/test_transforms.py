"""Every transform comes back; the pollutant transform is the corrected one."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import lambertw

from aurora_prep.normalisation.transforms import (
    CAP,
    DEPTH,
    FLOOR,
    LogOffset,
    MinMax,
    Pollutant,
    Standardise,
    clip_low_so2,
    pollutant_features,
)
from aurora_prep.sources.spec import StatisticsError

WEIGHTS = [(0.5, 0.5), (1.0, 1.0), (0.9, 0.1), (0.1, 0.9)]
REFERENCE = {
    0: (0.0, 0.0),
    1e-4: (5.0e-5, 5.0e-5),
    1e-3: (0.1255, -0.1245),
    0.01: (0.2550, -0.2450),
    0.1: (0.4250, -0.3250),
    0.5: (0.71237, -0.21237),
    1: (1.0, 0.0),
    2.5: (1.79974, 0.70026),
    5: (1.83737, 0.66263),
    10: (1.875, 0.625),
}
"""Values of the corrected and of the printed form for equal weights of one half."""


def as_printed(x: np.ndarray, c1: float = 0.5, c2: float = 0.5) -> np.ndarray:
    """The counter-example: the paper's misprint divides by ``ln 1e-4``, not by its negative."""
    logarithm = (np.log(np.maximum(x, 1e-4)) - np.log(1e-4)) / np.log(1e-4)
    return c1 * np.minimum(np.maximum(x, 0), 2.5) + c2 * logarithm


def test_reference_values_are_reproduced() -> None:
    x = np.array(list(REFERENCE), np.float64)
    corrected, printed = np.array(list(REFERENCE.values())).T
    assert Pollutant().forward(x) == pytest.approx(corrected, abs=5e-6)
    assert as_printed(x) == pytest.approx(printed, abs=5e-6)


def test_the_printed_form_is_neither_increasing_nor_injective() -> None:
    assert as_printed(np.array([0.001]))[0] < as_printed(np.array([1e-4]))[0]
    turning = as_printed(np.array([0.1, 0.10857, 0.12, 2.5, 2.6]))
    assert turning[1] < min(turning[0], turning[2])
    assert turning[4] < turning[3]


def ten_million() -> np.ndarray:
    return np.concatenate([[0.0], np.geomspace(1e-12, 1e4, 10_000_000)])


@pytest.mark.parametrize("weights", WEIGHTS)
def test_strictly_increasing_and_back_on_ten_million_points(weights) -> None:
    x = ten_million()
    transform = Pollutant(*weights)
    y = transform.forward(x)
    assert (np.diff(y) > 0).all()
    back = transform.inverse(y)
    assert back[0] == 0
    assert np.abs(back[1:] / x[1:] - 1).max() < 1e-12


positive = st.floats(1e-2, 1e2)


@given(positive, positive, st.floats(-10, 10), st.floats(0, 1e4, allow_subnormal=False))
def test_round_trip_for_any_weights(c1: float, c2: float, bias: float, x: float) -> None:
    transform = Pollutant(c1, c2, bias)
    back = transform.inverse(transform.forward(np.array([x])))[0]
    y = max(abs(bias), transform.forward(np.array([x]))[0], 1e-300)
    slope = (c1 if x < CAP else 0) + (c2 / DEPTH / x if x > FLOOR else 0)
    assert abs(back - x) <= 1e-14 * x + 8 * np.spacing(y) / slope * (1 + c1 + c2)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_middle_piece_is_the_lambert_function(weights) -> None:
    c1, c2 = weights
    a = c2 / DEPTH
    y = Pollutant(c1, c2).forward(np.geomspace(2e-4, 2.4, 1000))
    expected = a / c1 * lambertw(c1 / a * np.exp((y - c2) / a)).real
    assert Pollutant(c1, c2).inverse(y) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    "weights", [(0, 1), (1, 0), (-1, 1), (1, -1), (math.inf, 1), (math.nan, 1)]
)
def test_weights_without_an_inverse_are_refused(weights) -> None:
    with pytest.raises(StatisticsError, match="no inverse"):
        Pollutant(*weights)


def test_below_zero_counts_as_zero_and_nan_stays() -> None:
    transform = Pollutant(bias=0.25)
    assert transform.forward(np.array([-1.0, 0.0])).tolist() == [0.25, 0.25]
    assert transform.inverse(np.array([-1.0, 0.25])).tolist() == [0, 0]
    assert np.isnan(transform.forward(np.array([np.nan]))).all()
    assert np.isnan(transform.inverse(np.array([np.nan]))).all()


def test_features_are_capped_and_floored() -> None:
    linear, logarithm = pollutant_features(np.array([-1, 0, 1e-4, 1, 2.5, 10]))
    assert linear.tolist() == [0, 0, 1e-4, 1, 2.5, 2.5]
    assert logarithm == pytest.approx([0, 0, 0, 1, 1.0995, 1.25], abs=1e-4)


def test_float32_stays_float32_and_never_decreases() -> None:
    x = np.geomspace(1e-6, 1e3, 1_000_000, dtype=np.float32)
    y = Pollutant().forward(x)
    assert y.dtype == np.float32
    assert (np.diff(y) >= 0).all()
    assert Pollutant().inverse(y).dtype == np.float32


@pytest.mark.parametrize(
    ("transform", "x"),
    [
        (Standardise(278.514, 21.22036), np.linspace(180, 330, 1000)),
        (Standardise(np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]])), np.ones((2, 5))),
        (MinMax(-1386.496, 57458.174), np.linspace(-1386.496, 57458.174, 1000)),
        (LogOffset(), np.concatenate([[0], np.geomspace(1e-9, 1e5, 1000)])),
    ],
    ids=["standardise", "standardise by level", "min-max", "log"],
)
def test_inverse_of_forward_is_the_identity(transform, x) -> None:
    assert transform.inverse(transform.forward(x)) == pytest.approx(x, rel=1e-12, abs=1e-12)
    assert np.isnan(transform.forward(np.full_like(x, np.nan))).all()


def test_min_max_ends_at_zero_and_one() -> None:
    assert MinMax(-2.0, 6.0).forward(np.array([-2.0, 6.0])).tolist() == [0, 1]


def test_log_offset_is_the_stated_formula() -> None:
    x = np.geomspace(1e-6, 100, 200)
    assert LogOffset().forward(x) == pytest.approx(np.log(x + 1e-3) - np.log(1e-3), abs=1e-13)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf, np.array([1.0, 0.0])])
def test_a_scale_that_is_no_scale_is_refused(scale) -> None:
    with pytest.raises(StatisticsError, match="not a positive number"):
        Standardise(0.0, scale)


def test_min_max_of_a_constant_is_refused() -> None:
    with pytest.raises(StatisticsError, match="not a positive number"):
        MinMax(3.0, 3.0)


def test_so2_is_clipped_at_850_hpa_and_below() -> None:
    scaled = np.full((2, 4, 3, 3), 5.0, np.float32)
    scaled[0, :, 0, 0] = np.nan
    clipped = clip_low_so2(scaled, (700, 850, 925, 1000))
    assert (np.nanmax(clipped, axis=(0, 2, 3)) == [5, 1, 1, 1]).all()
    assert np.array_equal(np.isnan(clipped), np.isnan(scaled))
    assert clipped.dtype == np.float32
    assert clip_low_so2(scaled[1, :, 0], (700, 850, 925, 1000), axis=0)[1].max() == 1
    with pytest.raises(StatisticsError, match="level axis"):
        clip_low_so2(scaled, (850, 1000))


def test_xarray_keeps_names_coordinates_attributes_and_laziness() -> None:
    array = xr.DataArray(
        np.linspace(0, 5, 6), {"time": range(6)}, ("time",), name="pm1", attrs={"units": "1"}
    )
    for x in (array, array.to_dataset(), array.chunk(time=2)):
        y = Pollutant().forward(x)
        assert type(y) is type(x)
        xr.testing.assert_allclose(Pollutant().inverse(y), x)
    y = Pollutant().forward(array.chunk(time=2))
    assert y.chunks == ((2, 2, 2),)
    assert (y.name, y.attrs, list(y.coords)) == ("pm1", {"units": "1"}, ["time"])
    levels = xr.DataArray(np.full((2, 3, 3), 5.0), dims=("level", "latitude", "longitude"))
    assert clip_low_so2(levels, (700, 850)).max("latitude").max("longitude").values.tolist() == [
        5,
        1,
    ]
