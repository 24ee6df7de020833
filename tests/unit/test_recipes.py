"""The recipes that come with the project: each is planned, and counts what was published."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from aurora_prep import sources
from aurora_prep.pipelines.estimates.estimate import estimate
from aurora_prep.pipelines.estimates.prices import Setting
from aurora_prep.pipelines.plan.recipe_plan import make_plan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.sources.spec import Timeline

FOLDER = Path(__file__).parents[2] / "recipes"
# Frames by the arithmetic of the published spans: whole recipe, or one split of it.
FRAMES = {
    ("aurora_pretraining", "era5", None): 368_184,
    ("aurora_pretraining", "hres_forecast", None): 149_814,
    ("aurora_pretraining", "hres_t0", None): 8_768,
    ("aurora_pretraining", "gfs_t0", None): 8_712,
    ("aurora_pretraining", "gfs_forecast", None): 810_216,
    ("today", "ifs_open", None): 2,
    ("aurora_ensemble_pretraining", "gefs_reforecast", None): 2_922_000,
    ("aurora_ensemble_pretraining", "era5", None): 368_184,
    ("aurora_ensemble_pretraining", "hres_forecast", None): 149_814,
    ("aurora_ensemble_pretraining", "ifs_ens_mean", None): 133_712,
    ("aurora_ensemble_pretraining", "ifs_ens", None): 50 * 133_712,
    ("aurora_hres_t0", "hres_t0", None): 10_228,
    ("aurora_hres_t0", "hres_t0", "train"): 8_768,
    ("aurora_hres_t0", "hres_t0", "test"): 1_460,
    ("aurora_hres_analysis", "hres_analysis", None): 10_228,
    ("aurora_air_pollution", "cams_reanalysis", None): 55_520,
    ("aurora_air_pollution", "cams_analysis", "train"): 3_408,
    ("aurora_air_pollution", "cams_analysis", "test"): 2 * 183,
    ("aurora_waves", "wave", None): 10_228,
    ("aurora_waves", "wave", "train"): 4 * (184 + 3 * 365 + 1),
    ("aurora_waves", "hres_t0", None): 10_228,
    ("aurora_1_5", "era5", None): 24 * (11 * 365 + 3),
    ("era5_pretraining", "era5", "train"): 368_184 - 24 * 366,
    ("era5_waves", "era5_wave", None): 4 * (184 + 3 * 365 + 1),
    ("era5_waves", "era5", None): 4 * (184 + 3 * 365 + 1),
}
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    """The plan of every recipe."""
    cache = tmp_path_factory.mktemp("contents")
    recipes = {name: Recipe.load(FOLDER / f"{name}.yaml") for name in NAMES}
    return {name: make_plan(recipe, cache) for name, recipe in recipes.items()}


def test_every_entry_of_every_recipe_is_counted(plans):
    entries = {(name, e.source.name) for name, plan in plans.items() for e in plan.sources}
    assert entries == {(name, source) for name, source, _ in FRAMES}


@pytest.mark.parametrize(("name", "source", "split"), FRAMES)
def test_a_recipe_plans_the_published_frames(plans, name, source, split):
    plan = plans[name]
    (entry,) = [e for e in plan.sources if e.source.name == source]
    frames = entry.frames
    if split is not None:
        assert entry.lead_times == (timedelta(0),)
        frames = sum(plan.recipe.split_of(time) == split for time in entry.init_times)
    assert frames == FRAMES[name, source, split]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_estimated(plans, name):
    setting = Setting.load()
    for entry in plans[name].sources:
        found = estimate(entry, setting)
        assert found.output_bytes > 0
        assert found.left.core_seconds > 0
        assert (found.requests > 0) == found.left.is_fetched


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_that_statistics_want_has_a_split(plans, name):
    plan = plans[name]
    # An initial state is no training data.
    assert plan.recipe.statistics.split == (None if name == "today" else "train")
    for entry in plan.sources:
        assert any(plan.recipe.enters_statistics(time) for time in entry.init_times)


def test_recipes_are_named_as_their_files():
    assert len(NAMES) > 7
    for name in NAMES:
        assert Recipe.load(FOLDER / f"{name}.yaml").name == name.replace("_", "-")


def test_aurora_1_5_takes_every_optional_variable(plans):
    (entry,) = plans["aurora_1_5"].sources
    optional = {n.variable.path for n in sources.load("era5").natives if n.optional}
    assert optional
    assert optional <= {*entry.paths, *entry.static_paths}


def test_a_frame_of_waves_needs_its_weather(plans):
    entry, weather = plans["aurora_waves"].sources
    assert entry.recipe.companions == (weather.source.name,)
    assert entry.grid == weather.grid
    assert entry.init_times == weather.init_times


def test_the_ensemble_has_three_levels_and_fifty_members(plans):
    entry = plans["aurora_ensemble_pretraining"].sources[3]
    assert tuple(entry.levels) == (500, 700, 850)
    assert entry.members == tuple(range(1, 51))


def test_pretraining_reads_the_hourly_store(plans):
    entry = plans["aurora_pretraining"].sources[0]
    assert entry.init_times == Timeline(
        datetime(1979, 1, 1), datetime(2020, 12, 31, 23), timedelta(hours=1)
    )
