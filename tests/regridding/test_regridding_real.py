"""Real fields against ECMWF's interpolation and CDO: the golden files.

Bounds are those docs/regridding.md states; FACTS of the real files tell how
far the references are apart from each other.
"""

import numpy as np
import pytest

from aurora_prep.regridding import of_grid, rectilinear, reduced_gaussian, regridder
from aurora_prep.sources.spec import Grid

xarray = pytest.importorskip("xarray", reason="install xarray to read the golden files")


def golden(path):
    """The one field of a golden file, north first."""
    with xarray.open_dataset(path, decode_times=False) as data:
        name = next(n for n in data.data_vars if data[n].ndim >= 2)
        field = data[name].values.squeeze()
        latitude = data[next(c for c in data[name].dims if c.startswith("lat"))].values
    return field if latitude[0] > latitude[-1] else field[..., ::-1, :]


def differences(ours, reference):
    """Mean and largest difference where both are valid."""
    error = np.abs(ours - reference)
    return np.nanmean(error), np.nanmax(error)


CASES = [
    # field, golden file, target, mean, largest
    ("gaussian/ifs_O160_2t_s48.grib1", "O160_2t_to_1x1.mir-linear.nc", "1", 0.06, 3.6),
    ("gaussian/ifs_O160_2t_s48.grib1", "O160_2t_to_1x1.cdo-regular-remapbil.nc", "1", 0.04, 3.5),
    ("gaussian/ifs_N320_lsm.grib2", "N320_lsm_to_1x1.mir-linear.nc", "1", 0.005, 0.42),
    ("gaussian/ifs_N320_lsm.grib2", "N320_lsm_to_1x1.cdo-regular-remapbil.nc", "1", 0.001, 0.26),
    ("golden/derived_N320_2t.grib2", "derived_N320_2t_to_1x1.mir-linear.nc", "1", 0.025, 3.0),
    ("gaussian/ifs_N48_t1000_4steps.grib1", "N48_t1000_to_2.5.mir-linear.nc", "2.5", 0.12, 3.5),
]


@pytest.mark.parametrize(("name", "reference", "step", "mean", "largest"), CASES)
def test_bilinear_from_reduced_grids(real_data, tools, name, reference, step, mean, largest):
    source, field = tools.read_grib(real_data / name)
    wanted = golden(real_data / "golden" / reference)
    wanted = wanted[0] if wanted.ndim > 2 else wanted
    found = differences(regridder(source, Grid.regular(step), "bilinear")(field), wanted)
    assert found[0] < mean
    assert found[1] < largest


def test_nearest_from_a_reduced_grid_differs_by_ties_only(real_data, tools):
    source, field = tools.read_grib(real_data / "gaussian/ifs_O160_2t_s48.grib1")
    target = Grid.regular("1")
    wanted = golden(real_data / "golden/O160_2t_to_1x1.mir-nearest-neighbour.nc")
    ours = regridder(source, target, "nearest")(field)
    apart = np.abs(ours - wanted) > 1e-4
    tied = ties(source, target)
    assert not (apart & ~tied).any()
    assert apart.mean() < 0.03


def ties(source, target):
    """Where the two nearest points are equally far away within a thousandth."""
    from scipy.spatial import cKDTree  # noqa: PLC0415

    from aurora_prep.regridding.planes import cartesian  # noqa: PLC0415

    away, _ = cKDTree(cartesian(*source.points()).T).query(
        cartesian(*of_grid(target).points()).T, k=2
    )
    return (away[:, 1] - away[:, 0] <= 1e-3 * away[:, 1]).reshape(target.shape)


def test_nearest_from_n48_is_that_of_cdo_but_for_ties(real_data, tools):
    source, field = tools.read_grib(real_data / "gaussian/ifs_N48_t1000_4steps.grib1")
    target = Grid.regular("2.5")
    wanted = golden(real_data / "golden/N48_t1000_to_2.5.cdo-remapnn.nc")[0]
    apart = np.abs(regridder(source, target, "nearest")(field) - wanted) > 1e-4
    assert not (apart & ~ties(source, target)).any()


def test_wave_heights_keep_their_coast(real_data, tools):
    source, field = tools.read_grib(real_data / "wave/ecwam_reduced_ll_swh_20080206.grib2")
    wanted = golden(real_data / "golden/HRESWAM_rll_swh_to_0.5.mir-linear.nc")
    ours = regridder(source, Grid.regular("0.5"), "bilinear")(field)
    mean, largest = differences(ours, wanted)
    assert mean < 0.01
    assert largest < 1.5
    assert (np.isnan(ours) != np.isnan(wanted)).mean() < 0.02


@pytest.mark.parametrize(
    ("name", "short_name", "golden_name", "corner", "bound"),
    [
        (
            "nam_awp211_lambert.grib2",
            "2t",
            "namawp211_2t_to_0.25",
            (48, 250, "0.25", 81, 161),
            0.013,
        ),
        (
            "cmc_ps30km_t1015.grib2",
            "t",
            "polar_ps30km_t1015_to_0.5",
            (70, 240, "0.5", 61, 101),
            0.006,
        ),
    ],
)
def test_projected_fields(real_data, tools, name, short_name, golden_name, corner, bound):
    source, field = tools.read_grib(real_data / "projected" / name, short_name=short_name)
    target = tools.regional(*corner)
    near = golden(real_data / f"golden/{golden_name}.cdo-remapnn.nc")
    np.testing.assert_allclose(regridder(source, target, "nearest")(field), near, atol=1e-4)
    smooth = golden(real_data / f"golden/{golden_name}.cdo-remapbil.nc")
    assert differences(regridder(source, target, "bilinear")(field), smooth)[1] < bound


N32_COUNTS = (
    *(20, 27, 36, 40, 45, 50, 60, 64, 72, 75, 80, 90, 90, 96, 100, 108),
    *(108, 120, 120, 120, *(128,) * 12),
)


@pytest.mark.parametrize(
    ("source_name", "method", "mir", "mean", "largest"),
    [
        ("5x5", "bilinear", "linear", 1e-5, 1e-3),
        ("5x5", "nearest", "nearest-neighbour", 1e-5, 1e-3),
        ("5x5", "conservative", "grid-box-average", 2e-3, 0.05),
        ("N32", "bilinear", "linear", 0.14, 3.7),
        ("N32", "conservative", "grid-box-average", 0.01, 0.1),
    ],
)
def test_goldens_of_mirs_own_suite(real_data, source_name, method, mir, mean, largest):
    field = np.load(real_data / f"golden/ekr_in_{source_name}.npz")["arr_0"]
    wanted = np.load(real_data / f"golden/ekr_out_{source_name}_10x10_{mir}.npz")["arr_0"]
    if source_name == "N32":
        source = reduced_gaussian(32, np.array([*N32_COUNTS, *N32_COUNTS[::-1]]))
    else:
        source = rectilinear(np.arange(90, -91, -5.0), np.arange(0, 360, 5.0))
    target = Grid.regular("10")
    ours = regridder(source, target, method)(field.reshape(source.shape))
    inner = slice(1, -1) if source_name == "N32" else slice(None)
    found = differences(ours[inner], wanted.reshape(target.shape)[inner])
    assert found[0] < mean
    assert found[1] < largest
