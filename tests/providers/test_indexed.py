"""Files cut by their index: every fault of a host or an index is survived, or told."""

import itertools
import json
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.fields import ComputedField
from aurora_prep.pipelines.reading.harmonise import harmonise, placement_of
from aurora_prep.pipelines.reading.match import decode, holdings_of
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.credentials import Service, ServiceKind
from aurora_prep.providers.credentials_http import resolve_hosts
from aurora_prep.providers.embedded import EmbeddedProvider, truth
from aurora_prep.providers.embedded.faults import ALWAYS
from aurora_prep.providers.fetch import Fetcher
from aurora_prep.providers.indexed.listing import IndexFaultError, Span, read
from aurora_prep.providers.indexed.messages import MessageFaultError, heads, whole
from aurora_prep.providers.indexed.ranges import WASTE, coalesce
from aurora_prep.providers.indexed.wanted import Ask, Choice, Key, Named
from aurora_prep.providers.planner import plan_requests
from aurora_prep.providers.retry import Policy
from aurora_prep.sources.spec import (
    HOUR,
    CredentialsError,
    DamagedError,
    Grid,
    IncompleteError,
    Index,
    IndexForm,
    Levels,
    NotArchivedError,
    NotAskedError,
    NotYetError,
    Timeline,
)

COARSE = Grid.regular("5")
QUICK = Policy(
    deadline_seconds=4.0,
    attempts=3,
    first_wait_seconds=0.01,
    longest_wait_seconds=0.02,
    read_seconds=5.0,
)
PATHS = [
    "surface/2t", "surface/10u", "surface/10v", "surface/msl",
    "atmospheric/z", "atmospheric/u", "atmospheric/v", "atmospheric/t", "atmospheric/q",
]  # fmt: skip


def coarse(name):
    """A source as it is, but for its grids, so that a file is small."""
    source = sources.load(name)
    accesses = tuple(
        replace(access, files=tuple(replace(files, grid=COARSE) for files in access.files))
        if isinstance(access, Index)
        else access
        for access in source.accesses
    )
    return replace(source, grid=COARSE, accesses=accesses)


GFS, FORECAST, OPEN, GEFS = map(coarse, ("gfs_t0", "gfs_forecast", "ifs_open", "gefs_reforecast"))
# Hours of the day with two sorts of stream, and a time that has two members.
WHEN = {
    "gfs_t0": datetime(2022, 3, 1, 6),
    "gfs_forecast": datetime(2022, 3, 1, 6),
    "ifs_open": datetime(2024, 5, 1, 18),
    "gefs_reforecast": datetime(2011, 2, 28),
}


@pytest.fixture
def provider():
    with EmbeddedProvider(declared=(GFS, FORECAST, OPEN, GEFS)) as running:
        yield running


@pytest.fixture
def ask(provider, tmp_path):
    """Fetch what is wanted of one time; the fields that came, and their truth."""

    def fetch(source, paths=PATHS, *, when=None, leads=(), members=(), levels=(500, 850)):
        when = when or WHEN[source.name]
        requests = plan_requests(
            source, source.access("index"), Timeline(when, when, HOUR), paths, Levels(levels),
            lead_times=leads or (timedelta(0),), members=members, synthetic=True,
        )  # fmt: skip
        service = Service.embedded(provider.url, provider.key)
        cache = Cache.open(tmp_path / f"cache{next(COUNTER)}")
        fetcher = Fetcher(cache, service, policy=QUICK)
        files = [str(path) for one in requests for path in fetcher.fetch(one).members]
        return holdings_of(tuple(sorted(files)), source, tmp_path / "kept")

    return fetch


COUNTER = itertools.count()


def check(source, held):
    """Every field is the truth within packing; returns what was held."""
    for ((path, level), (init, lead, _)), ref in held.fields.items():
        native = source.native(path)
        placement = placement_of(held.grid_of(ref), "test")
        assert placement.grid == COARSE
        found = harmonise(decode(ref), ref.units, native, placement, "test")
        wanted = truth(native.variable, level, init + lead, COARSE.latitude, COARSE.longitude)
        span = wanted.max() - wanted.min()
        step = 2 * span / 2**16 + np.spacing(np.float32(np.abs(wanted).max()))
        # What is computed inherits the packing of its inputs, and the formula's own error.
        allowed = step if not isinstance(ref, ComputedField) else 0.01 * np.abs(wanted).max()
        assert np.abs(found - wanted).max() <= allowed, (path, level)
    return {place for place, _ in held.fields}


