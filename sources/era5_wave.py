"""ERA5's ocean waves: hourly, on 0.5 degrees, missing over land.

They come from the same collection as ERA5's surface fields, on a grid of
their own.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Cds,
    Collection,
    Files,
    Grid,
    Kind,
    Levels,
    Product,
    Quirk,
    Source,
    Unit,
)
from aurora_prep.sources.spec.dialect import CLIMATE_WAVES
from aurora_prep.sources.spec.spellings import WAVE_STATIC, WAVES

SOURCE = Source(
    name="era5_wave",
    title="ECMWF Reanalysis v5 (ERA5), ocean waves",
    product=Product.REANALYSIS,
    grid=Grid.regular("0.5"),
    levels=Levels(()),
    first=datetime(1940, 1, 1),
    cadence=timedelta(hours=1),
    natives=WAVES + WAVE_STATIC,
    accesses=(
        Cds(
            (
                Collection(
                    dataset="reanalysis-era5-single-levels",
                    kinds=(Kind.SURFACE, Kind.STATIC),
                    constants=(("product_type", ("reanalysis",)),),
                    unit=Unit.MONTH,
                    max_fields=10_000,
                    cost_limit=121_000,
                    netcdf_weight=6,
                    dialect=CLIMATE_WAVES,
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
        "Missing values belong to the fields: land, permanent ice, absent swell.",
        "Directions stay in degrees, 0 from north; Aurora takes sine and cosine itself.",
    ),
    quirks=(
        Quirk(
            what="a field of the peak period can have fewer missing values than the wave height"
            " of the same time",
            known_from="files of the store, October 2017",
            variables=("pp1d",),
        ),
    ),
    origins=("an",),
    classes=("ea",),
    streams=("wave",),
)
