"""A run with nothing to do is known from two small files, and only where they suffice."""

import json
import subprocess
import sys

import pytest
import yaml

import aurora_prep
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.outcome import finished_already

QUIET = """
import sys
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.outcome import finished_already
assert finished_already(Recipe.load({path!r}), embedded=True).had_nothing_to_do
heavy = {{"apache_beam", "xarray", "xarray_beam", "dask", "numba", "eccodes", "gcsfs", "duckdb"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def text(root, **entry):
    source = {
        "source": "era5",
        "period": {"start": "2020-01-01T00", "end": "2020-01-01T18", "step": "6h"},
        "grid": "30",
        **entry,
    }
    return {"name": "small", "output": str(root), "sources": [source]}


@pytest.fixture
def finished(tmp_path):
    """A recipe whose dataset says that it is finished; ``change`` alters what it says."""
    root = tmp_path / "out"

    def make(*, change=None, **entry):
        recipe = Recipe.parse(text(root, **entry))
        claim = {"digest": recipe.digest, "synthetic": True}
        document = {
            "recipe_digest": recipe.digest,
            "software": {"aurora-prep": aurora_prep.__version__},
            "sources": [
                {"source": "era5", "frames": {"frames": 4, "written": 4}, "quirks": ["odd"]}
            ],
        }
        if change is not None:
            change(claim, document)
        (root / "manifest").mkdir(parents=True, exist_ok=True)
        (root / "manifest/recipe.json").write_text(json.dumps(claim))
        (root / "dataset.json").write_text(json.dumps(document))
        return recipe

    return make


def test_a_whole_dataset_leaves_nothing_to_do(finished):
    outcome = finished_already(finished(), embedded=True)
    assert outcome is not None
    assert outcome.had_nothing_to_do
    assert (outcome.frames, outcome.done, outcome.absent) == (4, 4, 0)
    assert outcome.quirks == ("era5: odd",)


@pytest.mark.parametrize(
    "change",
    [
        lambda claim, _: claim.update(digest="of another recipe"),
        lambda claim, _: claim.update(synthetic=False),
        lambda claim, _: claim.clear(),
        lambda _, document: document.update(recipe_digest="of another recipe"),
        lambda _, document: document["software"].update({"aurora-prep": "0.0.1"}),
        lambda _, document: document["sources"][0]["frames"].update(written=3),
        lambda _, document: document["sources"][0].update(frames=None),
        lambda _, document: document.pop("sources"),
    ],
    ids=["claim", "synthetic", "no claim", "digest", "version", "missing", "no count", "no source"],
)
def test_in_doubt_a_plan_has_to_tell(finished, change):
    assert finished_already(finished(change=change), embedded=True) is None


def test_an_unfinished_dataset_and_none_at_all(finished, tmp_path):
    recipe = finished()
    (tmp_path / "out/dataset.json").unlink()
    assert finished_already(recipe, embedded=True) is None
    assert finished_already(Recipe.parse(text(tmp_path / "none")), embedded=True) is None


@pytest.mark.parametrize(
    "entry",
    [
        {"access": "files", "path": "data/*.grib"},
        {"statics": "static.nc"},
        {"access": "zarr", "path": "mirror.zarr"},
    ],
    ids=["files", "statics", "mirror"],
)
def test_what_depends_on_the_users_files_is_planned_anew(finished, entry):
    assert finished_already(finished(**entry), embedded=True) is None


def test_a_remote_dataset_is_planned(finished):
    recipe = finished()
    remote = Recipe.parse({**recipe.text, "output": "memory://out"})
    assert remote.digest == recipe.digest
    assert finished_already(remote, embedded=True) is None


def test_it_loads_no_heavy_library(finished, tmp_path):
    recipe = finished()
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe.text))
    done = subprocess.run(
        [sys.executable, "-c", QUIET.format(path=str(path))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
