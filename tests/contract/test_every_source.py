"""What holds of every source, whoever declares it."""

from datetime import timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.harmonise import (
    FACTOR,
    canonical,
    check_values,
    harmonise,
    placement_of,
)
from aurora_prep.pipelines.reading.match import decode, holdings_of
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.embedded import truth
from aurora_prep.providers.fetch import Fetcher
from aurora_prep.providers.planner import plan_requests
from aurora_prep.sources.spec import HOUR, Cds, Kind, Levels, Product, Timeline

NAMES = sources.names()
AURORA_LEVELS = {50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000}
# What Aurora's own code calls its variables.
AURORA_NAMES = {
    "2t", "10u", "10v", "msl", "z", "u", "v", "t", "q", "lsm", "slt",
    "pm1", "pm2p5", "pm10", "tcco", "tc_no", "tcno2", "gtco3", "tcso2",
    "co", "no", "no2", "go3", "so2",
    "swh", "mwd", "mwp", "pp1d", "shww", "mdww", "mpww", "shts", "mdts", "mpts",
    "swh1", "mwd1", "mwp1", "swh2", "mwd2", "mwp2", "wind", "dwi", "wmb", "lat_mask",
    "static_ammonia", "static_ammonia_log", "static_co", "static_co_log",
    "static_nox", "static_nox_log", "static_so2", "static_so2_log",
    "anor", "isor", "cvh", "cvl", "cl", "dl", "slor", "sdfor", "sdor", "tvh", "tvl",
    "2d", "tcwv", "tcc", "100u", "100v", "sp", "lcc", "mcc", "hcc", "skt", "stl1", "swvl1",
    "ci", "sd", "i10fg", "blh", "uvb", "ssrd", "ttr", "tp", "sf",
}  # fmt: skip
STORES = [
    (name, access.name)
    for name in NAMES
    for access in sources.load(name).accesses
    if isinstance(access, Cds)
]


@pytest.fixture(params=NAMES)
def source(request):
    return sources.load(request.param)


def test_there_are_sources():
    assert "era5" in NAMES
    assert STORES


def test_a_source_is_its_file(source):
    assert source.name in NAMES
    assert Path(sources.__file__).with_name(f"{source.name}.py").is_file()
    module = __import__(f"aurora_prep.sources.{source.name}", fromlist=["SOURCE"])
    assert module.__doc__
    assert module.SOURCE is source


def test_paths_are_unique_and_names_are_those_of_aurora(source):
    paths = [variable.path for variable in source.variables]
    assert len(set(paths)) == len(paths)
    assert {variable.short_name for variable in source.variables} <= AURORA_NAMES


def test_two_variables_never_look_alike_in_a_file(source):
    """Fields are matched by number or by name, apart for pressure levels and the rest."""
    known = [native.variable for native in source.natives if native.variable.param]
    numbers = [(variable.param, variable.has_levels) for variable in known]
    assert len(set(numbers)) == len(numbers)
    fields = [
        (field, native.variable.has_levels)
        for native in source.natives
        for field in set(native.fields)
    ]
    assert len(set(fields)) == len(fields)


def test_standard_names_and_units_are_those_of_cf(source, cf):
    for variable in source.variables:
        if variable.standard_name is None:
            continue
        assert variable.standard_name in cf["CANONICAL_UNITS"], variable.path
        theirs = cf["CANONICAL_UNITS"][variable.standard_name]
        assert variable.units == theirs or (variable.units, theirs) in cf["SAME"], variable.path


def test_units_of_files_are_ours_or_have_a_factor(source):
    for native in source.natives:
        ours, theirs = native.variable.units, canonical(native.units)
        assert canonical(ours) == ours
        assert theirs == ours or (theirs, ours) in FACTOR, native.variable.path


def test_a_source_tells_where_it_comes_from(source):
    for text in (source.title, source.licence, source.attribution):
        assert text.strip() == text
        assert text
    assert "\n" not in source.title
    assert all(variable.long_name for variable in source.variables)


def test_the_grid_divides_the_globe(source):
    assert source.grid.is_global
    assert source.grid.rows == 180 / source.grid.latitude_step + 1
    assert source.grid.columns == 360 / source.grid.longitude_step


def test_levels_are_some_of_auroras(source):
    assert set(source.levels) <= AURORA_LEVELS
    has_levels = any(variable.has_levels for variable in source.variables)
    assert has_levels == bool(len(source.levels))


def test_times_lie_on_whole_steps_of_the_day(source):
    assert source.cadence >= HOUR
    assert source.cadence % HOUR == timedelta(0)
    assert timedelta(days=1) % source.cadence == timedelta(0)
    first = source.first
    assert first == first.replace(minute=0, second=0, microsecond=0)


def test_lead_times_belong_to_forecasts(source):
    leads = source.lead_times
    assert len(set(leads)) == len(leads)
    assert leads[0] >= timedelta(0)
    assert all(lead % HOUR == timedelta(0) for lead in leads)
    assert (leads == (timedelta(0),)) or source.product is Product.FORECAST


