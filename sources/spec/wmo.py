"""Parameters by the numbers and units of the WMO, as ECMWF's IFS writes from cycle 50r2 on.

From 2027 on fields keep their names and change their numbers and units: cloud covers come in
per cent, snow depth and precipitation in kg m-2, the wind at 100 m as ``u`` and ``v`` at that
height. What a message is, its number says; in what units, its units.

Source: ECMWF's parameter database, as ecCodes 2.50 knows it; ECMWF, migration to GRIB 2 (page of
2026-03-05). A kilogram of water on a square metre is a millimetre of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PER_CENT, MILLIMETRES = ("%", 0.01), ("kg m-2", 0.001)
# Number of the WMO's parameter: the number of ours, its units, and the factor to ours.
ALTERNATES: Mapping[int, tuple[int, tuple[str, float]]] = MappingProxyType(
    {
        228164: (164, PER_CENT),  # tcc
        3073: (186, PER_CENT),  # lcc
        3074: (187, PER_CENT),  # mcc
        3075: (188, PER_CENT),  # hcc
        228141: (141, MILLIMETRES),  # sd
        228144: (144, MILLIMETRES),  # sf
        228228: (228, MILLIMETRES),  # tp
    }
)
# By the number of ours: what it may be written in beside our units, and the factor to those.
CONVERSIONS: Mapping[int, tuple[str, float]] = MappingProxyType(dict(ALTERNATES.values()))
# u and v at a height in metres, and the numbers of the same winds as fields of their own.
WINDS: Mapping[tuple[int, int], int] = MappingProxyType(
    {(131, 10): 165, (132, 10): 166, (131, 100): 228246, (132, 100): 228247}
)
WIND_COMPONENTS = frozenset({131, 132})


def number_of(param: int) -> int:
    """The number under which a parameter is declared."""
    return ALTERNATES[param][0] if param in ALTERNATES else param


def wind_at(param: int, metres: float) -> int | None:
    """The number of a wind at a height as a field of its own.

    Returns:
        ``None`` for a wind at a height at which none is declared; the same number for
        whatever is no component of the wind.
    """
    if param not in WIND_COMPONENTS:
        return param
    return WINDS.get((param, int(metres))) if metres == int(metres) else None
