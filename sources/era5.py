"""ERA5: hourly global reanalysis, delivered on a 0.25 degree grid.

The store interpolates from the native N320 grid. Recent months are
preliminary (ERA5T, ``expver`` 0005) and may be revised.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Cds,
    Collection,
    Files,
    Grid,
    Kind,
    Product,
    Source,
    Unit,
)
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.spellings import STATIC, SURFACE, UPPER_AIR

REANALYSIS = (("product_type", ("reanalysis",)),)

SOURCE = Source(
    name="era5",
    title="ECMWF Reanalysis v5 (ERA5)",
    product=Product.REANALYSIS,
    grid=Grid.regular("0.25"),
    levels=AURORA_13,
    first=datetime(1940, 1, 1),
    cadence=timedelta(hours=1),
    natives=SURFACE + UPPER_AIR + STATIC,
    accesses=(
        Cds(
            (
                Collection(
                    dataset="reanalysis-era5-single-levels",
                    kinds=(Kind.SURFACE, Kind.STATIC),
                    constants=REANALYSIS,
                    unit=Unit.MONTH,
                    max_fields=10_000,
                ),
                Collection(
                    dataset="reanalysis-era5-pressure-levels",
                    kinds=(Kind.ATMOSPHERIC,),
                    constants=REANALYSIS,
                    unit=Unit.DAY,
                    max_fields=10_000,
                ),
            )
        ),
        Files(),
    ),
    licence="CC-BY-4.0",
    attribution=(
        "Generated using Copernicus Climate Change Service information. Neither the European"
        " Commission nor ECMWF is responsible for any use that may be made of it."
    ),
    notes=(
        "The last three months are preliminary (ERA5T, expver 0005) and may be revised.",
        "Values below ground are extrapolated; Aurora was trained on them as they are.",
    ),
)
