"""Static fields from another source, by one rule; and the state of today as a batch."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from aurora_prep import sources
from aurora_prep.manifest import Manifest
from aurora_prep.manifest.loader import Loader
from aurora_prep.manifest.samples import Window, samples_of
from aurora_prep.pipelines.cli import main
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.providers.embedded import truth
from aurora_prep.sources.spec import Kind, RecipeError

RECIPES = Path(__file__).parents[2] / "recipes"
STATIC = [n.variable for n in sources.load("era5").of_kind(Kind.STATIC) if not n.optional]


def write(tmp_path, **entry):
    path = tmp_path / "recipe.yaml"
    recipe = {"name": "one", "output": str(tmp_path / "out"), "sources": [entry]}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return str(path)


ONE = {
    "source": "gfs_t0",
    "grid": "10",
    "period": {"start": "2022-01-01T00", "end": "2022-01-01T00"},
    "variables": ["msl"],
}


def test_static_fields_are_those_of_era5(tmp_path):
    recipe = write(tmp_path, **{**ONE, "variables": ["msl", "lsm", "slt", "static/z"]},
                   statics_from="era5")  # fmt: skip
    assert main(["run", recipe, "--embedded", "--cache", str(tmp_path / "cache")]) == 0
    assert main(["verify", str(tmp_path / "out"), "--deep"]) == 0
    (said,) = json.loads((tmp_path / "out/dataset.json").read_text())["sources"]
    assert said["statics_from"] == "era5"
    with xr.open_zarr(tmp_path / "out/static/10.zarr") as stored:
        assert set(stored.data_vars) == {"z", "lsm", "slt"}
        lsm = next(v for v in STATIC if v.short_name == "lsm")
        places = stored["latitude"].values, stored["longitude"].values
        exact = truth(lsm, None, np.datetime64("2020-01-01", "s").item(), *places)
        assert np.abs(stored["lsm"].values - exact).max() < 0.1


def test_without_the_rule_there_are_none(tmp_path):
    assert main(["run", write(tmp_path, **ONE), "--embedded",
                 "--cache", str(tmp_path / "cache")]) == 0  # fmt: skip
    assert not (tmp_path / "out/static").exists()


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"statics_from": "era6"}, "no such source"),
        ({"statics_from": "gfs_t0"}, "names no other source"),
        ({"statics_from": "era5", "statics": "a.nc"}, "two places"),
    ],
)
def test_what_makes_no_sense_is_refused(more, problem, tmp_path):
    entry = {**ONE, **more}
    with pytest.raises(RecipeError, match=problem):
        Recipe.parse({"name": "x", "output": str(tmp_path / "out"), "sources": [entry]})


def test_a_named_field_that_nobody_brings_is_refused(tmp_path, capsys):
    recipe = write(tmp_path, **{**ONE, "variables": ["msl", "lsm"]})
    assert main(["plan", recipe]) == 2
    assert "statics_from: era5" in capsys.readouterr().err


def test_the_state_of_today_is_a_batch_in_one_command(tmp_path):
    """On a coarse grid, but for its grid the recipe that comes with the project."""
    body = yaml.safe_load((RECIPES / "today.yaml").read_text())
    body["output"] = str(tmp_path / "out")
    body["sources"][0]["grid"] = "5"
    recipe = tmp_path / "today.yaml"
    recipe.write_text(yaml.safe_dump(body))
    assert main(["run", str(recipe), "--embedded", "--cache", str(tmp_path / "cache")]) == 0
    with Manifest.open(tmp_path / "out") as manifest:
        samples = samples_of(manifest, Window(rollout=0), source="ifs_open")
    (example,) = Loader(url=str(tmp_path / "out"), samples=samples, order=samples.order(0))
    assert example.inputs["surface/2t"].shape == (2, 37, 72)
    assert example.inputs["atmospheric/q"].shape == (2, 13, 37, 72)
    assert np.diff(example.input_times) == np.timedelta64(6, "h")
    assert len(example.targets) == 0 or not len(example.target_times)
    assert set(example.static) == {"static/z", "static/lsm", "static/slt"}
