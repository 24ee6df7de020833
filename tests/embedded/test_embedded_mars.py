"""The embedded archive, seen by ECMWF's own client and by ecCodes alone."""

import subprocess
import sys
from datetime import datetime
from fractions import Fraction

import ecmwfapi
import numpy as np
import pytest
import requests
from ecmwfapi.api import APIException

from aurora_prep import sources
from aurora_prep.providers.embedded import truth
from aurora_prep.providers.embedded.gaussian import Gaussian, gaussian_latitude
from aurora_prep.providers.embedded.mars_language import NoDataError, select
from aurora_prep.providers.embedded.mars_shelf import shelves
from aurora_prep.providers.embedded.selection import RefusedError

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first

ANALYSIS = {
    "class": "od",
    "stream": "oper",
    "expver": "1",
    "type": "an",
    "levtype": "pl",
    "levelist": "500/850",
    "param": "130.128/133.128",
    "date": "2020-02-28/to/2020-03-01",
    "time": "00/12",
    "grid": "O1280",
}
WAVES = {
    "class": "od",
    "stream": "wave",
    "expver": "1",
    "type": "an",
    "levtype": "sfc",
    "param": "229.140/230.140",
    "date": "2020-01-01",
    "time": "06",
    "grid": "2.5/2.5",
}
FORECAST = {
    **ANALYSIS,
    "type": "fc",
    "levtype": "sfc",
    "param": "167.128",
    "step": "0/to/240/by/120",
    "time": "00",
    "date": "2020-01-01",
    "grid": "5/5",
}
del FORECAST["levelist"]
HELD = shelves([sources.load(name) for name in sources.names()])


def read(request, **options):
    settings = {
        "now": datetime(2026, 1, 1),
        "preliminary_from": datetime(2025, 1, 1),
        "edition": 1,
        "lines": None,
        **options,
    }
    return select(HELD, request, **settings)


def fields(path):
    """Every message: keys, then values and coordinates as ecCodes works them out."""
    found = []
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            names = (
                "paramId", "level", "dataDate", "dataTime", "step", "stream", "type", "class",
                "expver", "gridType", "N", "isOctahedral", "bitmapPresent", "numberOfMissing",
            )  # fmt: skip
            keys = {
                name: eccodes.codes_get(handle, name)
                for name in names
                if eccodes.codes_is_defined(handle, name)
            }
            eccodes.codes_set(handle, "missingValue", 9999)
            arrays = [
                eccodes.codes_get_array(handle, name)
                for name in ("values", "latitudes", "longitudes")
            ]
            found.append((keys, *arrays))
            eccodes.codes_release(handle)
    return found


@pytest.fixture
def retrieve(tmp_path):
    """By the client as its users call it."""

    def get(provider, request, **options):
        said = []
        settings = {"url": f"{provider.base}/v1", "key": provider.key, "email": "a@example.org"}
        service = ecmwfapi.ECMWFService("mars", **{**settings, **options}, log=said.append)
        service.execute(request, str(tmp_path / "a.grib"))
        get.said = said
        return tmp_path / "a.grib"

    return get


def test_the_client_unchanged_gets_what_it_asks(start, retrieve):
    path = retrieve(start(gaussian_lines=16), ANALYSIS)
    found = fields(path)
    assert len(found) == 3 * 2 * 2 * 2
    moments = {(keys["dataDate"], keys["dataTime"]) for keys, *_ in found}
    assert moments == {(day, time) for day in (20200228, 20200229, 20200301) for time in (0, 1200)}
    assert {(keys["paramId"], keys["level"]) for keys, *_ in found} == {
        (number, level) for number in (130, 133) for level in (500, 850)
    }
    assert "Request is complete" in retrieve.said
    assert any("synthetic" in line for line in retrieve.said)


