"""Static fields of a sample: those of the dataset, and those the user brings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from aurora_prep.manifest.store_reader import Store
from aurora_prep.manifest.training.buffers import Field
from aurora_prep.sources.spec import ManifestError, orient

Given = Mapping[str, ArrayLike] | str | Path
PREFIX = "static/"
AXES = (("latitude", "longitude"), ("lat", "lon"))
WAVE_SOUTH = -78.0


def stored(store: Store) -> dict[str, Field]:
    """Every field of a static store, by path, ``(latitude, longitude)``, float32."""
    arrays: dict[str, Any] = dict(store.group.arrays())
    return {
        f"{PREFIX}{name}": np.asarray(array[...], np.float32)
        for name, array in sorted(arrays.items())
        if name not in store.coordinates and array.ndim == len(AXES[0])
    }


def given(
    statics: Given, latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> dict[str, Field]:
    """The user's own static fields, on the grid of the samples.

    Args:
        statics: Arrays by name, rows from north to south and columns eastwards from 0; or a
            NetCDF file or Zarr store on the same grid, in any orientation.
        latitude: Degrees north of the samples, ``(rows,)``.
        longitude: Degrees east of the samples, ``(columns,)``.

    Returns:
        By path, ``(rows, columns)``, float32.

    Raises:
        ManifestError: A field is not on this grid.
    """
    shape, where = (len(latitude), len(longitude)), "statics"
    fields: Mapping[str, ArrayLike]
    if isinstance(statics, Mapping):
        fields = statics
    else:
        where = str(statics)
        fields = _of_file(where, latitude, longitude)
    found = {}
    for name, values in sorted(fields.items()):
        field = np.asarray(values, np.float32)
        if field.shape != shape:
            raise _misfit(where, f"{name} is {field.shape}, the samples are {shape}")
        found[PREFIX + name.removeprefix(PREFIX)] = field
    return found


def latitude_mask(latitude: NDArray[np.float64], columns: int) -> Field:
    """Where the wave model has its grid: 1 from 78 degrees south to the pole, else 0.

    Source:
        ``lat_mask`` of Aurora's static fields for waves, supplement B.8 of the paper.
    """
    rows = (latitude >= WAVE_SOUTH).astype(np.float32)
    return np.repeat(rows[:, None], columns, axis=1)


def _of_file(
    where: str, latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    try:
        dataset = xr.open_dataset(where, engine="zarr" if where.endswith(".zarr") else None)
    except (OSError, ValueError) as error:
        raise _misfit(where, f"{type(error).__name__}: {error}") from error
    with dataset:
        axes = next((pair for pair in AXES if set(pair) <= set(dataset.coords)), None)
        if axes is None:
            raise _misfit(where, f"coordinates {sorted(map(str, dataset.coords))}")
        turn = orient(dataset[axes[0]].values, dataset[axes[1]].values, where)
        same = np.array_equal(turn.grid.latitude, latitude)
        if not same or not np.array_equal(turn.grid.longitude, longitude):
            raise _misfit(where, f"{turn.grid.shape} points, the samples are on others")
        fields = {str(name): array.squeeze(drop=True) for name, array in dataset.items()}
        return {
            name: turn.apply(array.transpose(*axes).values)
            for name, array in fields.items()
            if set(array.dims) == set(axes)
        }


def _misfit(where: str, found: str) -> ManifestError:
    return ManifestError(
        "static fields do not fit the samples",
        where,
        found,
        "give (latitude, longitude) fields on the grid of the samples, as arrays, NetCDF or Zarr",
    )
