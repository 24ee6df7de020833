"""How NCEP's files and ECMWF's open data spell variables, and how their indexes do.

Elements and levels are those of ``wgrib2``; parameter numbers are what ecCodes makes of
NCEP's messages. Height comes in geopotential metres, and becomes geopotential by the one
standard gravity (``harmonise.FACTOR``).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from aurora_prep.sources.spec.catalogue import MSL, T2M, U10, V10, Q, T, U, V, Z
from aurora_prep.sources.spec.derivation import Derivation
from aurora_prep.sources.spec.index_access import Term
from aurora_prep.sources.spec.source import Native
from aurora_prep.sources.spec.spellings import SURFACE, UPPER_AIR

HEIGHT, PRESSURE_REDUCED = 156, 260074
RELATIVE_HUMIDITY, TEMPERATURE = 157, 130
# From this run on relative humidity is over water, whatever the temperature.
GFS_V16 = datetime(2021, 3, 22, 12)
Q_FROM_RH = (
    Derivation(
        formula="specific_humidity_over_water_and_ice",
        inputs=(RELATIVE_HUMIDITY, TEMPERATURE),
        reference="GFS to v15: saturation over ice below -20 C, over water above 0 C, mixed"
        " linearly between (WPS issue 267); Buck 1981, WMO 2008",
        end=GFS_V16,
    ),
    Derivation(
        formula="specific_humidity_over_water",
        inputs=(RELATIVE_HUMIDITY, TEMPERATURE),
        reference="GFS from v16: saturation over water (WPS issue 267); Bolton 1980",
    ),
)


def _respelt(native: Native) -> Native:
    """Height in place of geopotential; everything else as ECMWF spells it."""
    if native.variable is not Z:
        return native
    return replace(native, fields=("gh",), units="gpm", param=HEIGHT)


OPEN_UPPER_AIR = tuple(map(_respelt, UPPER_AIR))

GEFS_NATIVES = SURFACE + OPEN_UPPER_AIR
GFS_NATIVES = tuple(
    replace(native, param=PRESSURE_REDUCED, fields=("prmsl",))
    if native.variable is MSL
    else replace(native, derivations=Q_FROM_RH)
    if native.variable is Q
    else native
    for native in GEFS_NATIVES
)

NCEP_UPPER_AIR = (
    Term(path=Z.path, words="HGT:{level} mb"),
    Term(path=U.path, words="UGRD:{level} mb"),
    Term(path=V.path, words="VGRD:{level} mb"),
    Term(path=T.path, words="TMP:{level} mb"),
)
NCEP_SURFACE = (
    Term(path=T2M.path, words="TMP:2 m above ground"),
    Term(path=U10.path, words="UGRD:10 m above ground"),
    Term(path=V10.path, words="VGRD:10 m above ground"),
)
SPECIFIC_HUMIDITY = "SPFH:{level} mb"
GFS_TERMS = (
    *NCEP_SURFACE,
    Term(path=MSL.path, words="PRMSL:mean sea level"),
    *NCEP_UPPER_AIR,
    Term(
        path=Q.path,
        words=SPECIFIC_HUMIDITY,
        instead=(("RH:{level} mb", RELATIVE_HUMIDITY), ("TMP:{level} mb", TEMPERATURE)),
    ),
)
GEFS_TERMS = (
    *NCEP_SURFACE,
    Term(path=MSL.path, words="PRES:mean sea level"),
    *NCEP_UPPER_AIR,
    Term(path=Q.path, words=SPECIFIC_HUMIDITY),
)
OPEN_TERMS = (
    *(Term(path=v.path, words=f"{v.short_name}/sfc") for v in (T2M, U10, V10, MSL)),
    Term(path=Z.path, words="gh/pl/{level}"),
    *(Term(path=v.path, words=f"{v.short_name}/pl/{{level}}") for v in (U, V, T, Q)),
)
MOVING = tuple(term.path for term in GFS_TERMS)
