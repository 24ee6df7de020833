"""Real files of CAMS, waves and the IFS by ``access: files``, against independent decodes."""

import datetime as dt

import netCDF4
import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.manifest.ledger.records import Status
from aurora_prep.sources.spec import DecodeError, Product, RecipeError

HOUR = dt.timedelta(hours=1)
SHORT = {"u10": "10u", "v10": "10v", "t2m": "2t"}

# Source, file, variables it holds of the source, number of frames.
DECODED = [
    ("cams_reanalysis", "cams/cams_eac4_go3_25lev_uk.grib1", {"go3"}, 16),
    ("cams_reanalysis", "cams/cams_eac4_gtco3_tcwv.nc", {"gtco3"}, 16),
    ("era5_wave", "wave/ERA5_wave_DutchCoast.nc", {"swh", "mwd", "mwp", "pp1d"}, 67),
    ("hres_analysis", "ifs/ifs_an_tuv_6lev.grib1", {"t", "u", "v"}, 1),
    ("hres_analysis", "ifs/ifs_tuv_eu_3times.nc", {"t", "u", "v"}, 3),
    ("hres_analysis", "ifs/t_on_different_level_types_g1g2.grib", {"t"}, 1),
    ("hres_forecast", "ifs/ifs_fc_2t_3steps.grib1", {"2t"}, 3),
    ("hres_forecast", "ifs/ifs_fc_truvz_6lev.grib1", {"t", "u", "v", "z"}, 8),
    ("hres_forecast", "ifs/multi_param_on_multi_dims.grib1", {"z", "t", "u"}, 4),
    ("ifs_ens", "ifs/ifs_enfo_ztu_multi_dim.grib1", {"z", "t", "u"}, 24),
    ("hres_t0", "ifs/ifs_oper_2t_025_20260404.grib2", {"2t"}, 1),
    ("hres_t0", "ifs/ifs_oper_t600_025_20260404.grib2", {"t"}, 1),
]


@pytest.mark.parametrize(("name", "file", "names", "frames"), DECODED)
def test_every_value_is_that_of_an_independent_decode(
    real_data, prepare, independent, same_points, name, file, names, frames
):
    path, source = real_data / file, sources.load(name)
    made = prepare(name, access="files", path=str(path))
    assert (made.outcome.frames, made.outcome.absent) == (frames, 0)
    stored = made.frames
    assert set(stored.data_vars) == names
    compared = 0
    for read in independent(path):
        short = SHORT.get(read.name, read.name)
        if short not in names or (read.level is None) != ("level" not in stored[short].dims):
            continue
        if read.level is not None and read.level not in source.levels:
            continue
        field = stored[short] if read.level is None else stored[short].sel(level=read.level)
        if source.product is Product.FORECAST:
            field = field.sel(init_time=read.init)
            field = field.sel(member=read.member) if "member" in field.dims else field
            (position,) = np.flatnonzero(
                [plain_hours(lead) == read.lead / HOUR for lead in stored["lead_time"].values]
            )
            field = field.isel(lead_time=int(position))
        else:
            field = field.sel(time=read.init + read.lead)
        same_points(field, read)
        assert field.attrs["units"] == next(
            v.units for v in source.variables if v.short_name == short
        )
        compared += 1
    per_frame = {n: stored.sizes["level"] if "level" in stored[n].dims else 1 for n in names}
    assert compared == frames * sum(per_frame.values())


def plain_hours(lead):
    """Lead times open as durations or as hours."""
    return float(lead / np.timedelta64(1, "h")) if lead.dtype.kind == "m" else float(lead)


def test_waves_keep_what_is_missing_and_where_waves_come_from(real_data, prepare):
    path = real_data / "wave/ERA5_wave_DutchCoast.nc"
    stored = prepare("era5_wave", access="files", path=str(path)).frames
    missing = {name: int(stored[name].isnull().sum()) for name in stored.data_vars}
    assert missing["swh"] == missing["mwd"] == missing["mwp"] == missing["pp1d"] + 67
    assert missing["swh"] / stored["swh"].size == pytest.approx(0.486, abs=5e-4)
    directions = stored["mwd"]
    assert 0 <= float(directions.min()) < 5
    assert 355 < float(directions.max()) <= 360


