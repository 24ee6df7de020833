"""HRES-WAM analysis: ocean waves four times a day, on 0.25 degrees.

The native grid is a reduced latitude-longitude grid; the archive delivers
0.25 degrees when asked. Missing over land and ice.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Branch,
    Files,
    Grid,
    Kind,
    Levels,
    Mars,
    Product,
    Quirk,
    Source,
    Unit,
)
from aurora_prep.sources.spec.cycles import IFS_CYCLES
from aurora_prep.sources.spec.spellings import WAVE_STATIC, WAVES

SOURCE = Source(
    name="wave",
    title="ECMWF HRES-WAM analysis (ocean waves)",
    product=Product.ANALYSIS,
    grid=Grid.regular("0.25"),
    levels=Levels(()),
    first=datetime(2016, 1, 1),
    cadence=timedelta(hours=6),
    natives=WAVES + WAVE_STATIC,
    accesses=(
        Mars(
            (
                Branch(
                    kinds=(Kind.SURFACE, Kind.STATIC),
                    keywords=(
                        ("class", "od"),
                        ("stream", "wave"),
                        ("expver", "1"),
                        ("type", "an"),
                        ("domain", "g"),
                        ("grid", "0.25/0.25"),
                        ("area", "90/0/-90/359.75"),
                    ),
                    hours=(0, 6, 12, 18),
                    unit=Unit.MONTH,
                    max_fields=2_500,
                ),
            )
        ),
        Files(),
    ),
    licence="ECMWF archive licence",
    attribution="Contains data of the European Centre for Medium-Range Weather Forecasts (ECMWF).",
    notes=(
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
        *IFS_CYCLES,
    ),
    origins=("an",),
    classes=("od",),
    streams=("wave",),
)
