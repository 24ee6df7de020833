"""GFS forecasts, four a day, every 3 hours to ten days and every 12 to sixteen, on 0.25 degrees.

Times are init times; the valid time is the init time plus the lead time. The lead times
are those that NCAR keeps of 2015 to 2020: 93 of each run.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.gfs_t0 import ACCESS, ATTRIBUTION, LICENCE, NOTES, QUIRKS
from aurora_prep.sources.spec import Files, Grid, Product, Source
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.index_spellings import GFS_NATIVES
from aurora_prep.sources.spec.spellings import OWN_STATIC

SOURCE = Source(
    name="gfs_forecast",
    title="NCEP GFS forecasts",
    product=Product.FORECAST,
    grid=Grid.regular("0.25"),
    levels=AURORA_13,
    first=datetime(2015, 1, 15),
    cadence=timedelta(hours=6),
    lead_times=tuple(timedelta(hours=lead) for lead in (*range(0, 241, 3), *range(252, 385, 12))),
    natives=GFS_NATIVES + OWN_STATIC,
    accesses=(ACCESS, Files()),
    licence=LICENCE,
    attribution=ATTRIBUTION,
    notes=NOTES,
    quirks=QUIRKS,
    centres=("kwbc",),
    released_after=timedelta(hours=6),
)
