"""IFS HRES analysis, four times a day, as archived on Gaussian grids.

Files come on the regular Gaussian grid N1280 or the octahedral O1280; a
recipe's ``grid: "0.1"`` regrids them to what Aurora at 0.1 degrees expects.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Branch,
    Files,
    Grid,
    Http,
    Kind,
    Mars,
    Product,
    Quirk,
    Series,
    Source,
    Unit,
)
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.cycles import IFS_CYCLES
from aurora_prep.sources.spec.spellings import (
    OPTIONAL_AURORA_1_5_INPUTS,
    STATIC,
    SURFACE,
    UPPER_AIR,
)

# A month of surface fields, and a day of those on levels, are files of like size.
SURFACE_BRANCH = Branch(
    kinds=(Kind.SURFACE, Kind.STATIC),
    keywords=(
        ("class", "od"),
        ("stream", "oper"),
        ("expver", "1"),
        ("type", "an"),
        ("grid", "O1280"),
    ),
    hours=(0, 6, 12, 18),
    unit=Unit.MONTH,
    max_fields=500,
)

SOURCE = Source(
    name="hres_analysis",
    title="ECMWF IFS HRES analysis",
    product=Product.ANALYSIS,
    grid=Grid.regular("0.1"),
    levels=AURORA_13,
    first=datetime(2016, 1, 1),
    cadence=timedelta(hours=6),
    natives=SURFACE + UPPER_AIR + STATIC + OPTIONAL_AURORA_1_5_INPUTS,
    accesses=(
        Http(
            dataset="d113001",
            url="https://data.rda.ucar.edu/d113001",
            hosts=(
                "https://data.gdex.ucar.edu/d113001",
                "https://osdf-director.osg-htc.org/ncar/gdex/d113001",
                "https://osdf-data.gdex.ucar.edu/ncar/gdex/d113001",
            ),
            grid="F1280",
            series=(
                Series(
                    kinds=(Kind.SURFACE, Kind.STATIC),
                    pattern="ec.oper.an.sfc/{time:%Y%m}/ec.oper.an.sfc"
                    ".{table}_{number:03d}_{name}.regn1280{word}.{time:%Y%m%d}.grb",
                    word="sc",
                ),
                Series(
                    kinds=(Kind.ATMOSPHERIC,),
                    pattern="ec.oper.an.pl/{time:%Y%m}/ec.oper.an.pl"
                    ".{table}_{number:03d}_{name}.regn1280{word}.{time:%Y%m%d%H}.grb",
                    word="sc",
                    words=(("u", "uv"), ("v", "uv")),
                ),
            ),
        ),
        Mars((SURFACE_BRANCH, replace(SURFACE_BRANCH, kinds=(Kind.ATMOSPHERIC,), unit=Unit.DAY))),
        Files(),
    ),
    licence="ECMWF archive licence",
    attribution="Contains data of the European Centre for Medium-Range Weather Forecasts (ECMWF).",
    notes=(
        "The native grid is Gaussian; grid 0.1 is what Aurora takes.",
        "NCAR's files moved from RDA to GDEX in 2025; whether new months go on is not known.",
        "Access http reads files on the regular grid N1280, access mars the octahedral O1280.",
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
        *IFS_CYCLES,
    ),
    origins=("an",),
    classes=("od",),
    streams=("oper",),
)
