"""The CF standard names we use, each with its canonical units.

Facts of the CF standard name table; a name that is not here is not used yet,
or is no standard name.
"""

CANONICAL_UNITS = {
    # Atmosphere
    "air_pressure": "Pa",
    "air_pressure_at_mean_sea_level": "Pa",
    "air_temperature": "K",
    "dew_point_temperature": "K",
    "eastward_wind": "m s-1",
    "geopotential": "m2 s-2",
    "northward_wind": "m s-1",
    "relative_humidity": "1",
    "specific_humidity": "1",
    "surface_air_pressure": "Pa",
    "wind_from_direction": "degree",
    "wind_speed": "m s-1",
    # Composition
    "atmosphere_mass_content_of_carbon_monoxide": "kg m-2",
    "atmosphere_mass_content_of_nitrogen_dioxide": "kg m-2",
    "atmosphere_mass_content_of_nitrogen_monoxide": "kg m-2",
    "atmosphere_mass_content_of_ozone": "kg m-2",
    "atmosphere_mass_content_of_sulfur_dioxide": "kg m-2",
    "mass_concentration_of_pm10_ambient_aerosol_particles_in_air": "kg m-3",
    "mass_concentration_of_pm1_ambient_aerosol_particles_in_air": "kg m-3",
    "mass_concentration_of_pm2p5_ambient_aerosol_particles_in_air": "kg m-3",
    "mass_fraction_of_carbon_monoxide_in_air": "1",
    "mass_fraction_of_nitrogen_dioxide_in_air": "1",
    "mass_fraction_of_nitrogen_monoxide_in_air": "1",
    "mass_fraction_of_ozone_in_air": "1",
    "mass_fraction_of_sulfur_dioxide_in_air": "1",
    # Waves
    "sea_surface_primary_swell_wave_from_direction": "degree",
    "sea_surface_primary_swell_wave_mean_period": "s",
    "sea_surface_primary_swell_wave_significant_height": "m",
    "sea_surface_secondary_swell_wave_from_direction": "degree",
    "sea_surface_secondary_swell_wave_mean_period": "s",
    "sea_surface_secondary_swell_wave_significant_height": "m",
    "sea_surface_swell_wave_from_direction": "degree",
    "sea_surface_swell_wave_mean_period_from_variance_spectral_density_inverse_frequency_moment": (
        "s"
    ),
    "sea_surface_swell_wave_significant_height": "m",
    "sea_surface_wave_from_direction": "degree",
    "sea_surface_wave_mean_period_from_variance_spectral_density_inverse_frequency_moment": "s",
    "sea_surface_wave_period_at_variance_spectral_density_maximum": "s",
    "sea_surface_wave_significant_height": "m",
    "sea_surface_wind_wave_from_direction": "degree",
    "sea_surface_wind_wave_mean_period_from_variance_spectral_density_inverse_frequency_moment": (
        "s"
    ),
    "sea_surface_wind_wave_significant_height": "m",
    # Water, ice and radiation
    "atmosphere_boundary_layer_thickness": "m",
    "atmosphere_mass_content_of_water_vapor": "kg m-2",
    "cloud_area_fraction": "1",
    "high_type_cloud_area_fraction": "1",
    "integral_wrt_time_of_surface_downwelling_shortwave_flux_in_air": "W s m-2",
    "low_type_cloud_area_fraction": "1",
    "lwe_thickness_of_precipitation_amount": "m",
    "lwe_thickness_of_snowfall_amount": "m",
    "lwe_thickness_of_surface_snow_amount": "m",
    "medium_type_cloud_area_fraction": "1",
    "sea_ice_area_fraction": "1",
    "soil_temperature": "K",
    "surface_temperature": "K",
    "volume_fraction_of_condensed_water_in_soil": "1",
    "wind_speed_of_gust": "m s-1",
    # Surface
    "height_above_mean_sea_level": "m",
    "land_area_fraction": "1",
    "sea_floor_depth_below_geoid": "m",
    "sea_floor_depth_below_mean_sea_level": "m",
    "soil_type": "1",
    "surface_altitude": "m",
    "surface_geopotential": "m2 s-2",
}

# Our units that mean the canonical ones without any factor.
SAME = {("kg kg-1", "1"), ("(0 - 1)", "1"), ("m3 m-3", "1"), ("J m-2", "W s m-2")}
