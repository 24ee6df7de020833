"""What Aurora 1.5 takes and gives beside the four surface variables.

Accumulated quantities belong to the hour that ends at their valid time.
"""

from aurora_prep.sources.spec.variable import Kind, Nature, StepType, Variable

D2M = Variable(
    short_name="2d",
    kind=Kind.SURFACE,
    param=168,
    units="K",
    long_name="2 metre dewpoint temperature",
    standard_name="dew_point_temperature",
    plausible=(130.0, 330.0),
)
TCWV = Variable(
    short_name="tcwv",
    kind=Kind.SURFACE,
    param=137,
    units="kg m-2",
    long_name="total column water vapour",
    standard_name="atmosphere_mass_content_of_water_vapor",
    plausible=(-0.1, 150.0),
)
TCC = Variable(
    short_name="tcc",
    kind=Kind.SURFACE,
    param=164,
    units="1",
    long_name="total cloud cover",
    standard_name="cloud_area_fraction",
    plausible=(-1e-3, 1.001),
)
LCC = Variable(
    short_name="lcc",
    kind=Kind.SURFACE,
    param=186,
    units="1",
    long_name="low cloud cover",
    standard_name="low_type_cloud_area_fraction",
    plausible=(-1e-3, 1.001),
)
MCC = Variable(
    short_name="mcc",
    kind=Kind.SURFACE,
    param=187,
    units="1",
    long_name="medium cloud cover",
    standard_name="medium_type_cloud_area_fraction",
    plausible=(-1e-3, 1.001),
)
HCC = Variable(
    short_name="hcc",
    kind=Kind.SURFACE,
    param=188,
    units="1",
    long_name="high cloud cover",
    standard_name="high_type_cloud_area_fraction",
    plausible=(-1e-3, 1.001),
)
U100 = Variable(
    short_name="100u",
    kind=Kind.SURFACE,
    param=228246,
    units="m s-1",
    long_name="100 metre eastward wind",
    standard_name="eastward_wind",
    plausible=(-150.0, 150.0),
    nature=Nature.EASTWARD,
)
V100 = Variable(
    short_name="100v",
    kind=Kind.SURFACE,
    param=228247,
    units="m s-1",
    long_name="100 metre northward wind",
    standard_name="northward_wind",
    plausible=(-150.0, 150.0),
    nature=Nature.NORTHWARD,
)
SP = Variable(
    short_name="sp",
    kind=Kind.SURFACE,
    param=134,
    units="Pa",
    long_name="surface pressure",
    standard_name="surface_air_pressure",
    plausible=(40_000.0, 115_000.0),
)
SKT = Variable(
    short_name="skt",
    kind=Kind.SURFACE,
    param=235,
    units="K",
    long_name="skin temperature",
    standard_name="surface_temperature",
    plausible=(150.0, 370.0),
)
STL1 = Variable(
    short_name="stl1",
    kind=Kind.SURFACE,
    param=139,
    units="K",
    long_name="soil temperature level 1",
    standard_name="soil_temperature",
    plausible=(180.0, 360.0),
)
SWVL1 = Variable(
    short_name="swvl1",
    kind=Kind.SURFACE,
    param=39,
    units="m3 m-3",
    long_name="volumetric soil water layer 1",
    standard_name="volume_fraction_of_condensed_water_in_soil",
    plausible=(-0.01, 1.0),
)
CI = Variable(
    short_name="ci",
    kind=Kind.SURFACE,
    param=31,
    units="1",
    long_name="sea ice area fraction",
    standard_name="sea_ice_area_fraction",
    plausible=(-1e-3, 1.001),
    may_be_missing=True,
)
SD = Variable(
    short_name="sd",
    kind=Kind.SURFACE,
    param=141,
    units="m",
    long_name="snow depth, as water",
    standard_name="lwe_thickness_of_surface_snow_amount",
    plausible=(-1e-3, 12.0),
)
I10FG = Variable(
    short_name="i10fg",
    kind=Kind.SURFACE,
    param=228029,
    units="m s-1",
    long_name="instantaneous 10 metre wind gust",
    standard_name="wind_speed_of_gust",
    plausible=(-0.1, 150.0),
)
BLH = Variable(
    short_name="blh",
    kind=Kind.SURFACE,
    param=159,
    units="m",
    long_name="boundary layer height",
    standard_name="atmosphere_boundary_layer_thickness",
    plausible=(-1.0, 12_000.0),
)
UVB = Variable(
    short_name="uvb",
    kind=Kind.SURFACE,
    param=57,
    units="J m-2",
    long_name="surface downward UV radiation",
    standard_name=None,
    plausible=(-1e3, 1e7),
    step_type=StepType.ACCUMULATED,
)
SSRD = Variable(
    short_name="ssrd",
    kind=Kind.SURFACE,
    param=169,
    units="J m-2",
    long_name="surface short-wave radiation downwards",
    standard_name="integral_wrt_time_of_surface_downwelling_shortwave_flux_in_air",
    plausible=(-1e3, 1e8),
    step_type=StepType.ACCUMULATED,
)
TTR = Variable(
    short_name="ttr",
    kind=Kind.SURFACE,
    param=179,
    units="J m-2",
    long_name="top net long-wave radiation, downward positive",
    standard_name=None,
    plausible=(-1e8, 1e3),
    step_type=StepType.ACCUMULATED,
)
TP = Variable(
    short_name="tp",
    kind=Kind.SURFACE,
    param=228,
    units="m",
    long_name="total precipitation",
    standard_name="lwe_thickness_of_precipitation_amount",
    plausible=(-1e-4, 2.0),
    step_type=StepType.ACCUMULATED,
)
SF = Variable(
    short_name="sf",
    kind=Kind.SURFACE,
    param=144,
    units="m",
    long_name="snowfall, as water",
    standard_name="lwe_thickness_of_snowfall_amount",
    plausible=(-1e-4, 2.0),
    step_type=StepType.ACCUMULATED,
)
