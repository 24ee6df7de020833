"""Reading: bytes to fields in our terms.

Read file_index, then grib, netcdf and zarr, then match, harmonise and derived.
"""
