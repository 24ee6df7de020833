"""The simulation of ``benchmarks/scale.py`` beside the closed form that ``plan`` tells."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from aurora_prep.pipelines.estimates.load import Load
from aurora_prep.pipelines.estimates.prices import Setting
from aurora_prep.pipelines.estimates.times import times_of

FOLDER = Path(__file__).parents[2] / "benchmarks"
SETTING = Setting.load()
LOAD = Load(
    provider="cds",
    is_fetched=True,
    requests=4000,
    fields=4000 * 300,
    download_bytes=4000 * 1e9,
    output_bytes=3e12,
    objects=200_000,
    reads=0,
    parts=20_000,
    core_seconds=4e5,
)


@pytest.fixture(scope="module")
def scale():
    """The simulation as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield importlib.import_module("scale_simulation")
        for name in ("scale", "scale_real", "scale_simulation"):
            sys.modules.pop(name, None)


def test_a_seed_means_one_run(scale):
    runs = [scale.simulate(LOAD, SETTING, 5, scale.Model(seed=seed)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0].total != runs[2].total


@pytest.mark.parametrize("workers", [1, 4, 30])
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "queue"),
        ({"provider": "http", "core_seconds": 4e3}, "queue"),
        ({"is_fetched": False, "download_bytes": 1e14}, "network in"),
        ({"is_fetched": False, "output_bytes": 1e14}, "network out"),
        ({"is_fetched": False, "core_seconds": 4e7}, "cores"),
        ({"is_fetched": False, "objects": 1e9}, "writing"),
        ({"is_fetched": False, "reads": 1e9}, "writing"),
    ],
)
def test_a_quiet_run_takes_what_the_closed_form_says(scale, workers, changes, name):
    load = replace(LOAD, **changes)
    found = scale.simulate(load, SETTING, workers, scale.Model(spread=0.0, failures=0.0))
    bound = times_of([load], SETTING, workers).hours * 3600
    assert bound * 0.999 <= found.total < bound * 1.25
    assert found.busiest[0] == name
    assert 0.85 < found.busiest[1] < 1.001


def test_failures_make_it_longer_and_a_spread_evens_out(scale):
    quiet = scale.simulate(LOAD, SETTING, 4, scale.Model(spread=0.0, failures=0.0)).total
    spread = scale.simulate(LOAD, SETTING, 4, scale.Model(failures=0.0)).total
    failing = scale.simulate(LOAD, SETTING, 4, scale.Model(failures=0.2)).total
    assert spread == pytest.approx(quiet, rel=0.03)
    assert failing > quiet * 1.15


def test_more_workers_do_not_shorten_a_queue(scale):
    totals = [scale.simulate(LOAD, SETTING, n, scale.Model()).seconds["fetch"] for n in (5, 500)]
    assert totals[0] == pytest.approx(totals[1], rel=0.03)


def test_a_client_that_looks_now_and_then_notices_late(scale):
    simulation = scale.Simulation(LOAD, SETTING, 1, scale.Model(poll=True))
    assert simulation._noticed(0.5) == pytest.approx(1)
    assert simulation._noticed(1.1) == pytest.approx(2.5)
    assert 300 <= simulation._noticed(300) <= 360
    assert scale.Simulation(LOAD, SETTING, 1, scale.Model())._noticed(300) == 300


@pytest.mark.usefixtures("scale")
def test_the_page_shows_every_case():
    page = (FOLDER.parent / "docs" / "scale.md").read_text(encoding="utf-8")
    cases = importlib.import_module("scale").CASES
    assert len(cases) == 3
    for title in cases:
        assert f"**{title}**" in page
