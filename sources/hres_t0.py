"""IFS HRES at step 0: what a forecast starts from, four times a day, on 0.25 degrees.

It is not the analysis, which has one more assimilation step at the surface:
Aurora at 0.25 degrees expects this one. Streams are ``oper`` at 00 and 12 UTC
and ``scda`` at 06 and 18 UTC.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import Files, Grid, Product, Quirk, Source
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.spellings import SURFACE, UPPER_AIR

SOURCE = Source(
    name="hres_t0",
    title="ECMWF IFS HRES at step 0 (T0)",
    product=Product.ANALYSIS,
    grid=Grid.regular("0.25"),
    levels=AURORA_13,
    first=datetime(2016, 1, 1),
    cadence=timedelta(hours=6),
    natives=SURFACE + UPPER_AIR,
    accesses=(Files(),),
    licence="ECMWF archive licence",
    attribution="Contains data of the European Centre for Medium-Range Weather Forecasts (ECMWF).",
    notes=(
        "So far read from the user's own files only.",
        "Step 0 of the forecast, not the analysis; Aurora was fine-tuned on 2016 to 2021.",
    ),
    quirks=(
        Quirk(
            what="total precipitation of step 0 is zero everywhere, since nothing has accumulated",
            known_from="weatherbench2 issue 159",
            variables=("tp",),
        ),
        Quirk(
            what="06 and 18 UTC come from stream scda, with a shorter assimilation window",
            known_from="Aurora issue 47; ECMWF, IFS documentation",
        ),
    ),
    origins=("fc",),
)
