"""``plan`` for the whole pretraining mixture: seconds, and no network."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aurora_prep.pipelines import cli
from aurora_prep.pipelines.plan.recipe_plan import make_plan
from aurora_prep.pipelines.recipe import Recipe

RECIPES = Path(__file__).parents[2] / "recipes"
# A process counts the memory of the one that started it until it runs its own program:
# so a small one starts it.
MEASURED = """
import json, resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
told = {"seconds": used.ru_utime + used.ru_stime, "kibibytes": used.ru_maxrss}
print(json.dumps(told), file=sys.stderr)
"""
PRETRAINING = str(RECIPES / "aurora_pretraining.yaml")


@pytest.mark.parametrize("name", ["aurora_pretraining", "era5_pretraining"])
def test_the_pretraining_mixture_is_planned_in_seconds(tmp_path, name):
    command = [sys.executable, "-m", "aurora_prep.pipelines", "plan", f"{RECIPES / name}.yaml"]
    command = [*command, "--json", "--cache", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], capture_output=True, text=True, check=True
    )
    answer, used = json.loads(done.stdout), json.loads(done.stderr.splitlines()[-1])
    assert answer["sources"][0]["frames"] == 368_184
    assert used["seconds"] < 5  # of the processor: others may use it too
    assert used["kibibytes"] < 500 * 1024
    assert list(tmp_path.iterdir()) == []


def test_json_has_its_documented_keys(tmp_path, capsys):
    assert cli.main(["plan", PRETRAINING, "--json", "--cache", str(tmp_path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"recipe", "output", "sources", "totals"}
    counts = {
        "frames", "present", "fields", "shards", "objects", "requests", "cached_requests",
        "cached_bytes", "cache_least_bytes", "download_bytes", "output_bytes", "core_hours",
        "dollars", "storage_dollars_month", "times",
    }  # fmt: skip
    told = {"source", "grid", "access", "first", "last", "variables", "levels", "ignored", "quirks"}
    assert [set(row) for row in answer["sources"]] == [counts | told] * 5
    assert set(answer["totals"]) == counts
    for row in (*answer["sources"], answer["totals"]):
        assert [times["workers"] for times in row["times"]] == [1, 10, 100, 1000]
        assert set(row["times"][0]) == {
            "workers", "hours", "bound", "queue_hours", "network_hours", "cores_hours",
            "writing_hours", "finish_hours", "dollars",
        }  # fmt: skip
    assert answer["totals"]["frames"] == 368_184 + 149_814 + 8_768 + 8_712 + 810_216


def test_the_page_documents_every_key():
    page = (RECIPES.parent / "docs" / "scale.md").read_text(encoding="utf-8")
    for key in ("cached_requests", "storage_dollars_month", "queue_hours", "finish_hours", "bound"):
        assert f"`{key}`" in page


def test_the_table_says_what_bounds_each_source(tmp_path, capsys):
    recipe = str(RECIPES / "era5_waves.yaml")
    assert cli.main(["plan", recipe, "--workers", "7", "--cache", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "7 workers" in next(line for line in lines if line.startswith("time, bound"))
    for name in ("era5_wave ", "era5 ", "total "):
        assert any(line.startswith(name) and line.endswith(", queue") for line in lines), name
    assert any(line.startswith("cost") and "$" in line for line in lines)


def test_prices_of_ones_own_are_taken(tmp_path, capsys):
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "providers: {cds: {in_flight: 0, queue_seconds: 0, fields_per_second: 0,"
        " megabytes_per_second: 100000}}\n",
        encoding="utf-8",
    )
    words = ["plan", str(RECIPES / "era5_pretraining.yaml"), "--workers", "1", "--json"]
    found = []
    for more in ([], ["--prices", str(prices)]):
        assert cli.main([*words, *more, "--cache", str(tmp_path / "cache")]) == 0
        found.append(json.loads(capsys.readouterr().out)["totals"]["times"][0])
    assert (found[0]["bound"], found[1]["bound"]) == ("queue", "network")
    assert found[1]["hours"] < found[0]["hours"]


@pytest.mark.parametrize("number", ["0", "-1", "ten"])
def test_a_number_of_workers_is_one_or_more(capsys, number):
    with pytest.raises(SystemExit) as caught:
        cli.main(["plan", PRETRAINING, "--workers", number])
    assert caught.value.code == 2
    assert "workers" in capsys.readouterr().err


def test_what_is_there_is_told(tmp_path, capsys):
    recipe = RECIPES / "era5_waves.yaml"
    plan = make_plan(Recipe.load(recipe), tmp_path / "cache")
    entry = plan.sources[0]
    folder = tmp_path / "out" / "manifest" / "parts" / f"{entry.source.name}-{entry.grid.name}"
    folder.mkdir(parents=True)
    task = entry.task_at((0,))
    (folder / f"{task.name}.parquet").write_bytes(b"")
    words = ["plan", str(recipe), "--out", str(tmp_path / "out"), "--json"]
    assert cli.main([*words, "--cache", str(tmp_path / "cache")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["sources"][0]["present"] == len(task.frames) == answer["totals"]["present"]
