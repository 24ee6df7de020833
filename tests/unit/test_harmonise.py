"""Harmonise: units and orientation, or a refusal that names what was found."""

from dataclasses import replace

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.harmonise import canonical, check_values, harmonise, placement_of
from aurora_prep.sources.spec import DecodeError, Grid, HarmoniseError
from aurora_prep.sources.spec.catalogue import MSL, T2M, Z

ERA5 = sources.load("era5")
KEYS = {
    "gridType": "regular_ll",
    "Ni": 4,
    "Nj": 3,
    "latitudeOfFirstGridPointInDegrees": 90.0,
    "latitudeOfLastGridPointInDegrees": -90.0,
    "longitudeOfFirstGridPointInDegrees": 0.0,
    "longitudeOfLastGridPointInDegrees": 270.0,
    "iDirectionIncrementInDegrees": 90.0,
    "jDirectionIncrementInDegrees": 90.0,
    "iScansNegatively": 0,
    "jScansPositively": 1,
    "jPointsAreConsecutive": 0,
    "alternativeRowScanning": 0,
}
FIELD = np.arange(12, dtype=np.float32).reshape(3, 4)


def turn(field, **keys):
    """A field of a file with these keys, on its grid, in kelvin."""
    placement = placement_of({**KEYS, **keys}, "a file")
    return harmonise(field.ravel(), "K", ERA5.native("surface/2t"), placement, "a file")


def test_the_usual_order_is_kept():
    np.testing.assert_array_equal(turn(FIELD), FIELD)
    assert placement_of(KEYS, "a file").grid == Grid.regular("90")


def test_south_to_north_is_flipped():
    ends = {
        "latitudeOfFirstGridPointInDegrees": -90.0,
        "latitudeOfLastGridPointInDegrees": 90.0,
    }
    np.testing.assert_array_equal(turn(FIELD, **ends), FIELD[::-1])


def test_east_to_west_is_mirrored():
    ends = {
        "iScansNegatively": 1,
        "longitudeOfFirstGridPointInDegrees": 270.0,
        "longitudeOfLastGridPointInDegrees": 0.0,
    }
    np.testing.assert_array_equal(turn(FIELD, **ends), FIELD[:, ::-1])


def test_meridians_first_is_transposed():
    np.testing.assert_array_equal(turn(FIELD.T, jPointsAreConsecutive=1), FIELD)


def test_a_start_at_180_is_rolled():
    ends = {
        "longitudeOfFirstGridPointInDegrees": 180.0,
        "longitudeOfLastGridPointInDegrees": 90.0,
    }
    np.testing.assert_array_equal(turn(FIELD, **ends), np.roll(FIELD, 2, axis=1))


def test_rows_to_and_fro_are_turned():
    stored = FIELD.copy()
    stored[1::2] = FIELD[1::2, ::-1]
    np.testing.assert_array_equal(turn(stored, alternativeRowScanning=1), turn(FIELD))
    across = FIELD.T.copy()
    across[1::2] = FIELD.T[1::2, ::-1]
    found = turn(across, alternativeRowScanning=1, jPointsAreConsecutive=1)
    np.testing.assert_array_equal(found, turn(FIELD))


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_one_infinite_value_is_refused(value):
    field = FIELD.copy()
    field.flat[3] = value
    with pytest.raises(HarmoniseError) as raised:
        harmonise(field, "K", ERA5.native("surface/2t"), placement_of(KEYS, "x"), "in a.nc")
    assert raised.value.args[1:3] == ("in a.nc", f"1 of {FIELD.size} values")


@pytest.mark.parametrize(
    "keys", [{"iDirectionIncrementInDegrees": 91.0}, {"jDirectionIncrementInDegrees": 89.0}]
)
def test_a_grid_that_contradicts_itself_is_refused(keys):
    with pytest.raises(DecodeError) as raised:
        turn(FIELD, **keys)
    assert "contradicts itself" in raised.value.args[0]


def test_a_field_of_another_size_is_refused():
    with pytest.raises(HarmoniseError) as raised:
        turn(FIELD[:2])
    assert raised.value.args[2] == "8 values on 3 x 4 points"


def test_points_off_regular_grids_keep_their_order():
    placement = placement_of({"gridType": "reduced_gg", "N": 48}, "a file")
    assert placement.grid is None
    points = np.arange(7, dtype=np.float32)
    found = harmonise(points, "K", ERA5.native("surface/2t"), placement, "a file")
    np.testing.assert_array_equal(found, points)


