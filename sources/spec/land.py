"""Static fields that Aurora 1.5 takes beside geopotential, land-sea mask and soil type.

Numbers and units: ECMWF parameter database. They are invariants of ERA5.
"""

from aurora_prep.sources.spec.variable import Kind, Nature, Variable

ANOR = Variable(
    short_name="anor",
    kind=Kind.STATIC,
    param=162,
    units="radian",
    long_name="angle of sub-gridscale orography",
    standard_name=None,
    plausible=(-3.2, 3.2),
)

ISOR = Variable(
    short_name="isor",
    kind=Kind.STATIC,
    param=161,
    units="1",
    long_name="anisotropy of sub-gridscale orography",
    standard_name=None,
    plausible=(-0.001, 1.001),
)

SLOR = Variable(
    short_name="slor",
    kind=Kind.STATIC,
    param=163,
    units="1",
    long_name="slope of sub-gridscale orography",
    standard_name=None,
    plausible=(-0.001, 2.0),
)

SDOR = Variable(
    short_name="sdor",
    kind=Kind.STATIC,
    param=160,
    units="m",
    long_name="standard deviation of orography",
    standard_name=None,
    plausible=(-1.0, 3000.0),
)

SDFOR = Variable(
    short_name="sdfor",
    kind=Kind.STATIC,
    param=74,
    units="m",
    long_name="standard deviation of filtered sub-gridscale orography",
    standard_name=None,
    plausible=(-1.0, 3000.0),
)

CVH = Variable(
    short_name="cvh",
    kind=Kind.STATIC,
    param=28,
    units="1",
    long_name="high vegetation cover",
    standard_name=None,
    plausible=(-0.001, 1.001),
)

CVL = Variable(
    short_name="cvl",
    kind=Kind.STATIC,
    param=27,
    units="1",
    long_name="low vegetation cover",
    standard_name=None,
    plausible=(-0.001, 1.001),
)

TVH = Variable(
    short_name="tvh",
    kind=Kind.STATIC,
    param=30,
    units="1",
    long_name="type of high vegetation",
    standard_name=None,
    plausible=(0.0, 20.0),
    nature=Nature.CATEGORICAL,
)

TVL = Variable(
    short_name="tvl",
    kind=Kind.STATIC,
    param=29,
    units="1",
    long_name="type of low vegetation",
    standard_name=None,
    plausible=(0.0, 20.0),
    nature=Nature.CATEGORICAL,
)

CL = Variable(
    short_name="cl",
    kind=Kind.STATIC,
    param=26,
    units="1",
    long_name="lake cover",
    standard_name=None,
    plausible=(-0.001, 1.001),
)

DL = Variable(
    short_name="dl",
    kind=Kind.STATIC,
    param=228007,
    units="m",
    long_name="lake depth",
    standard_name=None,
    plausible=(-1.0, 2000.0),
)
