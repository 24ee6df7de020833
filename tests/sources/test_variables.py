"""Every declared variable, against ECMWF's own parameter database as ecCodes ships it."""

from types import ModuleType

import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.harmonise import canonical, check_values
from aurora_prep.sources.spec import (
    HarmoniseError,
    Kind,
    Nature,
    Variable,
    catalogue,
    composition,
    surface,
    waves,
)
from aurora_prep.sources.spec.spellings import AURORA_1_5, COMPOSITION, STATIC, WAVES

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first


def declared(module: ModuleType) -> list[Variable]:
    return [value for value in vars(module).values() if isinstance(value, Variable)]


ALL = [v for module in (catalogue, composition, surface, waves) for v in declared(module)]
NUMBERED = [variable for variable in ALL if variable.param]


def test_paths_and_numbers_are_unique():
    assert len({variable.path for variable in ALL}) == len(ALL) == 12 + 13 + 21 + 19 + 1
    assert len({(v.param, v.has_levels) for v in NUMBERED}) == len(NUMBERED)


@pytest.mark.parametrize("variable", NUMBERED, ids=lambda v: v.path)
def test_numbers_names_and_units_are_those_of_the_database(variable):
    sample = f"regular_ll_{'pl' if variable.has_levels else 'sfc'}_grib1"
    handle = eccodes.codes_grib_new_from_samples(sample)
    try:
        eccodes.codes_set(handle, "paramId", variable.param)
        assert eccodes.codes_get(handle, "shortName") == variable.short_name
        units = canonical(eccodes.codes_get(handle, "units"))
    finally:
        eccodes.codes_release(handle)
    assert units == canonical(variable.units)


@pytest.mark.parametrize(
    "native", [*COMPOSITION, *WAVES, *STATIC, *AURORA_1_5], ids=lambda n: n.variable.path
)
def test_spelt_units_mean_ours(native):
    assert canonical(native.units) == canonical(native.variable.units)


def test_waves_may_be_missing_and_directions_are_known():
    moving = [variable for variable in declared(waves) if variable.kind is Kind.SURFACE]
    assert all(variable.may_be_missing for variable in moving)
    directions = {v.short_name for v in moving if v.nature is Nature.DIRECTION}
    assert directions == {"mwd", "mdww", "mdts", "mwd1", "mwd2", "dwi"}
    assert all(v.units == "degree" for v in moving if v.nature is Nature.DIRECTION)


def test_pollutants_may_be_a_little_negative():
    for variable in declared(composition):
        low, high = variable.plausible
        assert -high / 10 <= low < 0


def test_ozone_in_dobson_units_is_not_plausible():
    """As some files have it under the label kg m-2."""
    with pytest.raises(HarmoniseError, match="not plausible"):
        check_values(composition.GTCO3, 230.0, 479.0, 0, "a monthly mean")
    check_values(composition.GTCO3, 230 * 2.1415e-5, 479 * 2.1415e-5, 0, "the same in kg m-2")


def test_aurora_finds_all_it_takes():
    air = {"pm1", "pm2p5", "pm10", "tcco", "tc_no", "tcno2", "gtco3", "tcso2"}
    air |= {"co", "no", "no2", "go3", "so2"}
    cams = moving("cams_analysis")
    assert cams == air | {"2t", "10u", "10v", "msl", "z", "u", "v", "t", "q"}
    assert len(moving("wave")) == len(moving("era5_wave")) == 18


def moving(name: str) -> set[str]:
    natives = sources.load(name).of_kind(Kind.SURFACE, Kind.ATMOSPHERIC)
    return {native.variable.short_name for native in natives}
