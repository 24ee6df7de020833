"""A Zarr store of the dataset, and where its frames are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import xarray as xr
import zarr

from aurora_prep.sources.spec import ManifestError


class Store:
    """An open store, read only.

    Attributes:
        url: Where it is.
        group: The Zarr group.
        coordinates: Values of every dimension coordinate, times decoded.
        places: For each dimension, the position of every coordinate value.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.group = zarr.open_group(url, mode="r")
        with warnings.catch_warnings():
            # Zarr 3 readers that do not know consolidated metadata say so; either way will do.
            warnings.filterwarnings("ignore", "Consolidated metadata")
            with xr.open_zarr(
                url, chunks=None, consolidated=False, decode_timedelta=True
            ) as dataset:
                self.coordinates = {
                    str(name): np.asarray(dataset[name].values)
                    for name in dataset.dims
                    if name in dataset.coords
                }
        self.places = {
            name: {_plain(value): i for i, value in enumerate(values)}
            for name, values in self.coordinates.items()
        }

    def place(
        self,
        names: Sequence[str],
        init_time: datetime | None,
        lead_time: timedelta | None,
        member: int | None,
    ) -> tuple[int | slice, ...]:
        """Index of a frame in an array of these dimensions; static fields have no times.

        Raises:
            ManifestError: The frame is not in the store.
        """
        wanted: dict[str, Any] = {
            "init_time": init_time,
            "lead_time": lead_time,
            "member": member,
        }
        if init_time is not None and lead_time is not None:
            wanted["time"] = init_time + lead_time
        return tuple(
            self._at(name, wanted[name]) if name in wanted else slice(None) for name in names
        )

    def _at(self, name: str, value: Any) -> int:
        if value not in self.places[name]:
            raise ManifestError(
                "the store does not hold this frame",
                f"{self.url}, {name}",
                str(value),
                "verify the dataset: its coordinates and its manifest do not belong together",
            )
        return self.places[name][value]


def _plain(value: Any) -> Any:
    """A coordinate value as the manifest spells it."""
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[us]").item()
    if isinstance(value, np.timedelta64):
        return value.astype("timedelta64[us]").item()
    return value.item() if isinstance(value, np.generic) else value
