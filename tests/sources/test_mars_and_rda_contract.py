"""What holds of every source that reads ECMWF's archive or a tree of files, whoever declares it."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.harmonise import harmonise, placement_of
from aurora_prep.pipelines.reading.match import decode, holdings_of
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.providers.fetch import Fetcher
from aurora_prep.providers.planner import plan_requests
from aurora_prep.sources.spec import (
    HOUR,
    Branch,
    Grid,
    Http,
    Kind,
    Levels,
    Mars,
    Product,
    Series,
    Source,
    Timeline,
    Unit,
)
from aurora_prep.sources.spec.catalogue import MSL, T

SOURCES = [sources.load(name) for name in sources.names()]
ACCESSES = [
    pytest.param(source, access, id=f"{source.name}-{access.name}")
    for source in SOURCES
    for access in source.accesses
    if isinstance(access, Mars | Http)
]
INVENTED = Source(
    name="invented",
    title="A source that no file declares",
    product=Product.ANALYSIS,
    grid=Grid.regular("1"),
    levels=Levels((500, 850)),
    first=datetime(2001, 1, 1, 3),
    cadence=timedelta(hours=12),
    natives=tuple(
        native
        for native in sources.load("era5").natives
        if native.variable in (MSL, T)
    ),
    accesses=(
        Http(
            dataset="t1",
            url="https://tree.example/t1",
            grid="O24",
            series=(
                Series(kinds=tuple(Kind), pattern="{time:%Y}/{name}_{time:%d}_{time:%m%Y}.grib"),
            ),
        ),
        Mars(
            (
                Branch(
                    kinds=(Kind.SURFACE, Kind.ATMOSPHERIC),
                    keywords=(
                        ("class", "rd"),
                        ("stream", "oper"),
                        ("expver", "abcd"),
                        ("type", "an"),
                        ("grid", "3/3"),
                    ),
                    hours=(3, 15),
                    unit=Unit.MONTH,
                    max_fields=50,
                ),
            )
        ),
    ),
    licence="none",
    attribution="none",
    origins=("an",),
)  # fmt: skip


def fetched(source, access, timeline, paths, folder):
    """What the files of a plan hold, brought by the real client."""
    levels = source.levels.subset(source.levels.hpa[:2], "test")
    requests = plan_requests(
        source, access, timeline, paths, levels, lead_times=source.lead_times[-1:], synthetic=True
    )
    with EmbeddedProvider(gaussian_lines=24, declared=[*SOURCES, INVENTED]) as provider:
        service = Service.embedded(provider.url, provider.key).towards(access.name)
        fetcher = Fetcher(Cache.open(folder / "cache"), service)
        files = [
            str(path)
            for _, answer in fetcher.fetch_all(requests)
            for path in answer.members
        ]  # fmt: skip
    return holdings_of(tuple(sorted(files)), source, folder / "kept"), levels


@pytest.mark.parametrize(("source", "access"), ACCESSES)
def test_files_hold_what_was_asked_and_nothing_strange(source, access, tmp_path):
    """On one of the last times of a leap February, all variables, two levels."""
    start = datetime(2020, 2, 29, 12)
    paths = [native.variable.path for native in source.delivered(access) if not native.optional]
    held, levels = fetched(source, access, Timeline(start, start, HOUR), paths, tmp_path)
    assert held.ignored == ()
    wanted = {
        (native.variable.path, level)
        for native in source.delivered(access)
        if native.variable.path in paths
        for level in (levels if native.variable.has_levels else (None,))
    }
    assert wanted <= held.places
    for ((path, _), _), ref in held.fields.items():
        native = source.native(path)
        placement = placement_of(held.grid_of(ref), "test")
        found = harmonise(decode(ref), ref.units, native, placement, "test")
        low, high = native.variable.plausible
        assert low <= np.nanmin(found)
        assert np.nanmax(found) <= high
        assert native.variable.may_be_missing or not np.isnan(found).any()


@pytest.mark.parametrize("access", INVENTED.accesses, ids=lambda access: access.name)
def test_a_declaration_is_all_it_takes(access, tmp_path):
    """Times, patterns, grids and branches of nobody else: planned, served, fetched, decoded."""
    timeline = Timeline(datetime(2001, 1, 31, 3), datetime(2001, 2, 1, 15), 12 * HOUR)
    paths = ["surface/msl", "atmospheric/t"]
    held, _ = fetched(INVENTED, access, timeline, paths, tmp_path)
    assert {init for init, *_ in held.moments} == set(timeline)
    assert {path for path, _ in held.places} == set(paths)


@pytest.mark.parametrize(("source", "access"), ACCESSES)
def test_every_variable_that_is_delivered_has_one_place(source, access):
    """Branches of one kind hold different times; series of one kind are one."""
    shelves = access.branches if isinstance(access, Mars) else access.series
    for native in source.delivered(access):
        serving = [shelf for shelf in shelves if native.variable.kind in shelf.kinds]
        assert serving
        if isinstance(access, Mars):
            hours = {hour for branch in serving for hour in branch.hours}
            turns = {source.first} | {b.first for b in serving} | {b.last for b in serving}
            for turn in turns - {None}:
                for offset in range(-48, 49):
                    holding = [b for b in serving if b.holds(turn + offset * HOUR)]
                    assert len(holding) <= 1
            step = source.cadence // HOUR
            assert sorted(hours) == list(range(source.first.hour % step, 24, step))
            assert all(branch.place.count("/") == 2 for branch in serving)
        else:
            assert len(serving) == 1


def test_times_of_a_file_are_those_with_its_path():
    series = sources.load("hres_analysis").access("http").series[0]
    noon = datetime(2020, 3, 1, 12)
    assert series.path(MSL, noon) == series.path(MSL, noon + 6 * HOUR)
    assert series.path(MSL, noon) != series.path(MSL, noon + 12 * HOUR)
    other = replace(series, word="uv")
    assert "regn1280uv" in other.path(MSL, noon)