WHOLE = {(p, level) for p in PATHS for level in ((500, 850) if p.startswith("atm") else (None,))}


def data_bytes(provider):
    """Bytes of files sent, indexes and pages aside."""
    return sum(
        e.sent
        for e in provider.requests
        if e.is_download and e.status in (200, 206) and not e.path.endswith((".idx", ".index"))
    )


@pytest.mark.parametrize("source", [GFS, OPEN], ids=lambda s: s.name)
def test_only_what_is_wanted_is_fetched(source, ask, provider, tmp_path):
    held = ask(source)
    assert check(source, held) == WHOLE
    used = sum(path.stat().st_size for path in tmp_path.rglob("*.grib"))
    assert used <= data_bytes(provider) <= 1.05 * used


SURVIVED = [
    ("stale_index", 1), ("stale_index", ALWAYS), ("shared_range", 1), ("index_cut", 1),
    ("index_cut", ALWAYS), ("no_index", 1), ("no_index", ALWAYS), ("no_file", 1),
    ("robot_page", 2), ("mirror_down", ALWAYS), ("cut", 1), ("busy", 5), ("too_many_requests", 2),
    ("licence", 1),
]  # fmt: skip


@pytest.mark.parametrize("source", [GFS, OPEN], ids=lambda s: s.name)
@pytest.mark.parametrize(("fault", "times"), SURVIVED)
def test_a_fault_is_survived(source, fault, times, ask, provider):
    provider.faults.switch(fault, times)
    assert check(source, ask(source)) == WHOLE


def test_a_range_holds_two_fields_once(ask, provider):
    """The message with u and v is fetched once, and both fields are found in it."""
    provider.faults.switch("shared_range", ALWAYS)
    held = ask(GFS, ["atmospheric/u", "atmospheric/v"], levels=(500,))
    assert check(GFS, held) == {("atmospheric/u", 500), ("atmospheric/v", 500)}
    assert len({ref.file for ref in held.fields.values()}) == 1
    assert len([e for e in provider.requests if e.status == 206]) == 1


def test_a_host_that_is_down_is_followed_by_the_next(ask, provider):
    provider.faults.switch("mirror_down", ALWAYS)
    ask(GFS, ["surface/2t"])
    hosts = [e.path.split("/")[2] for e in provider.requests if e.is_download]
    assert set(hosts) == {"0", "1"}
    assert all(e.status == 503 for e in provider.requests if e.path.startswith("/hosts/0/"))


def test_a_damaged_field_is_left_out_and_the_others_stay(ask, provider, caplog):
    """One lead time of many: the file is of one variable, with all of them."""
    provider.faults.switch("damaged_field", ALWAYS)
    leads = tuple(lead * HOUR for lead in range(3, 241, 3))
    held = ask(GEFS, ["surface/msl"], leads=leads, members=(3,))
    assert check(GEFS, held) == {("surface/msl", None)}
    assert len(held.moments) == len(leads) - 1
    assert "left out: PRES:mean sea level" in caplog.text
    assert "7777" in caplog.text


def test_what_is_damaged_alone_is_told(ask, provider):
    provider.faults.switch("damaged_field", ALWAYS)
    # The middle of the whole file.
    with pytest.raises(DamagedError) as told:
        ask(OPEN, ["atmospheric/z"], levels=(400,))
    assert "7777" in str(told.value)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("no_file", NotArchivedError),
        ("robot_page", NotAskedError),
        ("busy", NotAskedError),
        ("licence", CredentialsError),
    ],
)
def test_what_nobody_delivers_has_its_reason(fault, error, ask, provider):
    provider.faults.switch(fault, ALWAYS)
    with pytest.raises(error) as told:
        ask(GFS, ["surface/2t"])
    assert len(told.value.args) == 4


def test_a_run_of_today_may_still_come(ask, provider):
    provider.faults.switch("no_file", ALWAYS)
    now = datetime.now().replace(minute=0, second=0, microsecond=0)
    today = now - (now.hour % 6) * HOUR - 12 * HOUR
    with pytest.raises(NotYetError, match="not released yet"):
        ask(GFS, ["surface/2t"], when=today)


def test_specific_humidity_comes_from_the_secondary_file(ask, provider):
    provider.faults.switch("humidity_apart", ALWAYS)
    held = ask(GFS, ["atmospheric/q"])
    assert check(GFS, held) == {("atmospheric/q", 500), ("atmospheric/q", 850)}
    assert not any(isinstance(ref, ComputedField) for ref in held.fields.values())
    assert any("pgrb2b" in e.path and e.status == 206 for e in provider.requests)