def test_axes_of_netcdf():
    axes = {"gridType": "axes", "latitude": [-90.0, 0.0, 90.0], "longitude": [0, 90, 180, 270]}
    placement = placement_of(axes, "a file")
    assert placement.shape == (3, 4)
    found = harmonise(FIELD, "K", ERA5.native("surface/2t"), placement, "a file")
    np.testing.assert_array_equal(found, FIELD[::-1])


@pytest.mark.parametrize(
    ("units", "plain"),
    [
        ("m**2 s**-2", "m2 s-2"),
        ("m^2 s^-2", "m2 s-2"),
        ("m2 s-2", "m2 s-2"),
        (" K ", "K"),
        ("kg kg**-1", "kg kg-1"),
        ("(0 - 1)", "1"),
        ("(Code table 4.213)", "1"),
        ("Numeric", "1"),
        ("", "1"),
        ("~", "1"),
        ("degC", "degC"),
    ],
)
def test_units_have_one_spelling(units, plain):
    assert canonical(units) == plain


def in_units(path, units, value, native=None):
    native = native or ERA5.native(path)
    field = np.full((3, 4), value, np.float32)
    found = harmonise(field, units, native, placement_of(KEYS, "a file"), "a file")
    assert found.dtype == np.float32
    return found[0, 0]


def test_units_that_mean_ours_leave_values_alone():
    field = np.full((3, 4), 0.1, np.float32)
    for units in ("m**2 s**-2", "m2 s-2", "m^2 s^-2"):
        found = harmonise(
            field, units, ERA5.native("atmospheric/z"), placement_of(KEYS, "x"), "a file"
        )
        np.testing.assert_array_equal(found, field)


def test_declared_units_are_converted_once():
    height = replace(ERA5.native("atmospheric/z"), units="gpm")
    assert in_units("atmospheric/z", "gpm", 5500.0, height) == np.float32(5500 * 9.80665)
    pressure = replace(ERA5.native("surface/msl"), units="hPa")
    assert in_units("surface/msl", "hPa", 1013.25, pressure) == np.float32(101325.0)


def test_our_own_units_are_taken_whatever_is_declared():
    pressure = replace(ERA5.native("surface/msl"), units="hPa")
    assert in_units("surface/msl", "Pa", 101325.0, pressure) == 101325.0


@pytest.mark.parametrize(
    ("path", "units"),
    [
        ("surface/2t", "degC"),
        ("surface/2t", ""),
        ("atmospheric/z", "m"),
        ("atmospheric/z", "gpm"),
        ("surface/msl", "hPa"),
        ("surface/10u", "knots"),
        ("static/lsm", "%"),
    ],
)
def test_units_nobody_declared_are_refused(path, units):
    with pytest.raises(HarmoniseError) as raised:
        in_units(path, units, 1.0)
    assert repr(units) in raised.value.args[2]
    assert ERA5.native(path).units in raised.value.args[2]


def test_declared_units_that_have_no_factor_are_refused():
    celsius = replace(ERA5.native("surface/2t"), units="degC")
    with pytest.raises(HarmoniseError):
        in_units("surface/2t", "degC", 1.0, celsius)


@pytest.mark.parametrize(
    ("variable", "low", "high"), [(T2M, 180.0, 330.0), (MSL, 87_000.0, 108_500.0)]
)
def test_the_weather_is_plausible(variable, low, high):
    check_values(variable, low, high, 0, "a file")


@pytest.mark.parametrize(
    ("variable", "low", "high"),
    [
        (T2M, -40.0, 30.0),  # degrees Celsius
        (T2M, 200.0, 9999.0),  # a missing value taken for a number
        (MSL, 950.0, 1040.0),  # hPa
        (Z, 0.0, 1e6),
    ],
)
def test_what_no_correct_file_holds_is_refused(variable, low, high):
    with pytest.raises(HarmoniseError) as raised:
        check_values(variable, low, high, 0, "a file")
    assert variable.units in raised.value.args[2]


def test_missing_values_are_refused_where_none_may_be():
    with pytest.raises(HarmoniseError) as raised:
        check_values(T2M, 200.0, 300.0, 7, "a file")
    assert raised.value.args[2] == "7 missing values"
    check_values(replace(T2M, may_be_missing=True), 200.0, 300.0, 7, "a file")
    nothing = float("nan")
    with pytest.raises(HarmoniseError):
        check_values(replace(T2M, may_be_missing=True), nothing, nothing, 12, "a file")


def test_infinite_values_are_refused():
    with pytest.raises(HarmoniseError):
        check_values(T2M, 200.0, float("inf"), 0, "a file")
