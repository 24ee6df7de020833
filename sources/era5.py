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
    Zarr,
    ZarrStore,
)
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.spellings import (
    OPTIONAL_AURORA_1_5,
    OPTIONAL_AURORA_1_5_STATIC,
    STATIC,
    SURFACE,
    UPPER_AIR,
)

REANALYSIS = (("product_type", ("reanalysis",)),)
# Of Aurora 1.5: not in WeatherBench2's store, or without a value in it (2d).
NOT_IN_WEATHERBENCH = tuple(
    f"surface/{name}"
    for name in (
        "2d", "100u", "100v", "lcc", "mcc", "hcc", "skt", "stl1", "i10fg", "uvb", "ssrd", "ttr",
        "tp", "sf",
    )
) + tuple(native.variable.path for native in OPTIONAL_AURORA_1_5_STATIC)  # fmt: skip
# Of Aurora's variables: not in ECMWF's own stores, as of 2026-04.
NOT_IN_ECMWF = (
    *(f"surface/{name}" for name in (
        "tcwv", "lcc", "mcc", "hcc", "stl1", "swvl1", "ci", "sd", "i10fg", "uvb", "ttr", "sf",
    )),
    "static/z", "static/lsm", "static/slt",
    *(native.variable.path for native in OPTIONAL_AURORA_1_5_STATIC),
)  # fmt: skip
ECMWF = "https://arco.datastores.ecmwf.int"
ECMWF_SURFACE = (
    f"{ECMWF}/cadl-arco-time-002/arco/reanalysis_era5_single_levels/sfc/timeChunked.zarr"
)
ARCO_LEVELS = (
    1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 125, 150, 175, 200, 225, 250, 300, 350, 400, 450, 500,
    550, 600, 650, 700, 750, 775, 800, 825, 850, 875, 900, 925, 950, 975, 1000,
)  # fmt: skip

SOURCE = Source(
    name="era5",
    title="ECMWF Reanalysis v5 (ERA5)",
    product=Product.REANALYSIS,
    grid=Grid.regular("0.25"),
    levels=AURORA_13,
    first=datetime(1940, 1, 1),
    cadence=timedelta(hours=1),
    natives=SURFACE + UPPER_AIR + STATIC + OPTIONAL_AURORA_1_5 + OPTIONAL_AURORA_1_5_STATIC,
    accesses=(
        Cds(
            (
                Collection(
                    dataset="reanalysis-era5-single-levels",
                    kinds=(Kind.SURFACE, Kind.STATIC),
                    constants=REANALYSIS,
                    unit=Unit.MONTH,
                    max_fields=10_000,
                    cost_limit=121_000,
                    netcdf_weight=6,
                ),
                Collection(
                    dataset="reanalysis-era5-pressure-levels",
                    kinds=(Kind.ATMOSPHERIC,),
                    constants=REANALYSIS,
                    unit=Unit.DAY,
                    max_fields=10_000,
                    cost_limit=60_000,
                    netcdf_weight=6,
                ),
            )
        ),
        Zarr(
            (
                # Thirteen levels to download for every six hours, where that is enough.
                ZarrStore(
                    url=(
                        "gs://weatherbench2/datasets/era5/"
                        "1959-2023_01_10-wb13-6h-1440x721_with_derived_variables.zarr"
                    ),
                    first=datetime(1959, 1, 1),
                    last=datetime(2023, 1, 10, 18),
                    step=timedelta(hours=6),
                    lacks=NOT_IN_WEATHERBENCH,
                ),
                ZarrStore(
                    url=("gs://gcp-public-data-arco-era5/ar/full_37-1h-0p25deg-chunk-1.zarr-v3"),
                    first=datetime(1940, 1, 1),
                    last=None,
                    step=timedelta(hours=1),
                    levels=ARCO_LEVELS,
                    padded=(datetime(1900, 1, 1), datetime(2050, 12, 31, 23)),
                ),
            ),
            names=(("static/z", "geopotential_at_surface"),),
        ),
        # Beta, and meant for small subsets: ask ECMWF before a run of terabytes.
        Zarr(
            (
                ZarrStore(
                    url=(
                        f"{ECMWF}/cadl-arco-time-048/arco/reanalysis_era5_pressure_levels/pl"
                        "/timeChunked.zarr"
                    ),
                    beside=(ECMWF_SURFACE,),
                    first=datetime(1940, 1, 1),
                    last=None,
                    step=timedelta(hours=6),
                    lacks=NOT_IN_ECMWF,
                    is_south_first=True,
                    is_of_ecmwf=True,
                ),
            ),
            name="ecmwf_zarr",
            key_of="cds",
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
        "Access ecmwf_zarr (beta) reads ECMWF's own stores by six hours, with the key of cds.",
        "Static fields are not among them: give them as statics, or take them by access cds.",
        "Values below ground are extrapolated; Aurora was trained on them as they are.",
    ),
    origins=("an", "fc"),
    classes=("ea",),
    streams=("oper",),
)
