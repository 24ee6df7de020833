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
    Native,
    Product,
    Source,
    Unit,
)
from aurora_prep.sources.spec.catalogue import (
    AURORA_13,
    LSM,
    MSL,
    SLT,
    T2M,
    U10,
    V10,
    Z_SURFACE,
    Q,
    T,
    U,
    V,
    Z,
)

REANALYSIS = (("product_type", ("reanalysis",)),)

SOURCE = Source(
    name="era5",
    title="ECMWF Reanalysis v5 (ERA5)",
    product=Product.REANALYSIS,
    grid=Grid.regular("0.25"),
    levels=AURORA_13,
    first=datetime(1940, 1, 1),
    cadence=timedelta(hours=1),
    natives=(
        Native(variable=T2M, request="2m_temperature", fields=("t2m",), units="K"),
        Native(variable=U10, request="10m_u_component_of_wind", fields=("u10",), units="m s**-1"),
        Native(variable=V10, request="10m_v_component_of_wind", fields=("v10",), units="m s**-1"),
        Native(variable=MSL, request="mean_sea_level_pressure", fields=("msl",), units="Pa"),
        Native(variable=Z, request="geopotential", fields=("z",), units="m**2 s**-2"),
        Native(variable=U, request="u_component_of_wind", fields=("u",), units="m s**-1"),
        Native(variable=V, request="v_component_of_wind", fields=("v",), units="m s**-1"),
        Native(variable=T, request="temperature", fields=("t",), units="K"),
        Native(variable=Q, request="specific_humidity", fields=("q",), units="kg kg**-1"),
        Native(variable=Z_SURFACE, request="geopotential", fields=("z",), units="m**2 s**-2"),
        Native(variable=LSM, request="land_sea_mask", fields=("lsm",), units="(0 - 1)"),
        Native(variable=SLT, request="soil_type", fields=("slt",), units="(Code table 4.213)"),
    ),
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
