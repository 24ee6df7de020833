"""Directions, absence, presence and wind of waves; features of time."""

import math
from datetime import datetime

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aurora_prep.normalisation.time_features import time_features
from aurora_prep.normalisation.waves import (
    COMPONENTS,
    components_of_direction,
    direction_of_components,
    drop_absent,
    join_presence,
    speed_and_direction,
    split_presence,
    wave_wind,
)

degrees = arrays(np.float64, 8, elements=st.floats(0, 360, exclude_max=True))


@given(degrees, st.floats(1e-3, 1e3))
def test_directions_come_back_whatever_the_length(direction: np.ndarray, length: float) -> None:
    sine, cosine = components_of_direction(direction)
    back = direction_of_components(length * sine, length * cosine)
    assert ((back >= 0) & (back < 360)).all()
    apart = (back - direction + 180) % 360 - 180
    assert np.abs(apart).max() < 1e-12 * 360


def test_directions_on_both_sides_of_north_average_to_north() -> None:
    sine, cosine = components_of_direction(np.array([350.0, 10.0]))
    found = direction_of_components(sine.mean(), cosine.mean())
    assert min(found, 360 - found) < 1e-10


def test_a_tiny_negative_angle_is_not_360() -> None:
    assert direction_of_components(np.float64(-1e-300), np.float64(1.0)) == 0.0


@given(arrays(np.float32, 8, elements=st.floats(width=32, allow_infinity=False)))
def test_presence_comes_back(values: np.ndarray) -> None:
    filled, presence = split_presence(values)
    assert not np.isnan(filled).any()
    assert set(presence.tolist()) <= {0.0, 1.0}
    assert presence.dtype == values.dtype
    np.testing.assert_array_equal(join_presence(filled, presence), values)


def test_a_presence_below_one_half_is_absence() -> None:
    joined = join_presence(np.ones(3), np.array([0.49, 0.5, 1.0]))
    assert np.isnan(joined).tolist() == [True, False, False]


def waves() -> dict[str, np.ndarray]:
    fields = {name: np.full(3, 5.0) for names in COMPONENTS.values() for name in names}
    fields |= {height: np.array([0.0, 1e-4, np.nan]) for height in COMPONENTS}
    return fields | {"wind": np.full(3, 5.0)}


def test_components_of_no_height_are_absent() -> None:
    fields = waves()
    found = drop_absent(fields)
    for height, others in COMPONENTS.items():
        assert np.isnan(found[height]).tolist() == [True, False, True]
        for name in others:
            assert np.isnan(found[name]).tolist() == [True, False, False]
    assert found["wind"] is fields["wind"]
    assert not np.isnan(fields["mwp"]).any()


def test_the_released_quirk_leaves_mpts_alone_and_nothing_else() -> None:
    right, released = drop_absent(waves()), drop_absent(waves(), as_released=True)
    different = [
        name for name in right if not np.array_equal(right[name], released[name], equal_nan=True)
    ]
    assert different == ["mpts"]
    assert not np.isnan(released["mpts"]).any()


def test_a_subset_of_the_wave_variables_will_do() -> None:
    found = drop_absent({"swh": np.array([0.0, 2.0]), "mwp": np.array([7.0, 7.0])})
    assert np.isnan(found["mwp"]).tolist() == [True, False]
    assert drop_absent({"mwp": np.array([7.0])})["mwp"].tolist() == [7.0]


@given(
    arrays(np.float64, 5, elements=st.floats(1e-3, 60)),
    arrays(np.float64, 5, elements=st.floats(0, 359.9)),
)
def test_wave_wind_comes_back(speed: np.ndarray, direction: np.ndarray) -> None:
    found_speed, found_direction = speed_and_direction(*wave_wind(speed, direction))
    assert found_speed == pytest.approx(speed, rel=1e-14)
    apart = (found_direction - direction + 180) % 360 - 180
    assert np.abs(apart).max() < 1e-10


def test_wind_from_the_west_blows_eastward() -> None:
    eastward, northward = wave_wind(np.array([10.0]), np.array([270.0]))
    assert (eastward[0], northward[0]) == pytest.approx((10.0, 0.0), abs=1e-14)


def test_xarray_pairs_come_back_as_xarray() -> None:
    speed = xr.DataArray([3.0, 4.0], dims="x", attrs={"units": "m s-1"})
    eastward, northward = wave_wind(speed, xr.zeros_like(speed))
    assert isinstance(eastward, xr.DataArray)
    assert northward.values.tolist() == [-3, -4]
    found = drop_absent({"swh": xr.DataArray([0.0, 1.0], dims="x"), "mwp": speed})
    assert found["mwp"].isnull().values.tolist() == [True, False]


def test_time_features_are_points_on_circles() -> None:
    found = time_features(datetime(2024, 3, 4, 18))
    assert list(found) == ["tod_cos", "tod_sin", "dow_cos", "dow_sin", "doy_cos", "doy_sin"]
    for name in ("tod", "dow", "doy"):
        assert math.hypot(found[f"{name}_cos"], found[f"{name}_sin"]) == pytest.approx(1)
    assert (found["tod_cos"], found["tod_sin"]) == pytest.approx((0, -1), abs=1e-15)
    assert (found["dow_cos"], found["dow_sin"]) == (1, 0)
    assert found["doy_cos"] == pytest.approx(math.cos(2 * math.pi * 64 / 365.25))


def test_the_released_day_of_the_year_is_that_of_the_month() -> None:
    found = time_features(datetime(2024, 3, 4, 18), as_released=True)
    assert found["doy_cos"] == pytest.approx(math.cos(2 * math.pi * 4 / 365.25))
    assert found["tod_sin"] == time_features(datetime(2024, 3, 4, 18))["tod_sin"]
