"""An object store on loopback, and a small run to compare with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import run
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.providers.embedded.gcs import GcsEmulator

EPOCH = "1577836800"
RECIPE: dict[str, Any] = {
    "name": "small",
    "output": "replaced",
    "sources": [
        {
            "source": "era5",
            "access": "cds",
            "grid": "2.5",
            "period": {"start": "2020-02-28T22", "end": "2020-02-29T20", "step": "6h"},
            "variables": ["2t", "msl"],
        }
    ],
    "splits": {"train": ["2020-02-28", "2020-02-29"]},
    "statistics": {"split": "train", "differences": ["6h"]},
    "storage": {"frames_per_shard": 1},
}


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative path."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsEmulator]:
    """An object store with the bucket ``data``, which the clients of this process use."""
    with GcsEmulator(buckets=["data"]) as started:
        for name, value in started.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        yield started


@pytest.fixture(scope="session")
def provider() -> Iterator[EmbeddedProvider]:
    """An embedded provider for runs of their own processes."""
    with EmbeddedProvider() as started:
        yield started


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A finished dataset on disk, and the cache it was made from."""
    folder = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        recipe = Recipe.parse(RECIPE, output=str(folder / "out"))
        run(recipe, embedded=True, cache=str(folder / "cache"), show=False)
    return folder / "out", folder / "cache"
