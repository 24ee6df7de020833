"""Ocean waves, as the wave models of ECMWF write them.

Directions say where waves and wind come from, clockwise from north. There are
no waves over land and under permanent ice, and no swell where all is calm:
missing values belong to these fields.
"""

from aurora_prep.sources.spec.variable import Kind, Nature, Variable

SWH = Variable(
    short_name="swh",
    kind=Kind.SURFACE,
    param=140229,
    units="m",
    long_name="significant height of combined wind waves and swell",
    standard_name="sea_surface_wave_significant_height",
    plausible=(-0.01, 40.0),
    may_be_missing=True,
)
MWD = Variable(
    short_name="mwd",
    kind=Kind.SURFACE,
    param=140230,
    units="degree",
    long_name="mean wave direction",
    standard_name="sea_surface_wave_from_direction",
    plausible=(-0.5, 360.5),
    nature=Nature.DIRECTION,
    may_be_missing=True,
)
MWP = Variable(
    short_name="mwp",
    kind=Kind.SURFACE,
    param=140232,
    units="s",
    long_name="mean wave period",
    standard_name=(
        "sea_surface_wave_mean_period_from_variance_spectral_density_inverse_frequency_moment"
    ),
    plausible=(-0.1, 60.0),
    may_be_missing=True,
)
PP1D = Variable(
    short_name="pp1d",
    kind=Kind.SURFACE,
    param=140231,
    units="s",
    long_name="peak wave period",
    standard_name="sea_surface_wave_period_at_variance_spectral_density_maximum",
    plausible=(-0.1, 60.0),
    may_be_missing=True,
)
SHWW = Variable(
    short_name="shww",
    kind=Kind.SURFACE,
    param=140234,
    units="m",
    long_name="significant height of wind waves",
    standard_name="sea_surface_wind_wave_significant_height",
    plausible=(-0.01, 40.0),
    may_be_missing=True,
)
MDWW = Variable(
    short_name="mdww",
    kind=Kind.SURFACE,
    param=140235,
    units="degree",
    long_name="mean direction of wind waves",
    standard_name="sea_surface_wind_wave_from_direction",
    plausible=(-0.5, 360.5),
    nature=Nature.DIRECTION,
    may_be_missing=True,
)
MPWW = Variable(
    short_name="mpww",
    kind=Kind.SURFACE,
    param=140236,
    units="s",
    long_name="mean period of wind waves",
    standard_name=(
        "sea_surface_wind_wave_mean_period_from_variance_spectral_density_inverse_frequency_moment"
    ),
    plausible=(-0.1, 60.0),
    may_be_missing=True,
)
SHTS = Variable(
    short_name="shts",
    kind=Kind.SURFACE,
    param=140237,
    units="m",
    long_name="significant height of total swell",
    standard_name="sea_surface_swell_wave_significant_height",
    plausible=(-0.01, 40.0),
    may_be_missing=True,
)
MDTS = Variable(
    short_name="mdts",
    kind=Kind.SURFACE,
    param=140238,
    units="degree",
    long_name="mean direction of total swell",
    standard_name="sea_surface_swell_wave_from_direction",
    plausible=(-0.5, 360.5),
    nature=Nature.DIRECTION,
    may_be_missing=True,
)
MPTS = Variable(
    short_name="mpts",
    kind=Kind.SURFACE,
    param=140239,
    units="s",
    long_name="mean period of total swell",
    standard_name=(
        "sea_surface_swell_wave_mean_period_from_variance_spectral_density_inverse_frequency_moment"
    ),
    plausible=(-0.1, 60.0),
    may_be_missing=True,
)
SWH1 = Variable(
    short_name="swh1",
    kind=Kind.SURFACE,
    param=140121,
    units="m",
    long_name="significant wave height of first swell partition",
    standard_name="sea_surface_primary_swell_wave_significant_height",
    plausible=(-0.01, 40.0),
    may_be_missing=True,
)
MWD1 = Variable(
    short_name="mwd1",
    kind=Kind.SURFACE,
    param=140122,
    units="degree",
    long_name="mean wave direction of first swell partition",
    standard_name="sea_surface_primary_swell_wave_from_direction",
    plausible=(-0.5, 360.5),
    nature=Nature.DIRECTION,
    may_be_missing=True,
)
MWP1 = Variable(
    short_name="mwp1",
    kind=Kind.SURFACE,
    param=140123,
    units="s",
    long_name="mean wave period of first swell partition",
    standard_name="sea_surface_primary_swell_wave_mean_period",
    plausible=(-0.1, 60.0),
    may_be_missing=True,
)
SWH2 = Variable(
    short_name="swh2",
    kind=Kind.SURFACE,
    param=140124,
    units="m",
    long_name="significant wave height of second swell partition",
    standard_name="sea_surface_secondary_swell_wave_significant_height",
    plausible=(-0.01, 40.0),
    may_be_missing=True,
)
MWD2 = Variable(
    short_name="mwd2",
    kind=Kind.SURFACE,
    param=140125,
    units="degree",
    long_name="mean wave direction of second swell partition",
    standard_name="sea_surface_secondary_swell_wave_from_direction",
    plausible=(-0.5, 360.5),
    nature=Nature.DIRECTION,
    may_be_missing=True,
)
MWP2 = Variable(
    short_name="mwp2",
    kind=Kind.SURFACE,
    param=140126,
    units="s",
    long_name="mean wave period of second swell partition",
    standard_name="sea_surface_secondary_swell_wave_mean_period",
    plausible=(-0.1, 60.0),
    may_be_missing=True,
)
WIND = Variable(
    short_name="wind",
    kind=Kind.SURFACE,
    param=140245,
    units="m s-1",
    long_name="10 metre wind speed as the wave model sees it",
    standard_name="wind_speed",
    plausible=(-0.1, 120.0),
    may_be_missing=True,
)
DWI = Variable(
    short_name="dwi",
    kind=Kind.SURFACE,
    param=140249,
    units="degree",
    long_name="10 metre wind direction as the wave model sees it",
    standard_name="wind_from_direction",
    plausible=(-0.5, 360.5),
    nature=Nature.DIRECTION,
    may_be_missing=True,
)
WMB = Variable(
    short_name="wmb",
    kind=Kind.STATIC,
    param=140219,
    units="m",
    long_name="model bathymetry",
    standard_name="sea_floor_depth_below_geoid",
    plausible=(-1.0, 12_000.0),
    may_be_missing=True,
)
LAT_MASK = Variable(
    short_name="lat_mask",
    kind=Kind.STATIC,
    param=0,
    units="1",
    long_name="latitudes that the wave model reaches",
    standard_name=None,
    plausible=(-0.1, 1.1),
)
