"""Real ERA5 files through the whole pipeline, against decodes that share no code with it."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import eccodes
import netCDF4
import numpy as np
import pytest
import xarray as xr

from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import Outcome, run
from aurora_prep.sources.spec import RecipeError

Times = dict[tuple[str, int | None, dt.datetime], np.ndarray]


def prepare(folder: Path, **source: Any) -> Outcome:
    """Run a recipe of the user's own files."""
    entry = {"source": "era5", "access": "files", "grid": "native", **source}
    recipe = {"name": "real", "output": str(folder / "out"), "sources": [entry]}
    return run(Recipe.parse(recipe), cache=str(folder / "cache"), show=False)


def store(folder: Path, kind: str = "era5") -> xr.Dataset:
    (path,) = (folder / "out" / kind).glob("*.zarr")
    return xr.open_zarr(path)


def by_eccodes(path: Path) -> tuple[Times, np.ndarray, np.ndarray]:
    """Every message as ecCodes gives it: values, latitudes and longitudes by its own geometry."""
    fields: Times = {}
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            shape = eccodes.codes_get(handle, "Nj"), eccodes.codes_get(handle, "Ni")
            day, hour = (eccodes.codes_get(handle, key) for key in ("validityDate", "validityTime"))
            moment = dt.datetime.strptime(f"{day}{hour:04d}", "%Y%m%d%H%M")
            on_levels = eccodes.codes_get(handle, "typeOfLevel") == "isobaricInhPa"
            level = eccodes.codes_get(handle, "level") if on_levels else None
            name = eccodes.codes_get(handle, "shortName")
            fields[name, level, moment] = eccodes.codes_get_values(handle).reshape(shape)
            latitude = eccodes.codes_get_array(handle, "latitudes").reshape(shape)[:, 0]
            longitude = eccodes.codes_get_array(handle, "longitudes").reshape(shape)[0]
            eccodes.codes_release(handle)
    return fields, latitude, longitude


def by_netcdf4(path: Path, names: Mapping[str, str]) -> tuple[Times, np.ndarray, np.ndarray]:
    """Every field as netCDF4 gives it, at the times and levels the file writes."""
    fields: Times = {}
    with netCDF4.Dataset(path) as data:
        time = next(data[n] for n in ("valid_time", "time") if n in data.variables)
        moments = netCDF4.num2date(time[:], time.units, only_use_cftime_datetimes=False)
        levels = next(
            (data[n][:].tolist() for n in ("pressure_level", "level") if n in data.variables), []
        )
        for name, short_name in names.items():
            for i, moment in enumerate(np.atleast_1d(moments)):
                values = np.ma.filled(data[name][i].astype(np.float64), np.nan)
                at = dt.datetime(*moment.timetuple()[:6])
                if values.ndim == 2:
                    fields[short_name, None, at] = values
                else:
                    for j, level in enumerate(levels):
                        fields[short_name, int(level), at] = values[j]
        return fields, data["latitude"][:].data, data["longitude"][:].data


def same_bits(dataset: xr.Dataset, fields: Times, lat: np.ndarray, lon: np.ndarray) -> int:
    """Compare by coordinates; the only change allowed is the documented order of the axes."""
    assert all(np.diff(dataset["latitude"]) < 0)
    assert all(np.diff(dataset["longitude"]) > 0)
    rows = [int(np.abs(lat - x).argmin()) for x in dataset["latitude"].values]
    columns = [int(np.abs((lon - x) % 360).argmin()) for x in dataset["longitude"].values]
    compared = 0
    for (name, level, moment), values in fields.items():
        if name not in dataset or (level is not None) != ("level" in dataset[name].dims):
            continue
        field = dataset[name]
        if "time" in field.dims:
            field = field.sel(time=moment)
        if level is not None:
            field = field.sel(level=level)
        expected = values.astype(np.float32)[np.ix_(rows, columns)]
        np.testing.assert_array_equal(field.values.view(np.uint32), expected.view(np.uint32))
        compared += 1
    return compared


def test_west_usa_week_of_grib1(tmp_path: Path, real_data: Path) -> None:
    path = real_data / "era5_sfc/era5_sfc_west_usa_20250101-07.grib1"
    outcome = prepare(tmp_path, path=str(path))
    assert (outcome.frames, outcome.absent) == (28, 0)
    fields, lat, lon = by_eccodes(path)
    frames, static = store(tmp_path), store(tmp_path, "static")
    assert float(frames["longitude"][0]) == 235.0  # -125 in the file
    assert sorted(frames) == ["10u", "10v", "2t", "msl"]
    assert same_bits(frames, fields, lat, lon) == 28 * 4
    assert same_bits(static, fields, lat, lon) == 28 * 3  # repeated at every time in the file