@pytest.mark.parametrize("grid", ["O16", "F16"])
@pytest.mark.parametrize("edition", [1, 2])
def test_fields_on_gaussian_grids_are_the_truth_where_ec_codes_says_they_are(
    grid, edition, start, retrieve
):
    """Points are placed by ecCodes; headers round latitudes to a thousandth or a millionth."""
    path = retrieve(start(edition=edition), {**ANALYSIS, "grid": grid, "date": "2020-02-29"})
    source = sources.load("hres_analysis")
    for keys, values, latitude, longitude in fields(path):
        variable = {130: "atmospheric/t", 133: "atmospheric/q"}[keys["paramId"]]
        moment = datetime(2020, 2, 29, keys["dataTime"] // 100)
        native = source.native(variable).variable
        rows = np.unique(latitude)
        assert (keys["gridType"], keys["N"]) == (
            ("reduced_gg", 16) if grid[0] == "O" else ("regular_gg", 16)
        )
        assert keys.get("isOctahedral", 0) == (grid[0] == "O")
        assert rows.size == 32
        for row in rows:
            here = latitude == row
            exact = truth(native, keys["level"], moment, np.array([row]), longitude[here])[0]
            span = values.max() - values.min()
            assert np.abs(values[here] - exact).max() <= span * 2.0**-15


def test_latitudes_are_those_of_ec_codes():
    handle = eccodes.codes_grib_new_from_samples("regular_gg_sfc_grib2")
    for name, value in {"N": 48, "Ni": 192, "Nj": 96}.items():
        eccodes.codes_set(handle, name, value)
    ends = gaussian_latitude(48)[[0, -1]]
    for name, value in zip(("First", "Last"), ends, strict=True):
        eccodes.codes_set(handle, f"latitudeOf{name}GridPointInDegrees", float(value))
    eccodes.codes_set(handle, "longitudeOfLastGridPointInDegrees", 360 - 360 / 192)
    eccodes.codes_set(handle, "iDirectionIncrementInDegrees", 360 / 192)
    eccodes.codes_set_values(handle, np.zeros(192 * 96))
    theirs = np.unique(eccodes.codes_get_array(handle, "latitudes"))[::-1]
    eccodes.codes_release(handle)
    np.testing.assert_allclose(gaussian_latitude(48), theirs, atol=1e-9)


def test_full_size_grids_have_their_published_numbers_of_points():
    assert Gaussian.named("O1280").size == 6_599_680
    assert Gaussian.named("F1280").size == 2_560 * 5_120
    assert abs(gaussian_latitude(1280)[0] - 89.946187715665616) < 1e-9
    assert Gaussian.named("N1280") is None
    assert Gaussian.named("O1") is None


def test_waves_are_missing_over_land_and_permanent_ice_alone(start, retrieve):
    found = fields(retrieve(start(), WAVES))
    assert {(keys["stream"], keys["type"], keys["dataTime"]) for keys, *_ in found} == {
        ("wave", "an", 600)
    }
    for keys, values, latitude, _ in found:
        assert keys["bitmapPresent"] == 1
        assert (values[latitude > 86] == 9999).all()
        assert (values[np.abs(latitude) < 60] != 9999).any()
        missing = int((values == 9999).sum())
        assert 0.3 * values.size < missing < 0.6 * values.size
        assert missing == keys["numberOfMissing"]
        assert values[values != 9999].max() < 361


def test_forecasts_have_steps(start, retrieve):
    found = fields(retrieve(start(), FORECAST))
    assert [keys["step"] for keys, *_ in found] == [0, 120, 240]
    assert {keys["type"] for keys, *_ in found} == {"fc"}


def test_the_same_request_gives_the_same_bytes(start, retrieve):
    provider = start(gaussian_lines=8)
    first = retrieve(provider, ANALYSIS).read_bytes()
    assert retrieve(provider, ANALYSIS).read_bytes() == first


def test_messages_may_come_in_another_order(start, retrieve):
    plain = [
        list(keys.values()) for keys, *_ in fields(retrieve(start(gaussian_lines=8), ANALYSIS))
    ]
    mixed = start(gaussian_lines=8, faults=["shuffled_messages"])
    found = [list(keys.values()) for keys, *_ in fields(retrieve(mixed, ANALYSIS))]
    assert found != plain
    assert sorted(found, key=str) == sorted(plain, key=str)


def test_the_newest_months_are_preliminary(start, retrieve):
    provider = start(preliminary_from=datetime(2020, 2, 29), gaussian_lines=8)
    found = fields(retrieve(provider, ANALYSIS))
    assert {(keys["dataDate"], keys["expver"]) for keys, *_ in found} == {
        (20200228, "0001"),
        (20200229, "0005"),
        (20200301, "0005"),
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"accumulation": "3"}, "Undefined keyword: accumulation"),
        ({"param": ""}, "Expected a value of param"),
        ({"date": "2020-02-30"}, "Invalid date"),
        ({"date": "2020-01-01/to"}, "Invalid date"),
        ({"levelist": "low"}, "whole number of levelist"),
        ({"levelist": "500/to/850/by/x"}, "whole number of levelist"),
        ({"time": "99"}, "Invalid time"),
        ({"grid": "0.25"}, "grid takes 2 numbers"),
        ({"grid": "0/0"}, "grid takes 2 numbers"),
        ({"type": "an/fc"}, "type takes one value"),
    ],
)
def test_what_is_no_mars_is_refused(change, says):
    with pytest.raises(RefusedError, match=says):
        read({**ANALYSIS, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"stream": "moon"},
        {"param": "999.128"},
        {"date": "2015-12-31"},
        {"date": "2035-01-01"},
        {"time": "03"},
        {"levelist": "7"},
    ],
)
def test_what_is_not_archived_brings_nothing(change):
    for expect in ({}, {"expect": "any"}):
        with pytest.raises(NoDataError):
            read({**ANALYSIS, **change, **expect})


def test_a_part_is_enough_only_for_who_says_so():
    request = {**ANALYSIS, "levelist": "500/7"}
    with pytest.raises(NoDataError, match=r"Expected 24, got 12"):
        read(request)
    assert len(read({**request, "expect": "any"})) == 12


