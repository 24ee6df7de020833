"""Against CDO on real files; docs/regridding.md states the same bounds with their reasons."""

import subprocess

import numpy as np
import pytest

from aurora_prep.regridding import rectilinear, regridder
from aurora_prep.sources.spec import Grid

OPERATORS = {"bilinear": "remapbil", "conservative": "remapcon", "nearest": "remapnn"}
REGULAR = [
    "ifs/ifs_oper_2t_025_20260404.grib2",
    "ifs/ifs_oper_lsm_025_20260404.grib2",
    "era5_pl/era5_tz_1deg_test4.grib1",
]


@pytest.fixture
def remap(cdo, tmp_path):
    """Runs CDO on the first field of a file and returns float64 values."""
    xarray = pytest.importorskip("xarray", reason="install xarray to read what CDO wrote")

    def run(method, path, target, *before):
        grid, output = tmp_path / "grid.txt", tmp_path / "out.nc"
        grid.write_text(
            f"gridtype=lonlat\nxsize={target.columns}\nysize={target.rows}\n"
            f"xfirst={float(target.west)}\nxinc={float(target.longitude_step)}\n"
            f"yfirst={float(target.north)}\nyinc={-float(target.latitude_step)}\n"
        )
        operator = f"{OPERATORS[method]},{grid}"
        first = ["-seltimestep,1", str(path)]
        command = [
            cdo,
            "-s",
            "-O",
            "-f",
            "nc4",
            "-b",
            "F64",
            operator,
            *before,
            *first,
            str(output),
        ]
        subprocess.run(command, check=True, capture_output=True)
        with xarray.open_dataset(output, decode_times=False) as data:
            name = next(n for n in data.data_vars if data[n].ndim >= 2)
            values = data[name].values.squeeze()
        return values if values.ndim == 2 else values[0]

    return run


CASES = [
    *((name, step, method) for name in REGULAR for step in ("2", "5") for method in OPERATORS),
    *((name, "0.4", method) for name in REGULAR for method in ("bilinear", "nearest")),
    *(
        pytest.param(name, step, "conservative", marks=pytest.mark.slow)
        for name in REGULAR
        for step in ("0.4", "0.5", "1")
    ),
]


@pytest.mark.parametrize(("name", "step", "method"), CASES)
def test_regular_grids_agree_to_rounding(real_data, tools, remap, name, step, method):
    source, field = tools.read_grib(real_data / name)
    target = Grid.regular(step)
    wanted = remap(method, real_data / name, target)
    ours = regridder(source, target, method)(field)
    bound = {"bilinear": 1e-12, "conservative": 5e-11, "nearest": 0}[method]
    if method == "nearest":  # rows half-way between two are a tie
        apart = ours != wanted
        assert not apart[~tied(source, target)].any()
        return
    assert np.abs(ours - wanted).max() <= bound * np.ptp(field)


def tied(source, target):
    """Target points half-way between two source points."""
    row = np.abs(np.abs(source.latitude[:, None] - target.latitude).min(axis=0) - 0.125) < 1e-6
    row |= np.abs(np.abs(source.latitude[:, None] - target.latitude).min(axis=0) - 0.5) < 1e-6
    away = np.abs(np.mod(source.longitude[:, None] - target.longitude + 180, 360) - 180).min(axis=0)
    column = (np.abs(away - 0.125) < 1e-6) | (np.abs(away - 0.5) < 1e-6)
    pole = np.abs(target.latitude) == 90
    return row[:, None] | column | pole[:, None]


@pytest.mark.parametrize("method", ["bilinear", "conservative"])
@pytest.mark.parametrize("name", ["gaussian/ifs_F80_t_ml.grib2", "gaussian/ifs_F48_10u.grib1"])
def test_gaussian_grids_agree_to_rounding_between_the_poles(real_data, tools, remap, name, method):
    source, field = tools.read_grib(real_data / name)
    target = Grid.regular("2.5")
    apart = np.abs(
        regridder(source, target, method)(field) - remap(method, real_data / name, target)
    )
    rows = slice(1, -1) if method == "bilinear" else slice(None)
    assert apart[rows].max() <= 5e-11 * np.ptp(field)


@pytest.mark.parametrize(
    ("name", "step", "method", "mean", "largest"),
    [
        ("gaussian/ifs_O160_2t_s48.grib1", "1", "bilinear", 0.04, 3.5),
        ("gaussian/ifs_O160_2t_s48.grib1", "1", "conservative", 0.09, 3.8),
        ("gaussian/ifs_N320_lsm.grib2", "0.4", "bilinear", 0.001, 0.32),
        pytest.param(
            *("gaussian/ifs_N320_lsm.grib2", "0.4", "conservative", 0.002, 0.32),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_reduced_grids_are_near_what_cdo_makes_of_them(
    real_data, tools, remap, name, step, method, mean, largest
):
    source, field = tools.read_grib(real_data / name)
    target = Grid.regular(step)
    wanted = remap(method, real_data / name, target, "-setgridtype,regular")
    apart = np.abs(regridder(source, target, method)(field) - wanted)
    assert apart.mean() < mean
    assert apart.max() < largest


@pytest.mark.parametrize(("method", "bound"), [("bilinear", 1.5e-4), ("conservative", 5e-5)])
def test_polar_stereographic_fields_agree(real_data, tools, remap, method, bound):
    name = "projected/cmc_ps30km_t1015.grib2"
    source, field = tools.read_grib(real_data / name)
    target = tools.regional(70, 240, "0.5", 61, 101)
    apart = np.abs(
        regridder(source, target, method)(field) - remap(method, real_data / name, target)
    )
    assert apart.max() < bound * np.ptp(field)


def test_cdo_fills_outside_the_domain_and_we_do_not(real_data, tools, remap):
    name = "projected/ncep_lambert_2t.grib2"
    source, field = tools.read_grib(real_data / name)
    target = tools.regional(55, 220, "0.5", 80, 160)
    wanted = remap("nearest", real_data / name, target)
    ours = regridder(source, target, "nearest")(field)
    inside = np.isfinite(ours)
    assert np.isfinite(wanted).sum() > inside.sum()
    assert (np.abs(ours - wanted)[inside] > 1e-4).mean() < 1e-3
    x, y = source.plane.to_plane(*np.meshgrid(target.latitude, target.longitude, indexing="ij"))
    held = (x >= source.x_edges[0]) & (x <= source.x_edges[-1])
    held &= (y >= source.y_edges[0]) & (y <= source.y_edges[-1])
    np.testing.assert_array_equal(inside, held)


@pytest.mark.parametrize(("method", "part"), [("bilinear", 1.0), ("conservative", 0.0)])
def test_masked_fields_agree_on_the_rule_of_cdo(real_data, tools, remap, method, part):
    """CDO's own axes, summed from the rounded increment, and CDO's own rule for missing values."""
    name = "wave/gdaswave_wcoast_0p16.grib2"
    _, field = tools.read_grib(real_data / name)
    source = rectilinear(50 - 0.166667 * np.arange(151), 210 + 0.166667 * np.arange(241))
    target = tools.regional(50, 210, "0.25", 101, 161)
    wanted = remap(method, real_data / name, target)
    ours = regridder(source, target, method, valid_fraction=part)(field)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(wanted))
    np.testing.assert_allclose(ours, wanted, atol=1e-8)
