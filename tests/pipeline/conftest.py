"""Runs that several tests look at, made once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import Outcome, run
from aurora_prep.providers.embedded import EmbeddedProvider

EPOCH = "1577836800"
DAY: dict[str, Any] = {
    "name": "day",
    "output": "replaced",
    "sources": [
        {
            "source": "era5",
            "access": "cds",
            "period": {"start": "2020-01-01T00", "end": "2020-01-01T18", "step": "6h"},
            "grid": "0.25",
        }
    ],
    "splits": {"train": ["2020-01-01", "2020-01-01"]},
}

Command = Callable[..., subprocess.CompletedProcess[str]]


def surface_recipe(hours: int = 6, **source: Any) -> dict[str, Any]:
    """A few hours of two surface variables: full grids, quickly made."""
    entry = {
        "source": "era5",
        "grid": "0.25",
        "period": {"start": "2020-02-28T22", "end": "2020-02-29T20", "step": f"{hours}h"},
        "variables": ["2t", "msl"],
        **source,
    }
    storage = {"frames_per_shard": 1}
    return {"name": "surface", "output": "replaced", "sources": [entry], "storage": storage}


def written(recipe: Mapping[str, Any], folder: Path, name: str = "recipe.yaml") -> Path:
    """A recipe as a file, its output beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(yaml.safe_dump({**recipe, "output": str(folder / "out")}), encoding="utf-8")
    return path


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative path."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="session")
def command() -> Command:
    """Run ``aurora-prep`` as a user would, in a process of its own."""

    def call(*words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CDSAPI")}
        return subprocess.run(
            [sys.executable, "-m", "aurora_prep.pipelines", *words],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=cwd,
            env={**clean, "HOME": str(cwd or "/nonexistent"), "SOURCE_DATE_EPOCH": EPOCH, **env},
        )

    return call


@pytest.fixture(scope="session")
def provider() -> Iterator[EmbeddedProvider]:
    """An embedded provider for runs of their own processes."""
    with EmbeddedProvider() as started:
        yield started


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """One day of full-size ERA5, 4 frames of 69 fields, and the cache it was made from."""
    folder = tmp_path_factory.mktemp("day")
    recipe = Recipe.parse(DAY, output=str(folder / "out"))
    outcome = run(recipe, embedded=True, cache=str(folder / "cache"), show=False)
    return outcome, folder / "cache"


PERIOD = {"start": "2021-12-31T18", "end": "2022-01-01T18", "step": "6h"}
HALF_DAYS = {"start": "2021-12-31T12", "end": "2022-01-01T12", "step": "12h"}
FAMILIES: dict[str, Any] = {
    "name": "families",
    "output": "replaced",
    "sources": [
        {
            "source": "era5",
            "grid": "10",
            "period": PERIOD,
            "variables": ["2t", "t", "static/z", "lsm"],
            "levels": [500, 850],
        },
        {
            "source": "cams_analysis",
            "grid": "10",
            "period": {**HALF_DAYS, "end": "2022-01-02T12"},
            "variables": ["pm2p5", "go3"],
            "levels": [500, 850],
        },
        {"source": "era5_wave", "grid": "10", "period": PERIOD, "variables": ["swh", "mwd"]},
        {
            "source": "cams_forecast",
            "grid": "15",
            "period": HALF_DAYS,
            "lead_time": {"start": "0h", "end": "24h", "step": "12h"},
            "variables": ["pm10", "go3"],
            "levels": [500],
        },
    ],
    "splits": {"train": ["2021-12-31", "2021-12-31"], "validation": ["2022-01-01", "2022-01-02"]},
    "storage": {"frames_per_shard": 2},
}


@dataclass(frozen=True)
class Families:
    """A dataset of all four families, and all that is needed to run its recipe again."""

    root: Path
    recipe: Recipe
    cache: Path

    def run(self) -> Outcome:
        """What is left of the run, as at the time of the first one."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
            return run(self.recipe, embedded=True, cache=str(self.cache), show=False)

    def copy(self, folder: Path) -> "Families":
        """The same dataset elsewhere, to be harmed."""
        shutil.copytree(self.root, folder / "out")
        return Families(
            folder / "out", Recipe.parse(FAMILIES, output=str(folder / "out")), self.cache
        )


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> Families:
    """Weather, air pollution, waves and a forecast on coarse grids, made by one run."""
    folder = tmp_path_factory.mktemp("families")
    recipe = Recipe.parse(FAMILIES, output=str(folder / "out"))
    made = Families(folder / "out", recipe, folder / "cache")
    assert made.run().absent == 0
    return made
