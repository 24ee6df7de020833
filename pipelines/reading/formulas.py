"""Formulas for variables that a provider does not deliver, on one pressure level each.

Saturation over water and over ice follows Murphy and Koop (2005, Quarterly Journal 131,
equations 10 and 7), which agree with the tables of the WMO within 0.1 per cent from -50 to
+50 C. NCEP's own tables (``fpvs``) differ from them by 0.1 per cent at -20 C, 0.3 per cent at
+20 C over water, and 3 per cent at -80 C over ice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Ratio of the gas constants of dry air and water vapour.
EPSILON = 0.62198
# Above the one all cloud is water, below the other all is ice: NCEP's limits, in K.
ALL_WATER, ALL_ICE = 273.16, 253.16
PASCALS, PER_CENT = 100.0, 100.0


def saturation_over_water(temperature: Array) -> Array:
    """Vapour pressure of saturation over liquid water, Pa; ``temperature`` in K.

    Source: Murphy and Koop (2005), equation 10, for 123 to 332 K.
    """
    log = np.log(temperature)
    cold = 53.878 - 1331.22 / temperature - 9.44523 * log + 0.014025 * temperature
    exponent = 54.842763 - 6763.22 / temperature - 4.210 * log + 0.000367 * temperature
    return np.exp(exponent + np.tanh(0.0415 * (temperature - 218.8)) * cold)


def saturation_over_ice(temperature: Array) -> Array:
    """Vapour pressure of saturation over ice, Pa; ``temperature`` in K.

    Source: Murphy and Koop (2005), equation 7, above 110 K.
    """
    log = np.log(temperature)
    return np.exp(9.550426 - 5723.265 / temperature + 3.53068 * log - 0.00728332 * temperature)


def saturation_mixed(temperature: Array) -> Array:
    """Over ice below -20 C, over water above 0 C, linear in temperature between, Pa.

    Source: NCEP's ``fpvs``, the meaning of GFS's relative humidity up to version 15.
    """
    share = np.clip((temperature - ALL_ICE) / (ALL_WATER - ALL_ICE), 0.0, 1.0)
    over_ice, over_water = saturation_over_ice(temperature), saturation_over_water(temperature)
    return share * over_water + (1.0 - share) * over_ice


def specific_humidity(vapour: Array, pressure: float) -> Array:
    """Specific humidity, kg/kg, of a vapour pressure at a pressure, both in Pa."""
    return EPSILON * vapour / (pressure - (1.0 - EPSILON) * vapour)


def _from_relative(saturation: Callable[[Array], Array]) -> Callable[[Sequence[Array], int], Array]:
    def formula(inputs: Sequence[Array], hpa: int) -> Array:
        relative, temperature = inputs
        vapour = np.maximum(relative, 0.0) / PER_CENT * saturation(temperature)
        return specific_humidity(vapour, PASCALS * hpa)

    return formula


FORMULAS: Mapping[str, Callable[[Sequence[Array], int], Array]] = MappingProxyType(
    {
        "specific_humidity_over_water": _from_relative(saturation_over_water),
        "specific_humidity_over_water_and_ice": _from_relative(saturation_mixed),
    }
)


def compute(formula: str, inputs: Sequence[NDArray[np.float32]], hpa: int) -> NDArray[np.float32]:
    """A field by a formula.

    Args:
        formula: Its name, one of ``FORMULAS``.
        inputs: What goes into it, in the units of the provider's files.
        hpa: The level.
    """
    wide = [field.astype(np.float64) for field in inputs]
    return FORMULAS[formula](wide, hpa).astype(np.float32)
