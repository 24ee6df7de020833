"""A run killed at any instant and started again ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aurora_prep.manifest.verify.verification import verify
from aurora_prep.providers.embedded import EmbeddedProvider

from .conftest import EPOCH, Command, surface_recipe, tree, written


def start(
    recipe: Path, cache: Path, provider: EmbeddedProvider, *more: str
) -> subprocess.Popen[bytes]:
    words = ["run", str(recipe), "--cache", str(cache), "--threads", "1", *more]
    env = {"CDSAPI_URL": provider.url, "CDSAPI_KEY": provider.key, "SOURCE_DATE_EPOCH": EPOCH}
    return subprocess.Popen(
        [sys.executable, "-m", "aurora_prep.pipelines", *words],
        env={**os.environ, **env},
    )


def parts(out: Path) -> list[str]:
    return sorted(p.name for p in (out / "manifest/parts").rglob("*.parquet"))


def downloaded(provider: EmbeddedProvider) -> int:
    return sum(exchange.is_download for exchange in provider.requests)


def answers(cache: Path) -> int:
    """Whole answers in a cache."""
    return len(list((cache / "requests").glob("??/*.json")))


def wait_for(condition, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, provider: EmbeddedProvider) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    recipe = written(surface_recipe(hours=1), folder)
    assert start(recipe, folder / "cache", provider).wait(300) == 0
    return folder / "out"


LEVELS = {"source": "era5", "grid": "2", "variables": ["2t", "t"], "levels": [500]}


@pytest.mark.parametrize("finished", [1, 4])
def test_killed_after_answers_were_removed_fetches_nothing_finished_again(
    finished: int, tmp_path: Path, provider: EmbeddedProvider
) -> None:
    """Every day has a request of its own; one for the month serves them all, and stays."""
    period = {"start": "2020-01-01T00", "end": "2020-01-08T00", "step": "24h"}
    text = {"name": "bounded", "sources": [{**LEVELS, "period": period}]}
    recipe = written({**text, "storage": {"frames_per_shard": 1}}, tmp_path)
    cache, out = tmp_path / "cache", tmp_path / "out"
    bound = ("--cache-limit", "30MB")
    process = start(recipe, cache, provider, *bound)
    wait_for(lambda: len(parts(out)) > finished, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    downloads, held, done = downloaded(provider), answers(cache), len(parts(out))

    assert start(recipe, cache, provider, *bound).wait(300) == 0

    # The month's answer is still there, and so are those that were fetched ahead.
    assert downloaded(provider) - downloads <= 1 + 8 - done - max(0, held - 1) + 1
    assert answers(cache) == 0
    whole = tmp_path / "whole"
    unbounded = written({**text, "storage": {"frames_per_shard": 1}}, whole)
    assert start(unbounded, tmp_path / "cache2", provider).wait(300) == 0
    assert tree(out) == tree(whole / "out")


@pytest.mark.parametrize("finished", [0, 1, 9])
def test_killed_and_started_again_is_byte_identical(
    finished: int, tmp_path: Path, undisturbed: Path, provider: EmbeddedProvider
) -> None:
    recipe, cache, out = (
        written(surface_recipe(hours=1), tmp_path),
        tmp_path / "cache",
        tmp_path / "out",
    )
    process = start(recipe, cache, provider)
    begun = out / "era5/0.25.zarr/2t/c"
    wait_for(lambda: begun.exists() and len(parts(out)) >= finished, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = {p: p.stat().st_mtime_ns for p in (out / "manifest/parts").rglob("*.parquet")}
    assert not (out / "dataset.json").exists()
    downloads, held = downloaded(provider), answers(cache)

    assert start(recipe, cache, provider).wait(300) == 0

    assert downloaded(provider) - downloads == answers(cache) - held
    assert {p: p.stat().st_mtime_ns for p in kept} == kept
    assert len(parts(out)) == 23
    assert tree(out) == tree(undisturbed)
    assert not verify(str(out)).problems


def test_a_finished_run_does_nothing_and_says_so(
    undisturbed: Path, provider: EmbeddedProvider, command: Command
) -> None:
    before = tree(undisturbed)
    asked = provider.submissions, provider.downloads
    recipe = undisturbed.parent / "recipe.yaml"
    words = ("run", str(recipe), "--cache", str(undisturbed.parent / "cache"))
    done = command(*words, CDSAPI_URL=provider.url, CDSAPI_KEY=provider.key)
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout
    assert (provider.submissions, provider.downloads) == asked
    assert tree(undisturbed) == before
    real = command(*words)  # a finished rehearsal is not taken for the real thing
    assert real.returncode == 2
    assert "synthetic" in real.stderr
    assert tree(undisturbed) == before


def test_two_processes_give_the_same_bytes(
    undisturbed: Path, tmp_path: Path, provider: EmbeddedProvider, command: Command
) -> None:
    recipe = written(surface_recipe(hours=1), tmp_path)
    done = command(
        "run", str(recipe), "--cache", str(undisturbed.parent / "cache"), "--",
        "--runner=DirectRunner", "--direct_running_mode=multi_processing",
        "--direct_num_workers=2",
        CDSAPI_URL=provider.url, CDSAPI_KEY=provider.key,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "out") == tree(undisturbed)