def test_every_kind_has_one_collection(source):
    for access in source.accesses:
        if isinstance(access, Cds):
            for kind in {native.variable.kind for native in source.delivered(access)}:
                serving = [c for c in access.collections if kind in c.kinds]
                assert len(serving) == 1, (access.name, kind)


def asked(request):
    """Every single field that a request asks."""
    return [
        (time, lead, path, level)
        for time, lead, (path, level) in product(request.times, request.lead_times, request.fields)
    ]


@pytest.mark.parametrize(("name", "access"), STORES)
@pytest.mark.parametrize("step", [1, 3, 5])
def test_requests_ask_exactly_what_is_planned(name, access, step):
    """Over the end of a leap February, whole days and broken ones."""
    source = sources.load(name)
    store = source.access(access)
    start = source.first.replace(year=2020, month=2, day=27)
    period = Timeline(start, start + timedelta(days=4), step * source.cadence)
    leads = source.lead_times[:3]
    variables = [native.variable for native in source.delivered(store)]
    paths = [variable.path for variable in variables]
    requests = list(plan_requests(source, store, period, paths, source.levels, lead_times=leads))
    found = sorted(
        (item for request in requests for item in asked(request) if not is_static(item[2])),
        key=str,
    )
    wanted = sorted(
        (
            (time, lead, variable.path, level)
            for time in period
            for lead in leads
            for variable in variables
            if variable.kind is not Kind.STATIC
            for level in (source.levels if variable.has_levels else (None,))
        ),
        key=str,
    )
    assert found == wanted
    static = sorted(
        path for request in requests for _, _, path, _ in asked(request) if is_static(path)
    )
    assert static == sorted(path for path in paths if is_static(path))


def is_static(path):
    return path.startswith(f"{Kind.STATIC}/")


@pytest.mark.parametrize(("name", "access"), STORES)
def test_no_request_asks_more_than_its_collection_gives(name, access):
    source = sources.load(name)
    store = source.access(access)
    most = {collection.dataset: collection.max_fields for collection in store.collections}
    start = source.first.replace(year=2020, month=1, day=1)
    period = Timeline(start, start + timedelta(days=62), source.cadence)
    paths = [native.variable.path for native in source.delivered(store)]
    digests = set()
    for request in plan_requests(
        source, store, period, paths, source.levels, lead_times=source.lead_times
    ):
        fields = len(request.times) * len(request.lead_times) * len(request.fields)
        assert fields <= most[request.dataset]
        assert request.digest not in digests
        digests.add(request.digest)


def narrowed(source, store):
    """The first variable of each kind in each collection, and the last one: a few fields."""
    chosen = {}
    delivered = source.delivered(store)
    for native in delivered:
        collection = store.collection_of(native.variable.kind, "test")
        chosen.setdefault((collection.dataset, native.variable.kind), native.variable.path)
    return [*dict.fromkeys([*chosen.values(), delivered[-1].variable.path])]


@pytest.mark.parametrize(("name", "access"), STORES)
@pytest.mark.parametrize("data_format", ["grib", "netcdf"])
def test_a_file_of_the_provider_holds_the_truth(name, access, data_format, provider, tmp_path):
    """Fetched by the real client, decoded, harmonised: every value within half a packing step."""
    source = sources.load(name)
    store, paths = source.access(access), narrowed(source, source.access(access))
    levels = Levels(source.levels.hpa[len(source.levels) // 2 :][:1])
    start = source.first.replace(year=2020, month=2, day=29)
    requests = plan_requests(
        source, store, Timeline(start, start, source.cadence), paths, levels,
        lead_times=source.lead_times[-1:], data_format=data_format, synthetic=True,
    )  # fmt: skip
    fetcher = Fetcher(Cache.open(tmp_path / "cache"), Service.embedded(provider.url, provider.key))
    files = [str(path) for request in requests for path in fetcher.fetch(request).members]
    held = holdings_of(tuple(sorted(files)), source, tmp_path / "kept")
    assert held.ignored == ()
    assert {path for path, _ in held.places} == set(paths)
    for ((path, level), _), ref in held.fields.items():
        native = source.native(path)
        placement = placement_of(held.grid_of(ref), "test")
        assert placement.grid == source.grid
        found = harmonise(decode(ref), ref.units, native, placement, "test")
        assert found.shape == source.grid.shape
        valid = start + source.lead_times[-1]
        wanted = truth(native.variable, level, valid, source.grid.latitude, source.grid.longitude)
        missing = np.isnan(wanted)
        np.testing.assert_array_equal(np.isnan(found), missing)
        span = np.nanmax(wanted) - np.nanmin(wanted)
        # 16 bits over the range, the step rounded up to a power of two, values to float32.
        step = 2 * span / 2**16 + np.spacing(np.float32(np.nanmax(np.abs(wanted))))
        assert np.nanmax(np.abs(found - wanted)) <= step, path
        check_values(
            native.variable,
            float(np.nanmin(found)),
            float(np.nanmax(found)),
            int(missing.sum()),
            "test",
        )
