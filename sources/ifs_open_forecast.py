"""ECMWF open data: IFS forecasts, 00 and 12 UTC, every 3 hours to six days and 6 to ten.

Times are init times; the valid time is the init time plus the lead time.
"""

from datetime import timedelta

from aurora_prep.sources.ifs_open import ATTRIBUTION, FIRST, LICENCE, OPER
from aurora_prep.sources.spec import Files, Grid, Index, Product, Source
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.index_spellings import OPEN_TERMS, OPEN_UPPER_AIR
from aurora_prep.sources.spec.spellings import OWN_STATIC, SURFACE

SOURCE = Source(
    name="ifs_open_forecast",
    title="ECMWF open data: IFS forecasts",
    product=Product.FORECAST,
    grid=Grid.regular("0.25"),
    levels=AURORA_13,
    first=FIRST,
    cadence=timedelta(hours=12),
    lead_times=tuple(timedelta(hours=lead) for lead in (*range(0, 145, 3), *range(150, 241, 6))),
    natives=SURFACE + OPEN_UPPER_AIR + OWN_STATIC,
    accesses=(Index(files=(OPER,), terms=OPEN_TERMS), Files()),
    licence=LICENCE,
    attribution=ATTRIBUTION,
    notes=(
        "Height in gpm becomes geopotential by 9.80665.",
        "Static fields are those of ERA5: write statics_from: era5, or name a file.",
    ),
    origins=("fc",),
    classes=("od",),
    streams=("oper",),
    released_after=timedelta(hours=9),
)
