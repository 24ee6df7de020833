"""GFS at step 0: what a forecast of NCEP starts from, four times a day, on 0.25 degrees.

It is ``f000`` of the forecast and not the file ``anl`` beside it. From 2021 on files lie on
public buckets with an index each; those of 2015 to 2020 lie at NCAR without one, so that
a whole file goes by for a few fields of it.
"""

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
from aurora_prep.sources.spec.index_spellings import GFS_NATIVES, GFS_TERMS, GFS_V16, MOVING
from aurora_prep.sources.spec.spellings import OWN_STATIC

IN_THE_CLOUD = datetime(2021, 1, 1)
GDEX = IndexedFiles(
    dataset="gdex",
    hosts=(
        "https://data.gdex.ucar.edu",
        "https://osdf-director.osg-htc.org/ncar/gdex",
        "https://osdf-data.gdex.ucar.edu/ncar/gdex",
    ),
    patterns=("d084001/{time:%Y}/{time:%Y%m%d}/gfs.0p25.{time:%Y%m%d%H}.f{lead:03d}.grib2",),
    secondary=("d084003/{time:%Y}/{time:%Y%m%d}/gfs.0p25b.{time:%Y%m%d%H}.f{lead:03d}.grib2",),
    form=IndexForm.NONE,
    grid=Grid.regular("0.25"),
    paths=MOVING,
    end=IN_THE_CLOUD,
    file_bytes=200_000_000,
)
BUCKET = IndexedFiles(
    dataset="noaa-gfs-bdp-pds",
    hosts=(
        "https://noaa-gfs-bdp-pds.s3.amazonaws.com",
        "https://storage.googleapis.com/global-forecast-system",
        "https://noaagfs.blob.core.windows.net/gfs",
        "https://nomads.ncep.noaa.gov/pub/data/nccf/com/gfs/prod",
    ),
    # Version 16 moved the files into a folder; accounts of the first run differ by some hours.
    patterns=(
        "gfs.{time:%Y%m%d}/{time:%H}/atmos/gfs.t{time:%H}z.pgrb2.0p25.f{lead:03d}",
        "gfs.{time:%Y%m%d}/{time:%H}/gfs.t{time:%H}z.pgrb2.0p25.f{lead:03d}",
    ),
    secondary=(
        "gfs.{time:%Y%m%d}/{time:%H}/atmos/gfs.t{time:%H}z.pgrb2b.0p25.f{lead:03d}",
        "gfs.{time:%Y%m%d}/{time:%H}/gfs.t{time:%H}z.pgrb2b.0p25.f{lead:03d}",
    ),
    form=IndexForm.NOAA,
    grid=Grid.regular("0.25"),
    paths=MOVING,
    start=IN_THE_CLOUD,
)
ACCESS = Index(files=(GDEX, BUCKET), terms=GFS_TERMS)
LICENCE = "NOAA Open Data: any use, with attribution; before 2021 from NCAR, CC-BY-4.0"
ATTRIBUTION = (
    "Made of data of the National Oceanic and Atmospheric Administration (NOAA), obtained from"
    " its Open Data Dissemination programme or from NCAR's GDEX. Altered data are not NOAA's."
)
NOTES = (
    "Pressure at sea level is PRMSL; height in gpm becomes geopotential by 9.80665.",
    "Specific humidity that no file has is computed from relative humidity, and recorded so.",
    "Before 2021 whole files of some 200 MB are read for each frame: there is no index.",
    "Static fields are those of ERA5: write statics_from: era5, or name a file.",
)
QUIRKS = (
    Quirk(
        what="values below ground are extrapolated otherwise than in ERA5 and IFS",
        known_from="Aurora issue 187",
    ),
    Quirk(
        what="the model changed from a spectral to a finite-volume core, which shifts"
        " distributions",
        known_from="NCEP, GFS v15",
        start=datetime(2019, 6, 12),
        end=datetime(2019, 6, 12),
    ),
    Quirk(
        what="relative humidity is over ice below -20 C, over water above 0 C and mixed between;"
        " derived specific humidity follows it",
        known_from="WPS issue 267",
        end=GFS_V16,
        variables=("q",),
    ),
)

SOURCE = Source(
    name="gfs_t0",
    title="NCEP GFS at step 0 (T0)",
    product=Product.ANALYSIS,
    grid=Grid.regular("0.25"),
    levels=AURORA_13,
    first=datetime(2015, 1, 15),
    cadence=timedelta(hours=6),
    natives=GFS_NATIVES + OWN_STATIC,
    accesses=(ACCESS, Files()),
    licence=LICENCE,
    attribution=ATTRIBUTION,
    notes=("Step 0 of the forecast (f000), not the file of the analysis.", *NOTES),
    quirks=QUIRKS,
    centres=("kwbc",),
    released_after=timedelta(hours=6),
)
