"""Fields as IFS cycle 50r2 will write them: other numbers and units, the same names."""

from pathlib import Path

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.harmonise import harmonise, placement_of
from aurora_prep.pipelines.reading.match import decode, holdings_of
from aurora_prep.sources.spec import HarmoniseError
from aurora_prep.sources.spec.wmo import ALTERNATES, CONVERSIONS, wind_at

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first

ERA5 = sources.load("era5")


def message(param, values):
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    for key, value in {
        "Ni": 36, "Nj": 19, "iDirectionIncrementInDegrees": 10, "jDirectionIncrementInDegrees": 10,
        "latitudeOfFirstGridPointInDegrees": 90, "latitudeOfLastGridPointInDegrees": -90,
        "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": 350,
        "dataDate": 20200601, "dataTime": 0, "bitsPerValue": 24,
    }.items():  # fmt: skip
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set(handle, "paramId", param)
    eccodes.codes_set_values(handle, values)
    content = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return content


def harmonised(path: Path, folder: Path):
    """Every field that the source declares, in its units, by path."""
    held = holdings_of((str(path),), ERA5, folder)
    found = {}
    for ((name, _), _), ref in held.fields.items():
        placement = placement_of(held.grid_of(ref), "test")
        found[name] = harmonise(decode(ref), ref.units, ERA5.native(name), placement, "test")
    return found


@pytest.mark.parametrize("param", [*ALTERNATES, 228246, 228247])
def test_a_field_of_the_wmo_s_number_is_ours_by_its_factor(param, tmp_path):
    values = np.linspace(1.0, 99.0, 36 * 19)
    path = tmp_path / "a.grib"
    path.write_bytes(message(param, values))
    ours, (_, factor) = ALTERNATES.get(param, (param, ("", 1.0)))
    ((name, field),) = harmonised(path, tmp_path / "kept").items()
    assert ERA5.native(name).variable.param == ours
    np.testing.assert_allclose(field.ravel(), values * factor, rtol=1e-5)


def test_ec_codes_names_the_same_units():
    """The table is not typed from memory: ecCodes knows numbers, names and units."""
    for param, (ours, (units, _)) in ALTERNATES.items():
        handle = eccodes.codes_grib_new_from_samples("GRIB2")
        eccodes.codes_set(handle, "paramId", param)
        assert eccodes.codes_get(handle, "units").replace("**", "") == units
        theirs = eccodes.codes_get(handle, "shortName")
        eccodes.codes_set(handle, "paramId", ours)
        assert eccodes.codes_get(handle, "shortName") == theirs
        eccodes.codes_release(handle)


def test_only_stated_units_are_converted():
    """Per cent of snow, or a number nobody declared, stops the run."""
    field = np.ones(4, np.float32)
    placement = placement_of(
        {"gridType": "axes", "latitude": [90.0, -90.0], "longitude": [0.0, 180.0]}, "test"
    )
    assert harmonise(field, "%", ERA5.native("surface/tcc"), placement, "test").max() == (
        np.float32(0.01)
    )
    for units, path in (("%", "surface/sd"), ("kg m**-2", "surface/tcc"), ("mm", "surface/tp")):
        with pytest.raises(HarmoniseError, match="units differ"):
            harmonise(field, units, ERA5.native(path), placement, "test")
    assert set(CONVERSIONS) <= {native.variable.param for native in ERA5.natives}


@pytest.mark.parametrize(
    ("param", "metres", "found"),
    [(131, 100.0, 228246), (132, 100.0, 228247), (131, 10.0, 165), (132, 10.0, 166),
     (131, 200.0, None), (131, 99.5, None), (167, 2.0, 167), (228246, 100.0, 228246)],
)  # fmt: skip
def test_a_wind_at_a_height_is_the_wind_of_that_height(param, metres, found):
    assert wind_at(param, metres) == found
