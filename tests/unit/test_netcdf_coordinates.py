"""Which coordinate is which: found, told apart, cross-checked and rounded, or refused by name."""

from datetime import datetime, timedelta

import netCDF4
import numpy as np
import pytest
import xarray as xr

from aurora_prep import sources
from aurora_prep.pipelines.reading.fields import NO_TIME, PRESSURE
from aurora_prep.pipelines.reading.match import decode, holdings_of
from aurora_prep.pipelines.reading.netcdf import scan_netcdf
from aurora_prep.sources.spec import DecodeError

ERA5, FORECAST = sources.load("era5"), sources.load("hres_forecast")
LATITUDE, LONGITUDE = [10.0, 0.0, -10.0], [0.0, 10.0, 20.0, 30.0]
START = datetime(2020, 1, 1)
HOUR = timedelta(hours=1)
FORMS = ("NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4", "NETCDF4_CLASSIC")


def hours(*steps):
    return np.datetime64(START, "ns") + np.array(steps, "m8[h]").astype("m8[ns]")


def leads(*steps):
    return np.array(steps, "m8[h]").astype("m8[ns]")


@pytest.fixture
def saved(tmp_path):
    """A file of ``t2m`` as xarray saves it, of dimensions before latitude and longitude."""

    def make(dims, coords, form="NETCDF4", attributes=None):
        sizes = {d: np.size(c[1] if isinstance(c, tuple) else c) for d, c in coords.items()}
        shape = tuple(sizes.get(dim, 2) for dim in dims)
        data = xr.Dataset(
            {"t2m": ((*dims, "latitude", "longitude"), np.full((*shape, 3, 4), 280, "f4"),
                     {"units": "K"})},
            {**coords, "latitude": LATITUDE, "longitude": LONGITUDE},
        )  # fmt: skip
        for name, more in (attributes or {}).items():
            data[name].attrs.update(more)
        path = tmp_path / "a.nc"
        data.to_netcdf(path, format=form)
        return path

    return make


def times(path):
    return [(ref.init_time, ref.lead_time // HOUR) for ref in scan_netcdf(path).fields]


TWO_STARTS = [(START, 6), (START + 12 * HOUR, 6)]
FRT = {"standard_name": "forecast_reference_time"}
CF_TIME = {"standard_name": "time"}
PERIOD = {"standard_name": "forecast_period"}
SIX = leads(6)[0]
LAYOUTS = {
    "scalar step, valid time along the starts": (
        ("time",), {"time": hours(0, 12), "step": SIX, "valid_time": ("time", hours(6, 18))}, {},
    ),
    "scalar step alone": (("time",), {"time": hours(0, 12), "step": SIX}, {}),
    "no step, a start and a valid time": (
        ("time",), {"time": hours(0, 12), "valid_time": ("time", hours(6, 18))}, {},
    ),
    "cfgrib's own words": (
        ("time", "step"),
        {"time": hours(0, 12), "step": leads(6), "valid_time": (("time", "step"),
         hours(6, 18).reshape(2, 1))},
        {"time": FRT, "step": PERIOD, "valid_time": CF_TIME},
    ),
    "steps first": (("step", "time"), {"time": hours(0, 12), "step": leads(6)}, {}),
    "CF: valid time, and the start along it": (
        ("time",), {"time": hours(6, 18), "forecast_reference_time": ("time", hours(0, 12))}, {},
    ),
    "CF: valid time and its lead": (
        ("time",), {"time": hours(6, 18), "forecast_period": ("time", leads(6, 6))},
        {"time": CF_TIME, "forecast_period": PERIOD},
    ),
    "other names": (
        ("init_time", "lead_time"), {"init_time": hours(0, 12), "lead_time": leads(6)}, {},
    ),
    "names that say nothing, standard names that do": (
        ("start", "ahead"), {"start": hours(0, 12), "ahead": leads(6)},
        {"start": FRT, "ahead": PERIOD},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("form", ["NETCDF3_64BIT", "NETCDF4"])
def test_starts_and_leads_in_every_layout(saved, name, form):
    dims, coords, attributes = LAYOUTS[name]
    path = saved(dims, coords, form, attributes)
    assert times(path) == TWO_STARTS
    held = holdings_of((str(path),), FORECAST, path.parent / "kept")
    assert held.moments == tuple((init, 6 * HOUR, None) for init, _ in TWO_STARTS)


@pytest.mark.parametrize(
    "coords",
    [
        {"time": hours(0, 12), "step": SIX, "valid_time": ("time", hours(6, 19))},
        {"valid_time": hours(6, 18), "forecast_reference_time": hours(0)[0], "step": SIX},
        {"time": hours(0, 12), "step": leads(7)[0], "valid_time": ("time", hours(6, 18))},
    ],
)
def test_times_that_contradict_each_other_are_refused(saved, coords):
    dims = ("time",) if "time" in coords else ("valid_time",)
    with pytest.raises(DecodeError) as raised:
        scan_netcdf(saved(dims, coords))
    assert "the times of t2m contradict each other" in raised.value.args[2]
    assert raised.value.args[1].endswith("a.nc")


@pytest.mark.parametrize(
    ("coords", "role"),
    [
        ({"time": hours(0, 6), "number": 1, "realization": 2}, "member"),
        ({"time": hours(0, 6), "level": ((), 500, {"units": "hPa"}), "plev": ((), 8.5e4,
         {"units": "Pa"})}, "level"),
        ({"time": hours(0, 6), "init_time": hours(0)[0], "forecast_reference_time": hours(1)[0]},
         "init time"),
    ],
)  # fmt: skip
def test_two_coordinates_of_one_role_that_differ_are_refused(saved, coords, role):
    with pytest.raises(DecodeError, match=f"two coordinates for its {role}"):
        scan_netcdf(saved(("time",), coords))


def test_two_coordinates_that_say_the_same_are_one(saved):
    coords = {"time": hours(0, 6), "valid_time": ("time", hours(0, 6)), "number": 0, "member": 0}
    path = saved(("time",), coords)
    assert [ref.valid_time for ref in scan_netcdf(path).fields] == [START, START + 6 * HOUR]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dims", [("valid_time",), ()])
def test_versions_as_characters(saved, form, dims):
    coords = {"valid_time": hours(0, 6) if dims else hours(0)[0]}
    coords["expver"] = (dims, np.array(["0005", "0001"] if dims else "0005", object))
    labels = [ref.label for ref in scan_netcdf(saved(dims, coords, form)).fields]
    assert labels == (["0005", "0001"] if dims else ["0005"])


@pytest.mark.parametrize("value", [1, 1.0, np.int8(1), np.float32(5)])
def test_versions_as_numbers(saved, value):
    (ref,) = scan_netcdf(saved(("valid_time",), {"valid_time": hours(0), "expver": value})).fields
    assert ref.label == str(int(value))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["time", "valid_time", "step", "number", "level"])
def test_a_dimension_without_its_coordinate_is_refused_by_name(saved, form, name):
    with pytest.raises(DecodeError) as raised:
        scan_netcdf(saved((name,), {}, form))
    assert f"dimension {name} of t2m has no coordinate" in raised.value.args[2]


def test_a_dimension_of_length_one_without_a_coordinate_has_no_time(tmp_path):
    data = xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), np.zeros((1, 3, 4), "f4"), {"units": "K"})},
        {"latitude": LATITUDE, "longitude": LONGITUDE},
    )
    path = tmp_path / "one.nc"
    data.to_netcdf(path)
    (ref,) = scan_netcdf(path).fields
    assert ref.init_time == NO_TIME
    assert holdings_of((str(path),), ERA5, tmp_path / "kept").ignored == ("t2m (surface, no time)",)


