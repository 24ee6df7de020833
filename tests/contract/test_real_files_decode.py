"""Real files of many provenances, decoded and held against independent decoders."""

import json
import lzma
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta

import netCDF4
import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.file_index import sniff
from aurora_prep.pipelines.reading.harmonise import check_values, harmonise, placement_of
from aurora_prep.pipelines.reading.match import decode, holdings_of, scan
from aurora_prep.pipelines.reading.product import Choice
from aurora_prep.sources.spec import (
    AuroraPrepError,
    DecodeError,
    HarmoniseError,
    Kind,
    Native,
    Variable,
)

ERA5 = sources.load("era5")
# Files of other products, of which what they hold is looked at all the same.
ANY = Choice(is_any_product=True)
FILES_AS_FORECAST = sources.load("hres_forecast")
INDEPENDENT = """
import json, sys
import eccodes
eccodes.codes_grib_multi_support_on()
with open(sys.argv[1], "rb") as file:
    while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
        keys = {key: eccodes.codes_get(handle, key) for key in ("paramId", "level", "shortName")}
        keys["kind"] = eccodes.codes_get(handle, "typeOfLevel")
        values = eccodes.codes_get_values(handle)
        keys["values"] = [values[::97].tolist(), values.min(), values.max(), values.sum()]
        print(json.dumps(keys))
"""


def fields_of(path):
    """Every field of a file, on its grid, in the file's own units."""
    contents = scan(path, sniff(path))
    found = []
    for ref in contents.fields:
        placement = placement_of(contents.grids[ref.grid], str(path))
        field = harmonise(decode(ref), ref.units, native(ref.units), placement, str(path))
        found.append((ref, placement.grid, field))
    return found


def native(units):
    """Stands for any variable of these units."""
    variable = Variable(
        short_name="x",
        kind=Kind.SURFACE,
        param=1,
        units=units or "1",
        long_name="x",
        standard_name=None,
        plausible=(-1e30, 1e30),
    )
    return Native(variable=variable, request="x", fields=("x",), units=units or "1")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("scan/scan_ipos_jneg.grib2", "scan/scan_ipos_jpos.grib2"),
        ("scan/regular_ll_sfc.grib1", "scan/scanning_mode_64.grib1"),
        ("scan/regular_latlon_surface.grib1", "scan/regular_latlon_surface.grib2"),
    ],
)
def test_scanning_order_and_edition_do_not_matter(real, one, other):
    ((_, grid, field),) = fields_of(real(one))
    ((_, other_grid, other_field),) = fields_of(real(other))
    assert grid == other_grid
    np.testing.assert_array_equal(field, other_field)
    assert np.ptp(field) > 1


def test_a_start_at_180_ends_up_at_greenwich(real):
    """IFS open data: the column of 180 degrees comes first; ecCodes says where points lie."""
    path = real("ifs/ifs_oper_lsm_025_20260404.grib2")
    ((_, grid, field),) = fields_of(path)
    assert grid.name == "0.25"
    # Land at 10 E 48 N, 100 W 40 N, 135 E 25 S; sea at 30 W 30 N, 150 W 0 N.
    for latitude, longitude, land in (
        (48, 10, 1), (40, 260, 1), (-25, 135, 1), (30, 330, 0), (0, 210, 0),
    ):  # fmt: skip
        assert field[int((90 - latitude) * 4), longitude * 4] == land
    assert scan(path, "grib").grids[0]["longitudeOfFirstGridPointInDegrees"] == 180


def test_a_message_of_several_fields_gives_all_of_them(real):
    """NAM packs u and v in one message; ecCodes hands out both only when told to."""
    path = real("projected/nam_awp211_lambert.grib2")
    done = subprocess.run(
        [sys.executable, "-c", INDEPENDENT, str(path)], capture_output=True, text=True, check=True
    )
    independent = [json.loads(line) for line in done.stdout.splitlines()]
    contents = scan(path, "grib")
    assert len(contents.fields) == len(independent) == 181
    winds = 0
    for ref, reference in zip(contents.fields, independent, strict=True):
        assert (ref.param, ref.name) == (reference["paramId"], reference["shortName"])
        if ref.level is not None:
            assert ref.level == reference["level"]
        sample, low, high, total = reference["values"]
        values = decode(ref)
        np.testing.assert_array_equal(values[::97], np.array(sample).astype(np.float32))
        assert (values.min(), values.max()) == (np.float32(low), np.float32(high))
        assert values.sum(dtype=np.float64) == pytest.approx(total, rel=1e-6, abs=1e-3)
        winds += ref.name == "v"
    assert winds > 10


