"""ECMWF open data: the IFS at step 0, four times a day, on 0.25 degrees, free for everyone.

Step 0 of the forecast, as ``hres_t0``: what Aurora at 0.25 degrees starts from. Streams
are ``oper`` at 00 and 12 UTC and ``scda`` at 06 and 18 UTC, and ``oper`` alone from IFS
cycle 50r1 on.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Files,
    Grid,
    Index,
    IndexedFiles,
    IndexForm,
    Product,
    Quirk,
    Source,
)
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.index_spellings import MOVING, OPEN_TERMS, OPEN_UPPER_AIR
from aurora_prep.sources.spec.spellings import OWN_STATIC, SURFACE

FIRST = datetime(2024, 3, 1)
CYCLE_50R1 = datetime(2026, 5, 12, 6)


def pattern(stream: str) -> str:
    """Path of a file of a stream."""
    return (
        "{time:%Y%m%d}/{time:%H}z/ifs/0p25/" + stream + "/"
        "{time:%Y%m%d%H}0000-{lead}h-" + stream + "-fc.grib2"
    )


OPER = IndexedFiles(
    dataset="ecmwf-open-data",
    hosts=(
        "https://ecmwf-forecasts.s3.eu-central-1.amazonaws.com",
        "https://storage.googleapis.com/ecmwf-open-data",
        "https://ai4edataeuwest.blob.core.windows.net/ecmwf",
        "https://data.ecmwf.int/forecasts",
    ),
    patterns=(pattern("oper"),),
    form=IndexForm.ECMWF,
    grid=Grid.regular("0.25"),
    paths=MOVING,
    hours=(0, 12),
)
SCDA = replace(OPER, patterns=(pattern("scda"),), hours=(6, 18), end=CYCLE_50R1)
ALL_OPER = replace(OPER, hours=(6, 18), start=CYCLE_50R1)
LICENCE = "CC-BY-4.0"
ATTRIBUTION = (
    "Contains data of the European Centre for Medium-Range Weather Forecasts (ECMWF),"
    " www.ecmwf.int, under CC BY 4.0; ECMWF accepts no liability for them."
)

SOURCE = Source(
    name="ifs_open",
    title="ECMWF open data: IFS at step 0 (T0)",
    product=Product.ANALYSIS,
    grid=Grid.regular("0.25"),
    levels=AURORA_13,
    first=FIRST,
    cadence=timedelta(hours=6),
    natives=SURFACE + OPEN_UPPER_AIR + OWN_STATIC,
    accesses=(Index(files=(OPER, SCDA, ALL_OPER), terms=OPEN_TERMS), Files()),
    licence=LICENCE,
    attribution=ATTRIBUTION,
    notes=(
        "Height in gpm becomes geopotential by 9.80665.",
        (
            "Released some hours after the init time; ECMWF's own host keeps a few days, the others"
            " keep them all."
        ),
        "Of Aurora 1.5 sea ice and the three cloud layers are not among the open data.",
        "Static fields are those of ERA5: write statics_from: era5, or name a file.",
    ),
    quirks=(
        Quirk(
            what="06 and 18 UTC come from stream scda, with a shorter assimilation window",
            known_from="Aurora issue 47; ECMWF, IFS documentation",
            end=CYCLE_50R1,
        ),
    ),
    origins=("fc",),
    classes=("od",),
    streams=("oper", "scda"),
    released_after=timedelta(hours=9),
)
