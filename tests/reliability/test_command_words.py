"""What the commands say of own files, and of frames that could not be used."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from aurora_prep.pipelines import cli

RECIPE = """
name: own
output: ./out
sources:
  - source: era5
    access: files
    path: data/*.nc
    grid: native
    variables: [2t]
"""
DIMS = ("valid_time", "latitude", "longitude")


@pytest.fixture
def job(tmp_path, monkeypatch, capsys):
    """Run commands in a folder of one's own; exit code, output and complaints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AURORA_PREP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(list(words))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def write(path: Path, *values: float, **others: float) -> None:
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    times = np.datetime64("2020-01-01T00", "ns") + np.arange(len(values)).astype("m8[h]")
    axes = {
        "valid_time": times,
        "latitude": np.linspace(90, -90, 19),
        "longitude": np.arange(36) * 10.0,
    }
    field = np.broadcast_to(np.array(values, "f4")[:, None, None], (len(values), 19, 36))
    arrays = {"t2m": (DIMS, field, {"units": "K"})}
    arrays |= {name: (DIMS, field * 0 + value, {"units": "1"}) for name, value in others.items()}
    xr.Dataset(arrays, axes).to_netcdf(path)


def test_run_lists_what_it_ignored_as_plan_does_and_the_dataset_keeps_it(tmp_path, job):
    write(tmp_path / "data/a.nc", 280.0, foo=1.0, bar=2.0)
    _, planned, _ = job("plan", "recipe.yaml")
    code, told, _ = job("run", "recipe.yaml")
    assert code == 0
    lines = [line for line in planned.splitlines() if "the files also hold" in line]
    assert lines
    assert set(lines) <= set(told.splitlines())
    document = json.loads((tmp_path / "out/dataset.json").read_bytes())
    assert [name.split()[0] for name in document["sources"][0]["ignored"]] == ["bar", "foo"]
    _, again, _ = job("run", "recipe.yaml")
    assert set(lines) <= set(again.splitlines())


@pytest.mark.parametrize("values", [(0.0,), (0.0, np.inf), (np.nan, 1e9, 0.0)])
def test_verify_of_a_run_that_rejected_every_frame_says_that_and_nothing_else(
    tmp_path, job, values
):
    write(tmp_path / "data/a.nc", *values)
    code, told, _ = job("run", "recipe.yaml")
    assert code == 1
    assert told.count("rejected: era5") == len(values)
    assert "shards:" not in told
    for words in (["--deep"], [], ["--recipe", "recipe.yaml"]):
        code, told, _ = job("verify", "out", *words)
        assert code == 0
        assert "run the recipe again" not in told
        assert f"{len(values)} frame{'s' * (len(values) != 1)} rejected" in told


def test_one_bad_frame_costs_one_frame_and_a_strict_run_stops_there(tmp_path, job):
    write(tmp_path / "data/a.nc", 280.0, 0.0, 281.0)
    code, told, complained = job("run", "recipe.yaml", "--strict", "--out", "strict")
    assert code == 2
    assert "the run is strict" in complained
    assert "2020-01-01T01" in complained
    assert not (tmp_path / "strict/dataset.json").exists()
    code, told, _ = job("run", "recipe.yaml")
    assert code == 1
    assert told.count("rejected: era5") == 1
    write(tmp_path / "data/a.nc", 280.0, 282.0, 281.0)
    assert job("run", "recipe.yaml", "--strict", "--out", "strict")[0] == 0
    assert job("run", "recipe.yaml")[0] == 0


def test_two_fields_for_one_place_cost_their_frame_and_stop_a_strict_run(tmp_path, job):
    write(tmp_path / "data/a.nc", 280.0, 281.0)
    write(tmp_path / "data/b.nc", 290.0)
    code, told, _ = job("run", "recipe.yaml")
    assert code == 1
    assert told.count("rejected: era5") == 1
    code, _, complained = job("run", "recipe.yaml", "--strict", "--out", "strict")
    assert (code, "the run is strict" in complained) == (2, True)