def test_norway_pair_of_todays_netcdf(tmp_path: Path, real_data: Path) -> None:
    surface = real_data / "era5_sfc/era5_sfc_norway_202506_newcds.nc"
    levels = real_data / "era5_pl/era5_pl_norway_202506_newcds.nc"
    outcome = prepare(tmp_path, path=[str(surface), str(levels)])
    assert (outcome.frames, outcome.absent) == (28, 0)
    frames, static = store(tmp_path), store(tmp_path, "static")
    assert frames["level"].values.tolist() == [700, 850, 925, 1000]
    names = {"t2m": "2t", "u10": "10u", "v10": "10v", "msl": "msl"}
    assert same_bits(frames, *by_netcdf4(surface, names)) == 28 * 4
    assert same_bits(frames, *by_netcdf4(levels, {n: n for n in "zqtuv"})) == 28 * 5 * 4
    assert same_bits(static, *by_netcdf4(surface, {n: n for n in ("z", "lsm", "slt")})) == 28 * 3


@pytest.mark.parametrize("ending", ["grib1", "nc"])
def test_twins_of_one_degree(ending: str, tmp_path: Path, real_data: Path) -> None:
    path = real_data / f"era5_pl/era5_tz_1deg_test4.{ending}"
    outcome = prepare(tmp_path, path=str(path))
    assert (outcome.frames, outcome.absent) == (1, 0)
    decoded = by_eccodes(path) if ending == "grib1" else by_netcdf4(path, {"t": "t", "z": "z"})
    assert same_bits(store(tmp_path), *decoded) == 4


def test_a_global_file_regridded_conserves_its_area_means(tmp_path: Path, real_data: Path) -> None:
    path = real_data / "era5_pl/era5_tz_1deg_test4.grib1"
    prepare(tmp_path, path=str(path), grid="0.25", method="conservative")
    fields, _, _ = by_eccodes(path)
    frames = store(tmp_path)
    assert frames["t"].shape == (1, 2, 721, 1440)
    for (name, level, moment), values in fields.items():
        found = frames[name].sel(level=level, time=moment).values.astype(np.float64)
        # Of what was decoded: float32, whose rounding of packed values is not random.
        decoded = area_mean(values.astype(np.float32).astype(np.float64))
        assert area_mean(found) == pytest.approx(decoded, rel=1e-9)
        assert area_mean(found) == pytest.approx(area_mean(values), rel=2.0**-24)


def area_mean(field: np.ndarray) -> float:
    """Mean over the sphere: exact areas of cells centred on the points, caps at the poles."""
    rows = field.shape[0]
    edges = np.concatenate([[90.0], 90.0 - (np.arange(rows - 1) + 0.5) * 180 / (rows - 1), [-90.0]])
    band = -np.diff(np.sin(np.deg2rad(edges)))
    return float((field.mean(axis=1) * band).sum() / band.sum())


def test_open_data_that_starts_at_180(tmp_path: Path, real_data: Path) -> None:
    path = real_data / "ifs/ifs_oper_2t_025_20260404.grib2"
    with pytest.raises(RecipeError, match="class od and not ea"):
        prepare(tmp_path, path=str(path))
    prepare(tmp_path, path=str(path), accept_product=True)
    frames = store(tmp_path)
    assert "unknown; the headers say: class od, stream oper" in frames.attrs["licence"]
    assert frames["longitude"].values[[0, -1]].tolist() == [0.0, 359.75]
    assert same_bits(frames, *by_eccodes(path)) == 1


def test_a_period_longer_than_the_files_is_missing_by_name(tmp_path: Path, real_data: Path) -> None:
    path = real_data / "era5_sfc/era5_sfc_west_usa_20250101-07.grib1"
    period = {"start": "2025-01-07T12", "end": "2025-01-08T06", "step": "6h"}
    outcome = prepare(tmp_path, path=str(path), period=period)
    assert (outcome.frames, outcome.absent) == (4, 2)
    assert np.isnan(store(tmp_path)["2t"].isel(time=[2, 3])).all()
    assert not np.isnan(store(tmp_path)["2t"].isel(time=[0, 1])).any()


def test_implausible_values_are_rejected_with_the_reason(tmp_path: Path, real_data: Path) -> None:
    outcome = prepare(
        tmp_path, path=str(real_data / "ifs/t_analysis_and_fc_0.grib1"), accept_product=True
    )
    assert (outcome.frames, outcome.absent) == (1, 1)