def test_the_wave_model_s_own_grid_is_regridded(real_data, prepare, independent):
    """Values stay within those of the file; the mask is near that of ECMWF's interpolation."""
    path = real_data / "wave/ecwam_reduced_ll_swh_20080206.grib2"
    stored = prepare("wave", access="files", path=str(path), grid="0.5").frames["swh"].isel(time=0)
    (read,) = independent(path)
    assert np.nanmin(read.values) <= float(stored.min())
    assert float(stored.max()) <= np.nanmax(read.values) * (1 + 1e-6)
    with netCDF4.Dataset(real_data / "golden/HRESWAM_rll_swh_to_0.5.mir-linear.nc") as data:
        (name,) = [n for n, v in data.variables.items() if v.ndim >= 2]
        theirs = np.ma.filled(np.squeeze(data[name][:]).astype(np.float64), np.nan)
    mine = stored.values
    assert (np.isnan(mine) != np.isnan(theirs)).mean() < 0.02
    both = np.isfinite(mine) & np.isfinite(theirs)
    assert np.abs(mine - theirs)[both].mean() < 0.03


def test_forecasts_start_when_they_started(real_data, prepare):
    path = real_data / "ifs/ifs_fc_truvz_6lev.grib1"
    stored = prepare("hres_forecast", access="files", path=str(path)).frames
    assert [str(t)[:13] for t in stored["init_time"].values] == [
        "2024-06-03T00",
        "2024-06-03T12",
        "2024-06-04T00",
        "2024-06-04T12",
    ]
    assert stored.sizes["lead_time"] == 2
    assert stored["t"].dims == ("init_time", "lead_time", "level", "latitude", "longitude")


def test_fields_ahead_of_their_start_are_no_analysis(real_data, prepare):
    """Of steps 0, 3 and 6 only the first is T0."""
    path = real_data / "ifs/ifs_fc_2t_3steps.grib1"
    made = prepare("hres_t0", access="files", path=str(path))
    assert made.outcome.frames == 1
    assert str(made.frames["time"].values[0])[:13] == "2021-05-31T12"


@pytest.mark.parametrize(
    ("name", "file", "kind"),
    [
        ("hres_t0", "ifs/ifs_an_tuv_6lev.grib1", "an"),
        ("hres_analysis", "ifs/ifs_oper_2t_025_20260404.grib2", "fc"),
    ],
)
def test_analysis_and_t0_are_never_taken_for_each_other(real_data, prepare, name, file, kind):
    with pytest.raises(RecipeError, match=f"no frame.*[\\s\\S]*of type {kind}"):
        prepare(name, access="files", path=str(real_data / file))


@pytest.mark.parametrize(
    ("name", "file", "reason"),
    [
        ("hres_analysis", "ifs/t_analysis_and_fc_0.grib1", "not plausible"),
        ("hres_analysis", "ifs/fields_with_missing_values.grib1", "missing values"),
    ],
)
def test_frames_that_cannot_be_are_rejected_with_the_reason(real_data, prepare, name, file, reason):
    made = prepare(name, access="files", path=str(real_data / file))
    assert made.outcome.absent == made.outcome.frames > 0
    for row in made.rows():
        assert row["status"] == Status.REJECTED
        assert reason in row["reason"]


def test_a_frame_that_lacks_a_level_is_missing_and_says_which(real_data, prepare):
    path = real_data / "ifs/uv_on_different_levels.grib1"
    made = prepare("hres_forecast", access="files", path=str(path))
    assert made.outcome.absent == made.outcome.frames == 2
    for row in made.rows():
        assert row["status"] == Status.MISSING
        assert row["reason"].startswith("incomplete: not in the files: atmospheric/v at ")


@pytest.mark.parametrize(
    ("name", "file", "error", "problem"),
    [
        ("cams_reanalysis", "cams/cams_eac4_ml_go3_qt_202007.zip", RecipeError, "no frame"),
        ("cams_reanalysis", "cams/cams_gtco3_monthly_7deg.grib1", RecipeError, "a mean over many"),
        ("cams_forecast", "cams/cams_chem_mmr_3species.grib2", RecipeError, "no frame"),
        ("cams_forecast", "cams/cams_aod_2types_2wavelengths.grib2", RecipeError, "no frame"),
        ("cams_forecast", "cams/aqm_o3_hawaii_mercator.grib2", RecipeError, "no frame"),
        ("wave", "wave/CMEMS_wave_DutchCoast_2017-10-28.nc", RecipeError, "no frame"),
        ("wave", "wave/ecwam_2dfd_30deg.grib1", RecipeError, "no frame"),
        ("hres_forecast", "ifs/ifs_zt_multi_expvers.grib1", DecodeError, "two different fields"),
        ("hres_forecast", "ifs/ifs_enfo_ztu_multi_dim.grib1", RecipeError, "no frame"),
        ("hres_t0", "ifs/ifs_oper_lsm_025_20260404.grib2", RecipeError, "only static fields"),
        ("hres_forecast", "ifs/ifs_opendata_0p4_20240101_first10.grib2", RecipeError, "no frame"),
    ],
)
def test_what_is_not_of_the_source_is_refused(real_data, prepare, name, file, error, problem):
    with pytest.raises(error, match=problem):
        prepare(name, access="files", path=str(real_data / file))
