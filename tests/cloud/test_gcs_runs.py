"""A run to, from and through a bucket ends as one on a disk does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from aurora_prep.manifest import durable
from aurora_prep.manifest.verify.problems import Kind
from aurora_prep.manifest.verify.verification import repair, verify
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import run
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.providers.embedded.gcs import GcsEmulator
from aurora_prep.sources.spec import FetchError, WriteError

from .conftest import EPOCH, RECIPE, tree

OUT = "gs://data/deep/out"
RATES = {"busy": 0.02, "too_many_requests": 0.01, "lost_reply": 0.01, "short": 0.03, "cut": 0.02}


def recipe_to(output: str, **source: Any) -> Recipe:
    entry = {**RECIPE["sources"][0], **source}
    return Recipe.parse({**RECIPE, "sources": [entry]}, output=output)


def stored(gcs: GcsEmulator, out: str = OUT) -> dict[str, bytes]:
    return tree(gcs.folder / out.removeprefix("gs://"))


def test_a_run_to_a_bucket_is_the_local_one_byte_for_byte(gcs, local):
    out, cache = local
    outcome = run(recipe_to(OUT), embedded=True, cache=str(cache), show=False)
    assert outcome.absent == 0
    assert stored(gcs) == tree(out)
    assert verify(OUT, deep=True).problems == ()
    gcs.forget()
    assert run(recipe_to(OUT), embedded=True, cache=str(cache), show=False).had_nothing_to_do
    assert {exchange.method for exchange in gcs.requests} == {"GET"}


def test_one_call_in_twenty_failing_changes_nothing(gcs, local):
    out, cache = local
    for name, share in RATES.items():
        gcs.faults.rate(name, share)
    run(recipe_to(OUT), embedded=True, cache=str(cache), show=False)
    for name in RATES:
        gcs.faults.rate(name, 0)
    assert sum(gcs.faults.struck.values()) > 0.03 * len(gcs.requests)
    assert stored(gcs) == tree(out)


@pytest.mark.usefixtures("gcs")
def test_a_bucket_that_is_not_there_is_a_four_part_error():
    with pytest.raises(WriteError) as caught:
        durable.put("gs://absent/a", b"x")
    problem, where, found, _ = caught.value.args
    assert (problem, where) == ("the output cannot be written", "gs://absent/a")
    assert "FileNotFoundError" in found


def start(recipe: Path, cache: Path, provider: EmbeddedProvider) -> subprocess.Popen[bytes]:
    words = ["run", str(recipe), "--cache", str(cache), "--threads", "1"]
    env = {"CDSAPI_URL": provider.url, "CDSAPI_KEY": provider.key, "SOURCE_DATE_EPOCH": EPOCH}
    return subprocess.Popen(
        [sys.executable, "-m", "aurora_prep.pipelines", *words], env={**os.environ, **env}
    )


def test_killed_and_started_again_on_a_bucket_is_byte_identical(gcs, tmp_path, provider):
    body = {**RECIPE, "sources": [{**RECIPE["sources"][0]}]}
    body["sources"][0]["period"] = {**body["sources"][0]["period"], "step": "3h"}
    recipes = {}
    for name, output in (("local", str(tmp_path / "out")), ("bucket", OUT)):
        recipes[name] = tmp_path / f"{name}.yaml"
        recipes[name].write_text(yaml.safe_dump({**body, "output": output}), encoding="utf-8")
    cache = tmp_path / "cache"
    assert start(recipes["local"], cache, provider).wait(300) == 0
    folder = gcs.folder / OUT.removeprefix("gs://")

    def parts() -> dict[str, int]:
        found = (folder / "manifest/parts").rglob("*.parquet")
        return {path.name: path.stat().st_mtime_ns for path in found}

    process = start(recipes["bucket"], cache, provider)
    deadline = time.monotonic() + 120
    while len(parts()) < 3:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = parts()
    assert not (folder / "dataset.json").exists()

    assert start(recipes["bucket"], cache, provider).wait(300) == 0

    after = parts()
    assert len(after) == 8
    assert {name: after[name] for name in kept} == kept
    assert stored(gcs) == tree(tmp_path / "out")
    assert verify(OUT).problems == ()


def test_verify_finds_a_deleted_and_a_corrupted_object_and_a_run_mends_them(gcs, local):
    out, cache = local
    run(recipe_to(OUT), embedded=True, cache=str(cache), show=False)
    shards = sorted(path for path in stored(gcs) if "/c/" in path and "/2t/" in path)
    gone, bad = shards[:2]
    durable.delete(f"{OUT}/{gone}")
    path = gcs.path_of("data", f"deep/out/{bad}")
    content = path.read_bytes()
    path.write_bytes(content[:99] + bytes([content[99] ^ 1]) + content[100:])

    found = verify(OUT)

    assert {(problem.kind, problem.where) for problem in found.problems} == {
        (Kind.ABSENT, gone),
        (Kind.CHECKSUM, bad),
    }
    assert len(repair(OUT, found)) == 2
    run(recipe_to(OUT), embedded=True, cache=str(cache), show=False)
    assert stored(gcs) == tree(out)
    assert verify(OUT).problems == ()


def test_overwrite_removes_a_dataset_in_a_bucket_and_nothing_beside_it(gcs, local):
    out, cache = local
    durable.put("gs://data/deep/other", b"stays")
    other = recipe_to(OUT, variables=["msl"])
    run(other, embedded=True, cache=str(cache), show=False)
    with pytest.raises(WriteError, match="another recipe"):
        run(recipe_to(OUT), embedded=True, cache=str(cache), show=False)
    run(recipe_to(OUT), embedded=True, cache=str(cache), show=False, overwrite=True)
    assert stored(gcs) == tree(out)
    assert durable.get("gs://data/deep/other") == b"stays"


def test_input_files_in_a_bucket_give_what_local_ones_give(gcs, local, tmp_path):
    _, cache = local
    inputs = gcs.folder / "data" / "inputs"
    inputs.mkdir()
    for number, path in enumerate(sorted((cache / "requests").rglob("*.grib"))):
        (inputs / f"{number}.grib").write_bytes(path.read_bytes())
    roots = {}
    for name, place in (("local", str(inputs)), ("bucket", "gs://data/inputs")):
        roots[name] = tmp_path / name
        recipe = recipe_to(str(roots[name]), access="files", path=f"{place}/*.grib")
        run(recipe, cache=str(tmp_path / f"cache-{name}"), show=False)
    shards = [{k: v for k, v in tree(root).items() if "/c/" in k} for root in roots.values()]
    assert shards[0] == shards[1] != {}
    gcs.forget()
    again = recipe_to(str(tmp_path / "again"), access="files", path="gs://data/inputs/*.grib")
    run(again, cache=str(tmp_path / "cache-bucket"), show=False)
    assert not [e for e in gcs.requests if e.sent > 10_000]  # each file was copied once


@pytest.mark.usefixtures("gcs")
def test_input_files_that_are_not_there_say_so(tmp_path):
    recipe = recipe_to(str(tmp_path / "out"), access="files", path="gs://data/absent/*.grib")
    with pytest.raises(FetchError, match="names no file"):
        run(recipe, cache=str(tmp_path / "cache"), show=False)
