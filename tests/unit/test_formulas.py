"""Derived specific humidity against published tables of the vapour pressure of water and ice."""

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.formulas import (
    FORMULAS,
    compute,
    saturation_mixed,
    saturation_over_ice,
    saturation_over_water,
)

ZERO = 273.15
# CRC Handbook of Chemistry and Physics: vapour pressure of water (IAPWS) and of ice, Pa by C.
WATER = {0.01: 611.66, 10.0: 1228.2, 20.0: 2339.3, 30.0: 4247.0, 40.0: 7384.9, 50.0: 12352.0}
ICE = {0.0: 611.15, -10.0: 259.90, -20.0: 103.26, -30.0: 38.01, -40.0: 12.84, -50.0: 3.936}
WITHIN = 1e-3


def humidity(vapour, pressure):
    """By way of the mixing ratio, with the molar masses themselves."""
    ratio = 18.01528 / 28.9647 * vapour / (pressure - vapour)
    return ratio / (1 + ratio)


@pytest.mark.parametrize(("celsius", "pascals"), WATER.items())
@pytest.mark.parametrize("hpa", [850, 500, 200])
@pytest.mark.parametrize("relative", [100.0, 37.0])
def test_over_water_it_is_that_of_the_tables(celsius, pascals, hpa, relative):
    inputs = [np.float32([relative]), np.float32([celsius + ZERO])]
    wanted = humidity(relative / 100 * pascals, hpa * 100.0)
    for formula in FORMULAS:
        # Above 0 C both say the same.
        assert compute(formula, inputs, hpa) == pytest.approx(wanted, rel=WITHIN)


@pytest.mark.parametrize(("celsius", "pascals"), [p for p in ICE.items() if p[0] < -20])
def test_over_ice_it_is_that_of_the_tables(celsius, pascals):
    inputs = [np.float32([80.0]), np.float32([celsius + ZERO])]
    found = compute("specific_humidity_over_water_and_ice", inputs, 300)
    assert found == pytest.approx(humidity(0.8 * pascals, 30_000.0), rel=WITHIN)


@pytest.mark.parametrize(("celsius", "pascals"), ICE.items())
def test_saturation_over_ice_is_that_of_the_table(celsius, pascals):
    assert saturation_over_ice(np.array([celsius + ZERO])) == pytest.approx(pascals, rel=WITHIN)


def test_between_the_phases_it_is_mixed():
    """All ice at -20 C, all water at the triple point, half of each between."""
    middle = np.array([263.16])
    half = (saturation_over_ice(middle) + saturation_over_water(middle)) / 2
    assert saturation_mixed(middle) == pytest.approx(half)
    ends = np.array([253.16, 273.16])
    assert saturation_mixed(ends)[0] == saturation_over_ice(ends)[0]
    assert saturation_mixed(ends)[1] == saturation_over_water(ends)[1]


def test_over_water_is_the_larger_in_the_cold():
    inputs = [np.float32([60.0]), np.float32([ZERO - 40])]
    cold, mixed = (compute(formula, inputs, 300) for formula in sorted(FORMULAS))
    assert cold / mixed == pytest.approx(18.91 / 12.84, rel=2e-3)


def test_a_negative_relative_humidity_is_dry():
    inputs = [np.float32([-0.1]), np.float32([280.0])]
    assert compute("specific_humidity_over_water", inputs, 500) == 0.0


def test_missing_values_stay_missing():
    inputs = [np.float32([np.nan]), np.float32([280.0])]
    assert np.isnan(compute("specific_humidity_over_water", inputs, 500))


@pytest.mark.parametrize("name", sources.names())
def test_every_declared_formula_is_known(name):
    for native in sources.load(name).natives:
        for derivation in native.derivations:
            assert derivation.formula in FORMULAS
            assert derivation.reference
