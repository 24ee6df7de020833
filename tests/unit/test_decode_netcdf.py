"""NetCDF in every dialect met, made by netCDF4 and read by us."""

from datetime import datetime, timedelta

import netCDF4
import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.file_index import PRESSURE, SURFACE
from aurora_prep.pipelines.reading.match import decode, holdings_of
from aurora_prep.pipelines.reading.netcdf import scan_netcdf
from aurora_prep.sources.spec import AuroraPrepError, DecodeError

ERA5 = sources.load("era5")
LATITUDE = ([90.0, 0.0, -90.0], {"units": "degrees_north"})
LONGITUDE = ([0.0, 90.0, 180.0, 270.0], {"units": "degrees_east"})
HOURS = ([0, 6], {"units": "hours since 2020-01-01"})
HORIZONTAL = {"latitude": LATITUDE, "longitude": LONGITUDE}
DIMS = ("time", "latitude", "longitude")
NEW_YEAR = datetime(2020, 1, 1)
VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.fixture
def written(tmp_path, netcdf):
    return lambda axes, variables: netcdf(tmp_path / "raw.nc", axes, variables)


def one_variable(written, axes, dims, values=VALUES, **attributes):
    """The contents of a file of one variable ``t2m``."""
    path = written(axes, {"t2m": (dims, values, {"units": "K", **attributes})})
    return scan_netcdf(path)


@pytest.mark.parametrize("time", ["time", "valid_time"])
@pytest.mark.parametrize("names", [("latitude", "longitude"), ("lat", "lon")])
def test_axes_by_their_names(written, time, names):
    axes = {time: HOURS, names[0]: LATITUDE, names[1]: LONGITUDE}
    contents = one_variable(written, axes, tuple(axes))
    assert [ref.valid_time.hour for ref in contents.fields] == [0, 6]
    assert {ref.lead_time for ref in contents.fields} == {timedelta(0)}
    assert [ref.level_kind for ref in contents.fields] == [SURFACE, SURFACE]
    for ref, values in zip(contents.fields, VALUES, strict=True):
        np.testing.assert_array_equal(decode(ref), values)
    (grid,) = contents.grids
    assert (grid["latitude"], grid["longitude"]) == (tuple(LATITUDE[0]), tuple(LONGITUDE[0]))


def test_any_order_of_axes_gives_latitude_first(written):
    axes = {"longitude": LONGITUDE, "time": HOURS, "latitude": LATITUDE}
    contents = one_variable(written, axes, tuple(axes), VALUES.transpose(2, 0, 1))
    for ref, values in zip(contents.fields, VALUES, strict=True):
        np.testing.assert_array_equal(decode(ref), values)


def test_packed_integers_are_scaled_in_float64_and_rounded_once(written):
    packed = np.arange(-12, 12, dtype=np.int16).reshape(2, 3, 4) * 1000
    scale, offset = 0.0017453, 281.3
    contents = one_variable(
        written, {"time": HOURS, **HORIZONTAL}, DIMS, packed,
        scale_factor=scale, add_offset=offset, _FillValue=np.int16(-12000),
    )  # fmt: skip
    wanted = (packed.astype(np.float64) * scale + offset).astype(np.float32)
    wanted[0, 0, 0] = np.nan
    for ref, values in zip(contents.fields, wanted, strict=True):
        found = decode(ref)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("attribute", ["_FillValue", "missing_value"])
def test_fill_values_become_nan(written, attribute):
    values = VALUES.copy()
    values[1, 2, 3] = 9.999e20
    contents = one_variable(
        written, {"time": HOURS, **HORIZONTAL}, DIMS, values, **{attribute: np.float32(9.999e20)}
    )
    values[1, 2, 3] = np.nan
    np.testing.assert_array_equal(decode(contents.fields[1]), values[1])


@pytest.mark.parametrize(
    ("name", "values", "units"),
    [
        ("pressure_level", [1000.0, 500.0], "hPa"),
        ("level", [1000, 500], "millibars"),
        ("level", [100_000.0, 50_000.0], "Pa"),
        ("plev", [100_000.0, 50_000.0], "Pa"),
        ("isobaricInhPa", [1000.0, 500.0], "hPa"),
        ("isobaricInhPa", [1000.0, 500.0], ""),
    ],
)
def test_pressure_levels_in_hpa(written, name, values, units):
    axes = {name: (values, {"units": units}), **HORIZONTAL}
    contents = one_variable(written, axes, tuple(axes))
    assert [(ref.level_kind, ref.level) for ref in contents.fields] == [
        (PRESSURE, 1000), (PRESSURE, 500),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "units"),
    [("level", "1"), ("level", ""), ("model_level", "1"), ("hybrid", "1"), ("height", "m")],
)
def test_other_levels_are_never_taken_for_pressure(written, name, units):
    axes = {name: ([500.0, 850.0], {"units": units}), **HORIZONTAL}
    contents = one_variable(written, axes, tuple(axes))
    assert PRESSURE not in {ref.level_kind for ref in contents.fields}
    assert {ref.level for ref in contents.fields} == {None}
    assert SURFACE not in {ref.level_kind for ref in contents.fields}


