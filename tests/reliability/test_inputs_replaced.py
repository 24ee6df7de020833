"""A resumed run compares its own input files with those that the dataset was made of."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from aurora_prep import Manifest, Recipe, run
from aurora_prep.manifest.verify.verification import verify
from aurora_prep.providers import fingerprint as module
from aurora_prep.providers.fingerprint import fingerprint

DIMS = ("valid_time", "latitude", "longitude")


def write(path: Path, value: float, *hours: int, name: str = "t2m") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    times = np.datetime64("2020-01-01T00", "ns") + np.array(hours, "m8[h]")
    axes = {
        "valid_time": times,
        "latitude": np.linspace(90, -90, 19),
        "longitude": np.arange(36) * 10.0,
    }
    field = np.full((len(hours), 19, 36), value, "f4")
    units = {"t2m": "K", "lsm": "1"}[name]
    xr.Dataset({name: (DIMS, field, {"units": units})}, axes).to_netcdf(path)


@pytest.fixture
def job(tmp_path):
    """Runs a recipe of own files; the mean of 2 m temperature of every hour."""

    def work(**entry) -> list[float]:
        source = {"source": "era5", "access": "files", "path": "data/*.nc", "grid": "native",
                  "variables": ["2t"], **entry}  # fmt: skip
        whole = {"name": "own", "sources": [source], "storage": {"frames_per_shard": 1}}
        recipe = Recipe.parse(whole, base=tmp_path, output=tmp_path / "out")
        run(recipe, cache=tmp_path / "cache", show=False)
        with Manifest.open(tmp_path / "out") as manifest:
            rows = manifest.sql("SELECT mean FROM details ORDER BY init_time").to_pylist()
        assert verify(tmp_path / "out", deep=True).ok
        return [row["mean"] for row in rows]

    return work


def parts(root: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (root / "out/manifest/parts").rglob("*.parquet")}


def test_what_was_made_of_a_replaced_file_is_made_again_and_nothing_else(tmp_path, job, caplog):
    write(tmp_path / "data/a.nc", 280.0, 0, 1)
    write(tmp_path / "data/b.nc", 285.0, 2)
    assert job() == [280.0, 280.0, 285.0]
    before = parts(tmp_path)
    assert job() == [280.0, 280.0, 285.0]
    assert parts(tmp_path) == before
    write(tmp_path / "data/a.nc", 290.0, 0, 1)
    assert job() == [290.0, 290.0, 285.0]
    assert "1 input files changed" in caplog.text
    kept = {name for name, time in parts(tmp_path).items() if before[name] == time}
    assert len(kept) == 1
    caplog.clear()
    assert job() == [290.0, 290.0, 285.0]
    assert "changed" not in caplog.text


def test_size_and_times_of_the_file_may_be_the_same(tmp_path, job):
    place = tmp_path / "data/a.nc"
    write(place, 280.0, 0)
    job()
    state = place.stat()
    write(place, 281.0, 0)
    os.utime(place, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert place.stat().st_size == state.st_size
    assert job() == [281.0]


def test_a_file_that_was_only_touched_or_copied_costs_nothing(tmp_path, job):
    place = tmp_path / "data/a.nc"
    write(place, 280.0, 0)
    job()
    before = parts(tmp_path)
    shutil.copyfile(place, tmp_path / "copy")
    (tmp_path / "copy").replace(place)
    assert job() == [280.0]
    assert parts(tmp_path) == before


def test_a_replaced_file_of_statics_is_noticed(tmp_path, job):
    write(tmp_path / "data/a.nc", 280.0, 0)
    write(tmp_path / "static/lsm.nc", 0.25, 0, name="lsm")
    words = {"statics": "static/*.nc", "variables": ["2t", "lsm"]}
    assert sorted(job(**words)) == [0.25, 280.0]
    write(tmp_path / "static/lsm.nc", 0.75, 0, name="lsm")
    assert sorted(job(**words)) == [0.75, 280.0]


def test_a_replaced_file_that_no_longer_has_a_time_makes_it_missing(tmp_path, job):
    period = {"start": "2020-01-01T00", "end": "2020-01-01T01", "step": "1h"}
    write(tmp_path / "data/a.nc", 280.0, 0, 1)
    assert job(period=period) == [280.0, 280.0]
    write(tmp_path / "data/a.nc", 290.0, 0)
    assert job(period=period) == [290.0]
    with Manifest.open(tmp_path / "out") as manifest:
        assert manifest.missing().num_rows == 1


def test_fingerprints_of_large_files_tell_contents_apart(tmp_path, monkeypatch):
    for name, value in (("WHOLE", 4096), ("EDGE", 256), ("EVERY", 512), ("PIECE", 64)):
        monkeypatch.setattr(module, name, value)
    data = bytearray(os.urandom(10_000))
    path = tmp_path / "x"
    path.write_bytes(data)
    first = fingerprint(path)
    for place in (0, 512, 1024 + 63, len(data) - 1):
        other = bytearray(data)
        other[place] ^= 1
        path.write_bytes(other)
        assert fingerprint(path) != first
    path.write_bytes(data)
    assert fingerprint(path) == first
    path.write_bytes(data[:-1])
    assert fingerprint(path) != first