def by_hand(path, time, units, dtype, **attributes):
    with netCDF4.Dataset(path, "w") as data:
        for name, values in (("latitude", LATITUDE), ("longitude", LONGITUDE)):
            data.createDimension(name, len(values))
            data.createVariable(name, "f8", (name,))[:] = values
        data.createDimension("time", len(time))
        axis = data.createVariable("time", dtype, ("time",))
        axis.setncatts({"units": units, **attributes})
        axis[:] = np.asarray(time, np.float64)
        data.createVariable("t2m", "f4", ("time", "latitude", "longitude"))[:] = 280
        data["t2m"].units = "K"
    return path


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    ("units", "length"),
    [("days since 2019-12-31", 24), ("days since 1950-01-01", 24), ("hours since 1900-01-01", 1),
     ("minutes since 2000-01-01", 1 / 60), ("seconds since 1970-01-01", 1 / 3600)],
)  # fmt: skip
def test_times_are_rounded_to_what_their_numbers_can_tell(tmp_path, dtype, units, length):
    wanted = [START + n * HOUR for n in (1, 7, 13, 19)]
    epoch = datetime.fromisoformat(units.split()[-1])
    time = [(one - epoch) / HOUR / length for one in wanted]
    path = by_hand(tmp_path / "a.nc", time, units, dtype)
    assert [ref.valid_time for ref in scan_netcdf(path).fields] == wanted


def test_numbers_too_coarse_for_hours_are_refused(tmp_path):
    path = by_hand(tmp_path / "a.nc", [737_425.25, 737_425.5], "days since 0001-01-01", "f4",
                   calendar="proleptic_gregorian")  # fmt: skip
    with pytest.raises(DecodeError, match="too coarse"):
        scan_netcdf(path)


def test_a_half_hour_stays_one(tmp_path):
    path = by_hand(tmp_path / "a.nc", [12.5], "hours since 2020-01-01", "f4")
    (ref,) = scan_netcdf(path).fields
    assert ref.valid_time == START + 12.5 * HOUR
    held = holdings_of((str(path),), ERA5, tmp_path / "kept")
    assert held.fields == {}
    assert "a.nc" in held.off_hours[0]
    assert "not on a whole hour: 2020-01-01T12:30:00) in" in held.ignored[0]


