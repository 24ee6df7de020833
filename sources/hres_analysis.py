"""IFS HRES analysis, four times a day, as archived on Gaussian grids.

Files come on the regular Gaussian grid N1280 or the octahedral O1280; a
recipe's ``grid: "0.1"`` regrids them to what Aurora at 0.1 degrees expects.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import Files, Grid, Product, Quirk, Source
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.spellings import STATIC, SURFACE, UPPER_AIR

SOURCE = Source(
    name="hres_analysis",
    title="ECMWF IFS HRES analysis",
    product=Product.ANALYSIS,
    grid=Grid.regular("0.1"),
    levels=AURORA_13,
    first=datetime(2016, 1, 1),
    cadence=timedelta(hours=6),
    natives=SURFACE + UPPER_AIR + STATIC,
    accesses=(Files(),),
    licence="ECMWF archive licence",
    attribution="Contains data of the European Centre for Medium-Range Weather Forecasts (ECMWF).",
    notes=(
        "So far read from the user's own files only.",
        "The native grid is Gaussian, N1280 or O1280; grid 0.1 is what Aurora takes.",
        "Aurora was fine-tuned on 2016 to 2022; its static fields are its own.",
    ),
    quirks=(
        Quirk(
            what="the analyses of 06 and 18 UTC have a shorter assimilation window",
            known_from="Aurora issue 47",
        ),
        Quirk(
            what="IFS cycle 41r2 has not begun: the native grid is N640, coarser than 0.1 degrees",
            known_from="ECMWF, IFS cycle 41r2",
            end=datetime(2016, 3, 8),
        ),
    ),
    origins=("an",),
)
