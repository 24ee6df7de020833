"""Fields of a Zarr store, found on its axes whatever they are called and however they lie."""

from datetime import datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from aurora_prep import sources
from aurora_prep.pipelines.reading.match import STATIC
from aurora_prep.pipelines.reading.zarr import Shelf, read_zarr, shelf_of
from aurora_prep.pipelines.reading.zarr_index import Wanted, holdings_in_stores
from aurora_prep.providers.zarr_store import OpenStore, StoreAddress
from aurora_prep.sources.spec import DecodeError, FetchError

NOW = datetime(2020, 1, 1, 12)
NO_LEAD = timedelta(0)
LATITUDE, LONGITUDE = np.linspace(90, -90, 7), np.arange(12) * 30.0


def _times(count, hours=6, start="2020-01-01"):
    return np.datetime64(start, "ns") + np.arange(count) * np.timedelta64(hours, "h")


def _field(number):
    return np.full((7, 12), number, np.float32)


@pytest.fixture
def shelf(tmp_path):
    """Write a store and put it on a source's shelf."""

    def make(source, variables, coords, attributes=None):
        data = xr.Dataset(
            variables,
            {"latitude": LATITUDE, "longitude": LONGITUDE, **coords},
            attributes,
        )
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}.zarr"
        data.to_zarr(folder, zarr_format=2)
        address = StoreAddress.of_path(str(folder), tmp_path)
        return shelf_of(str(address), sources.load(source))

    return make


def _numbered(dims, sizes, units="K"):
    """An array in which every field is filled with its position in the array."""
    shape = [sizes[dim] for dim in dims]
    numbers = np.arange(np.prod(shape)).reshape(*shape, 1, 1) * np.ones((7, 12))
    return (*dims, "latitude", "longitude"), numbers.astype(np.float32), {"units": units}


def _value(found):
    field = read_zarr(found)
    assert (field == field[0, 0]).all()
    return int(field[0, 0])


def test_levels_lie_in_any_order_and_unit(shelf):
    for levels, units in (([850, 50, 500], {}), ([85_000.0, 5_000.0, 50_000.0], {"units": "Pa"})):
        temperature = _numbered(("time", "level"), {"time": 4, "level": 3})
        held = shelf(
            "era5",
            {"temperature": temperature},
            {"time": _times(4), "level": ("level", levels, units)},
        )
        native = sources.load("era5").native("atmospheric/t")
        assert _value(held.field(native, 850, NOW, NO_LEAD, None)) == 2 * 3
        assert _value(held.field(native, 500, NOW, NO_LEAD, None)) == 2 * 3 + 2
        assert held.field(native, 925, NOW, NO_LEAD, None) is None


def test_times_lie_in_any_order(shelf):
    held = shelf(
        "era5",
        {"2m_temperature": _numbered(("time",), {"time": 4})},
        {"time": _times(4)[[2, 0, 3, 1]]},
    )
    native = sources.load("era5").native("surface/2t")
    assert _value(held.field(native, None, NOW, NO_LEAD, None)) == 0
    assert _value(held.field(native, None, datetime(2020, 1, 1, 6), NO_LEAD, None)) == 3
    assert held.field(native, None, datetime(2020, 1, 1, 7), NO_LEAD, None) is None
    assert held.field(native, None, datetime(2020, 1, 2), NO_LEAD, None) is None


@pytest.mark.parametrize("dims", [("time", "step", "number"), ("number", "time", "step")])
def test_members_and_lead_times_are_found(shelf, dims):
    sizes = {"time": 2, "step": 3, "number": 4}
    held = shelf(
        "ifs_ens",
        {"2m_temperature": _numbered(dims, sizes)},
        {
            "time": _times(2, 12),
            "step": np.arange(3) * np.timedelta64(6, "h").astype("m8[ns]"),
            "number": np.array([1, 2, 7, 9], np.int32),
        },
    )
    native = sources.load("ifs_ens").native("surface/2t")
    found = held.field(native, None, NOW, timedelta(hours=12), 7)
    at = {"time": 1, "step": 2, "number": 2}
    assert _value(found) == np.ravel_multi_index([at[d] for d in dims], [sizes[d] for d in dims])
    assert (found.member, found.lead_time, found.init_time) == (7, timedelta(hours=12), NOW)
    assert held.field(native, None, NOW, timedelta(hours=18), 7) is None
    assert held.field(native, None, NOW, NO_LEAD, 3) is None


def test_an_analysis_has_no_lead_time_to_ask_for(shelf):
    held = shelf(
        "hres_forecast", {"2m_temperature": _numbered(("time",), {"time": 4})}, {"time": _times(4)}
    )
    native = sources.load("hres_forecast").native("surface/2t")
    assert held.field(native, None, NOW, timedelta(hours=6), None) is None
    assert held.field(native, None, NOW, NO_LEAD, None) is not None


def test_a_static_field_repeated_in_time_is_read_where_the_store_begins(shelf):
    held = shelf(
        "era5",
        {"land_sea_mask": _numbered(("time",), {"time": 8}, "(0 - 1)")},
        {"time": _times(8)},
        {"valid_time_start": "2020-01-02", "valid_time_stop": "2020-01-02"},
    )
    native = sources.load("era5").native("static/lsm")
    found = held.field(native, None, *STATIC)
    assert _value(found) == 4
    assert found.label == ""


def test_a_surface_and_an_upper_air_variable_of_one_name_are_kept_apart(shelf):
    sizes = {"time": 4, "level": 1}
    held = shelf(
        "era5",
        {
            "geopotential": _numbered(("time", "level"), sizes, "m**2 s**-2"),
            "geopotential_at_surface": (("latitude", "longitude"), _field(77), {"units": "m2 s-2"}),
        },
        {"time": _times(4), "level": [500]},
    )
    era5 = sources.load("era5")
    assert _value(held.field(era5.native("atmospheric/z"), 500, NOW, NO_LEAD, None)) == 2
    assert _value(held.field(era5.native("static/z"), None, *STATIC)) == 77


