"""IFS ensemble forecasts, 00 and 12 UTC, every 6 hours to 15 days, three levels."""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Files,
    Grid,
    Levels,
    Product,
    Source,
    Zarr,
    ZarrStore,
)
from aurora_prep.sources.spec.spellings import OWN_STATIC, SURFACE, UPPER_AIR

SOURCE = Source(
    name="ifs_ens",
    title="ECMWF IFS ensemble forecasts",
    product=Product.FORECAST,
    grid=Grid.regular("0.25"),
    levels=Levels((500, 700, 850)),
    first=datetime(2016, 1, 1),
    cadence=timedelta(hours=12),
    lead_times=tuple(timedelta(hours=lead) for lead in range(0, 361, 6)),
    natives=SURFACE + UPPER_AIR + OWN_STATIC,
    accesses=(
        Zarr(
            (
                ZarrStore(
                    url="gs://weatherbench2/datasets/ifs_ens/2018-2022-1440x721.zarr",
                    first=datetime(2018, 1, 1),
                    last=datetime(2022, 12, 31, 12),
                    step=timedelta(hours=12),
                    is_south_first=True,
                ),
                ZarrStore(
                    url="gs://weatherbench2/datasets/ifs_ens/2016-2024-1440x721.zarr",
                    first=datetime(2016, 1, 1),
                    last=datetime(2024, 12, 31, 12),
                    step=timedelta(hours=12),
                    is_south_first=True,
                ),
            )
        ),
        Files(),
    ),
    licence="TIGGE: research use only",
    attribution="Contains data of the European Centre for Medium-Range Weather Forecasts (ECMWF).",
    notes=(
        "Fifty perturbed members, each with frames of its own; the control is not among them.",
        "Before 2018 and after 2022 a store is read that its owners have not documented.",
    ),
    members=tuple(range(1, 51)),
    origins=("pf",),
    classes=("od", "ti"),
    streams=("enfo",),
)
