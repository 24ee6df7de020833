"""EAC4: the CAMS reanalysis of atmospheric composition, every 3 hours on 0.75 degrees.

Aurora's grid is 0.4 degrees: a recipe's ``grid: "0.4"`` regrids it.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.cams_forecast import ATTRIBUTION, POLLUTANTS
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
from aurora_prep.sources.spec.dialect import ATMOSPHERE
from aurora_prep.sources.spec.spellings import COMPOSITION, EMISSIONS, OWN_STATIC

SOURCE = Source(
    name="cams_reanalysis",
    title="CAMS global reanalysis (EAC4)",
    product=Product.REANALYSIS,
    grid=Grid.regular("0.75"),
    levels=AURORA_13,
    first=datetime(2003, 1, 1),
    cadence=timedelta(hours=3),
    natives=COMPOSITION + OWN_STATIC + EMISSIONS,
    accesses=(
        Cds(
            (
                Collection(
                    dataset="cams-global-reanalysis-eac4",
                    kinds=(Kind.SURFACE, Kind.ATMOSPHERIC),
                    constants=(),
                    unit=Unit.MONTH,
                    max_fields=10_000,
                    cost_limit=10_000,
                    dialect=ATMOSPHERE,
                ),
            ),
            name="ads",
        ),
        Files(),
    ),
    licence="CC-BY-4.0",
    attribution=ATTRIBUTION,
    notes=(
        "Aurora was fine-tuned on 2003 to 2021, regridded to 0.4 degrees.",
        "Some files hold total column ozone in Dobson units labelled kg m-2: they are refused.",
    ),
    quirks=(
        Quirk(
            what="packing and spectral truncation leave small negative amounts; they are stored as"
            " they come, and Aurora sets them to zero at its input",
            known_from="Aurora's code; files of the store",
            variables=POLLUTANTS,
        ),
    ),
    origins=("an", "fc"),
    classes=("mc",),
    streams=("oper",),
)
