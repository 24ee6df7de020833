"""Fields of another product than the source's are refused by name, in GRIB 1, GRIB 2 and NetCDF."""

import re

import numpy as np
import pytest
import xarray as xr

from aurora_prep import sources
from aurora_prep.pipelines.reading.match import holdings_of
from aurora_prep.pipelines.reading.netcdf_headers import methods_of
from aurora_prep.pipelines.reading.product import Choice

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first

ERA5, FORECAST = sources.load("era5"), sources.load("hres_forecast")
OWN = {"edition": 2, "grib2LocalSectionPresent": 1, "class": "ea", "stream": "oper", "type": "an"}


@pytest.fixture
def held(tmp_path, grib):
    def make(source=ERA5, choice=None, values=280.0, **keys):
        path = tmp_path / "raw.grib"
        path.write_bytes(grib(values, **keys))
        kept = tmp_path / "kept"
        return holdings_of((str(path),), source, kept, choice or Choice())

    return make


GRIB1 = {
    "spread": ({"stream": "enda", "type": "es"}, "spread of an ensemble|of stream enda"),
    "mean": ({"stream": "enda", "type": "em"}, "of stream enda and not oper"),
    "member": ({"stream": "enda", "number": 7}, "of stream enda"),
    "operational": ({"class": "od"}, "of class od and not ea"),
    "reanalysis of another age": ({"class": "ei"}, "of class ei"),
    "machine": ({"class": "ai", "type": "fc"}, "of class ai"),
    "TIGGE control": ({"class": "ti", "stream": "enfo", "type": "cf"}, "of class ti"),
    "monthly mean": ({"stream": "moda"}, "of stream moda"),
    "mean of many analyses": ({"timeRangeIndicator": 123}, "a mean over many times"),
    "mean of many forecasts": ({"timeRangeIndicator": 113}, "a mean over many times"),
    "sum of many": ({"timeRangeIndicator": 114}, "cannot be worked out"),
    "a month ahead": ({"unitOfTimeRange": 3, "P1": 1, "type": "fc"}, "h ahead"),
    "mean over a day": ({"timeRangeIndicator": 3, "P2": 24}, "a mean over time"),
    "maximum": ({"stepType": "max", "stepRange": "0-6", "type": "fc"}, "a maximum over time"),
    "another centre": ({"centre": "kwbc"}, "of (centre|class)"),
    "three days ahead": ({"type": "fc", "stepRange": "72"}, "72 h ahead"),
    "an hour ahead": ({"type": "fc", "stepRange": "1"}, "1 h ahead"),
}


@pytest.mark.parametrize("name", GRIB1)
def test_grib_1(held, name):
    keys, why = GRIB1[name]
    found = held(**keys)
    assert found.fields == {}
    (said,) = found.ignored
    assert re.search(why, said), said


GRIB2 = {
    "spread": ({"productDefinitionTemplateNumber": 2, "derivedForecast": 4}, "spread of an ens"),
    "mean": ({"productDefinitionTemplateNumber": 2, "derivedForecast": 0}, "mean of an ensemble"),
    "cluster": ({"productDefinitionTemplateNumber": 3}, "of an ensemble"),
    "one member": (
        {"productDefinitionTemplateNumber": 1, "numberOfForecastsInEnsemble": 51,
         "perturbationNumber": 7}, "of member 7",
    ),
    "the control": (
        {"productDefinitionTemplateNumber": 1, "numberOfForecastsInEnsemble": 51,
         "perturbationNumber": 0}, "one member of an ensemble",
    ),
    "probability": ({"productDefinitionTemplateNumber": 5}, "probability of an ensemble"),
    "percentile": ({"productDefinitionTemplateNumber": 6}, "percentile of an ensemble"),
    "mean over time": ({"stepType": "avg", "stepRange": "0-24"}, "avg_2t"),
    "maximum": ({"stepType": "max", "stepRange": "0-24"}, "mx2t24"),
    "minimum": ({"stepType": "min", "stepRange": "0-24"}, "mn2t24"),
    "another centre": ({"centre": "kwbc"}, "of centre kwbc and not ecmf"),
    "operational": ({**OWN, "class": "od"}, "of class od and not ea"),
    "another stream": ({**OWN, "stream": "enda"}, "of stream enda"),
    "ahead": ({"stepRange": "72"}, "72 h ahead"),
}  # fmt: skip


@pytest.mark.parametrize("name", GRIB2)
def test_grib_2(held, name):
    keys, why = GRIB2[name]
    found = held(**{"edition": 2, **keys})
    assert found.fields == {}
    (said,) = found.ignored
    assert why in said


@pytest.mark.parametrize("keys", [{}, {"edition": 2}, OWN])
def test_its_own_fields_are_taken(held, keys):
    assert [place for place, _ in held(**keys).fields] == [("surface/2t", None)]


SUMS = [
    ({"stepRange": "12", "type": "fc"}, "accumulated since the start of the forecast, 12 h"),
    ({"stepRange": "0-12", "stepType": "accum", "edition": 2}, "accumulated over 12 h"),
    ({"stepType": "accum", "stepRange": "0-12"}, "accumulated over 12 h"),
    ({"stepType": "accum", "stepRange": "0-2", "edition": 2}, "accumulated over 2 h"),
    ({"stepType": "avg", "stepRange": "5-6"}, "a mean over time and not a sum"),
    ({"stepType": "max", "stepRange": "5-6"}, "a maximum over time and not a sum"),
]


@pytest.mark.parametrize(("keys", "why"), SUMS)
def test_a_sum_is_that_of_one_hour(held, keys, why):
    found = held(values=1e-3, paramId=228, **keys)
    assert found.fields == {}
    assert why in found.ignored[0]


