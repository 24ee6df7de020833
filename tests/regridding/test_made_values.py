"""What regridding makes is checked as what was read; refusals are collected in one pass."""

from collections import Counter

import numpy as np
import pytest
import xarray as xr
import yaml

from aurora_prep.manifest.query import Manifest
from aurora_prep.pipelines.cli import main
from aurora_prep.pipelines.shard import field_work

GLOBE = np.arange(90.0, -91.0, -10.0), np.arange(0.0, 360.0, 10.0)
REGION = np.arange(70.0, 29.0, -10.0), np.arange(-20.0, 41.0, 10.0)


def write(folder, axes, frames, name="t2m", hours=None):
    """A NetCDF file with one frame a value or field of ``frames``."""
    latitude, longitude = axes
    shape = len(latitude), len(longitude)
    data = np.stack([np.broadcast_to(np.asarray(f, "f4"), shape) for f in frames])
    hours = range(len(frames)) if hours is None else hours
    times = np.datetime64("2020-01-01", "ns") + np.array([h * 3600 for h in hours], "m8[s]")
    coords = {"valid_time": times.astype("M8[ns]"), "latitude": latitude, "longitude": longitude}
    units = {"t2m": "K", "u10": "m s**-1", "siconc": "(0 - 1)"}[name]
    folder.joinpath("data").mkdir(exist_ok=True)
    dims = ("valid_time", "latitude", "longitude")
    file = xr.Dataset({name: (dims, data, {"units": units})}, coords)
    file.to_netcdf(folder / "data" / f"{name}.nc")


def run(folder, grid, variables, **entry):
    """Exit code, reasons of the frames that are not written, and the store."""
    body = {"source": "era5", "access": "files", "path": ["data/*"], "grid": grid}
    recipe = folder / "recipe.yaml"
    sources = [{**body, "variables": variables, **entry}]
    recipe.write_text(
        yaml.safe_dump({"name": "case", "output": str(folder / "out"), "sources": sources})
    )
    code = main(["run", str(recipe), "--cache", str(folder / "cache")])
    store = folder / "out/era5" / ("10.zarr" if grid == "native" else f"{grid}.zarr")
    with Manifest.open(str(folder / "out")) as manifest:
        missing = {row["init_time"].hour: row["reason"] for row in manifest.missing().to_pylist()}
    return code, missing, xr.open_zarr(store).load() if store.exists() else None


def test_a_region_on_the_globe_is_rejected_with_what_is_missing_where(tmp_path):
    write(tmp_path, REGION, [280.0])
    code, missing, _ = run(tmp_path, "10", ["2t"])
    assert code == 1
    assert "649 of 684 points missing" in missing[0]
    assert "latitudes 90 to -90" in missing[0]


def test_a_hole_at_the_poles_is_rejected_with_its_place(tmp_path):
    inner = np.arange(70.0, -91.0, -10.0), GLOBE[1]
    write(tmp_path, inner, [280.0])
    code, missing, _ = run(tmp_path, "10", ["2t"], method="bilinear")
    assert code == 1
    assert "latitudes 90 to 80" in missing[0]
    assert "longitudes 0 to 350" in missing[0]


def test_missing_values_stay_where_the_variable_may_have_them(tmp_path):
    write(tmp_path, REGION, [0.5], name="siconc")
    code, missing, data = run(tmp_path, "10", ["ci"])
    assert (code, missing) == (0, {})
    assert np.isnan(data["ci"]).any()
    assert np.isfinite(data["ci"]).any()


@pytest.mark.parametrize("grid", ["10", "20", "native"])
def test_an_infinite_value_rejects_its_frame_alone(tmp_path, grid):
    bad = np.full((19, 36), 280.0)
    bad[3, 4] = np.inf
    write(tmp_path, GLOBE, [280.0, bad, 281.0])
    code, missing, data = run(tmp_path, grid, ["2t"])
    assert code == 1
    assert list(missing) == [1]
    assert "infinite" in missing[1]
    assert float(data["2t"].values[2].max()) == 281.0


def test_two_bad_frames_of_a_shard_cost_nothing_twice(tmp_path, monkeypatch):
    """Each field is decoded once, and what was written with a bad frame in it is mended."""
    seen = Counter()
    decode = field_work.decode

    def counted(ref):
        seen[str(ref)] += 1
        return decode(ref)

    monkeypatch.setattr(field_work, "decode", counted)
    write(tmp_path, GLOBE, [280.0, 281.0, 282.0, 283.0])
    implausible = [5.0, 5.0, 9_000.0, 9_000.0]
    write(tmp_path, GLOBE, implausible, name="u10")
    storage = {"frames_per_shard": 4}
    body = {"source": "era5", "access": "files", "path": ["data/*"], "grid": "10"}
    top = {"name": "case", "output": str(tmp_path / "out"), "storage": storage}
    top["sources"] = [{**body, "variables": ["2t", "10u"]}]
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(top))
    code = main(["run", str(recipe), "--cache", str(tmp_path / "cache")])
    assert code == 1
    with Manifest.open(str(tmp_path / "out")) as manifest:
        reasons = [row["reason"] for row in manifest.missing().to_pylist()]
    assert len(reasons) == 2
    assert all("plausible" in reason for reason in reasons)
    assert seen
    assert max(seen.values()) == 1
    data = xr.open_zarr(tmp_path / "out/era5/10.zarr").load()
    assert data["2t"].values[:, 0, 0].tolist()[:2] == [280.0, 281.0]
    assert np.isnan(data["2t"].values[2:]).all()
    assert main(["verify", str(tmp_path / "out"), "--deep"]) == 0
