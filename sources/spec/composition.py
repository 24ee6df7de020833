"""Air composition: the pollutants Aurora was fine-tuned on.

Packing and spectral truncation leave small negative amounts in files. The
plausible ranges let them pass, and they are stored as they come: Aurora sets
them to zero at its own input.
"""

from aurora_prep.sources.spec.variable import Kind, Variable

PM1 = Variable(
    short_name="pm1",
    kind=Kind.SURFACE,
    param=210072,
    units="kg m-3",
    long_name="particulate matter up to 1 um",
    standard_name="mass_concentration_of_pm1_ambient_aerosol_particles_in_air",
    plausible=(-1e-6, 1e-3),
)
PM2P5 = Variable(
    short_name="pm2p5",
    kind=Kind.SURFACE,
    param=210073,
    units="kg m-3",
    long_name="particulate matter up to 2.5 um",
    standard_name="mass_concentration_of_pm2p5_ambient_aerosol_particles_in_air",
    plausible=(-1e-6, 1e-3),
)
PM10 = Variable(
    short_name="pm10",
    kind=Kind.SURFACE,
    param=210074,
    units="kg m-3",
    long_name="particulate matter up to 10 um",
    standard_name="mass_concentration_of_pm10_ambient_aerosol_particles_in_air",
    plausible=(-1e-6, 1e-3),
)
TCCO = Variable(
    short_name="tcco",
    kind=Kind.SURFACE,
    param=210127,
    units="kg m-2",
    long_name="total column carbon monoxide",
    standard_name="atmosphere_mass_content_of_carbon_monoxide",
    plausible=(-1e-4, 1.0),
)
TC_NO = Variable(
    short_name="tc_no",
    kind=Kind.SURFACE,
    param=218027,
    units="kg m-2",
    long_name="total column nitrogen monoxide",
    standard_name="atmosphere_mass_content_of_nitrogen_monoxide",
    plausible=(-1e-4, 0.1),
)
TCNO2 = Variable(
    short_name="tcno2",
    kind=Kind.SURFACE,
    param=210125,
    units="kg m-2",
    long_name="total column nitrogen dioxide",
    standard_name="atmosphere_mass_content_of_nitrogen_dioxide",
    plausible=(-1e-4, 0.1),
)
TCSO2 = Variable(
    short_name="tcso2",
    kind=Kind.SURFACE,
    param=210126,
    units="kg m-2",
    long_name="total column sulphur dioxide",
    standard_name="atmosphere_mass_content_of_sulfur_dioxide",
    plausible=(-1e-4, 1.0),
)
GTCO3 = Variable(
    short_name="gtco3",
    kind=Kind.SURFACE,
    param=210206,
    units="kg m-2",
    long_name="total column ozone",
    standard_name="atmosphere_mass_content_of_ozone",
    plausible=(-1e-4, 0.05),
)
CO = Variable(
    short_name="co",
    kind=Kind.ATMOSPHERIC,
    param=210123,
    units="kg kg-1",
    long_name="carbon monoxide mass mixing ratio",
    standard_name="mass_fraction_of_carbon_monoxide_in_air",
    plausible=(-1e-6, 1e-3),
)
NO = Variable(
    short_name="no",
    kind=Kind.ATMOSPHERIC,
    param=217027,
    units="kg kg-1",
    long_name="nitrogen monoxide mass mixing ratio",
    standard_name="mass_fraction_of_nitrogen_monoxide_in_air",
    plausible=(-1e-6, 1e-4),
)
NO2 = Variable(
    short_name="no2",
    kind=Kind.ATMOSPHERIC,
    param=210121,
    units="kg kg-1",
    long_name="nitrogen dioxide mass mixing ratio",
    standard_name="mass_fraction_of_nitrogen_dioxide_in_air",
    plausible=(-1e-6, 1e-4),
)
GO3 = Variable(
    short_name="go3",
    kind=Kind.ATMOSPHERIC,
    param=210203,
    units="kg kg-1",
    long_name="ozone mass mixing ratio",
    standard_name="mass_fraction_of_ozone_in_air",
    plausible=(-1e-6, 1e-4),
)
SO2 = Variable(
    short_name="so2",
    kind=Kind.ATMOSPHERIC,
    param=210122,
    units="kg kg-1",
    long_name="sulphur dioxide mass mixing ratio",
    standard_name="mass_fraction_of_sulfur_dioxide_in_air",
    plausible=(-1e-6, 1e-3),
)

# Anthropogenic emissions of 2019, as they are and as a logarithm; Aurora's own file is the
# only place that has them, so they have no parameter number.
EMISSIONS = tuple(
    Variable(
        short_name=f"static_{species}{suffix}",
        kind=Kind.STATIC,
        param=0,
        units="1",
        long_name=f"scaled anthropogenic emissions of {name}{form}",
        standard_name=None,
        plausible=(-1e3, 1e3),
    )
    for species, name in (
        ("ammonia", "ammonia"),
        ("co", "carbon monoxide"),
        ("nox", "nitrogen oxides"),
        ("so2", "sulphur dioxide"),
    )
    for suffix, form in (("", ""), ("_log", ", logarithm"))
)
