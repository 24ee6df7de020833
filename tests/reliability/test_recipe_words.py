"""What a recipe's text may hold: times, words of YAML, keys given twice, bombs."""

import itertools
import json
import time
from datetime import date, datetime

import pytest

from aurora_prep.pipelines import cli
from aurora_prep.pipelines.recipe import Recipe, parse_time
from aurora_prep.pipelines.recipe.text import MOST_BYTES, parse
from aurora_prep.sources.spec import RecipeError, SpecError, moment

RECIPE = """
name: words
output: ./out
sources:
  - source: {source}
    access: {access}
    period: {{start: {start}, end: {end}, step: {step}}}
    grid: "{grid}"
    variables: {variables}
{more}
"""


@pytest.fixture
def plan(tmp_path, capsys, monkeypatch):
    """Plan a recipe through the command line; the exit code and what it printed."""
    monkeypatch.setenv("AURORA_PREP_CACHE", str(tmp_path / "cache"))

    def call(**words):
        usual = {
            "source": "era5", "access": "cds", "start": "2020-01-01", "end": "2020-01-31",
            "step": "6h", "grid": "0.25", "variables": "[2t]", "more": "",
        }  # fmt: skip
        path = tmp_path / "recipe.yaml"
        path.write_text(RECIPE.format(**{**usual, **words}), encoding="utf-8")
        code = cli.main(["plan", str(path), "--json"])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if code == 0 else printed.err

    return call


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("20200101", "20200131"),
        ("'20200101'", "'20200131'"),
        ("2020-01-01T00:00:00Z", "2020-01-31"),
        ("2020-01-01 00:00:00", "2020-01-31T18:00:00+00:00"),
        ("20200101T00", "20200131T18"),
        ("2020-W01-3", "2020-W05-5"),
    ],
)
def test_a_month_is_a_month_however_it_is_written(plan, start, end):
    code, found = plan(start=start, end=end)
    assert (code, found["sources"][0]["frames"]) == (0, 124)


@pytest.mark.parametrize(
    "end",
    ["2023-02-29", "20230229", "2023-04-31", "2023-13-01", "2023-02-10T25", "2023-02-10T06+02:00",
     "2023-02", "2023", "12:30", "0x7e7", "2023-02-10T06:61"],
)  # fmt: skip
def test_a_time_that_is_none_is_refused_in_four_parts(plan, end):
    code, error = plan(start="2023-02-01", end=end)
    assert code == 2
    assert "not a time" in error
    assert "sources[0] (era5), period.end" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("variables", ["[co, no, no2]", "[co, 'no', no2]", "\n      - no"])
def test_no_is_nitrogen_monoxide(plan, variables):
    more = "    method: {no: nearest}"
    code, found = plan(
        source="cams_analysis", access="ads", step="12h", grid="0.4", variables=variables, more=more
    )
    assert code == 0, found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("NO", "NO"), ("Off", "Off"), ("on", "on"), ("yes", "yes"), ("y", "y"),
        ("12:30", "12:30"), ("010", 10), ("0o10", 8), ("1_000", "1_000"), ("0x1F", 31),
        ("1e3", 1000.0), ("-.5", -0.5), ("true", True), ("FALSE", False), ("~", None), ("=", "="),
        ("2020-02-30", "2020-02-30"), ("2020-02-29", "2020-02-29"), ("!!timestamp x", "x"),
    ],
)  # fmt: skip
def test_words_are_read_as_yaml_1_2_reads_them(text, value):
    found = parse(text)
    assert (found, type(found)) == (value, type(value))


def test_a_truth_may_still_be_said_in_the_words_of_yaml_1_1(plan):
    code, _ = plan(more="statistics: {area_weighted: yes}\nstorage: {lossless: on}")
    assert code == 0
    code, error = plan(more="statistics: {area_weighted: maybe}")
    assert (code, "neither true nor false" in error) == (2, True)


