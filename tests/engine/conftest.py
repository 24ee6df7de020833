"""Engines, a provider, and one run to compare with; made once."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aurora_prep.pipelines.engines import install
from aurora_prep.pipelines.engines.flink import FlinkCluster
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.sources.spec import EngineError

EPOCH = "1577836800"
# A request a day of levels and one for the month at the surface: more than a store takes at once.
FRAMES, REQUESTS = 12, 13
RECIPE: dict[str, Any] = {
    "name": "engines",
    "sources": [
        {
            "source": "era5",
            "access": "cds",
            "grid": "5",
            "period": {"start": "2020-01-01T00", "end": "2020-01-12T00", "step": "24h"},
            "variables": ["2t", "t"],
            "levels": [500, 850],
        }
    ],
    "splits": {"train": ["2020-01-01", "2020-01-31"]},
    "statistics": {"split": "train", "differences": ["24h"]},
    "storage": {"frames_per_shard": 1},
}

Start = Callable[..., subprocess.Popen[str]]
TWO_PROCESSES = ("--direct_num_workers=2",)


def written(folder: Path) -> Path:
    """The recipe as a file, its output beside it."""
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, "output": str(folder / "out")}), encoding="utf-8")
    return path


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative path."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="session")
def provider() -> Iterator[EmbeddedProvider]:
    """A store whose jobs queue for a moment, and whose users' keys are in the environment.

    A worker finds its credentials where it runs: a cluster that is started later inherits them.
    """
    with EmbeddedProvider(queue_seconds=0.3) as started, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDSAPI_URL", started.url)
        patch.setenv("CDSAPI_KEY", started.key)
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        yield started


@pytest.fixture(scope="session")
def start(provider: EmbeddedProvider) -> Start:
    """Start a run as a user would, in a process of its own."""
    del provider  # its address is in the environment

    def begin(folder: Path, *options: str, cache: Path | None = None) -> subprocess.Popen[str]:
        words = ["run", str(written(folder)), "--cache", str(cache or folder / "cache")]
        return subprocess.Popen(
            [sys.executable, "-m", "aurora_prep.pipelines", *words, "--threads=1", "--", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )

    return begin


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, start: Start) -> Path:
    """The recipe's folder after a run by the in-memory engine."""
    folder = tmp_path_factory.mktemp("reference")
    process = start(folder)
    out, told = process.communicate(timeout=300)
    assert process.returncode == 0, out + told
    return folder


@pytest.fixture(scope="session")
def prism() -> tuple[str, ...]:
    """Words for Beam to run on Prism."""
    _install(install.prism)
    return ("--runner=PrismRunner",)


@pytest.fixture(scope="session")
def cluster(provider: EmbeddedProvider) -> Iterator[FlinkCluster]:
    """Flink with two task managers."""
    del provider  # its address is in the environment that workers inherit
    _install(install.flink)
    with FlinkCluster(task_managers=2) as started:
        yield started


@pytest.fixture
def options(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Words for Beam to run on the engine that the test is parametrised with."""
    if request.param == "two processes":
        return TWO_PROCESSES
    if request.param == "flink":
        return request.getfixturevalue("cluster").options
    return request.getfixturevalue("prism")


def _install(engine: Callable[[], Path]) -> None:
    """Install an engine; a machine without its tools skips, a failing installation fails."""
    try:
        engine()
    except EngineError as error:
        if "cannot be installed" in error.args[0]:
            raise
        pytest.skip(f"{error.args[0]}: {error.args[3]}")
