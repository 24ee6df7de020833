"""IFS ensemble mean, 00 and 12 UTC, every 6 hours to 15 days, three levels, on 0.25 degrees."""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Files,
    Grid,
    Levels,
    Product,
    Quirk,
    Source,
    Zarr,
    ZarrStore,
)
from aurora_prep.sources.spec.spellings import OWN_STATIC, SURFACE, UPPER_AIR

SOURCE = Source(
    name="ifs_ens_mean",
    title="ECMWF IFS ensemble mean",
    product=Product.FORECAST,
    grid=Grid.regular("0.25"),
    levels=Levels((500, 700, 850)),
    first=datetime(2018, 1, 1),
    cadence=timedelta(hours=12),
    lead_times=tuple(timedelta(hours=lead) for lead in range(0, 361, 6)),
    natives=SURFACE + UPPER_AIR + OWN_STATIC,
    accesses=(
        Zarr(
            (
                ZarrStore(
                    url="gs://weatherbench2/datasets/ifs_ens/2018-2022-1440x721_mean.zarr",
                    first=datetime(2018, 1, 1),
                    last=datetime(2022, 12, 31, 12),
                    step=timedelta(hours=12),
                    is_south_first=True,
                ),
            )
        ),
        Files(),
    ),
    licence="TIGGE: research use only",
    attribution="Contains data of the European Centre for Medium-Range Weather Forecasts (ECMWF).",
    notes=("The mean of fifty members.",),
    quirks=(
        Quirk(
            what="surface fields are empty in the copy on a public bucket",
            known_from="weatherbench2 issue 234",
            start=datetime(2019, 10, 17),
            end=datetime(2019, 10, 17, 12),
            variables=("2t", "10u", "10v", "msl"),
        ),
    ),
    origins=("em",),
    classes=("od", "ti"),
    streams=("enfo",),
    derived="mean",
)
