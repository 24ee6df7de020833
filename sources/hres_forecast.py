"""IFS HRES forecasts, 00 and 12 UTC, every 6 hours to ten days, on 0.25 degrees.

Times are init times; the valid time is the init time plus the lead time.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import Files, Grid, Product, Quirk, Source
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.spellings import SURFACE, UPPER_AIR

SOURCE = Source(
    name="hres_forecast",
    title="ECMWF IFS HRES forecasts",
    product=Product.FORECAST,
    grid=Grid.regular("0.25"),
    levels=AURORA_13,
    first=datetime(2016, 1, 1),
    cadence=timedelta(hours=12),
    lead_times=tuple(timedelta(hours=lead) for lead in range(0, 241, 6)),
    natives=SURFACE + UPPER_AIR,
    accesses=(Files(),),
    licence="ECMWF archive licence",
    attribution="Contains data of the European Centre for Medium-Range Weather Forecasts (ECMWF).",
    notes=(
        "So far read from the user's own files only.",
        "Aurora was pretrained on 2016 to 2020.",
    ),
    quirks=(
        Quirk(
            what="a few points of geopotential at 850 hPa are missing in copies on public buckets",
            known_from="weatherbenchX issue 187",
            variables=("z",),
        ),
    ),
    origins=("fc",),
)