@pytest.mark.parametrize(
    ("when", "formula"),
    [
        (datetime(2022, 3, 1), "specific_humidity_over_water"),
        (datetime(2021, 3, 22, 6), "specific_humidity_over_water_and_ice"),
    ],
)
def test_specific_humidity_is_computed_where_no_file_has_it(when, formula, ask, provider):
    provider.faults.switch("humidity_lacking", ALWAYS)
    held = ask(GFS, ["atmospheric/q"], levels=(850,), when=when)
    (ref,) = [ref for (place, _), ref in held.fields.items() if place[0] == "atmospheric/q"]
    assert (ref.formula, [one.param for one in ref.inputs]) == (formula, [157, 130])
    assert held.ignored == ()
    if formula == "specific_humidity_over_water":
        check(GFS, held)


def test_a_file_without_an_index_is_cut_as_it_comes(ask, provider, tmp_path):
    """NCAR's files of 2015 to 2020."""
    held = ask(GFS, when=datetime(2016, 2, 29, 12))
    assert check(GFS, held) == WHOLE
    files = [e for e in provider.requests if e.is_download]
    assert {e.path.rpartition("/")[2] for e in files} == {"gfs.0p25.2016022912.f000.grib2"}
    used = sum(path.stat().st_size for path in tmp_path.rglob("*.grib"))
    assert used < data_bytes(provider)


def test_a_file_holds_all_lead_times_of_one_variable(ask, provider):
    """Two members, four lead times: a request a variable and member."""
    leads = tuple(lead * HOUR for lead in (6, 12, 240))
    held = ask(GEFS, ["surface/2t", "atmospheric/q"], leads=leads, members=(0, 4))
    assert check(GEFS, held) == {
        ("surface/2t", None),
        ("atmospheric/q", 500),
        ("atmospheric/q", 850),
    }
    assert {member for _, _, member in held.moments} == {0, 4}
    assert {lead for _, lead, _ in held.moments} == set(leads)
    names = {e.path.rpartition("/")[2] for e in provider.requests if e.status == 206}
    assert names == {
        f"{word}_2011022800_{member}.grib2"
        for word in ("tmp_2m", "spfh_pres", "spfh_pres_abv700mb")
        for member in ("c00", "p04")
    }


def test_forecasts_come_a_file_a_lead_time(ask):
    held = ask(FORECAST, ["surface/msl"], leads=(0 * HOUR, 384 * HOUR))
    assert check(FORECAST, held) == {("surface/msl", None)}
    assert {lead for _, lead, _ in held.moments} == {0 * HOUR, 384 * HOUR}


def test_streams_of_open_data_follow_the_cycle():
    """scda at 06 and 18 UTC until 50r1, then oper."""

    def paths(start, end):
        access = OPEN.access("index")
        period = Timeline(start, end, 6 * HOUR)
        for request in plan_requests(OPEN, access, period, ["surface/2t"], Levels(())):
            yield request.times[0], request.body["file"][0]

    found = dict(paths(datetime(2026, 5, 11, 18), datetime(2026, 5, 12, 18)))
    streams = {time.isoformat()[5:13]: path.split("/")[4] for time, path in found.items()}
    assert streams == {
        "05-11T18": "scda", "05-12T00": "oper", "05-12T06": "oper", "05-12T12": "oper",
        "05-12T18": "oper",
    }  # fmt: skip


NOAA = """1:0:d=2022010100:PRMSL:mean sea level:6 hour fcst:
2.1:1000:d=2022010100:UGRD:500 mb:6 hour fcst:
2.2:1000:d=2022010100:VGRD:500 mb:6 hour fcst:
3:2500:d=2022010100:APCP:surface:0-6 hour acc fcst:
4:2600:d=2022010100:TMP:2 m above ground:10 day fcst:ENS=+1
"""
MIDNIGHT = datetime(2022, 1, 1)


def test_an_index_of_noaa_is_read():
    listing = read(NOAA, IndexForm.NOAA, MIDNIGHT, None)
    assert listing.spans == {
        ("PRMSL:mean sea level", 6): Span(0, 1000),
        ("UGRD:500 mb", 6): Span(1000, 2500),
        ("VGRD:500 mb", 6): Span(1000, 2500),
        ("TMP:2 m above ground", 240): Span(2600, None),
    }


