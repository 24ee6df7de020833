"""CAMS: forecasts of atmospheric composition, twice a day, on a 0.4 degree grid.

Each frame holds its own weather beside the pollutants: 4 + 8 fields at the
surface and 5 + 5 on every level.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Cds,
    Collection,
    Files,
    Grid,
    Kind,
    Product,
    Quirk,
    Source,
    Unit,
)
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.cycles import CAMS_CYCLES
from aurora_prep.sources.spec.dialect import ATMOSPHERE_FORECASTS
from aurora_prep.sources.spec.spellings import (
    COMPOSITION,
    EMISSIONS,
    OWN_STATIC,
    POLLUTION_SURFACE,
    POLLUTION_UPPER_AIR,
)

POLLUTANTS = tuple(n.variable.short_name for n in (*POLLUTION_SURFACE, *POLLUTION_UPPER_AIR))

STORE = Cds(
    (
        Collection(
            dataset="cams-global-atmospheric-composition-forecasts",
            kinds=(Kind.SURFACE, Kind.ATMOSPHERIC),
            constants=(("type", ("forecast",)),),
            unit=Unit.MONTH,
            max_fields=10_000,
            cost_limit=10_000,
            dialect=ATMOSPHERE_FORECASTS,
        ),
    ),
    name="ads",
)

ATTRIBUTION = (
    "Generated using Copernicus Atmosphere Monitoring Service information. Neither the European"
    " Commission nor ECMWF is responsible for any use that may be made of it."
)

QUIRKS = (
    Quirk(
        what="packing and spectral truncation leave small negative amounts; they are stored as"
        " they come, and Aurora sets them to zero at its input",
        known_from="Aurora's code; files of the store",
        variables=POLLUTANTS,
    ),
    Quirk(
        what="the model is coarser than the 0.4 degrees that are delivered",
        known_from="ECMWF, CAMS: global atmospheric composition forecast data documentation",
        end=datetime(2016, 6, 21),
    ),
    *CAMS_CYCLES,
)

SOURCE = Source(
    name="cams_forecast",
    title="CAMS global atmospheric composition forecasts",
    product=Product.FORECAST,
    grid=Grid.regular("0.4"),
    levels=AURORA_13,
    first=datetime(2015, 1, 1),
    cadence=timedelta(hours=12),
    lead_times=tuple(timedelta(hours=lead) for lead in range(0, 121, 3)),
    natives=COMPOSITION + OWN_STATIC + EMISSIONS,
    accesses=(STORE, Files()),
    licence="CC-BY-4.0",
    attribution=ATTRIBUTION,
    notes=(
        "Months older than a few weeks are read from tape: requests wait for hours.",
        "Static fields come from Aurora's own file, not from the store.",
    ),
    quirks=QUIRKS,
    origins=("fc",),
    classes=("mc",),
    streams=("oper",),
)
