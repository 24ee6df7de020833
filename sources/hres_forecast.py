"""IFS HRES forecasts, 00 and 12 UTC, every 6 hours to ten days, on 0.25 degrees.

Times are init times; the valid time is the init time plus the lead time.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Branch,
    Files,
    Grid,
    Kind,
    Mars,
    Product,
    Quirk,
    Source,
    Unit,
    Zarr,
    ZarrStore,
)
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.cycles import IFS_CYCLES
from aurora_prep.sources.spec.spellings import OWN_STATIC, SURFACE, UPPER_AIR

SOURCE = Source(
    name="hres_forecast",
    title="ECMWF IFS HRES forecasts",
    product=Product.FORECAST,
    grid=Grid.regular("0.25"),
    levels=AURORA_13,
    first=datetime(2016, 1, 1),
    cadence=timedelta(hours=12),
    lead_times=tuple(timedelta(hours=lead) for lead in range(0, 241, 6)),
    natives=SURFACE + UPPER_AIR + OWN_STATIC,
    accesses=(
        Zarr(
            (
                ZarrStore(
                    url="gs://weatherbench2/datasets/hres/2016-2022-0012-1440x721.zarr",
                    first=datetime(2016, 1, 1),
                    last=datetime(2023, 1, 10, 12),
                    step=timedelta(hours=12),
                    is_south_first=True,
                ),
            )
        ),
        Mars(
            (
                Branch(
                    kinds=(Kind.SURFACE, Kind.ATMOSPHERIC),
                    keywords=(
                        ("class", "od"),
                        ("stream", "oper"),
                        ("expver", "1"),
                        ("type", "fc"),
                        ("grid", "0.25/0.25"),
                        ("area", "90/0/-90/359.75"),
                    ),
                    hours=(0, 12),
                    unit=Unit.DAY,
                    max_fields=1_400,
                ),
            )
        ),
        Files(),
    ),
    licence="ECMWF archive licence",
    attribution="Contains data of the European Centre for Medium-Range Weather Forecasts (ECMWF).",
    notes=("Aurora was pretrained on 2016 to 2020.",),
    quirks=(
        Quirk(
            what="a few points of geopotential at 850 hPa are missing in copies on public buckets:"
            " such frames are rejected, unless the recipe says fill_holes: 50",
            known_from="weatherbenchX issue 187",
            variables=("z",),
        ),
        *IFS_CYCLES,
    ),
    origins=("fc",),
    classes=("od",),
    streams=("oper",),
)