def test_the_language_has_lists_ranges_and_loose_spelling():
    plain = read(ANALYSIS)
    assert read({key.upper(): value for key, value in ANALYSIS.items()}) == plain
    days = ["2020-02-28", "2020-02-29", "2020-03-01"]
    assert read({**ANALYSIS, "date": days, "time": ["00:00:00", 12]}) == plain
    assert read({**ANALYSIS, "levelist": [500, 850], "grid": "o1280"}) == plain
    steps = {**FORECAST, "step": [0, 120, 240]}
    assert read(steps) == read(FORECAST)
    assert len(read({**FORECAST, "step": "0/to/5", "expect": "any"})) == 1


def test_areas_and_grids_are_those_asked():
    region = read({**WAVES, "area": "60/-20/30/40"}).wanted[0].points
    assert (region.north, region.west, region.rows, region.columns) == (60, -20, 13, 25)
    whole = read({key: value for key, value in WAVES.items() if key != "grid"}).wanted[0].points
    assert whole.latitude_step == Fraction(1, 4)
    with pytest.raises(NoDataError, match="no point"):
        read({**WAVES, "area": "1.2/1.2/1.1/1.3"})


def test_one_branch_serves_all_sources_that_read_it():
    """Step 0 and the forecasts both lie under od/oper/fc."""
    shelf = HELD["od/oper/fc"]
    assert len(shelf.lead_times) == 41
    assert [hour for hour in range(24) if shelf.holds(datetime(2020, 1, 1, hour))] == [0, 12]
    short = HELD["od/scda/fc"]
    assert [hour for hour in range(24) if short.holds(datetime(2020, 1, 1, hour))] == [6, 18]
    with pytest.raises(NoDataError):
        read({**FORECAST, "time": "06"})


def test_the_short_cut_off_stream_ends_with_cycle_50r1():
    """06 and 18 UTC of 12 May 2026 and later lie under oper."""
    for stream, held in (
        ("scda", [datetime(2026, 5, 11, 6), datetime(2026, 5, 11, 18)]),
        ("oper", [datetime(2026, 5, 12, 6), datetime(2026, 5, 12, 18)]),
    ):
        days = {**FORECAST, "date": "2026-05-11/2026-05-12", "time": "06/18", "expect": "any"}
        found = read({**days, "stream": stream}, now=datetime(2026, 7, 1))
        assert list(found.times) == held


@pytest.mark.parametrize("key", [None, "11111111-2222-4333-8444-555555555555"])
def test_strangers_are_refused(key, provider):
    headers = {"X-ECMWF-KEY": key} if key else {}
    for path in ("who-am-i", "info", "services/mars/info"):
        found = requests.get(f"{provider.base}/v1/{path}", headers=headers, timeout=10)
        assert found.status_code == 403
        assert found.json()["error"]


def test_the_client_says_what_the_archive_said(start, retrieve):
    with pytest.raises(APIException, match="no access to services/mars"):
        retrieve(start(faults=["licence"]), ANALYSIS)
    with pytest.raises(APIException, match="Invalid MARS request"):
        retrieve(start(faults=["failed_job"], gaussian_lines=8), ANALYSIS)
    with pytest.raises(APIException, match="Undefined keyword"):
        retrieve(start(), {**ANALYSIS, "moon": "full"})


def test_what_nobody_asks_is_answered_in_json(provider):
    headers = {"X-ECMWF-KEY": provider.key}
    for path in ("/v1/services/mars/requests/none", "/v1/nothing", "/v1/results/none"):
        found = requests.get(f"{provider.base}{path}", headers=headers, timeout=10)
        assert found.status_code == 404
        assert "error" in found.json()
    found = requests.post(
        f"{provider.base}/v1/services/mars/requests", json=[1], headers=headers, timeout=10
    )
    assert found.status_code == 400


BIG = """
import resource
from pathlib import Path
from threading import Event
from datetime import datetime
from aurora_prep import sources
from aurora_prep.providers.embedded import grib
from aurora_prep.providers.embedded.mars_language import select
from aurora_prep.providers.embedded.mars_shelf import shelves
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
selection = select(
    shelves([sources.load("hres_analysis")]), {request!r}, now=datetime(2026, 1, 1),
    preliminary_from=datetime(2025, 1, 1), edition=1, lines=None,
)
ends = grib.write(selection, tuple(selection.fields()), Path({path!r}), Event())
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base
print(len(ends), ends[-1], more)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("grid", "points"), [("O1280", 6_599_680), ("F1280", 13_107_200)])
def test_full_size_fields_take_the_memory_of_a_few(grid, points, tmp_path):
    """Sixteen fields, made a few at a time: memory does not grow with their number."""
    levels = "50/100/150/200/250/300/400/500"
    request = {**ANALYSIS, "grid": grid, "date": "2020-02-29", "time": "00", "levelist": levels}
    code = BIG.format(request=request, path=str(tmp_path / "big.grib"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, size, kibibytes = map(int, done.stdout.split())
    assert count == 16
    assert size > 16 * points * 2
    # Of each field under way: values, their copy in ecCodes, and the message.
    assert kibibytes * 1024 < 12 * points * 8
