"""Names of folders and files are data: signs of patterns in them mean themselves."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from aurora_prep import Manifest, Recipe, regrid, run
from aurora_prep.manifest import diff, durable
from aurora_prep.manifest.lazy_frames import open_frames
from aurora_prep.manifest.verify.verification import verify
from aurora_prep.providers.files import expand
from aurora_prep.sources.spec import FetchError, RecipeError

FOLDERS = ["era5[1]", "b*", "c?", "[!x]", "{a,b}", "d::e", "sp ace#1%20", "~", "$HOME", "**"]
RECIPE = {
    "name": "names",
    "output": "out",
    "sources": [
        {"source": "era5", "access": "files", "path": "data/*.nc", "grid": "native",
         "variables": ["2t"]}
    ],
}  # fmt: skip


def write(path: Path, value: float, hour: int = 0) -> Path:
    """A file of one field of 2 m temperature on a grid of 10 degrees."""
    path.parent.mkdir(parents=True, exist_ok=True)
    axes = {
        "valid_time": [np.datetime64("2020-01-01T00", "ns") + np.timedelta64(hour, "h")],
        "latitude": np.linspace(90, -90, 19),
        "longitude": np.arange(36) * 10.0,
    }
    field = np.full((1, 19, 36), value, "f4")
    dims = ("valid_time", "latitude", "longitude")
    xr.Dataset({"t2m": (dims, field, {"units": "K"})}, axes).to_netcdf(path)
    return path


@pytest.mark.parametrize("name", FOLDERS)
def test_a_pattern_starts_from_a_folder_of_any_name(tmp_path, name):
    base = tmp_path / name
    own = write(base / "data" / "a.nc", 270.0)
    write(tmp_path / "era51" / "data" / "a.nc", 300.0)
    write(tmp_path / "bb" / "data" / "a.nc", 300.0)
    assert expand(["data/*.nc"], base) == [own]
    assert expand(["data"], base) == [own]
    assert expand(["**/*.nc"], base) == [own]
    assert expand([f"{base}/data/*.nc"], tmp_path) == [own]
    if name != "~":
        assert expand([f"{name}/data/*.nc"], tmp_path) == [own]
    assert expand([f"file://{base}/data/a.nc"], tmp_path) == [own]


def test_a_pattern_of_the_users_is_still_one(tmp_path):
    one, two = (write(tmp_path / f"d{i}" / "x.nc", 270.0) for i in (1, 2))
    assert expand(["d[12]/*.nc"], tmp_path) == [one, two]
    assert expand(["d?/x.nc"], tmp_path) == [one, two]
    assert expand(["**/x.nc"], tmp_path) == [one, two]
    assert expand(["d1/../d2/*"], tmp_path) == [two]
    literal = write(tmp_path / "d[12]" / "x.nc", 270.0)
    assert expand(["d[12]/*.nc"], tmp_path) == [literal]
    with pytest.raises(FetchError):
        expand(["d[34]/*.nc"], tmp_path)


def test_without_a_home_a_path_from_it_is_refused_by_name(tmp_path):
    with pytest.raises(FetchError, match="home folder is not known"):
        expand(["~no-such-user-here/x.nc"], tmp_path)


@pytest.mark.parametrize("name", ["era5[1]", "a*b?"])
def test_a_dataset_may_lie_in_a_folder_of_any_name(tmp_path, name):
    """Path objects go where text goes; a neighbour that the name would match is not read."""
    folders = [tmp_path / name, tmp_path / "era51"]
    for folder, value in zip(folders, (270.0, 300.0), strict=True):
        write(folder / "data" / "a.nc", value)
        recipe = Recipe.parse(RECIPE, base=folder, output=folder / "out")
        outcome = run(recipe, cache=folder / "cache", show=False)
        assert outcome.absent == 0
    out, other = (folder / "out" for folder in folders)
    with Manifest.open(out) as manifest:
        assert manifest.sql("SELECT count(*) AS n FROM frames").to_pylist() == [{"n": 1}]
        (row,) = manifest.query(valid_from="20200101", valid_until="2020-01-01").to_pylist()
        assert row["recipe_digest"]
        (detail,) = manifest.sql("SELECT mean FROM details").to_pylist()
        assert detail["mean"] == 270.0
        assert float(open_frames(manifest, "era5")["2t"].mean()) == 270.0
    assert verify(out, deep=True).ok
    assert {row["change"] for row in diff.diff(out, other).to_pylist()} == {"values"}
    moved = tmp_path / name / "moved.nc"
    regrid(folders[0] / "data" / "a.nc", moved, "30")
    assert float(xr.open_dataset(moved)["t2m"].mean()) == 270.0


class Somewhere(os.PathLike):
    """A path that is neither text nor pathlib's."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def test_any_path_object_will_do(tmp_path):
    (tmp_path / "x").write_bytes(b"y")
    place = Somewhere(tmp_path / "x")
    assert durable.exists(place)
    assert durable.join(Somewhere(tmp_path), "x") == str(tmp_path / "x")
    assert durable.local_path(place) == tmp_path / "x"
    assert durable.listing(Somewhere(tmp_path)) == ["x"]
    recipe = Recipe.parse(RECIPE, base=Somewhere(tmp_path), output=place)
    assert recipe.output == str(tmp_path / "x")


def test_an_output_that_would_chain_file_systems_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="::"):
        Recipe.parse(RECIPE, output=tmp_path / "c::d")
