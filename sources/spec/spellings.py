"""How ECMWF's stores and archives spell variables; sources take from here what they have.

Request names are those of the Climate and the Atmosphere Data Store. File
names are those of their NetCDF, today's first; GRIB is matched by parameter
number. Units are those of the parameter database.
"""

from __future__ import annotations

from dataclasses import replace

from aurora_prep.sources.spec import composition, land, surface, waves
from aurora_prep.sources.spec.catalogue import (
    LSM,
    MSL,
    SLT,
    T2M,
    U10,
    V10,
    Z_SURFACE,
    Q,
    T,
    U,
    V,
    Z,
)
from aurora_prep.sources.spec.source import Native
from aurora_prep.sources.spec.variable import Variable

UNITS = {
    "m s-1": "m s**-1",
    "m2 s-2": "m**2 s**-2",
    "kg kg-1": "kg kg**-1",
    "kg m-2": "kg m**-2",
    "kg m-3": "kg m**-3",
    "m3 m-3": "m**3 m**-3",
    "J m-2": "J m**-2",
    "1": "(0 - 1)",
    "degree": "degrees",
}


def _spelt(variable: Variable, request: str, *fields: str, units: str | None = None) -> Native:
    """A spelling whose file name is the short name, and whose units are the usual ones."""
    written = units or UNITS.get(variable.units, variable.units)
    names = fields or (variable.short_name,)
    return Native(variable=variable, request=request, fields=names, units=written)


SURFACE = (
    _spelt(T2M, "2m_temperature", "t2m"),
    _spelt(U10, "10m_u_component_of_wind", "u10"),
    _spelt(V10, "10m_v_component_of_wind", "v10"),
    _spelt(MSL, "mean_sea_level_pressure"),
)
UPPER_AIR = (
    _spelt(Z, "geopotential"),
    _spelt(U, "u_component_of_wind"),
    _spelt(V, "v_component_of_wind"),
    _spelt(T, "temperature"),
    _spelt(Q, "specific_humidity"),
)
STATIC = (
    _spelt(Z_SURFACE, "geopotential"),
    _spelt(LSM, "land_sea_mask"),
    _spelt(SLT, "soil_type", units="(Code table 4.213)"),
)

POLLUTION_SURFACE = (
    _spelt(composition.PM1, "particulate_matter_1um"),
    _spelt(composition.PM2P5, "particulate_matter_2.5um"),
    _spelt(composition.PM10, "particulate_matter_10um"),
    _spelt(composition.TCCO, "total_column_carbon_monoxide"),
    _spelt(composition.TC_NO, "total_column_nitrogen_monoxide"),
    _spelt(composition.TCNO2, "total_column_nitrogen_dioxide"),
    _spelt(composition.GTCO3, "total_column_ozone"),
    _spelt(composition.TCSO2, "total_column_sulphur_dioxide"),
)
POLLUTION_UPPER_AIR = (
    _spelt(composition.CO, "carbon_monoxide"),
    _spelt(composition.NO, "nitrogen_monoxide"),
    _spelt(composition.NO2, "nitrogen_dioxide"),
    _spelt(composition.GO3, "ozone"),
    _spelt(composition.SO2, "sulphur_dioxide"),
)
OWN_STATIC = tuple(replace(native, request=None) for native in STATIC)
EMISSIONS = tuple(
    Native(variable=variable, request=None, fields=(variable.short_name,), units="1")
    for variable in composition.EMISSIONS
)
COMPOSITION = SURFACE + POLLUTION_SURFACE + UPPER_AIR + POLLUTION_UPPER_AIR

