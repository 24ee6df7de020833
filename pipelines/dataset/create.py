"""Set up a dataset's Zarr stores: metadata and coordinates, before any shard.

xarray-beam writes them from a template. An existing store is never touched:
setting up wipes, and a run that is resumed must keep what it has.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import dask.array
import numpy as np
import xarray as xr
import xarray_beam as xbeam
from zarr.codecs import BloscCodec

from aurora_prep.manifest import durable
from aurora_prep.manifest.layout import ZARR_METADATA
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.shard.encode import layout_of
from aurora_prep.sources.spec import HOUR, Variable, WriteError

HOURS_SINCE = "hours since 1900-01-01"
LATITUDE = {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}
LONGITUDE = {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}
LEVEL = {"standard_name": "air_pressure", "units": "hPa", "axis": "Z", "positive": "down"}
TIME = {"standard_name": "time", "axis": "T"}
INIT_TIME = {"standard_name": "forecast_reference_time", "axis": "T"}
MEMBER = {"standard_name": "realization", "axis": "E"}
LEAD_TIME = {"standard_name": "forecast_period", "units": "hours"}


def set_up_stores(
    root: str,
    plans: Sequence[SourcePlan],
    recipe: Recipe,
    is_synthetic: Callable[[SourcePlan], bool],
) -> None:
    """Write the metadata of all stores where they are not there yet, and check them.

    Static fields of one grid share a store, whichever entry of the recipe brings them.

    Args:
        root: The dataset.
        plans: The plans of all sources.
        recipe: The recipe.
        is_synthetic: Whether the values of a source come from the embedded provider.

    Raises:
        WriteError: The output cannot be written, or holds another layout.
    """
    static: dict[str, list[SourcePlan]] = {}
    for plan in plans:
        attributes = _attributes([plan], synthetic=is_synthetic(plan))
        _set_up(root, plan.store, plan, plan.variables, recipe, attributes)
        if plan.static_paths:
            static.setdefault(plan.static_store, []).append(plan)
    for store, sharing in static.items():
        variables = [variable for plan in sharing for variable in plan.static_variables]
        attributes = _attributes(sharing, synthetic=any(map(is_synthetic, sharing)))
        _set_up(root, store, sharing[0], variables, recipe, attributes)


def template(plan: SourcePlan, variables: Sequence[Variable]) -> xr.Dataset:
    """The dataset as it will be read, without its values.

    Returns:
        Lazy dataset of dims ``([time | init_time, [member,] lead_time,] [level,]
        latitude, longitude)``, float32, with coordinates and CF attributes.
    """
    coords: dict[str, Any] = {
        "latitude": ("latitude", plan.grid.latitude, LATITUDE),
        "longitude": ("longitude", plan.grid.longitude, LONGITUDE),
    }
    arrays = {}
    for variable in variables:
        shape = plan.array_shape(variable)
        dims = _dims(plan, variable)
        if variable.has_levels:
            coords["level"] = ("level", np.array(plan.levels.hpa, np.int32), LEVEL)
        for name in dims[:-2]:
            coords.setdefault(name, _leading(plan, name))
        lazy = dask.array.zeros(shape, dtype=np.float32, chunks=-1)
        arrays[variable.short_name] = (dims, lazy, _variable_attributes(variable))
    lazy_dataset: xr.Dataset = xbeam.make_template(xr.Dataset(arrays, coords))
    return lazy_dataset


def _set_up(
    root: str,
    store: str,
    plan: SourcePlan,
    variables: Sequence[Variable],
    recipe: Recipe,
    attributes: dict[str, Any],
) -> None:
    url = durable.join(root, store)
    if not _is_set_up(url, variables):
        codec = BloscCodec.from_dict(
            layout_of(plan, variables[0], recipe.storage.codec).inner_codec()
        )
        lazy = template(plan, variables).assign_attrs(attributes)
        encoding: dict[str, dict[str, Any]] = {
            variable.short_name: {"compressors": [codec], "fill_value": np.float32(np.nan)}
            for variable in variables
        }
        for axis in ("time", "init_time"):
            if axis in lazy.coords:
                encoding[axis] = {"units": HOURS_SINCE, "dtype": "int64"}
        leading = [axis for axis, _ in plan.leading if axis in lazy.dims]
        chunks = dict.fromkeys((*leading, "level"), 1)
        shards = {**dict.fromkeys(leading, 1), "level": -1}
        if leading:
            shards[leading[-1]] = plan.frames_per_shard
        with warnings.catch_warnings():
            # xarray reads consolidated metadata, so that opening costs one request; Zarr 3
            # readers that do not know it ignore it.
            warnings.filterwarnings("ignore", "Consolidated metadata", UserWarning)
            xbeam.setup_zarr(
                lazy,
                url,
                zarr_chunks={d: n for d, n in chunks.items() if d in lazy.dims},
                zarr_shards={d: n for d, n in shards.items() if d in lazy.dims},
                zarr_format=3,
                encoding=encoding,
            )
    for variable in variables:
        where = durable.join(url, variable.short_name, ZARR_METADATA)
        metadata = json.loads(durable.get(where))
        layout_of(plan, variable, recipe.storage.codec).check(metadata, where)


def _is_set_up(url: str, variables: Sequence[Variable]) -> bool:
    """Whether the metadata are whole: consolidating them is the last step of setting up.

    Raises:
        WriteError: They are not, and yet there are shards: setting up would wipe them.
    """
    place = durable.join(url, ZARR_METADATA)
    try:
        found = json.loads(durable.get(place)) if durable.exists(place) else {}
    except ValueError:
        found = {}
    if found.get("consolidated_metadata"):
        return True
    if any(durable.listing(durable.join(url, variable.short_name, "c")) for variable in variables):
        raise WriteError(
            "the store holds shards, but its metadata are gone or damaged",
            place,
            "no consolidated metadata",
            "bring the file back, write into a new output, or give --overwrite",
        )
    return False


def _dims(plan: SourcePlan, variable: Variable) -> tuple[str, ...]:
    outer = len(plan.array_shape(variable)) - 2 - variable.has_levels
    leading = tuple(name for name, _ in plan.leading)[:outer]
    return (*leading, *(("level",) if variable.has_levels else ()), "latitude", "longitude")


def _leading(plan: SourcePlan, name: str) -> tuple[str, np.ndarray[Any, Any], dict[str, str]]:
    if name == "lead_time":
        hours = np.array([lead // HOUR for lead in plan.lead_times], np.int32)
        return name, hours, LEAD_TIME
    if name == "member":
        return name, np.array(plan.members, np.int32), MEMBER
    times = np.array([np.datetime64(time, "ns") for time in plan.init_times])
    return name, times, TIME if name == "time" else INIT_TIME


def _variable_attributes(variable: Variable) -> dict[str, str]:
    names = {
        "short_name": variable.short_name,
        "long_name": variable.long_name,
        "units": variable.units,
    }
    return names | ({"standard_name": variable.standard_name} if variable.standard_name else {})


def _attributes(plans: Sequence[SourcePlan], *, synthetic: bool) -> dict[str, Any]:
    made_up = "SYNTHETIC: analytic fields of the embedded provider, not weather"
    sources = [plan.source for plan in plans]
    titles = _each(source.title for source in sources)
    return {
        "Conventions": "CF-1.11",
        "title": f"{titles}, {plans[0].grid.name} degrees, prepared for Aurora",
        "source": made_up if synthetic else titles,
        "product": _each(str(source.product) for source in sources),
        "licence": "none: synthetic" if synthetic else _each(s.licence for s in sources),
        "attribution": made_up if synthetic else _each(s.attribution for s in sources),
        "synthetic": int(synthetic),
    }


def _each(texts: Iterable[str]) -> str:
    """Every text once."""
    return "; ".join(dict.fromkeys(texts))
