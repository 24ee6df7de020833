"""Recipes: every key, every way to get one wrong."""

from copy import deepcopy
from datetime import datetime, timedelta

import pytest
import yaml

from aurora_prep import regridding
from aurora_prep.pipelines.recipe import METHODS, Recipe, parse_duration, parse_time
from aurora_prep.sources.spec import Grid, RecipeError

WHOLE = """
name: aurora-finetune
output: ./out/aurora-finetune
sources:
  - source: era5
    access: cds
    period: {start: 2020-01-01T00, end: 2020-12-31T18, step: 6h}
    grid: "0.25"
    method: {default: conservative, slt: nearest}
    variables: [z, 2t, atmospheric/t]
    levels: [850, 500]
    data_format: netcdf
splits:
  train: [2020-01-01, 2020-11-30]
  validation: [2020-12-01T00, 2020-12-31]
statistics: {split: train, area_weighted: true, differences: [12h, 1d]}
storage: {zarr_format: 3, frames_per_shard: 4, codec: blosc-zstd, lossless: true}
"""
HOUR = timedelta(hours=1)


def text(**entry):
    """A small recipe as plain values; ``None`` drops a key of the source's entry."""
    source = {
        "source": "era5",
        "period": {"start": "2020-01-01T00", "end": "2020-01-01T18", "step": "6h"},
        "grid": "0.25",
        **entry,
    }
    kept = {key: value for key, value in source.items() if value is not None}
    return {"name": "small", "output": "out", "sources": [kept]}


def refused(recipe):
    """The error of a recipe that must not pass, its four parts in one line each."""
    with pytest.raises(RecipeError) as raised:
        Recipe.parse(recipe)
    problem, where, found, fix = raised.value.args
    assert all((problem, where, fix))
    assert isinstance(found, str)
    return raised.value


