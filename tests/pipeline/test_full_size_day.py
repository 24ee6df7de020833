"""One day of full-size ERA5, from the provider through cdsapi to shards, against the truth."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from _pytest.capture import CaptureFixture

from aurora_prep.manifest.query import Manifest
from aurora_prep.manifest.verify.verification import verify
from aurora_prep.pipelines.cli import main
from aurora_prep.pipelines.run.run import Outcome
from aurora_prep.providers.embedded import truth
from aurora_prep.sources import load
from aurora_prep.sources.spec import Kind

ERA5 = load("era5")
USUAL = [native.variable for native in ERA5.natives if not native.optional]
Day = tuple[Outcome, Path]


def packing_bound(exact: np.ndarray) -> float:
    """Largest error of 16-bit GRIB packing: half a step of a power of two, and float32's own."""
    span = float(exact.max() - exact.min())
    step = 2.0 ** np.ceil(np.log2(span / (2**16 - 1))) if span else 0.0
    return 0.5 * step + 2.0**-23 * float(np.abs(exact).max())


@pytest.fixture(scope="module")
def frames(day: Day) -> xr.Dataset:
    return xr.open_zarr(f"{day[0].root}/era5/0.25.zarr")


@pytest.fixture(scope="module")
def static(day: Day) -> xr.Dataset:
    return xr.open_zarr(f"{day[0].root}/static/0.25.zarr")


def test_every_frame_is_written(day: Day) -> None:
    outcome, _ = day
    assert (outcome.frames, outcome.done, outcome.absent) == (4, 0, 0)


def test_axes_are_aurora_s(frames: xr.Dataset) -> None:
    assert dict(frames.sizes) == {"time": 4, "level": 13, "latitude": 721, "longitude": 1440}
    np.testing.assert_array_equal(frames["latitude"], np.linspace(90, -90, 721))
    np.testing.assert_array_equal(frames["longitude"], np.arange(1440) * 0.25)
    np.testing.assert_array_equal(frames["level"], ERA5.levels.hpa)
    assert all(np.diff(frames["time"]) == np.timedelta64(6, "h"))


@pytest.mark.parametrize(
    "variable", [v for v in USUAL if v.kind is not Kind.STATIC], ids=lambda v: v.path
)
def test_values_are_the_truth_within_packing(variable, frames: xr.Dataset) -> None:
    field = frames[variable.short_name]
    assert field.dtype == np.float32
    for time in frames["time"].to_numpy():
        moment = time.astype("datetime64[s]").item()
        for level in ERA5.levels if variable.has_levels else (None,):
            exact = truth(
                variable, level, moment, frames["latitude"].values, frames["longitude"].values
            )
            at = field.sel(time=time) if level is None else field.sel(time=time, level=level)
            assert np.abs(at.values - exact).max() <= packing_bound(exact)


@pytest.mark.parametrize(
    "variable", [v for v in USUAL if v.kind is Kind.STATIC], ids=lambda v: v.path
)
def test_static_values_are_the_truth_within_packing(variable, static: xr.Dataset) -> None:
    latitude, longitude = static["latitude"].values, static["longitude"].values
    exact = truth(variable, None, np.datetime64("2020-01-01", "s").item(), latitude, longitude)
    assert np.abs(static[variable.short_name].values - exact).max() <= packing_bound(exact)


def test_metadata_follow_cf(frames: xr.Dataset, static: xr.Dataset) -> None:
    assert frames.attrs["Conventions"].startswith("CF-")
    assert frames.attrs["synthetic"] == 1
    for variable in USUAL:
        holder = static if variable.kind is Kind.STATIC else frames
        attrs = holder[variable.short_name].attrs
        assert attrs["units"] == variable.units
        assert attrs["standard_name"] == variable.standard_name
        assert attrs["short_name"] == variable.short_name
    assert frames["level"].attrs["units"] == "hPa"
    assert frames["latitude"].attrs["standard_name"] == "latitude"
    assert frames["time"].encoding["dtype"] == np.int64


def test_statistics_equal_numpy_on_the_whole_array(day: Day, frames: xr.Dataset) -> None:
    document = json.loads(Path(day[0].root, "statistics/era5-0.25.json").read_text("utf-8"))
    found = {(e["path"], e["level"]): e for e in document["values"]}
    weights = np.cos(np.deg2rad(np.linspace(90, -90, 721)))[:, None]
    for variable in USUAL:
        if variable.kind is Kind.STATIC:
            continue
        for level in ERA5.levels if variable.has_levels else (None,):
            field = frames[variable.short_name]
            whole = (field if level is None else field.sel(level=level)).values.astype(np.float64)
            entry = found[variable.path, level]
            scale = np.abs(whole).max()
            assert entry["mean"] == pytest.approx(whole.mean(), rel=1e-12, abs=1e-12 * scale)
            assert entry["standard_deviation"] == pytest.approx(whole.std(), rel=1e-10)
            assert (entry["minimum"], entry["maximum"]) == (whole.min(), whole.max())
            assert (entry["count"], entry["missing"]) == (whole.size, 0)
            rough = float((whole * weights).sum() / (weights.sum() * 4 * 1440))
            assert entry["area_mean"] == pytest.approx(rough, abs=1e-5 * scale)


def test_manifest_answers(day: Day, capsys: CaptureFixture[str]) -> None:
    outcome, _ = day
    with Manifest.open(outcome.root) as manifest:
        (row,) = manifest.summary().to_pylist()
        frame = manifest.query(valid_from=np.datetime64("2020-01-01T06").item()).to_pylist()[0]
    assert (row["frames"], row["written"], row["missing"]) == (4, 4, 0)
    assert row["tokens"] == 4 * 259_200
    assert frame["synthetic"]
    assert frame["split"] == "train"
    assert frame["product_version"] == "0001"
    assert main(["manifest", outcome.root, "summary", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["sources"][0]["frames"] == answer["totals"]["frames"] == 4


def test_verify_passes_deeply(day: Day) -> None:
    found = verify(day[0].root, deep=True)
    assert not found.problems
    assert found.objects_checked == 4 * 9 + 3


def test_shards_are_zarr_3_of_one_frame_each(day: Day) -> None:
    root = Path(day[0].root, "era5/0.25.zarr")
    metadata = json.loads((root / "t/zarr.json").read_text("utf-8"))
    assert metadata["zarr_format"] == 3
    assert metadata["chunk_grid"]["configuration"]["chunk_shape"] == [1, 13, 721, 1440]
    inner = metadata["codecs"][0]["configuration"]
    assert inner["chunk_shape"] == [1, 1, 721, 1440]
    assert sorted(p.name for p in (root / "t/c").iterdir()) == ["0", "1", "2", "3"]