@pytest.mark.parametrize(
    ("units", "value"),
    [("hours", 6), ("hour", 6), ("hr", 6), ("h", 6), ("minute", 360), ("min", 360), ("day", 0.25),
     ("d", 0.25), ("s", 21_600), ("milliseconds", 21_600_000), ("us", 21.6e9), ("ns", 21.6e12),
     ("weeks", 0.25 / 7)],
)  # fmt: skip
def test_lead_times_in_every_unit(saved, units, value):
    path = saved(("time", "step"), {"time": hours(0), "step": ("step", [value], {"units": units})})
    assert times(path) == [(START, 6)]


@pytest.mark.parametrize("units", ["months", "years", "fortnights", "1", "hours since 2020-01-01"])
def test_a_unit_that_has_no_length_is_refused_by_name(saved, units):
    step = ("step", [6.5], {"units": units})
    try:
        path = saved(("time", "step"), {"time": hours(0), "step": step})
    except ValueError:
        pytest.fail("the file was not made")
    with pytest.raises(DecodeError) as raised:
        scan_netcdf(path)
    assert units in raised.value.args[2]


def test_a_lead_time_without_units_is_refused(saved):
    with pytest.raises(DecodeError, match="no units"):
        scan_netcdf(saved(("time", "step"), {"time": hours(0), "step": ("step", [6])}))


@pytest.mark.parametrize("units", ["kPa", "m", "sigma", "Pa s-1"])
def test_a_pressure_level_in_other_units_is_no_pressure(saved, units):
    path = saved(("pressure_level",), {"pressure_level": ("pressure_level", [50.0, 85.0],
                                                         {"units": units})})  # fmt: skip
    assert {ref.level_kind for ref in scan_netcdf(path).fields} == {f"level in {units}"}


def test_latitudes_in_radians_are_refused(tmp_path):
    data = xr.Dataset(
        {"t2m": (("latitude", "longitude"), np.zeros((3, 4), "f4"))},
        {"latitude": ("latitude", [1.5, 0, -1.5], {"units": "radians"}), "longitude": LONGITUDE},
    )
    data.to_netcdf(tmp_path / "a.nc")
    with pytest.raises(DecodeError, match="radians"):
        scan_netcdf(tmp_path / "a.nc")


def test_the_level_of_one_variable_is_not_that_of_another(tmp_path):
    """Two messages of cfgrib in one file: each names its own scalars."""
    data = xr.Dataset(
        {
            "t": (("time", "latitude", "longitude"), np.full((1, 3, 4), 250, "f4")),
            "t2m": (("time", "latitude", "longitude"), np.full((1, 3, 4), 280, "f4")),
        },
        {"time": hours(0), "latitude": LATITUDE, "longitude": LONGITUDE},
    )
    data["isobaricInhPa"] = ((), 500.0, {"units": "hPa"})
    data["t"].attrs["coordinates"] = "time isobaricInhPa latitude longitude"
    data["t2m"].attrs["coordinates"] = "time latitude longitude"
    data.to_netcdf(tmp_path / "a.nc")
    t, t2m = scan_netcdf(tmp_path / "a.nc").fields
    assert (t.level_kind, t.level) == (PRESSURE, 500)
    assert t2m.level is None


def test_groups_are_read(tmp_path):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as data:
        for name, values in (("latitude", LATITUDE), ("longitude", LONGITUDE)):
            data.createDimension(name, len(values))
            data.createVariable(name, "f8", (name,))[:] = values
        for hour in (0, 6):
            group = data.createGroup(f"h{hour:02d}").createGroup("sfc")
            group.createDimension("time", 1)
            time = group.createVariable("time", "i4", ("time",))
            time.units = "hours since 2020-01-01"
            time[:] = hour
            group.createVariable("t2m", "f4", ("time", "latitude", "longitude"))[:] = 280 + hour
            group["t2m"].units = "K"
    held = holdings_of((str(path),), ERA5, tmp_path / "kept")
    values = [decode(held.fields[("surface/2t", None), m])[0, 0] for m in held.moments]
    assert values == [280, 286]


def test_a_field_with_the_standard_name_of_a_coordinate_is_a_field(tmp_path):
    data = xr.Dataset(
        {"p": (("time", "latitude", "longitude"), np.ones((1, 3, 4), "f4"),
               {"standard_name": "air_pressure", "units": "Pa"}),
         "t2m": (("time", "latitude", "longitude"), np.ones((1, 3, 4), "f4"))},
        {"time": hours(0), "latitude": LATITUDE, "longitude": LONGITUDE},
    )  # fmt: skip
    data.to_netcdf(tmp_path / "a.nc")
    assert {ref.name for ref in scan_netcdf(tmp_path / "a.nc").fields} >= {"t2m"}


def test_projected_netcdf_is_told_and_not_to_be_fetched_again(tmp_path):
    two = np.add.outer(np.arange(3.0), np.arange(4.0))
    data = xr.Dataset(
        {"t2m": (("y", "x"), np.ones((3, 4), "f4"))},
        {"latitude": (("y", "x"), two), "longitude": (("y", "x"), two)},
    )
    data.to_netcdf(tmp_path / "a.nc")
    with pytest.raises(DecodeError) as raised:
        scan_netcdf(tmp_path / "a.nc")
    assert "projected or curvilinear" in raised.value.args[0]
    assert "fetch" not in raised.value.args[3]