def test_a_file_of_forecasts(written):
    axes = {
        "forecast_reference_time": HOURS,
        "forecast_period": ([0, 3, 6], {"units": "hours"}),
        **HORIZONTAL,
    }
    contents = one_variable(written, axes, tuple(axes), np.zeros((2, 3, 3, 4), np.float32))
    hour = timedelta(hours=1)
    assert [(ref.init_time.hour, ref.lead_time // hour) for ref in contents.fields] == [
        (0, 0), (0, 3), (0, 6), (6, 0), (6, 3), (6, 6),
    ]  # fmt: skip


def test_the_version_runs_along_the_times(written):
    path = written(
        {"valid_time": HOURS, **HORIZONTAL},
        {
            "t2m": (("valid_time", "latitude", "longitude"), VALUES, {"units": "K"}),
            "expver": (("valid_time",), np.array(["0001", "0005"]), {}),
            "number": ((), np.int64(0), {}),
        },
    )
    contents = scan_netcdf(path)
    assert [(ref.label, ref.member) for ref in contents.fields] == [("0001", 0), ("0005", 0)]
    assert contents.skipped == ()


@pytest.mark.parametrize("versions", [(1, 5), (5, 1)])
@pytest.mark.parametrize("final_until", [0, 1, 2])
def test_versions_as_a_dimension_are_merged(tmp_path, written, versions, final_until):
    """As the store had ERA5T: each version empty where the other one is valid."""
    final, preliminary = VALUES.copy(), VALUES + 1
    final[final_until:] = np.nan
    preliminary[:final_until] = np.nan
    by_version = {1: final, 5: preliminary}
    axes = {"expver": (list(versions), {}), "time": HOURS, **HORIZONTAL}
    values = np.stack([by_version[version] for version in versions])
    path = written(axes, {"t2m": (tuple(axes), values, {"units": "K"})})
    held = holdings_of((str(path),), ERA5, tmp_path / "kept")
    assert len(held.fields) == 2
    for position, moment in enumerate(held.moments):
        found = held.fields[("surface/2t", None), moment]
        wanted = final if position < final_until else preliminary
        np.testing.assert_array_equal(decode(found), wanted[position])
        assert found.label == ("1" if position < final_until else "5")


@pytest.mark.parametrize("versions", [(1, 5), (5, 1)])
def test_the_final_version_counts_where_both_are(tmp_path, written, versions):
    axes = {"expver": (list(versions), {}), "time": HOURS, **HORIZONTAL}
    values = np.stack([VALUES + version for version in versions])
    path = written(axes, {"t2m": (tuple(axes), values, {"units": "K"})})
    held = holdings_of((str(path),), ERA5, tmp_path / "kept")
    for position, moment in enumerate(held.moments):
        found = decode(held.fields[("surface/2t", None), moment])
        np.testing.assert_array_equal(found, VALUES[position] + 1)


def test_two_other_versions_of_one_time_are_refused(tmp_path, written):
    axes = {"expver": ([2, 5], {}), "time": HOURS, **HORIZONTAL}
    values = np.stack([VALUES, VALUES + 1])
    path = written(axes, {"t2m": (tuple(axes), values, {"units": "K"})})
    held = holdings_of((str(path),), ERA5, tmp_path / "kept")
    assert {moment for _, moment in held.conflicts} == set(held.moments)
    with pytest.raises(DecodeError) as raised:
        held.refuse_conflicts()
    assert "version 5" in raised.value.args[2]


def test_a_file_without_time_holds_what_does_not_change(tmp_path, written):
    path = written(HORIZONTAL, {"lsm": (tuple(HORIZONTAL), VALUES[0], {"units": "(0 - 1)"})})
    held = holdings_of((str(path),), ERA5, tmp_path / "kept")
    assert held.places == {("static/lsm", None)}


def test_names_the_source_has_not_are_listed(tmp_path, written):
    path = written(
        {"time": HOURS, **HORIZONTAL},
        {
            "t2m": (DIMS, VALUES, {"units": "K"}),
            "cape": (DIMS, VALUES, {"units": "J kg**-1"}),
            "crs": ((), np.int32(0), {}),
        },
    )
    held = holdings_of((str(path),), ERA5, tmp_path / "kept")
    assert held.places == {("surface/2t", None)}
    six = datetime(2020, 1, 1, 6)
    assert held.moments == ((NEW_YEAR, timedelta(0), None), (six, timedelta(0), None))
    assert held.ignored == ("cape (surface)", "crs (not on latitude and longitude)")


def test_times_in_days_and_in_other_calendars(written):
    axes = {"time": ([0.25, 59.5], {"units": "days since 2020-01-01"}), **HORIZONTAL}
    contents = one_variable(written, axes, DIMS)
    assert [ref.valid_time for ref in contents.fields] == [
        datetime(2020, 1, 1, 6), datetime(2020, 2, 29, 12),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "attributes",
    [
        {"units": "hours since the flood"},
        {"units": "hours"},
        {},
        {"units": "hours since 2020-01-01", "calendar": "360_day"},
        {"units": "hours since 2020-01-01", "calendar": "no such calendar"},
        {"units": "years since 99999-01-01"},
    ],
    ids=str,
)
def test_times_nobody_can_read_are_refused(written, attributes):
    with pytest.raises(DecodeError):
        one_variable(written, {"time": ([0, 6], attributes), **HORIZONTAL}, DIMS)


def test_missing_times_are_refused(written):
    """They must not become the year of the units."""
    axes = {
        "time": ([0.0, 9.969209968386869e36], {"units": "hours since 1900-01-01"}),
        **HORIZONTAL,
    }
    with pytest.raises(DecodeError) as raised:
        one_variable(written, axes, DIMS)
    assert "time" in raised.value.args[2]


def test_an_axis_without_coordinates_is_refused(written):
    bare = ([0.0, 1.0, 2.0], {"coordinate": False})
    with pytest.raises(DecodeError) as raised:
        one_variable(written, {"time": HOURS, "latitude": bare, "longitude": LONGITUDE}, DIMS)
    assert "latitude" in raised.value.args[2]


def test_a_file_without_fields_is_refused(written):
    path = written({"time": HOURS}, {"x": (("time",), np.zeros(2), {})})
    with pytest.raises(DecodeError) as raised:
        scan_netcdf(path)
    assert "'x'" in raised.value.args[2]


def test_a_changed_file_is_read_anew(tmp_path, netcdf):
    path = tmp_path / "raw.nc"
    for shift in (0, 100):
        shifted = VALUES + np.float32(shift)
        netcdf(
            tmp_path / "new.nc",
            {"time": HOURS, **HORIZONTAL},
            {"t2m": (DIMS, shifted, {"units": "K"})},
        ).replace(path)
        np.testing.assert_array_equal(decode(scan_netcdf(path).fields[1]), shifted[1])


@pytest.mark.parametrize("form", ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF4"])
@pytest.mark.parametrize("unlimited", [True, False])
@pytest.mark.parametrize("cut", [4, 40, 150])
def test_a_cut_file_is_refused_and_not_filled_up(tmp_path, form, unlimited, cut):
    path = tmp_path / "raw.nc"
    with netCDF4.Dataset(path, "w", format=form) as data:
        data.createDimension("time", None if unlimited else 2)
        for name, (values, attributes) in {**HORIZONTAL, "time": HOURS}.items():
            if name != "time":
                data.createDimension(name, len(values))
            variable = data.createVariable(name, "f8", (name,))
            variable[:] = values
            variable.setncatts(attributes)
        data.createVariable("t2m", "f4", DIMS)[:] = VALUES
    whole = path.read_bytes()
    assert len(scan_netcdf(path).fields) == 2
    path.unlink()
    path.write_bytes(whole[:-cut])
    with pytest.raises(DecodeError):
        scan_netcdf(path)


@pytest.mark.parametrize("form", ["NETCDF3_CLASSIC", "NETCDF4"])
def test_any_damage_is_an_error_of_ours_or_none(tmp_path, form):
    """Seeded: bytes of the header are changed one to three at a time, or the end is cut."""
    path = tmp_path / "whole.nc"
    with netCDF4.Dataset(path, "w", format=form) as data:
        for name, (values, attributes) in {"time": HOURS, **HORIZONTAL}.items():
            data.createDimension(name, len(values))
            variable = data.createVariable(name, "f8", (name,))
            variable[:] = values
            variable.setncatts(attributes)
        variable = data.createVariable("t2m", "f4", DIMS)
        variable[:] = VALUES
        variable.units = "K"
    whole, generator = path.read_bytes(), np.random.default_rng(3)
    refused = 0
    for number in range(60):
        damaged = bytearray(whole)
        if number % 3:
            for position in generator.integers(4, min(len(whole), 700), generator.integers(1, 4)):
                damaged[position] = generator.integers(256)
        else:
            del damaged[generator.integers(1, len(whole)) :]
        path = tmp_path / f"{number}.nc"
        path.write_bytes(damaged)
        try:
            for ref in scan_netcdf(path).fields[:3]:
                decode(ref)
        except AuroraPrepError:
            refused += 1
    assert refused > 0