WAVES = (
    _spelt(waves.SWH, "significant_height_of_combined_wind_waves_and_swell"),
    _spelt(waves.MWD, "mean_wave_direction", units="Degree true"),
    _spelt(waves.MWP, "mean_wave_period"),
    _spelt(waves.PP1D, "peak_wave_period"),
    _spelt(waves.SHWW, "significant_height_of_wind_waves"),
    _spelt(waves.MDWW, "mean_direction_of_wind_waves"),
    _spelt(waves.MPWW, "mean_period_of_wind_waves"),
    _spelt(waves.SHTS, "significant_height_of_total_swell"),
    _spelt(waves.MDTS, "mean_direction_of_total_swell"),
    _spelt(waves.MPTS, "mean_period_of_total_swell"),
    _spelt(waves.SWH1, "significant_wave_height_of_first_swell_partition", "swh1", "p140121"),
    _spelt(waves.MWD1, "mean_wave_direction_of_first_swell_partition", "mwd1", "p140122"),
    _spelt(waves.MWP1, "mean_wave_period_of_first_swell_partition", "mwp1", "p140123"),
    _spelt(waves.SWH2, "significant_wave_height_of_second_swell_partition", "swh2", "p140124"),
    _spelt(waves.MWD2, "mean_wave_direction_of_second_swell_partition", "mwd2", "p140125"),
    _spelt(waves.MWP2, "mean_wave_period_of_second_swell_partition", "mwp2", "p140126"),
    _spelt(waves.WIND, "ocean_surface_stress_equivalent_10m_neutral_wind_speed"),
    _spelt(waves.DWI, "ocean_surface_stress_equivalent_10m_neutral_wind_direction"),
)

WAVE_STATIC = (
    _spelt(waves.WMB, "model_bathymetry"),
    Native(variable=waves.LAT_MASK, request=None, fields=("lat_mask",), units="1"),
    *OWN_STATIC,
)

AURORA_1_5 = (
    _spelt(surface.D2M, "2m_dewpoint_temperature", "d2m"),
    _spelt(surface.TCWV, "total_column_water_vapour"),
    _spelt(surface.TCC, "total_cloud_cover"),
    _spelt(surface.U100, "100m_u_component_of_wind", "u100"),
    _spelt(surface.V100, "100m_v_component_of_wind", "v100"),
    _spelt(surface.SP, "surface_pressure"),
    _spelt(surface.LCC, "low_cloud_cover"),
    _spelt(surface.MCC, "medium_cloud_cover"),
    _spelt(surface.HCC, "high_cloud_cover"),
    _spelt(surface.SKT, "skin_temperature"),
    _spelt(surface.STL1, "soil_temperature_level_1"),
    _spelt(surface.SWVL1, "volumetric_soil_water_layer_1"),
    _spelt(surface.CI, "sea_ice_cover", "siconc", "ci"),
    _spelt(surface.SD, "snow_depth", units="m of water equivalent"),
    _spelt(surface.I10FG, "instantaneous_10m_wind_gust"),
    _spelt(surface.BLH, "boundary_layer_height"),
    _spelt(surface.UVB, "downward_uv_radiation_at_the_surface"),
    _spelt(surface.SSRD, "surface_solar_radiation_downwards"),
    _spelt(surface.TTR, "top_net_thermal_radiation"),
    _spelt(surface.TP, "total_precipitation"),
    _spelt(surface.SF, "snowfall", units="m of water equivalent"),
)
# What Aurora 1.5 takes in; the others it only gives.
AURORA_1_5_INPUTS = AURORA_1_5[:14]
AURORA_1_5_STATIC = (
    _spelt(land.ANOR, "angle_of_sub_gridscale_orography", units="radians"),
    _spelt(land.ISOR, "anisotropy_of_sub_gridscale_orography", units="~"),
    _spelt(land.CVH, "high_vegetation_cover"),
    _spelt(land.CVL, "low_vegetation_cover"),
    _spelt(land.CL, "lake_cover"),
    _spelt(land.DL, "lake_depth"),
    _spelt(land.SLOR, "slope_of_sub_gridscale_orography", units="~"),
    _spelt(land.SDFOR, "standard_deviation_of_filtered_subgrid_orography"),
    _spelt(land.SDOR, "standard_deviation_of_orography"),
    _spelt(land.TVH, "type_of_high_vegetation", units="(Code table 4.234)"),
    _spelt(land.TVL, "type_of_low_vegetation", units="(Code table 4.234)"),
)
OPTIONAL_AURORA_1_5_STATIC = tuple(replace(n, optional=True) for n in AURORA_1_5_STATIC)
OPTIONAL_AURORA_1_5_INPUTS = tuple(replace(n, optional=True) for n in AURORA_1_5_INPUTS)
OPTIONAL_AURORA_1_5 = tuple(replace(native, optional=True) for native in AURORA_1_5)