def test_grib_and_netcdf_of_the_same_fields(real, tmp_path):
    """Twins of one request; the packing of the NetCDF bounds the difference."""
    held = [
        holdings_of((str(real(f"era5_pl/era5_tz_1deg_test4.{end}")),), ERA5, tmp_path)
        for end in ("grib1", "nc")
    ]
    assert held[0].fields.keys() == held[1].fields.keys()
    assert len(held[0].fields) == 4
    for key in held[0].fields:
        one, other = (on_grid(h, key) for h in held)
        bound = 7e-4 if key[0][0] == "atmospheric/t" else 0.4
        assert np.abs(one - other).max() <= bound
        assert np.ptp(one) > 10


def on_grid(held, key):
    """One field of the holdings, harmonised for ERA5."""
    ref = held.fields[key]
    placement = placement_of(held.grid_of(ref), "test")
    return harmonise(decode(ref), ref.units, ERA5.native(key[0][0]), placement, "test")


@pytest.mark.parametrize(
    "name",
    [
        "era5_pl/era5_tz_1deg_test4.nc",
        "era5_sfc/ERA5_2020-01-01_u10.nc",
        "era5_pl/era5_pl_tiny_coarse.nc",
        "ifs/ifs_tuv_eu_3times.nc",
        "wave/ERA5_wave_DutchCoast.nc",
        "wave/CMEMS_wave_DutchCoast_2017-10-28.nc",
        "cams/cams_eac4_gtco3_tcwv.nc",
    ],
)
def test_packed_netcdf_equals_scaling_by_hand(real, name):
    """Integers, scale and offset are read raw; missing integers become NaN."""
    path = real(name)
    contents = scan(path, "netcdf")
    packed = 0
    with netCDF4.Dataset(path) as data:
        data.set_auto_maskandscale(False)
        for ref in contents.fields[:: max(1, len(contents.fields) // 40)]:
            variable = data[ref.name]
            if variable.dtype.kind != "i" or ref.name != variable.name:
                continue
            if "scale_factor" not in variable.ncattrs():
                continue
            window = tuple(
                slice(None) if dim in ("latitude", "longitude", "lat", "lon") else None
                for dim in variable.dimensions
            )
            others = iter(ref.index)
            raw = variable[tuple(next(others) if part is None else part for part in window)]
            wanted = raw * np.float64(variable.scale_factor) + np.float64(variable.add_offset)
            for missing in ("_FillValue", "missing_value"):
                if missing in variable.ncattrs():
                    wanted[raw == variable.getncattr(missing)] = np.nan
            horizontal = [
                dim for dim in variable.dimensions if dim.startswith("l") and dim != "level"
            ]
            wanted = wanted if horizontal[0].startswith("lat") else wanted.T
            np.testing.assert_array_equal(decode(ref), wanted.astype(np.float32))
            packed += 1
    assert packed > 1


def test_a_transposed_file(real):
    """Dims longitude, latitude, level, time; latitude from the south."""
    path = real("era5_pl/era5_pl_cocip1_transposed.nc")
    found = {
        (ref.name, ref.level, ref.valid_time): (grid, field) for ref, grid, field in fields_of(path)
    }
    with netCDF4.Dataset(path) as data:
        assert data["air_temperature"].dimensions == ("longitude", "latitude", "level", "time")
        levels, latitude = data["level"][:].tolist(), data["latitude"][:]
        values = data["air_temperature"][:]
        times = netCDF4.num2date(data["time"][:], data["time"].units)
    assert latitude[0] < latitude[-1]
    grid, field = found["air_temperature", 250, datetime(2019, 1, 1, 3)]
    hours = [time.hour for time in times]
    wanted = values[:, :, levels.index(250), hours.index(3)].T[::-1]
    np.testing.assert_array_equal(field, np.asarray(wanted, np.float32))
    assert grid.shape == field.shape == (8, 16)
    assert field.dtype == np.float32


def test_missing_values_by_bitmap_are_nan(real):
    fields = [field for _, _, field in fields_of(real("ifs/fields_with_missing_values.grib1"))]
    # ecCodes' own numberOfMissing of the two messages.
    assert [int(np.isnan(field).sum()) for field in fields] == [10808, 10891]
    for field in fields:
        assert field.size == 16380
        assert np.nanmin(field) > 200


def test_a_masked_field_off_regular_grids(real):
    ((ref, grid, field),) = fields_of(real("wave/ecwam_reduced_ll_swh_20080206.grib2"))
    assert grid is None
    assert (ref.name, field.shape) == ("swh", (313362,))
    assert np.isnan(field).sum() == 98701
    assert 0 <= np.nanmin(field) < np.nanmax(field) < 30


def test_ccsds_equals_the_decode_of_wgrib2(real):
    raw = lzma.decompress(real("golden/wgrib2_ifs_0p4_msg1_le_f32.bin.xz").read_bytes())
    first = scan(real("ifs/ifs_opendata_0p4_20240101_first10.grib2"), "grib").fields[0]
    np.testing.assert_array_equal(decode(first), np.frombuffer(raw, "<f4"))


def test_two_versions_of_a_field_are_refused(real, tmp_path):
    path = real("ifs/ifs_zt_multi_expvers.grib1")
    with pytest.raises(DecodeError) as raised:
        holdings_of((str(path),), FILES_AS_FORECAST, tmp_path, ANY).refuse_conflicts()
    assert "version 0001" in raised.value.args[2]
    assert "version xxyz" in raised.value.args[2]


def test_members_of_an_ensemble_are_not_mixed(real, tmp_path):
    path = real("ifs/ifs_enfo_ztu_multi_dim.grib1")
    held = holdings_of((str(path),), FILES_AS_FORECAST, tmp_path)
    assert held.fields == {}
    assert any("of stream enfo and not oper" in text for text in held.ignored)
    with pytest.raises(DecodeError) as raised:
        holdings_of((str(path),), FILES_AS_FORECAST, tmp_path, ANY).refuse_conflicts()
    assert "member" in raised.value.args[2]
    assert "members: [NUMBER]" in raised.value.args[3]
    one = Choice(is_any_product=True, members=(2,))
    held = holdings_of((str(path),), FILES_AS_FORECAST, tmp_path, one)
    assert held.fields
    assert not held.conflicts
    assert {ref.member for ref in held.fields.values()} == {2}


def test_fields_of_one_number_and_different_meaning_are_refused(real, tmp_path):
    """Total and sea-salt aerosol at two wavelengths, all with one parameter number."""
    optical = Variable(
        short_name="aod",
        kind=Kind.SURFACE,
        param=457000,
        units="1",
        long_name="aerosol optical depth",
        standard_name=None,
        plausible=(0.0, 20.0),
    )
    natives = (Native(variable=optical, request="aod", fields=("aod",), units="Numeric"),)
    source = replace(ERA5, natives=natives)
    path = real("cams/cams_aod_2types_2wavelengths.grib2")
    with pytest.raises(DecodeError):
        holdings_of((str(path),), source, tmp_path, ANY).refuse_conflicts()


def test_the_new_layout_of_the_climate_data_store(real, tmp_path):
    """``valid_time``, ``pressure_level`` from below, ``expver`` along the times."""
    files = tuple(
        str(real(f"era5_{kind}/era5_{kind}_norway_202506_newcds.nc")) for kind in ("pl", "sfc")
    )
    held = holdings_of(files, ERA5, tmp_path)
    assert len(held.moments) == 28
    assert held.moments[-1] == (datetime(2025, 6, 7, 18), timedelta(0), None)
    levels = {level for path, level in held.places if path == "atmospheric/q"}
    assert levels == {700, 850, 925, 1000}
    usual = {native.variable.path for native in ERA5.natives if not native.optional}
    assert {path for path, _ in held.places} == usual
    assert {ref.label for ref in held.fields.values()} == {"0001"}
    cold, warm = (
        on_grid(held, (("atmospheric/t", level), held.moments[0])).mean() for level in (700, 1000)
    )
    assert cold < warm


def test_a_static_field_of_a_region_is_its_cut_of_the_globe(real):
    globe = {ref.name: field for ref, _, field in fields_of(real("static/era5_static_norway.nc"))}
    names = [ref.name for ref, _, _ in fields_of(real("static/era5_static_norway.nc"))]
    assert sorted(names) == ["lsm", "slt", "z"]
    assert set(np.unique(globe["slt"])) <= set(range(9))


def test_pressure_and_model_levels_of_one_number(real, tmp_path):
    path = real("ifs/t_on_different_level_types_g1g2.grib")
    held = holdings_of((str(path),), ERA5, tmp_path, ANY)
    assert held.places == {("atmospheric/t", 100)}
    assert held.ignored == ("t (hybrid)",)


def test_model_levels_of_netcdf_are_not_taken(real, tmp_path):
    held = holdings_of((str(real("era5_pl/era5_ml_tiny.nc")),), ERA5, tmp_path)
    assert held.fields == {}
    assert any("model_level" in text for text in held.ignored)


def test_padding_between_messages(real):
    refs = [ref for ref, _, _ in fields_of(real("malformed/test_padding.grib1"))]
    assert [ref.name for ref in refs] == ["2t", "msl"]


@pytest.mark.parametrize(
    "name",
    [
        "cams_git_lfs_pointer.nc",
        "empty_file.grib",
        "not_a_grib_30bytes.grib1",
    ],
)
def test_what_is_no_data_is_told_by_its_first_bytes(real, name):
    with pytest.raises(DecodeError) as raised:
        sniff(real(f"malformed/{name}"))
    four_parts(raised.value)
    assert "neither GRIB nor NetCDF" in raised.value.args[0]


def four_parts(error):
    assert len(error.args) == 4
    assert all(isinstance(part, str) and part for part in error.args)


@pytest.mark.parametrize(
    ("name", "kind", "part"),
    [
        ("bad_reference.nc", DecodeError, "latitude"),
        ("cams_git_lfs_pointer.nc", DecodeError, "neither"),
        ("empty_dataset.nc", DecodeError, "latitude"),
        ("empty_file.grib", DecodeError, "neither"),
        ("era5-levels-corrupted.grib1", DecodeError, "damaged"),
        ("mir_increment_9.1.wrong.grib1", DecodeError, "contradicts itself"),
        ("not_a_grib_30bytes.grib1", DecodeError, "neither"),
        ("regular_gg_wrong_increment.grib2", DecodeError, "damaged"),
        ("all_missing_vals.grib1", HarmoniseError, "missing values"),
        ("lsm_bitmap_inconsistent.grib2", HarmoniseError, "missing values"),
    ],
)
def test_malformed_files_are_refused_in_four_parts(real, tmp_path, name, kind, part):
    path = real(f"malformed/{name}")
    with pytest.raises(AuroraPrepError) as raised:
        through(path, tmp_path)
    assert type(raised.value) is kind
    four_parts(raised.value)
    assert part in f"{raised.value.args[0]} {raised.value.args[2]}"


def through(path, kept):
    """A file through decode, harmonise and the check of its values."""
    held = holdings_of((str(path),), ERA5, kept, ANY)
    for key, ref in held.fields.items():
        field = on_grid(held, key)
        missing = int(np.isnan(field).sum())
        least, most = (np.nan, np.nan) if missing == field.size else (field.min(), field.max())
        check_values(ERA5.native(key[0][0]).variable, least, most, missing, f"{ref}")


def test_every_malformed_file_has_its_test(real):
    tested = {
        "bad_reference.nc", "cams_git_lfs_pointer.nc", "empty_dataset.nc", "empty_file.grib",
        "era5-levels-corrupted.grib1", "mir_increment_9.1.wrong.grib1", "not_a_grib_30bytes.grib1",
        "regular_gg_wrong_increment.grib2", "all_missing_vals.grib1", "test_padding.grib1",
        "lsm_bitmap_inconsistent.grib2",
    }  # fmt: skip
    assert {path.name for path in real("malformed").iterdir()} == tested


def test_values_that_are_no_temperature_are_refused(real, tmp_path):
    """Labelled t at 1000 hPa, with values about zero."""
    with pytest.raises(HarmoniseError) as raised:
        through(real("ifs/t_analysis_and_fc_0.grib1"), tmp_path)
    assert "not plausible" in raised.value.args[0]


def test_dobson_units_are_not_taken_for_kilograms(real, tmp_path):
    """Labelled kg m-2, with values of 230 to 479."""
    source = sources.load("cams_reanalysis")
    path = real("cams/cams_gtco3_monthly_7deg.grib1")
    held = holdings_of((str(path),), source, tmp_path, ANY)
    ozone = source.native("surface/gtco3").variable
    assert len(held.fields) == 8
    for ref in held.fields.values():
        field = decode(ref)
        with pytest.raises(HarmoniseError):
            check_values(ozone, float(field.min()), float(field.max()), 0, "test")


@pytest.mark.parametrize(
    "name", ["era5_sfc/era5_sfc_west_usa_20250101-07.grib1", "era5_pl/era5_tz_1deg_test4.grib1"]
)
@pytest.mark.parametrize("kept", [0.999, 0.6])
def test_a_real_file_cut_short_is_refused(real, tmp_path, name, kept):
    data = real(name).read_bytes()
    path = tmp_path / "cut.grib"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DecodeError):
        scan(path, "grib")


def test_a_real_netcdf_file_cut_short_is_refused(real, tmp_path):
    for name in ("era5_pl/era5_tz_1deg_test4.nc", "era5_pl/era5_pl_norway_202506_newcds.nc"):
        data = real(name).read_bytes()
        path = tmp_path / f"cut-{len(data)}.nc"
        path.write_bytes(data[: int(len(data) * 0.9)])
        with pytest.raises(DecodeError):
            scan(path, "netcdf")


def test_every_regular_file_is_understood_or_refused_in_four_parts(real):
    """Whatever the files hold, no error but ours comes out of decode and harmonise."""
    for path in sorted(real("").rglob("*")):
        if not path.is_file() or path.suffix not in (".nc", ".grib", ".grib1", ".grib2", ".grb1"):
            continue
        if "O1280" in path.name or "multi_format" in path.name:
            continue  # millions of points of a constant
        try:
            contents = scan(path, sniff(path))
            for ref in contents.fields[:2]:
                placement_of(contents.grids[ref.grid], str(path))
                decode(ref)
        except AuroraPrepError as error:
            four_parts(error)
