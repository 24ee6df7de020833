"""Statistics of a split, changes included: against NumPy, and anew from the shards."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from aurora_prep.pipelines.cli import main
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import run

from .conftest import tree

RECIPE: dict[str, Any] = {
    "name": "changes",
    "sources": [
        {
            "source": "era5",
            "grid": "0.25",
            "period": {"start": "2020-01-01", "end": "2020-01-03T18", "step": "6h"},
            "variables": ["2t", "t"],
            "levels": [500, 850],
        }
    ],
    "splits": {
        "train": ["2020-01-01", "2020-01-02"],
        "validation": ["2020-01-03", "2020-01-03"],
    },
    "statistics": {"split": "train", "differences": ["12h", "24h"]},
    "storage": {"frames_per_shard": 3},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("changes")
    recipe = Recipe.parse(RECIPE, output=str(folder / "out"))
    assert not run(recipe, embedded=True, cache=str(folder / "cache"), show=False).absent
    return folder / "out"


@pytest.fixture(scope="module")
def document(dataset: Path) -> dict[str, Any]:
    return json.loads((dataset / "statistics/era5-0.25.json").read_text("utf-8"))


def values_of(dataset: Path, entry: dict[str, Any]) -> np.ndarray:
    frames = xr.open_zarr(dataset / "era5/0.25.zarr").sel(time=slice("2020-01-01", "2020-01-02"))
    field = frames[entry["path"].partition("/")[2]]
    return (field if entry["level"] is None else field.sel(level=entry["level"])).values


def test_only_frames_of_the_split_enter(dataset: Path, document: dict[str, Any]) -> None:
    assert len(document["frames"]) == 8
    assert document["period"] == ["2020-01-01T00:00:00", "2020-01-02T18:00:00"]
    assert len(document["values"]) == 3
    for entry in document["values"]:
        whole = values_of(dataset, entry).astype(np.float64)
        assert entry["count"] == whole.size
        assert entry["mean"] == pytest.approx(whole.mean(), rel=1e-12)
        assert entry["standard_deviation"] == pytest.approx(whole.std(), rel=1e-10)


def test_changes_equal_numpy_and_never_leave_the_split(
    dataset: Path, document: dict[str, Any]
) -> None:
    assert len(document["differences"]) == 6
    for entry in document["differences"]:
        steps = entry["step_hours"] // 6
        values = values_of(dataset, entry)
        change = (values[steps:] - values[:-steps]).astype(np.float64)
        assert entry["count"] == change.size
        assert entry["standard_deviation"] == pytest.approx(change.std(), rel=1e-10)
        assert entry["mean_absolute"] == pytest.approx(np.abs(change).mean(), rel=1e-12)


def test_recomputing_from_the_shards_gives_the_same_bytes(dataset: Path) -> None:
    before = tree(dataset / "statistics")
    for name in before:
        (dataset / "statistics" / name).unlink()
    assert main(["statistics", str(dataset), "--recompute", "--format", "json"]) == 0
    assert tree(dataset / "statistics") == before


def test_a_split_without_frames_is_refused_before_any_work(tmp_path: Path) -> None:
    recipe = Recipe.parse(
        {**RECIPE, "splits": {"train": ["2019-01-01", "2019-02-01"]}}, output=str(tmp_path / "out")
    )
    with pytest.raises(Exception, match="holds no frame"):
        run(recipe, embedded=True, cache=str(tmp_path / "cache"), show=False)
    assert not (tmp_path / "out").exists()
