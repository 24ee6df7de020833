"""Frames of a dataset as one lazy xarray object."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import xarray as xr

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.records import Status
from aurora_prep.manifest.query import Manifest
from aurora_prep.sources.spec import ManifestError, Product


def open_frames(
    manifest: Manifest,
    source: str,
    *,
    grid: str | None = None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    lead_time: timedelta | None = None,
    member: int | None = None,
    split: str | None = None,
    variable: str | None = None,
) -> xr.Dataset:
    """The written frames that meet every condition given, values read when they are needed.

    Frames that are not written are not among the times of an analysis. A forecast has every
    combination of the init times, members and lead times found; where one of those is not
    written, its values are NaN.

    Args:
        manifest: An open manifest.
        source: Name of a source.
        grid: Name of a grid; needed when the source is there on several.
        valid_from: Earliest valid time.
        valid_until: Latest valid time, included.
        lead_time: Exactly this lead time.
        member: Exactly this member of an ensemble.
        split: Name of a split.
        variable: Only this variable: a path such as ``surface/2t``, or a short name.

    Returns:
        Dataset of dims ``([time | init_time, [member,] lead_time,] [level,] latitude,
        longitude)``, float32, physical units.

    Raises:
        ManifestError: A name is nowhere in the manifest, no frame is left, or the frames
            are on several grids.
    """
    table = manifest.query(
        source=source,
        grid=grid,
        valid_from=valid_from,
        valid_until=valid_until,
        lead_time=lead_time,
        member=member,
        split=split,
        status=Status.WRITTEN,
        variable=variable,
    )
    stores = sorted(set(table.column("store").to_pylist()))
    if len(stores) != 1:
        raise ManifestError(
            "frames of one store can be opened together, and here are none or more",
            manifest.url,
            ", ".join(stores) or "no written frame meets the conditions",
            "give a grid" if stores else "ask for less",
        )
    opened = _opened(durable.join(manifest.url, stores[0]))
    ahead = table.column("product")[0].as_py() == str(Product.FORECAST)
    wanted = (
        {"init_time": "init_time", "lead_time": "lead_time"} if ahead else {"time": "valid_time"}
    )
    if "member" in opened.dims:
        wanted["member"] = "member"
    chosen: dict[str, Any] = {
        axis: np.array(sorted(set(table.column(column).to_pylist())), opened[axis].dtype)
        for axis, column in wanted.items()
    }
    names = [variable.rsplit("/", 1)[-1]] if variable else list(opened.data_vars)
    return opened[names].sel(chosen)


def _opened(url: str) -> xr.Dataset:
    with warnings.catch_warnings():
        # Stores that others made may lack consolidated metadata, which costs requests only.
        warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated metadata")
        dataset: xr.Dataset = xr.open_zarr(url, chunks=None, decode_timedelta=True)
    return dataset