def test_every_key_is_read(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    recipe = Recipe.load(path)
    (entry,) = recipe.sources
    assert (recipe.name, recipe.output) == ("aurora-finetune", "./out/aurora-finetune")
    assert recipe.base == str(tmp_path)
    assert (entry.source, entry.access, entry.grid) == ("era5", "cds", Grid.regular("0.25"))
    assert entry.data_format == "netcdf"
    assert len(entry.period) == 366 * 4
    assert entry.period[-1] == datetime(2020, 12, 31, 18)
    assert entry.variables == ("surface/2t", "atmospheric/z", "atmospheric/t", "static/z")
    assert entry.levels == (500, 850)
    assert (entry.method_of("2t"), entry.method_of("slt")) == ("conservative", "nearest")
    assert entry.lead_times is None
    train, validation = recipe.splits
    assert (train.start, train.end) == (datetime(2020, 1, 1), datetime(2020, 11, 30, 23))
    assert (validation.start, validation.end) == (datetime(2020, 12, 1), datetime(2020, 12, 31, 23))
    statistics = recipe.statistics
    assert (statistics.split, statistics.area_weighted) == ("train", True)
    assert statistics.differences == (12 * HOUR, 24 * HOUR)
    assert (recipe.storage.frames_per_shard, recipe.storage.codec) == (4, "blosc-zstd")


def test_what_is_left_out_has_a_meaning():
    recipe = Recipe.parse(text())
    (entry,) = recipe.sources
    assert (entry.access, entry.method, entry.methods, entry.data_format) == (
        "cds", "auto", (), "grib",
    )  # fmt: skip
    assert (entry.variables, entry.levels, entry.paths) == (None, None, ())
    assert recipe.splits == ()
    assert recipe.statistics.split is None
    assert recipe.storage.frames_per_shard is None
    assert recipe.storage.codec == "auto"


def test_without_a_step_the_cadence_counts():
    recipe = Recipe.parse(text(period={"start": "2020-01-01", "end": "2020-01-02"}))
    assert len(recipe.sources[0].period) == 48


def test_statistics_are_of_train_where_there_is_one():
    splits = {"train": ["2020-01-01", "2020-01-01"]}
    assert Recipe.parse({**text(), "splits": splits}).statistics.split == "train"
    everything = {**text(), "splits": splits, "statistics": {"split": None}}
    assert Recipe.parse(everything).statistics.split is None


def test_own_files_need_no_period():
    recipe = Recipe.parse(text(access="files", path="data/*.grib", period=None, grid="native"))
    (entry,) = recipe.sources
    assert (entry.period, entry.paths, entry.grid) == (None, ("data/*.grib",), None)
    several = text(access="files", path=["a.grib", "b.nc"])
    assert Recipe.parse(several).sources[0].paths == ("a.grib", "b.nc")


def test_an_output_on_the_command_line_wins():
    assert Recipe.parse(text(), output="there").output == "there"
    without = {key: value for key, value in text().items() if key != "output"}
    assert Recipe.parse(without, output="there").output == "there"
    assert "output" in refused(without).args[0]


@pytest.mark.parametrize(
    ("place", "key", "near"),
    [
        ((), "source", "sources"),
        ((), "split", "splits"),
        ((), "statistic", "statistics"),
        (("sources", 0), "sorce", "source"),
        (("sources", 0), "variable", "variables"),
        (("sources", 0), "lead_times", "lead_time"),
        (("sources", 0), "paths", "path"),
        (("sources", 0, "period"), "begin", None),
        (("sources", 0, "period"), "ends", "end"),
        (("statistics",), "area_weight", "area_weighted"),
        (("storage",), "frames_per_chunk", "frames_per_shard"),
    ],
)
def test_an_unknown_key_names_the_nearest(place, key, near):
    recipe = yaml.safe_load(WHOLE)
    spot = recipe
    for step in place:
        spot = spot[step]
    spot[key] = "x"
    error = refused(recipe)
    assert error.args[0] == "unknown key"
    assert error.args[2] == key
    assert (f"did you mean {near!r}?" if near else "known keys: start, end, step") == error.args[3]


@pytest.mark.parametrize(
    ("entry", "part", "word"),
    [
        ({"source": "era-5"}, 3, "'era5'"),
        ({"source": None}, 0, "source is missing"),
        ({"grid": None}, 0, "grid is missing"),
        ({"grid": "0.7"}, 0, "global regular grid"),
        ({"grid": "natve"}, 0, "global regular grid"),
        ({"access": "mars"}, 0, "no such access"),
        ({"access": "files"}, 0, "access files needs a path"),
        ({"path": "x.grib"}, 0, "path goes with access: files"),
        ({"access": "files", "path": []}, 0, "path must be"),
        ({"access": "files", "path": [3]}, 0, "path must be"),
        ({"period": None}, 0, "no period"),
        ({"period": "2020"}, 0, "table"),
        ({"period": {"start": "2020-01-01"}}, 0, "end is missing"),
        ({"period": {"start": "2020-01-02", "end": "2020-01-01"}}, 0, "period is empty"),
        ({"period": {"start": "1939-12-31T23", "end": "1940-01-01"}}, 0, "before the source"),
        ({"period": {"start": "2020-01-01T00:30", "end": "2020-01-02"}}, 0, "misses the times"),
        (
            {"period": {"start": "2020-01-01", "end": "2020-01-02", "step": "0h"}},
            0,
            "whole number of hours",
        ),
        (
            {"period": {"start": "2020-01-01", "end": "2020-01-02", "step": "90m"}},
            0,
            "not a duration",
        ),
        ({"period": {"start": "soon", "end": "2020-01-02"}}, 0, "not a time"),
        ({"period": {"start": "2020-02-30", "end": "2020-03-02"}}, 0, "not a time"),
        ({"period": {"start": "2020-01-01T00+01:00", "end": "2020-01-02"}}, 0, "no zone"),
        ({"lead_time": {"start": "0h", "end": "6h", "step": "6h"}}, 0, "reanalysis"),
        ({"method": "conservativ"}, 3, "'conservative'"),
        ({"method": {"default": "spline"}}, 3, "take one of auto"),
        ({"method": {"slt": "neerest"}}, 3, "'nearest'"),
        ({"method": {"sltt": "nearest"}}, 3, "'slt'"),
        ({"method": ["nearest"]}, 0, "neither a name nor a table"),
        ({"variables": []}, 0, "list of short names"),
        ({"variables": ["10u", "10w"]}, 3, "'10v'"),
        ({"variables": ["surface/t"]}, 0, "no such variable"),
        ({"variables": {"2t": 1}}, 0, "list of short names"),
        ({"levels": []}, 0, "levels"),
        ({"levels": 500}, 0, "levels"),
        ({"levels": ["500"]}, 0, "levels"),
        ({"levels": [500.0]}, 0, "levels"),
        ({"levels": [True]}, 0, "levels"),
        ({"levels": [500, 510]}, 2, "[510]"),
        ({"data_format": "netcdf4"}, 3, "'netcdf'"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(entry, part, word):
    error = refused(text(**entry))
    assert word in error.args[part]
    if "source" not in entry:
        assert "sources[0] (era5)" in error.args[1] or "grid" in entry


@pytest.mark.parametrize(
    ("part", "value", "word"),
    [
        ("name", None, "name is missing"),
        ("sources", [], "one entry at least"),
        ("sources", {"source": "era5"}, "one entry at least"),
        ("sources", ["era5"], "table"),
        ("output", 3, "no output"),
        ("splits", {"a": ["2020-01-01", "2020-01-05"], "b": ["2020-01-05", "2020-01-06"]}, "overl"),
        ("splits", {"a": ["2020-01-01T00", "2020-01-01T06"], "b": ["2020-01-01T06"] * 2}, "overl"),
        ("splits", {"a": ["2020-01-02", "2020-01-01"]}, "ends before"),
        ("splits", {"a": ["2020-01-02"]}, "pair"),
        ("splits", {"a": "2020"}, "pair"),
        ("splits", ["2020"], "table"),
        ("statistics", {"split": "train"}, "no such split"),
        ("statistics", {"area_weighted": "perhaps"}, "true nor false"),
        ("statistics", {"differences": "12h"}, "list"),
        ("statistics", {"differences": ["12"]}, "not a duration"),
        ("statistics", {"differences": ["0h"]}, "difference"),
        ("storage", {"zarr_format": 2}, "format 3"),
        ("storage", {"lossless": False}, "lossless"),
        ("storage", {"frames_per_shard": 0}, "number of frames"),
        ("storage", {"frames_per_shard": "many"}, "number of frames"),
        ("storage", {"frames_per_shard": True}, "number of frames"),
        ("storage", {"frames_per_shard": 1.0}, "number of frames"),
        ("storage", {"codec": "gzip"}, "unknown choice"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(part, value, word):
    assert word in refused({**text(), part: value}).args[0]


@pytest.mark.parametrize("whole", [None, [], "text", 3])
def test_a_recipe_is_a_table(whole):
    assert "table" in refused(whole).args[0]


def test_splits_touch_without_overlapping():
    splits = {"late": ["2020-01-02", "2020-01-03"], "early": ["2020-01-01", "2020-01-01"]}
    recipe = Recipe.parse({**text(), "splits": splits})
    assert recipe.split_of(datetime(2020, 1, 1, 23)) == "early"
    assert recipe.split_of(datetime(2020, 1, 2, 0)) == "late"
    assert recipe.split_of(datetime(2020, 1, 4)) is None


def test_statistics_take_their_split_only():
    splits = {"train": ["2020-01-01", "2020-01-01"], "test": ["2020-01-02", "2020-01-02"]}
    recipe = Recipe.parse({**text(), "splits": splits})
    assert recipe.enters_statistics(datetime(2020, 1, 1, 12))
    assert not recipe.enters_statistics(datetime(2020, 1, 2))
    assert not recipe.enters_statistics(datetime(2020, 1, 3))
    assert Recipe.parse(text()).enters_statistics(datetime(2020, 1, 3))


def shuffled(value):
    """The same values with every table's keys the other way round."""
    if isinstance(value, dict):
        return {key: shuffled(item) for key, item in reversed(value.items())}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def test_the_digest_stands_for_what_decides_the_output():
    recipe = yaml.safe_load(WHOLE)
    digest = Recipe.parse(deepcopy(recipe)).digest
    assert Recipe.parse(shuffled(recipe)).digest == digest
    assert Recipe.parse({**recipe, "output": "elsewhere"}).digest == digest
    assert Recipe.parse(recipe, output="gs://bucket/elsewhere").digest == digest
    for part, value in (("name", "other"), ("splits", None), ("storage", {"codec": "blosc-lz4"})):
        changed = {**recipe, part: value, "statistics": None}
        assert Recipe.parse(changed).digest != digest


def test_a_time_written_as_yaml_date_or_as_text_is_the_same():
    as_date = yaml.safe_load("{start: 2020-01-01, end: 2020-01-02 00:00:00}")
    as_text = {"start": "2020-01-01", "end": "2020-01-02T00:00:00"}
    dated, texted = (Recipe.parse(text(period=period)) for period in (as_date, as_text))
    assert dated == texted
    assert dated.digest == texted.digest


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"a: [", "not YAML"), (b"\xff\xfe\x00", "not YAML"), (b"", "table"), (None, "be read")],
)
def test_a_file_that_is_no_recipe(tmp_path, content, problem):
    path = tmp_path / "recipe.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError) as raised:
        Recipe.load(path)
    assert problem in raised.value.args[0]
    assert str(path) in raised.value.args[1]
    assert "\n" not in raised.value.args[2]


def test_a_key_given_twice_is_refused(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"{WHOLE}\nstorage: {{codec: auto}}\n", encoding="utf-8")
    with pytest.raises(RecipeError) as raised:
        Recipe.load(path)
    assert "storage" in raised.value.args[2]


@pytest.mark.parametrize(
    ("value", "hours"), [("6h", 6), ("0h", 0), ("1d", 24), (" 12 h ", 12), ("240h", 240)]
)
def test_durations(value, hours):
    assert parse_duration(value, "here") == hours * HOUR


@pytest.mark.parametrize("value", ["6", "h", "-6h", "6.5h", "1w", "6 hours", None])
def test_what_is_no_duration(value):
    with pytest.raises(RecipeError):
        parse_duration(value, "here")


def test_a_day_ends_with_its_last_hour():
    assert parse_time("2020-01-01", "here", end_of_day=True) == datetime(2020, 1, 1, 23)
    assert parse_time("2020-01-01T00", "here", end_of_day=True) == datetime(2020, 1, 1)
    assert parse_time("2020-01-01T06Z", "here") == datetime(2020, 1, 1, 6)


def test_a_recipe_may_name_every_method_of_regridding():
    assert set(METHODS) == set(regridding.METHODS)


@pytest.mark.parametrize("spelling", ["0.250", "1/4", 0.25, "25e-2"])
def test_a_grid_is_the_same_however_it_is_spelled(spelling):
    plain, spelled = Recipe.parse(text()), Recipe.parse(text(grid=spelling))
    assert spelled.sources == plain.sources
    assert spelled.sources[0].grid == Grid.regular("0.25")


def test_a_companion_on_the_same_grid_may_be_spelled_in_another_way():
    waves = {**text(grid="1/4")["sources"][0], "source": "era5_wave", "with": ["era5"]}
    whole = text()
    recipe = Recipe.parse({**whole, "sources": [*whole["sources"], waves]})
    assert recipe.sources[1].companions == ("era5",)


def test_the_spelling_of_a_grid_does_not_change_an_old_digest():
    """A dataset made from a recipe of an earlier release is resumed by the same recipe."""
    assert Recipe.parse(text()).digest.startswith("c97dd8b2da28")
