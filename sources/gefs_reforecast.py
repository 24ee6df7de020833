"""GEFS reforecasts (GEFSv12), 00 UTC daily, five members, every 3 hours to ten days.

A file holds one variable of one member on all its levels and at all lead times. Levels up to
800 hPa lie on 0.25 degrees, those from 700 hPa upwards on 0.5. There is no step 0.
"""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Files,
    Grid,
    Index,
    IndexedFiles,
    IndexForm,
    Levels,
    Product,
    Quirk,
    Source,
)
from aurora_prep.sources.spec.catalogue import MSL, T2M, U10, V10, Q, T, U, V, Z
from aurora_prep.sources.spec.index_spellings import GEFS_NATIVES, GEFS_TERMS
from aurora_prep.sources.spec.spellings import OWN_STATIC

FOLDER = "GEFSv12/reforecast/{time:%Y}/{time:%Y%m%d%H}/{member}/Days:1-10/"
NEAR_GROUND = IndexedFiles(
    dataset="noaa-gefs-retrospective",
    hosts=("https://noaa-gefs-retrospective.s3.amazonaws.com",),
    patterns=(FOLDER + "{name}_{time:%Y%m%d%H}_{member}.grib2",),
    form=IndexForm.NOAA,
    grid=Grid.regular("0.25"),
    paths=tuple(variable.path for variable in (T2M, U10, V10, MSL, Z, U, V, T, Q)),
    names=(
        (T2M.path, "tmp_2m"),
        (U10.path, "ugrd_hgt"),
        (V10.path, "vgrd_hgt"),
        (MSL.path, "pres_msl"),
        (Z.path, "hgt_pres"),
        (U.path, "ugrd_pres"),
        (V.path, "vgrd_pres"),
        (T.path, "tmp_pres"),
        (Q.path, "spfh_pres"),
    ),
    levels=(850, 925, 1000),
)
ALOFT = IndexedFiles(
    dataset=NEAR_GROUND.dataset,
    hosts=NEAR_GROUND.hosts,
    patterns=NEAR_GROUND.patterns,
    form=IndexForm.NOAA,
    grid=Grid.regular("0.5"),
    paths=tuple(variable.path for variable in (Z, U, V, T, Q)),
    names=tuple(
        (path, f"{word}_abv700mb") for path, word in NEAR_GROUND.names if word.endswith("_pres")
    ),
    levels=(50, 100, 200, 250, 300, 500, 700),
)
DAMAGED = (
    (datetime(2004, 3, 5), "p03 at +39 h"),
    (datetime(2004, 3, 7), "p02 at +183 h and p04 at +141 h"),
    (datetime(2019, 2, 9), "p04 at +36 h and +231 h"),
)

SOURCE = Source(
    name="gefs_reforecast",
    title="NOAA GEFS reforecasts (GEFSv12)",
    product=Product.FORECAST,
    grid=Grid.regular("0.25"),
    levels=Levels((50, 100, 200, 250, 300, 500, 700, 850, 925, 1000)),
    first=datetime(2000, 1, 1),
    cadence=timedelta(days=1),
    lead_times=tuple(timedelta(hours=lead) for lead in range(3, 241, 3)),
    natives=GEFS_NATIVES + OWN_STATIC,
    accesses=(
        Index(
            files=(NEAR_GROUND, ALOFT),
            terms=GEFS_TERMS,
            labels=((0, "c00"), *((member, f"p{member:02d}") for member in range(1, 5))),
        ),
        Files(),
    ),
    licence="NOAA Open Data: any use, with attribution",
    attribution=(
        "Made of data of the National Oceanic and Atmospheric Administration (NOAA), obtained"
        " from its Open Data Dissemination programme. Altered data are not NOAA's."
    ),
    notes=(
        "Reforecasts end with 2019-12-31. The lead times begin at 3 h: there is no step 0.",
        (
            "Levels from 700 hPa upwards come on 0.5 degrees, the others on 0.25: a frame on 0.25"
            " holds both, the former regridded."
        ),
        "Levels 150, 400 and 600 hPa are left out: nobody has confirmed them for each variable.",
        "Once a week there are eleven members; the five of every day are declared.",
        "Static fields are those of ERA5: write statics_from: era5, or name a file.",
    ),
    quirks=(
        Quirk(
            what="member p01 lacks many files although their indexes exist",
            known_from="awslabs/open-data-registry issue 809",
            start=datetime(2004, 10, 24),
            end=datetime(2004, 10, 24),
        ),
        *(
            Quirk(
                what=f"several fields of member {which} are visibly wrong",
                known_from="awslabs/open-data-registry issue 1994",
                start=day,
                end=day,
            )
            for day, which in DAMAGED
        ),
    ),
    members=(0, 1, 2, 3, 4),
    centres=("kwbc",),
)