def test_an_index_of_ecmwf_is_read():
    row = {
        "date": "20220101", "time": "0000", "step": "0", "levtype": "pl", "levelist": "500",
        "param": "gh", "_offset": 7, "_length": 3, "number": "2",
    }  # fmt: skip
    lines = [json.dumps(row), json.dumps({**row, "number": "3", "_offset": 10})]
    listing = read("\n".join(lines), IndexForm.ECMWF, MIDNIGHT, 3)
    assert listing.spans == {("gh/pl/500", 0): Span(10, 13)}
    both = "\n".join([*lines, lines[0][:20]])
    assert read(both, IndexForm.ECMWF, MIDNIGHT, 2).is_cut


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("<html>robot</html>", IndexForm.NOAA),
        ("", IndexForm.NOAA),
        (NOAA.replace("d=2022010100", "d=2021123118"), IndexForm.NOAA),
        ("{}", IndexForm.ECMWF),
        ("[]", IndexForm.ECMWF),
        (NOAA, IndexForm.ECMWF),
    ],
)
def test_what_is_no_index_of_the_run_is_refused(text, form):
    with pytest.raises(IndexFaultError):
        read(text, form, MIDNIGHT, None)


def test_neighbours_make_one_range_and_small_gaps_are_bridged():
    spans = [Span(0, 100_000), Span(100_000, 200_000), Span(201_000, 300_000), Span(900_000, None)]
    first, last = coalesce(spans)
    assert (first.start, first.end, len(first.spans)) == (0, 300_000, 3)
    assert (last.start, last.end) == (900_000, None)


def test_ranges_waste_little_and_lose_nothing():
    rng = np.random.default_rng(7)
    ends = np.cumsum(rng.integers(1_000, 900_000, 400))
    spans = [Span(int(a), int(b)) for a, b in itertools.pairwise(ends) if rng.random() < 0.4]
    ranges = coalesce(spans)
    assert [span for part in ranges for span in part.spans] == spans
    wanted = sum(span.end - span.start for span in spans)
    assert sum(part.end - part.start for part in ranges) <= (1 + WASTE) * wanted


def test_bytes_that_are_no_whole_message_are_refused():
    for raw in (b"", b"GRIB", b"<!DOCTYPE html>" + bytes(40), b"GRIB\0\0\0\3" + bytes(40),
                b"GRIB\0\0\0\2" + (60).to_bytes(8, "big") + bytes(44)):  # fmt: skip
        with pytest.raises(MessageFaultError):
            whole(raw)
    with pytest.raises(MessageFaultError):
        heads(b"GRIB\0\0\0\2" + (40).to_bytes(8, "big") + bytes(20) + b"7777")


def test_a_request_is_read_as_it_was_written():
    choice = Choice(Named("SPFH:500 mb", 133, 500), (Named("RH:500 mb", 157, 500),))
    assert Choice.parse(str(choice), "test") == choice
    access = GFS.access("index")
    period = Timeline(WHEN["gfs_t0"], WHEN["gfs_t0"], HOUR)
    (request,) = plan_requests(GFS, access, period, PATHS, Levels((500,)))
    read_back = Ask.of(request)
    assert read_back.choices[-1].instead[0] == Named("RH:500 mb", 157, 500)
    assert Key(read_back.choices[0].first, 0) in read_back.keys([read_back.choices[0].first])
    assert replace(request, mirrors=("https://elsewhere",)).digest == request.digest


def test_hosts_can_be_replaced(monkeypatch):
    service = Service(ServiceKind.INDEX)
    declared = resolve_hosts(service, "noaa-gfs-bdp-pds", ("https://a", "https://b/"))
    assert [one.url for one in declared] == ["https://a", "https://b"]
    monkeypatch.setenv("AURORA_PREP_NOAA_GFS_BDP_PDS_AUTHORIZATION", "Bearer secret")
    assert not any(
        one.headers for one in resolve_hosts(service, "noaa-gfs-bdp-pds", ("https://a",))
    )
    monkeypatch.setenv("AURORA_PREP_NOAA_GFS_BDP_PDS_URL", "https://mine/x/, https://b")
    own = resolve_hosts(service, "noaa-gfs-bdp-pds", ("https://a",))
    assert [one.url for one in own] == ["https://mine/x", "https://b"]
    assert own[0].headers == {"Authorization": "Bearer secret"}
    assert "secret" not in repr(own)


def test_a_file_without_any_wanted_field_is_told(ask, provider):
    provider.faults.switch("humidity_lacking", ALWAYS)
    with pytest.raises(IncompleteError, match="none of the wanted fields"):
        ask(OPEN, ["atmospheric/q"])
