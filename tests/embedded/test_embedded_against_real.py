"""The synthetic files beside real ones of the store: same labels, same layout.

Needs real files: set AURORA_PREP_REAL_DATA to their folder.
"""

import os
from pathlib import Path

import netCDF4
import pytest

from aurora_prep.sources.spec.catalogue import AURORA_13

import eccodes  # isort: skip  # after the front door

REAL = os.environ.get("AURORA_PREP_REAL_DATA")
pytestmark = pytest.mark.skipif(
    REAL is None, reason="needs real files: set AURORA_PREP_REAL_DATA to their folder"
)

SURFACE = [
    "10m_u_component_of_wind",
    "10m_v_component_of_wind",
    "2m_temperature",
    "mean_sea_level_pressure",
    "soil_type",
    "geopotential",
    "land_sea_mask",
]
# What follows from the values, and the fingerprint of the whole.
OF_VALUES = {
    "average",
    "binaryScaleFactor",
    "const",
    "kurtosis",
    "max",
    "maximum",
    "min",
    "minimum",
    "numberOfEffectiveValues",
    "referenceValue",
    "referenceValueError",
    "packingError",
    "skewness",
    "standardDeviation",
    "isConstant",
    "md5Section4",
    "unpackedError",
}

# By its sub-centre the embedded provider says that a message is synthetic, and what is
# summed over the headers tells it too.
OF_THE_MARK = {"subCentre", "md5Section1", "md5Product", "md5Headers"}


def headers(path: Path) -> list[dict[str, str]]:
    """All keys of every message that are not arrays or made of values."""
    found = []
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            iterator = eccodes.codes_keys_iterator_new(handle)
            keys = {}
            while eccodes.codes_keys_iterator_next(iterator):
                name = eccodes.codes_keys_iterator_get_name(iterator)
                is_plain = eccodes.codes_get_size(handle, name) == 1
                if name not in OF_VALUES | OF_THE_MARK and is_plain:
                    keys[name] = eccodes.codes_get_string(handle, name)
            eccodes.codes_keys_iterator_delete(iterator)
            eccodes.codes_release(handle)
            found.append(keys)
    return found


def test_grib_headers_are_those_of_the_store(provider, client, tmp_path):
    real = Path(REAL) / "era5_sfc" / "era5_sfc_west_usa_20250101-07.grib1"
    request = {
        "product_type": "reanalysis",
        "date": "2025-01-01/2025-01-07",
        "time": ["00:00", "06:00", "12:00", "18:00"],
        "variable": SURFACE,
        "area": [45, -125, 30, -110],
    }
    ours = client(provider).retrieve(
        "reanalysis-era5-single-levels", request, str(tmp_path / "a.grib")
    )
    assert headers(Path(ours)) == headers(real)


def test_grib_headers_on_levels_are_those_of_the_store(provider, client, tmp_path):
    real = headers(Path(REAL) / "era5_pl" / "ERA5_N30_N40_E120_E140_20101017_14.grb1")
    levels = [str(level) for level in AURORA_13]
    request = {
        "product_type": "reanalysis",
        "date": "2010-10-17",
        "time": "14:00",
        "variable": ["geopotential", "temperature", "specific_humidity"],
        "pressure_level": levels,
        "area": [40, 120, 30, 140],
    }
    ours = client(provider).retrieve(
        "reanalysis-era5-pressure-levels", request, str(tmp_path / "a.grib")
    )
    assert headers(Path(ours)) == [keys for keys in real if keys["level"] in levels]


@pytest.mark.parametrize(
    ("dataset", "name", "variables", "levels"),
    [
        (
            "reanalysis-era5-pressure-levels",
            "era5_pl/era5_pl_norway_202506_newcds.nc",
            [
                "geopotential",
                "specific_humidity",
                "temperature",
                "u_component_of_wind",
                "v_component_of_wind",
            ],
            {"pressure_level": ["700", "850", "925", "1000"]},
        ),
        (
            "reanalysis-era5-single-levels",
            "era5_sfc/era5_sfc_norway_202506_newcds.nc",
            SURFACE,
            {},
        ),
    ],
    ids=["pressure", "surface"],
)
def test_netcdf_layout_is_that_of_the_store(
    provider, client, tmp_path, dataset, name, variables, levels
):
    request = {
        "product_type": "reanalysis",
        "date": "2025-06-01/2025-06-07",
        "time": ["00:00", "06:00", "12:00", "18:00"],
        "variable": variables,
        "area": [70, 5, 55, 20],
        "data_format": "netcdf",
        **levels,
    }
    ours = client(provider).retrieve(dataset, request, str(tmp_path / "a.nc"))
    with netCDF4.Dataset(ours) as mine, netCDF4.Dataset(Path(REAL) / name) as theirs:
        assert list(mine.variables) == list(theirs.variables)
        assert {k: len(d) for k, d in mine.dimensions.items()} == {
            k: len(d) for k, d in theirs.dimensions.items()
        }
        for key, real in theirs.variables.items():
            made = mine[key]
            assert (made.dimensions, made.dtype) == (real.dimensions, real.dtype), key
            if key in mine.dimensions:
                assert made[:].tolist() == real[:].tolist()
                assert made.__dict__.keys() == real.__dict__.keys()
                assert made.units == real.units
        assert mine["number"].__dict__ == theirs["number"].__dict__
        assert mine["expver"][:].tolist() == theirs["expver"][:].tolist()