@pytest.mark.parametrize(
    "text",
    ["a: 1\na: 2", "{1: a, '1': b}", "{true: a, 'True': b}", "x: {b: 1, c: 2, b: 3}",
     "<<: {a: 1}\n<<: {b: 2}", "? [a]\n: b", "a: &x [*x]", "a: !!python/name:os.system ''",
     "a: !!binary aGk=", "a: 1\n---\nb: 2", "[" * 200 + "]" * 200, "[" * 20000, "1" * 5000,
     "a: *unknown", "a: \x00", "{a: b", "a: b: c", "\t- a", "!!int x", "!!bool yes"],
)  # fmt: skip
def test_text_that_is_no_recipe_is_refused_in_four_parts(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as raised:
        Recipe.load(path)
    assert len(list(filter(None, raised.value.args))) == 4
    assert "\n" not in raised.value.args[2]


def test_bombs_are_refused_at_once(tmp_path):
    path = tmp_path / "recipe.yaml"
    names = "abcdefghij"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{n}: &{n} [{', '.join([f'*{m}'] * 10)}]" for m, n in itertools.pairwise(names)]
    bombs = ["\n".join(lines), "a" * (MOST_BYTES + 1)]
    merged = ["a: &a {x: 1}"]
    merged += [f"{n}: &{n} {{p: *{m}, q: *{m}, r: *{m}}}" for m, n in itertools.pairwise(names)]
    bombs.append("\n".join([*merged, *(f"z{i}: [{', '.join(['*j'] * 50)}]" for i in range(9))]))
    started = time.monotonic()
    for bomb in bombs:
        path.write_text(bomb, encoding="utf-8")
        with pytest.raises(RecipeError):
            Recipe.load(path)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"source": "hres_forecast", "access": "cds"}, "no such access"),
        ({"step": "99999999999999999999h"}, "not a duration"),
        ({"more": "    members: {start: 0, end: 4000000000}"}, "no ensemble"),
        ({"grid": "1e-9"}, "grid"),
        ({"grid": "nan"}, "grid"),
    ],
)
def test_values_beyond_all_bounds_are_refused_at_once(plan, words, problem):
    code, error = plan(**words)
    assert code == 2
    assert problem in error


def test_a_great_range_of_members_or_lead_times_is_not_written_out():
    entry = {
        "source": "ifs_ens",
        "grid": "10",
        "period": {"start": "2022-01-01", "end": "20220102"},
    }
    whole = {"name": "x", "output": "x", "sources": [entry]}
    for key, value in (
        ("members", {"start": 0, "end": 10**12}),
        ("lead_time", {"start": "0h", "end": "9999999h", "step": "1h"}),
    ):
        with pytest.raises(RecipeError):
            Recipe.parse({**whole, "sources": [{**entry, key: value}]})


def test_one_reading_of_times_for_recipes_questions_and_splits():
    for text in ("20200131", 20200131, "2020-01-31", date(2020, 1, 31), "2020-01-31Z"):
        assert moment(text, "x", end_of_day=True) == datetime(2020, 1, 31, 23)
        assert parse_time(text, "x") == datetime(2020, 1, 31)
    splits = {"train": [20200101, 20200131], "test": ["20200201", "2020-02-29"]}
    entry = {"source": "era5", "grid": "0.25", "period": {"start": "2020-01-01", "end": "20200301"}}
    recipe = Recipe.parse({"name": "x", "output": "x", "sources": [entry], "splits": splits})
    assert recipe.split_of(datetime(2020, 1, 31, 23)) == "train"
    assert recipe.split_of(datetime(2020, 2, 29, 23)) == "test"
    assert recipe.split_of(datetime(2020, 3, 1)) is None
    for value in (True, 1.5, None, [], "2020013106", "2020-01-31x", "٢٠٢٠٠١٠١"):
        with pytest.raises(SpecError):
            moment(value, "x")
