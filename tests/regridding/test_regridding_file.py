"""One file to one file."""

import numpy as np
import pytest
import xarray as xr

from aurora_prep.pipelines.shard.regrid_file import regrid_file
from aurora_prep.regridding import rectilinear, regridder, vectors
from aurora_prep.sources.spec import DecodeError, Grid, RegridError, SpecError


def opened(path):
    return (
        xr.open_zarr(path, consolidated=False) if path.suffix == ".zarr" else xr.open_dataset(path)
    )


@pytest.mark.parametrize("ending", ["nc", "zarr"])
def test_grib_fields_come_out_with_their_times_and_levels(real_data, tools, tmp_path, ending):
    source = real_data / "era5_pl/era5_tz_1deg_test4.grib1"
    output = tmp_path / f"out.{ending}"
    for _ in range(2):  # the second run replaces the first
        regrid_file(str(source), str(output), "2", "conservative")
    with opened(output) as data:
        assert set(data.data_vars) == {"t", "z"}
        assert data["t"].dims[-4:] == ("lead_time", "level", "latitude", "longitude")
        assert list(data["level"].values) == [500, 850]
        assert data["t"].attrs["units"] == "K"
        assert data["latitude"].attrs["standard_name"] == "latitude"
        keys, values = next((k, v) for k, v in tools.read_messages(source) if k["shortName"] == "t")
        assert keys["shortName"] == "t"
        move = regridder(Grid.regular("1"), Grid.regular("2"), "conservative")
        expected = move(values.astype("f4").reshape(181, 360))
        found = data["t"].values.squeeze()
        assert min(np.abs(found - expected).max(axis=(1, 2))) == 0
    assert [path.name for path in tmp_path.iterdir()] == [output.name]


def test_grib_and_netcdf_twins_come_out_alike(real_data, tmp_path):
    results = []
    for ending in ("grib1", "nc"):
        output = tmp_path / f"{ending}.nc"
        regrid_file(str(real_data / f"era5_pl/era5_tz_1deg_test4.{ending}"), str(output), "2.5")
        with xr.open_dataset(output) as data:
            results.append(data["t"].squeeze(drop=True).sortby("level").values)
    np.testing.assert_allclose(results[0], results[1], atol=1e-3)


def test_winds_of_a_projected_file_are_turned(real_data, tools, tmp_path):
    source = real_data / "projected/nam_awp211_lambert.grib2"
    output = tmp_path / "out.nc"
    regrid_file(str(source), str(output), "1", "bilinear")
    grid, _ = tools.read_grib(source, short_name="t")
    with xr.open_dataset(output) as data:
        east, north = data["10u"].values.squeeze(), data["10v"].values.squeeze()
        assert data["u_pressure_0"].shape == data["v_pressure_0"].shape
    held = np.isfinite(east)
    move = regridder(grid, Grid.regular("1"), "bilinear")
    assert held.sum() == np.isfinite(move(np.zeros(grid.shape))).sum()
    assert np.array_equal(held, np.isfinite(north))


def test_netcdf_waves_keep_directions_round_the_circle(real_data, tmp_path):
    source = real_data / "wave/ERA5_wave_DutchCoast.nc"
    output = tmp_path / "waves.zarr"
    regrid_file(str(source), str(output), "1", "conservative")
    with opened(output) as data, xr.open_dataset(source) as before:
        assert set(data.data_vars) == set(before.data_vars)
        result = data["mwd"].values
        assert result.shape[-2:] == (181, 360)
        assert np.isfinite(result).any()
        assert np.nanmin(result) >= 0
        assert np.nanmax(result) < 360
        assert data["swh"].attrs["units"] == "m"


def test_transposed_netcdf_is_understood(real_data, tmp_path):
    source = real_data / "era5_pl/era5_pl_cocip1_transposed.nc"
    output = tmp_path / "out.nc"
    regrid_file(str(source), str(output), "1", "bilinear")
    with xr.open_dataset(output) as data, xr.open_dataset(source) as before:
        field = data["air_temperature"]
        assert field.dims[-2:] == ("latitude", "longitude")
        assert np.nanmax(field.values) <= before["air_temperature"].max()
        assert np.isfinite(field.values).any()


def test_winds_of_netcdf_are_moved_as_vectors(tmp_path):
    latitude, longitude = np.arange(88.0, -89, -4), np.arange(0, 360, 4.0)
    lam = np.radians(longitude)
    u = np.broadcast_to(np.sin(lam), (len(latitude), len(lam)))
    v = np.broadcast_to(np.cos(lam), u.shape)
    axes = {
        "lat": ("lat", latitude, {"units": "degrees_north"}),
        "lon": ("lon", longitude, {"units": "degrees_east"}),
    }
    wind = xr.Dataset({"u10": (("lat", "lon"), u), "v10": (("lat", "lon"), v)}, coords=axes)
    wind.to_netcdf(tmp_path / "in.nc")
    regrid_file(str(tmp_path / "in.nc"), str(tmp_path / "out.nc"), "2", "bilinear")
    move = regridder(rectilinear(latitude, longitude), Grid.regular("2"), "bilinear")
    expected = vectors(move, u.copy(), v.copy())
    with xr.open_dataset(tmp_path / "out.nc") as data:
        np.testing.assert_allclose(data["u10"], expected[0], atol=1e-6)
        np.testing.assert_allclose(data["v10"], expected[1], atol=1e-6)


def test_categories_go_by_majority_whatever_the_method(real_data, tmp_path):
    source = real_data / "static/era5_static_norway.nc"
    output = tmp_path / "out.nc"
    regrid_file(str(source), str(output), "0.5", "conservative")
    with xr.open_dataset(output) as data:
        codes = data["slt"].values
        assert set(np.unique(codes[np.isfinite(codes)])) <= set(range(8))
        land = data["lsm"].values
        assert ((land > 0) & (land < 1)).any()


def test_files_that_are_no_fields_are_refused(real_data, tmp_path):
    output = str(tmp_path / "out.nc")
    with pytest.raises(RegridError, match="no such file"):
        regrid_file(str(tmp_path / "absent.nc"), output, "1")
    with pytest.raises((DecodeError, RegridError)):
        regrid_file(str(real_data / "malformed/not_a_grib_30bytes.grib1"), output, "1")
    with pytest.raises(RegridError, match="nothing in the file"):
        regrid_file(str(real_data / "malformed/empty_dataset.nc"), output, "1")
    good = str(real_data / "scan/regular_ll_sfc.grib1")
    with pytest.raises(SpecError):
        regrid_file(good, output, "0.7")
    with pytest.raises(RegridError, match="no such method"):
        regrid_file(good, output, "1", "cubic")
    assert list(tmp_path.iterdir()) == []