@pytest.mark.parametrize(
    ("minutes", "why"), [((0, 30), "not on a whole hour"), ((30, 60), "not on a whole hour"),
                         ((0, 120), "accumulated over 2 h"), ((0, 90), "not on a whole hour")]
)  # fmt: skip
def test_sums_in_minutes(tmp_path, grib, minutes, why):
    start, length = minutes
    handle = eccodes.codes_new_from_message(grib(1e-3, edition=2))
    for key, value in (
        ("paramId", 228), ("stepType", "accum"), ("indicatorOfUnitOfTimeRange", 0),
        ("indicatorOfUnitForTimeRange", 0), ("forecastTime", start), ("lengthOfTimeRange", length),
    ):  # fmt: skip
        eccodes.codes_set(handle, key, value)
    path = tmp_path / "raw.grib"
    path.write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    found = holdings_of((str(path),), ERA5, tmp_path / "kept")
    assert found.fields == {}
    assert why in found.ignored[0]


def saved(path, *, coords=None, name="t2m", **attributes):
    time = np.datetime64("2020-01-01", "ns") + np.array([0, 6], "m8[h]").astype("m8[ns]")
    axes = {"time": time, "latitude": [10.0, 0, -10], "longitude": [0.0, 10, 20, 30]}
    field = np.arange(24, dtype="f4").reshape(2, 3, 4) + 270
    more = {"units": "K", **attributes}
    xr.Dataset(
        {name: (("time", "latitude", "longitude"), field, more)}, {**axes, **(coords or {})}
    ).to_netcdf(path)
    return path


NETCDF = [
    ({"cell_methods": "time: mean"}, "a mean over time"),
    ({"cell_methods": "area: mean time: maximum (interval: 1 hour)"}, "a maximum over time"),
    ({"cell_methods": "time: maximum within days time: mean over days"}, "of statistic max of avg"),
    ({"cell_methods": "realization: standard_deviation"}, "spread of an ensemble"),
    ({"cell_methods": "number: mean"}, "mean of an ensemble"),
    ({"GRIB_stepType": "avgua"}, "a mean over many times"),
    ({"GRIB_stepType": "max"}, "a maximum over time"),
    ({"GRIB_dataType": "es"}, "of type es and not an or fc"),
    ({"GRIB_dataType": "pf"}, "of type pf"),
    ({"GRIB_centre": "kwbc"}, "of centre kwbc"),
    ({"GRIB_stream": "enda"}, "of stream enda"),
    ({"GRIB_marsClass": "od"}, "of class od"),
    ({"coords": {"number": 3}}, "of member 3 of an ensemble"),
]


@pytest.mark.parametrize(("attributes", "why"), NETCDF, ids=str)
def test_netcdf(tmp_path, attributes, why):
    path = saved(tmp_path / "a.nc", **attributes)
    found = holdings_of((str(path),), ERA5, tmp_path / "kept")
    assert found.fields == {}
    assert why in found.ignored[0]


@pytest.mark.parametrize(
    "attributes",
    [{"cell_methods": "time: point"}, {"cell_methods": "area: mean"}, {"coords": {"number": 0}},
     {"GRIB_stepType": "instant", "GRIB_dataType": "an", "GRIB_centre": "ecmf"}],
    ids=str,
)  # fmt: skip
def test_netcdf_of_its_own(tmp_path, attributes):
    path = saved(tmp_path / "a.nc", **attributes)
    assert len(holdings_of((str(path),), ERA5, tmp_path / "kept").fields) == 2


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("", ("", "")), ("time: mean", ("avg", "")), ("time: step: maximum", ("max", "")),
     ("time: variance", ("variance", "")), ("lat: lon: mean", ("", "")),
     ("ensemble: mean time: sum", ("accum", "mean"))],
)  # fmt: skip
def test_cell_methods(text, wanted):
    assert methods_of(text) == wanted


def test_no_init_time_is_no_forecast(tmp_path):
    path = saved(tmp_path / "a.nc")
    found = holdings_of((str(path),), FORECAST, tmp_path / "kept")
    assert found.fields == {}
    assert found.ignored == ("t2m (surface, a valid time, but no init time or lead time)",)


def test_machine_forecasts_are_not_those_of_hres(held):
    own = {"class": "od", "type": "fc", "stepRange": "6"}
    assert held(FORECAST, **own).fields
    assert "of class ai" in held(FORECAST, **{**own, "class": "ai"}).ignored[0]
    assert "of stream enfo" in held(FORECAST, **{**own, "stream": "enfo"}).ignored[0]


def test_the_mean_of_the_ensemble_is_wanted_where_it_is_the_product(held):
    mean = sources.load("ifs_ens_mean")
    keys = {"class": "od", "stream": "enfo", "type": "em", "stepRange": "6"}
    assert held(mean, **keys).fields
    assert not held(mean, **{**keys, "type": "es"}).fields
    derived = {"edition": 2, "productDefinitionTemplateNumber": 2, "stepRange": "6"}
    assert held(mean, **derived, derivedForecast=0).fields
    assert not held(mean, **derived, derivedForecast=4).fields


def test_any_product_is_taken_when_it_is_accepted(held):
    anything = Choice(is_any_product=True)
    told = (keys for keys, why in GRIB1.values() if "cannot be worked out" not in why)
    for keys in (*told, {"edition": 2, "centre": "kwbc"}):
        assert held(choice=anything, **keys).fields, keys
    # What a sum is of stays what it is.
    assert not held(choice=anything, values=1e-3, paramId=228, **SUMS[2][0]).fields
