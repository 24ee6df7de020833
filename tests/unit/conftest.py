"""Sources and plans that tests of single stages start from."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.plan.source_plan import SourcePlan, is_static
from aurora_prep.pipelines.recipe import SourceRecipe
from aurora_prep.sources.spec import HOUR, Files, Grid, Levels, Product, Source, Timeline

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first


@pytest.fixture
def forecast() -> Source:
    """ERA5's variables as if they were a forecast of the user's own files."""
    era5 = sources.load("era5")
    return replace(era5, name="invented", product=Product.FORECAST, accesses=(Files(),))


@pytest.fixture
def make_source_plan() -> Callable[..., SourcePlan]:
    """A plan of a few frames on a small grid."""

    def make(
        source: Source | None = None,
        *,
        times: int = 5,
        lead_times: tuple[timedelta, ...] = (timedelta(0),),
        step: str = "30",
        levels: tuple[int, ...] = (500, 850),
        paths: tuple[str, ...] = ("surface/2t", "atmospheric/t"),
        frames_per_shard: int = 2,
        has_static: bool = False,
    ) -> SourcePlan:
        source = source or sources.load("era5")
        start = datetime(2020, 1, 1)
        period = Timeline(start, start + (times - 1) * 6 * HOUR, 6 * HOUR)
        recipe = SourceRecipe(
            source=source.name,
            access=source.access().name,
            period=period,
            lead_times=lead_times,
            grid=Grid.regular(step),
        )
        return SourcePlan(
            position=0,
            recipe=recipe,
            source=source,
            init_times=period,
            lead_times=lead_times,
            paths=tuple(path for path in paths if not is_static(path)),
            levels=Levels(levels),
            grid=Grid.regular(step),
            frames_per_shard=frames_per_shard,
            static_paths=tuple(filter(is_static, paths)) if has_static else (),
        )

    return make


@pytest.fixture
def grib() -> Callable[..., bytes]:
    """One GRIB message of 5 x 8 points, made by ecCodes; NaN becomes a bitmap."""

    def make(values: Any = 280.0, *, edition: int = 1, **keys: Any) -> bytes:
        handle = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
        try:
            field = np.broadcast_to(np.asarray(values, np.float64), (5, 8))
            whole = {
                "dataDate": 20200101, "dataTime": 0, "paramId": 167, "Ni": 8, "Nj": 5,
                "latitudeOfFirstGridPointInDegrees": 90.0,
                "latitudeOfLastGridPointInDegrees": -90.0,
                "longitudeOfFirstGridPointInDegrees": 0.0,
                "longitudeOfLastGridPointInDegrees": 315.0,
                "iDirectionIncrementInDegrees": 45.0, "jDirectionIncrementInDegrees": 45.0,
                "bitsPerValue": 16, "bitmapPresent": int(np.isnan(field).any()),
                "missingValue": 9999.0,
                **({"class": "ea"} if edition == 1 else {}),  # ERA5's; the sample is operational
                **keys,
            }  # fmt: skip
            for key, value in whole.items():
                eccodes.codes_set(handle, key, value)
            eccodes.codes_set_values(handle, np.nan_to_num(field, nan=9999.0).ravel())
            return bytes(eccodes.codes_get_message(handle))
        finally:
            eccodes.codes_release(handle)

    return make


@pytest.fixture
def netcdf() -> Callable[..., Path]:
    """Write a NetCDF file of axes and of variables ``(dims, values, attributes)``."""

    def make(
        path: Path,
        axes: dict[str, tuple[Any, dict[str, Any]]],
        variables: dict[str, tuple[tuple[str, ...], Any, dict[str, Any]]],
    ) -> Path:
        with netCDF4.Dataset(path, "w") as data:
            for name, (values, attributes) in axes.items():
                data.createDimension(name, len(values))
                if attributes.get("coordinate", True):
                    axis = np.asarray(values)
                    variable = data.createVariable(name, axis.dtype, (name,))
                    variable[:] = axis
                    variable.setncatts(attributes)
            for name, (dims, values, attributes) in variables.items():
                array = np.ma.asarray(values)
                fill = attributes.get("_FillValue")
                kind = str if array.dtype.kind == "U" else array.dtype
                variable = data.createVariable(name, kind, dims, fill_value=fill)
                variable.set_auto_maskandscale(False)
                variable.setncatts({k: v for k, v in attributes.items() if k != "_FillValue"})
                variable[...] = array.astype(object) if kind is str else array.data
        return path

    return make
