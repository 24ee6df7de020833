"""Real messages of NOAA and ECMWF open data, decoded as the sources with an index decode them."""

import lzma

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.harmonise import harmonise, placement_of
from aurora_prep.pipelines.reading.match import decode, holdings_of
from aurora_prep.providers.indexed.messages import heads, whole

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first

GRAVITY = 9.80665
# Source, file, variable, ecCodes' short name, level, factor from the file's units.
FIELDS = [
    ("gfs_t0", "gfs/gfs_10u_1deg.grib2", "surface/10u", "10u", None, 1.0),
    ("ifs_open", "ifs/ifs_oper_2t_025_20260404.grib2", "surface/2t", "2t", None, 1.0),
    ("ifs_open", "ifs/ifs_oper_t600_025_20260404.grib2", "atmospheric/t", "t", 600, 1.0),
    *(
        ("ifs_open", "ifs/ifs_opendata_0p4_20240101_first10.grib2", "atmospheric/z", "gh", level,
         GRAVITY)
        for level in (200, 250, 300, 700, 925)
    ),
]  # fmt: skip


def messages(path):
    """Every message by ecCodes alone: short name, level, values, longitudes, bytes."""
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            on_levels = eccodes.codes_get(handle, "typeOfLevel") == "isobaricInhPa"
            yield (
                eccodes.codes_get(handle, "shortName"),
                eccodes.codes_get(handle, "level") if on_levels else None,
                eccodes.codes_get_values(handle),
                eccodes.codes_get_array(handle, "longitudes"),
                eccodes.codes_get_array(handle, "latitudes"),
                bytes(eccodes.codes_get_message(handle)),
            )
            eccodes.codes_release(handle)


@pytest.mark.parametrize(("name", "file", "variable", "short", "level", "factor"), FIELDS)
def test_a_field_is_that_of_eccodes_bit_for_bit(
    real_data, tmp_path, name, file, variable, short, level, factor
):
    source = sources.load(name)
    held = holdings_of((str(real_data / file),), source, tmp_path)
    (ref,) = [ref for (place, _), ref in held.fields.items() if place == (variable, level)]
    placement = placement_of(held.grid_of(ref), file)
    field = harmonise(decode(ref), ref.units, source.native(variable), placement, file)
    (found,) = [m for m in messages(real_data / file) if m[:2] == (short, level)]
    _, _, values, longitudes, latitudes, _ = found
    # Rounded to float32 once, then multiplied in float64 and rounded once more.
    wanted = (values.astype(np.float32) * np.float64(factor)).astype(np.float32)
    order = np.lexsort((np.round(longitudes % 360.0, 3), np.round(-latitudes, 3)))
    np.testing.assert_array_equal(field.ravel(), wanted[order])
    low, high = source.native(variable).variable.plausible
    assert low < field.min() < field.max() < high


@pytest.mark.parametrize("file", sorted({file for _, file, *_ in FIELDS}))
def test_each_message_is_what_an_index_would_be_held_against(real_data, file):
    raw = (real_data / file).read_bytes()
    at = 0
    for short, level, *_, message in messages(real_data / file):
        assert whole(raw[at:]) == message
        (head,) = heads(message)
        assert head.level == level, short
        assert head.step == 0
        at += len(message)


def test_wgrib2_agrees(real_data, tmp_path):
    """The first message of open data, decoded by NOAA's own tool."""
    path = real_data / "ifs/ifs_opendata_0p4_20240101_first10.grib2"
    raw = lzma.decompress((real_data / "golden/wgrib2_ifs_0p4_msg1_le_f32.bin.xz").read_bytes())
    theirs = np.frombuffer(raw, "<f4").reshape(451, 900)
    source = sources.load("ifs_open")
    held = holdings_of((str(path),), source, tmp_path)
    found = [(place, ref) for (place, _), ref in held.fields.items() if place[1] == 250]
    (((variable, _), ref),) = found
    placement = placement_of(held.grid_of(ref), "test")
    ours = harmonise(decode(ref), ref.units, source.native(variable), placement, "test")
    # wgrib2 writes from south to north.
    both = [np.roll(theirs[::step], shift, axis=1) for step in (1, -1) for shift in (0, 450)]
    assert min(np.abs(one * GRAVITY - ours).max() for one in both) < 1e-2


def test_pressure_at_sea_level_is_prmsl_and_not_another(tmp_path):
    """Both lie in a file of GFS; only one is the source's."""
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    names = []
    for number in (1, 192):
        for key, value in {
            "centre": "kwbc",
            "tablesVersion": 2,
            "parameterCategory": 3,
            "parameterNumber": number,
            "typeOfFirstFixedSurface": 101,
        }.items():
            eccodes.codes_set(handle, key, value)
        eccodes.codes_set_values(handle, np.full(496, 101_000.0) + np.arange(496))
        names.append(eccodes.codes_get(handle, "shortName"))
        with (tmp_path / "both.grib2").open("ab") as file:
            file.write(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    assert names == ["prmsl", "mslet"]
    held = holdings_of((str(tmp_path / "both.grib2"),), sources.load("gfs_t0"), tmp_path / "kept")
    assert [place for place, _ in held.fields] == [("surface/msl", None)]
    assert any("mslet" in text for text in held.ignored)
