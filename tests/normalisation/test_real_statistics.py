"""Statistics of real files: exact, and what the published constants say of the convention."""

import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from aurora_prep.normalisation import area_weights, reduce_difference, reduce_field
from aurora_prep.normalisation.aurora import published
from aurora_prep.sources.spec import Grid

FOLDER = os.environ.get("AURORA_PREP_REAL_DATA")

pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="set AURORA_PREP_REAL_DATA to the folder of real files to run this"
)


def opened(name: str) -> xr.Dataset:
    return xr.open_dataset(Path(str(FOLDER)) / name)


@pytest.mark.parametrize("name", ["t2m", "msl", "u10"])
def test_real_surface_fields_add_up_exactly(name: str) -> None:
    with opened("era5_sfc/era5_sfc_norway_202506_newcds.nc") as dataset:
        values = dataset[name].values
    found = sum((reduce_field(field) for field in values[1:]), reduce_field(values[0]))

    numbers = [Fraction(float(x)) for x in values.ravel()]
    mean = sum(numbers) / len(numbers)
    variance = sum((x - mean) ** 2 for x in numbers) / len(numbers)
    assert found.mean == float(mean)
    assert found.standard_deviation == pytest.approx(math.sqrt(variance), rel=1e-15)
    assert found.minimum == values.min()
    assert found.fields == 28


def test_real_waves_keep_their_ragged_missing_values() -> None:
    with opened("wave/ERA5_wave_DutchCoast.nc") as dataset:
        waves = {name: dataset[name].values.astype(np.float32) for name in ("swh", "pp1d")}
    missing = {
        name: sum(reduce_field(field).missing for field in values) for name, values in waves.items()
    }
    assert missing == {name: int(np.isnan(values).sum()) for name, values in waves.items()}
    assert missing["swh"] - missing["pp1d"] == 67


def test_the_published_temperatures_are_grid_point_means() -> None:
    with opened("era5_pl/era5_tz_1deg_test4.nc") as dataset:
        field = dataset.t.sel(level=500).values[0].astype(np.float32)
    found = reduce_field(field, area_weights(Grid.regular("1")))
    location, scale = published()["t_500"]
    assert found.area is not None
    assert abs(found.mean - location) < 0.05 * scale
    assert abs(found.area.mean - location) > 0.3 * scale


def test_persistence_grows_with_the_step() -> None:
    with opened("era5_sfc/era5_sfc_norway_202506_newcds.nc") as dataset:
        pressure = dataset.msl.values
    errors = [
        np.mean(
            [
                reduce_difference(later, earlier).points.mean_absolute
                for later, earlier in zip(pressure[step:], pressure, strict=False)
            ]
        )
        for step in (1, 2, 4)
    ]
    assert errors == sorted(errors)