def test_versions_follow_what_the_store_says_of_itself(shelf):
    held = shelf(
        "era5",
        {"2m_temperature": _numbered(("time",), {"time": 16})},
        {"time": _times(16)},
        {"valid_time_stop": "2020-01-01", "valid_time_stop_era5t": "2020-01-09"},
    )
    native = sources.load("era5").native("surface/2t")
    label = {
        hour: found.label if found else None
        for hour in (18, 24, 42, 48)
        for found in [
            held.field(native, None, datetime(2020, 1, 1) + timedelta(hours=hour), NO_LEAD, None)
        ]
    }
    assert label == {18: "0001", 24: "0005", 42: "0005", 48: None}


def test_an_axis_that_nobody_knows_is_refused(shelf):
    held = shelf(
        "era5",
        {"2m_temperature": _numbered(("time", "realm"), {"time": 4, "realm": 2})},
        {"time": _times(4)},
    )
    with pytest.raises(DecodeError, match=r"(?s)an axis that nobody knows.*realm of length 2"):
        held.field(sources.load("era5").native("surface/2t"), None, NOW, NO_LEAD, None)


def test_times_without_units_are_refused(shelf):
    held = shelf(
        "era5",
        {"2m_temperature": _numbered(("time",), {"time": 4})},
        {"time": np.arange(4)},
    )
    with pytest.raises(DecodeError, match="not what its name says"):
        held.field(sources.load("era5").native("surface/2t"), None, NOW, NO_LEAD, None)


def test_a_store_without_a_horizontal_axis_is_refused(tmp_path):
    data = xr.Dataset({"2m_temperature": (("time", "cell"), np.zeros((2, 9), np.float32))})
    data.to_zarr(tmp_path / "cells.zarr", zarr_format=2)
    address = StoreAddress.of_path("cells.zarr", tmp_path)
    shelf = Shelf(OpenStore(address), sources.load("era5"))
    with pytest.raises(DecodeError, match="no latitude axis"):
        _ = shelf.grid
    native = sources.load("era5").native("surface/2t")
    assert shelf.field(native, None, NOW, NO_LEAD, None) is None


def test_holdings_are_those_wanted_and_no_more(shelf):
    sizes = {"time": 4, "level": 2}
    held = shelf(
        "era5",
        {
            "temperature": _numbered(("time", "level"), sizes),
            "2m_temperature": _numbered(("time",), sizes),
        },
        {"time": _times(4), "level": [500, 850]},
    )
    wanted = Wanted(
        (("surface/2t", None), ("atmospheric/t", 850), ("atmospheric/q", 850)),
        ((NOW, NO_LEAD, None), (datetime(2021, 1, 1), NO_LEAD, None)),
    )
    found = holdings_in_stores([held.file], sources.load("era5"), wanted)
    now = (NOW, NO_LEAD, None)
    assert set(found.fields) == {(("surface/2t", None), now), (("atmospheric/t", 850), now)}
    assert found.moments == (now,)
    (grids,) = found.grids.values()
    assert grids[0]["latitude"][0] == 90


def test_a_store_that_is_not_there_says_so():
    with pytest.raises(FetchError, match="there is no Zarr store"):
        shelf_of("file:///no/such/store.zarr#", sources.load("era5"))


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"cell_methods": "time: mean"}, "a mean over time"),
        ({"cell_methods": "realization: standard_deviation"}, "spread of an ensemble"),
        ({"GRIB_stepType": "max"}, "a maximum over time"),
        ({"GRIB_marsClass": "od"}, "of class od and not ea"),
    ],
)
def test_a_store_of_another_product_is_refused_by_name(shelf, attributes, why):
    dims, values, said = _numbered(("time",), {"time": 4})
    held = shelf("era5", {"2m_temperature": (dims, values, {**said, **attributes})},
                 {"time": _times(4)})  # fmt: skip
    native = sources.load("era5").native("surface/2t")
    with pytest.raises(DecodeError) as raised:
        held.field(native, None, NOW, NO_LEAD, None)
    assert why in raised.value.args[2]


def test_levels_that_are_no_pressure_are_refused(shelf):
    held = shelf(
        "era5",
        {"temperature": _numbered(("time", "level"), {"time": 4, "level": 2})},
        {"time": _times(4), "level": ("level", [50, 85], {"units": "kPa"})},
    )
    with pytest.raises(DecodeError, match="'kPa'"):
        held.field(sources.load("era5").native("atmospheric/t"), 50, NOW, NO_LEAD, None)


def test_two_axes_of_one_role_are_refused(shelf):
    held = shelf(
        "era5",
        {"2m_temperature": _numbered(("time", "valid_time"), {"time": 4, "valid_time": 4})},
        {"time": _times(4), "valid_time": _times(4)},
    )
    with pytest.raises(DecodeError, match="two axes"):
        held.field(sources.load("era5").native("surface/2t"), None, NOW, NO_LEAD, None)


def test_hours_written_as_days_are_found(shelf):
    times = _times(4) + np.array([0, 1, -1, 1]) * np.timedelta64(40, "us").astype("m8[ns]")
    held = shelf("era5", {"2m_temperature": _numbered(("time",), {"time": 4})}, {"time": times})
    native = sources.load("era5").native("surface/2t")
    assert _value(held.field(native, None, datetime(2020, 1, 1, 18), NO_LEAD, None)) == 3
