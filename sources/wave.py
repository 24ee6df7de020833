"""HRES-WAM analysis: ocean waves four times a day, on 0.25 degrees.

The native grid is a reduced latitude-longitude grid; the archive delivers
0.25 degrees when asked. Missing over land and ice.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import Files, Grid, Levels, Product, Quirk, Source
from aurora_prep.sources.spec.spellings import WAVES

SOURCE = Source(
    name="wave",
    title="ECMWF HRES-WAM analysis (ocean waves)",
    product=Product.ANALYSIS,
    grid=Grid.regular("0.25"),
    levels=Levels(()),
    first=datetime(2016, 1, 1),
    cadence=timedelta(hours=6),
    natives=WAVES,
    accesses=(Files(),),
    licence="ECMWF archive licence",
    attribution="Contains data of the European Centre for Medium-Range Weather Forecasts (ECMWF).",
    notes=(
        "So far read from the user's own files only.",
        "A sample for Aurora needs the weather of hres_t0 at the same time.",
        "Directions stay in degrees, 0 from north; Aurora takes sine and cosine itself.",
    ),
    quirks=(
        Quirk(
            what="IFS cycle 45r1 changes the distributions: Aurora's last stage uses later times",
            known_from="Aurora supplement D.3",
            end=datetime(2018, 6, 5),
        ),
        Quirk(
            what="sea ice leaves heights near zero instead of missing values",
            known_from="ECMWF, ocean wave model output",
            variables=("swh", "shww", "shts", "swh1", "swh2"),
        ),
    ),
    origins=("an",),
)
