"""The variables every source of weather has; composition, waves and surface have their own files.

Parameter numbers: ECMWF parameter database. Standard names: CF table. The
plausible ranges are wide on purpose: they catch wrong units and damaged
files, not unusual weather.
"""

from aurora_prep.sources.spec.levels import Levels
from aurora_prep.sources.spec.variable import Kind, Nature, Variable

AURORA_13 = Levels((50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000))

T2M = Variable(
    short_name="2t",
    kind=Kind.SURFACE,
    param=167,
    units="K",
    long_name="2 metre temperature",
    standard_name="air_temperature",
    plausible=(150.0, 350.0),
)
U10 = Variable(
    short_name="10u",
    kind=Kind.SURFACE,
    param=165,
    units="m s-1",
    long_name="10 metre eastward wind",
    standard_name="eastward_wind",
    plausible=(-120.0, 120.0),
    nature=Nature.EASTWARD,
)
V10 = Variable(
    short_name="10v",
    kind=Kind.SURFACE,
    param=166,
    units="m s-1",
    long_name="10 metre northward wind",
    standard_name="northward_wind",
    plausible=(-120.0, 120.0),
    nature=Nature.NORTHWARD,
)
MSL = Variable(
    short_name="msl",
    kind=Kind.SURFACE,
    param=151,
    units="Pa",
    long_name="mean sea level pressure",
    standard_name="air_pressure_at_mean_sea_level",
    plausible=(80_000.0, 115_000.0),
)
Z = Variable(
    short_name="z",
    kind=Kind.ATMOSPHERIC,
    param=129,
    units="m2 s-2",
    long_name="geopotential",
    standard_name="geopotential",
    plausible=(-15_000.0, 600_000.0),
)
U = Variable(
    short_name="u",
    kind=Kind.ATMOSPHERIC,
    param=131,
    units="m s-1",
    long_name="eastward wind",
    standard_name="eastward_wind",
    plausible=(-250.0, 250.0),
    nature=Nature.EASTWARD,
)
V = Variable(
    short_name="v",
    kind=Kind.ATMOSPHERIC,
    param=132,
    units="m s-1",
    long_name="northward wind",
    standard_name="northward_wind",
    plausible=(-250.0, 250.0),
    nature=Nature.NORTHWARD,
)
T = Variable(
    short_name="t",
    kind=Kind.ATMOSPHERIC,
    param=130,
    units="K",
    long_name="temperature",
    standard_name="air_temperature",
    plausible=(120.0, 360.0),
)
Q = Variable(
    short_name="q",
    kind=Kind.ATMOSPHERIC,
    param=133,
    units="kg kg-1",
    long_name="specific humidity",
    standard_name="specific_humidity",
    plausible=(-1e-3, 0.1),
)
Z_SURFACE = Variable(
    short_name="z",
    kind=Kind.STATIC,
    param=129,
    units="m2 s-2",
    long_name="geopotential at the surface",
    standard_name="surface_geopotential",
    plausible=(-15_000.0, 90_000.0),
)
LSM = Variable(
    short_name="lsm",
    kind=Kind.STATIC,
    param=172,
    units="1",
    long_name="land-sea mask",
    standard_name="land_area_fraction",
    plausible=(-1e-3, 1.001),
)
SLT = Variable(
    short_name="slt",
    kind=Kind.STATIC,
    param=43,
    units="1",
    long_name="soil type",
    standard_name="soil_type",
    plausible=(0.0, 8.0),
    nature=Nature.CATEGORICAL,
)
