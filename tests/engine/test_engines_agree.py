"""One recipe, byte for byte the same on every engine; within the provider's limits."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aurora_prep.manifest.verify.verification import verify
from aurora_prep.pipelines.engines.flink import FlinkCluster
from aurora_prep.pipelines.plan.provider_limits import limit_of
from aurora_prep.providers.embedded import ALWAYS, EmbeddedProvider, Exchange

from .conftest import FRAMES, REQUESTS, Start, tree

pytestmark = pytest.mark.engine
ENGINES = pytest.mark.parametrize("options", ["two processes", "prism", "flink"], indirect=True)
SECONDS = 600


def parts(out: Path) -> int:
    return len(list((out / "manifest/parts").rglob("*.parquet")))


def most_in_flight(exchanges: tuple[Exchange, ...]) -> int:
    """Most jobs that were asked for and whose results were not yet fetched."""
    now = most = 0
    for exchange in exchanges:
        now += exchange.is_submission - exchange.path.endswith("/results")
        most = max(most, now)
    return most


@ENGINES
def test_the_same_bytes_within_the_providers_limit(
    options: tuple[str, ...],
    tmp_path: Path,
    reference: Path,
    start: Start,
    provider: EmbeddedProvider,
) -> None:
    before = len(provider.requests)
    process = start(tmp_path, *options)
    out, told = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, out + told
    assert tree(tmp_path / "out") == tree(reference / "out")
    assert not verify(str(tmp_path / "out"), deep=True).problems
    asked = provider.requests[before:]
    assert sum(exchange.is_submission for exchange in asked) == REQUESTS
    assert 1 < most_in_flight(asked) <= limit_of("cds").in_flight
    assert f"{FRAMES}/{FRAMES} frames" in told


@ENGINES
def test_an_error_of_a_worker_comes_back_in_four_parts(
    options: tuple[str, ...],
    tmp_path: Path,
    start: Start,
    provider: EmbeddedProvider,
    refusing: None,  # noqa: ARG001
) -> None:
    process = start(tmp_path, *options)
    out, told = process.communicate(timeout=SECONDS)
    assert process.returncode == 2, out + told
    message = told[told.index("aurora-prep: ") :].splitlines()[:4]
    assert [line.split(":")[0].strip() for line in message] == [
        "aurora-prep", "where", "found", "fix",
    ]  # fmt: skip
    assert "licence" in told
    if "--runner=PrismRunner" not in options:  # there Beam prints it in the launcher itself
        assert "Traceback" not in told
    assert provider.key not in out + told
    assert not (tmp_path / "out" / "dataset.json").exists()


@pytest.fixture
def refusing(provider: EmbeddedProvider) -> Iterator[None]:
    """The store refuses the user for as long as the test takes."""
    provider.faults.switch("licence", ALWAYS)
    yield
    provider.faults.switch("licence", 0)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, "the run ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_lost_task_manager_changes_nothing(
    tmp_path: Path, reference: Path, start: Start, cluster: FlinkCluster
) -> None:
    process = start(tmp_path, *cluster.options, cache=reference / "cache")
    wait_for(lambda: parts(tmp_path / "out") >= 2, process)
    cluster.lose(0)
    assert parts(tmp_path / "out") < FRAMES, "lost too late to matter"
    cluster.add_task_manager()  # as the machine's keeper would
    out, told = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, out + told
    assert tree(tmp_path / "out") == tree(reference / "out")
    assert not verify(str(tmp_path / "out"), deep=True).problems


def test_an_interrupted_launcher_takes_its_job_along(
    tmp_path: Path, reference: Path, start: Start, cluster: FlinkCluster
) -> None:
    process = start(tmp_path, *cluster.options, cache=reference / "cache")
    wait_for(lambda: parts(tmp_path / "out") >= 1, process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, told
    deadline = time.monotonic() + SECONDS
    while cluster.running() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not cluster.running()
    again = start(tmp_path, *cluster.options, cache=reference / "cache")
    out, told = again.communicate(timeout=SECONDS)
    assert again.returncode == 0, out + told
    assert tree(tmp_path / "out") == tree(reference / "out")
