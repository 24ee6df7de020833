"""CAMS: the start of each composition forecast, taken as the analysis, as Aurora does.

The fields are those of lead time 0 of the forecasts of 00 and 12 UTC. The
store offers ``type=analysis`` too; whether it holds the same values has not
been shown, so it is not asked.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.cams_forecast import ATTRIBUTION, QUIRKS, STORE
from aurora_prep.sources.spec import Files, Grid, Product, Source
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.spellings import COMPOSITION, EMISSIONS, OWN_STATIC

SOURCE = Source(
    name="cams_analysis",
    title="CAMS global atmospheric composition analysis (forecasts at lead time 0)",
    product=Product.ANALYSIS,
    grid=Grid.regular("0.4"),
    levels=AURORA_13,
    first=datetime(2015, 1, 1),
    cadence=timedelta(hours=12),
    natives=COMPOSITION + OWN_STATIC + EMISSIONS,
    accesses=(STORE, Files()),
    licence="CC-BY-4.0",
    attribution=ATTRIBUTION,
    notes=(
        "Aurora was fine-tuned on October 2017 to May 2022 and takes two frames 12 hours apart.",
        "Months older than a few weeks are read from tape: requests wait for hours.",
        "Static fields come from Aurora's own file, not from the store.",
    ),
    quirks=QUIRKS,
    origins=("an", "fc"),
    classes=("mc",),
    streams=("oper",),
)
