"""Whole shards, decoded: one object read once, its fields decoded straight into place."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from aurora_prep.manifest import storage
from aurora_prep.manifest.shards import ABSENT, ShardLayout
from aurora_prep.manifest.zarrstore import Store
from aurora_prep.sources.spec import ManifestError

HORIZONTAL = 2
FRAME_DIMS = ("time", "init_time", "lead_time", "member")
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
Field = NDArray[np.float32]


class ShardReader:
    """Reads the shards of one array.

    Shards as this project writes them (float32, one field an inner chunk, Blosc) are decoded
    here, without a copy; any other array goes through zarr-python, with the same values.
    """

    def __init__(self, url: str, store: Store, name: str) -> None:
        self._url = storage.join(url, name)
        array: Any = store.group[name]
        self._array = array
        self._store = store
        self.dims: tuple[str, ...] = tuple(array.metadata.dimension_names)
        self.shape: tuple[int, ...] = array.shape
        self._layout = _own_layout(storage.get(storage.join(self._url, "zarr.json")))
        self._outer = sum(dim in FRAME_DIMS for dim in self.dims)
        self._cut: tuple[int, ...] = tuple((array.shards or array.chunks)[: self._outer])

    def locate(
        self, init_time: datetime, lead_time: timedelta, member: int | None
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shard that holds a frame, and the frame's place in it.

        Raises:
            ManifestError: The frame is not in the store.
        """
        place = self._store.place(self.dims, init_time, lead_time, member)[: self._outer]
        whole = [int(i) for i in place if not isinstance(i, slice)]
        pairs = [divmod(i, cut) for i, cut in zip(whole, self._cut, strict=True)]
        return tuple(block for block, _ in pairs), tuple(inside for _, inside in pairs)

    def read(self, block: tuple[int, ...]) -> Field:
        """All fields of a shard, shape ``(*frames, [level,] latitude, longitude)``, float32.

        Raises:
            ManifestError: The shard is absent or damaged.
        """
        bounds = [
            slice(i * cut, min((i + 1) * cut, size))
            for i, cut, size in zip(block, self._cut, self.shape[: self._outer], strict=True)
        ]
        shape = (*(b.stop - b.start for b in bounds), *self.shape[self._outer :])
        if self._layout is None:
            return np.asarray(self._array[tuple(bounds)], np.float32)
        return self._decode(block, shape, self._layout)

    def _decode(self, block: tuple[int, ...], shape: tuple[int, ...], layout: ShardLayout) -> Field:
        rest = (0,) * (len(self.shape) - self._outer)
        key = "/".join(map(str, ("c", *block, *rest)))
        url = storage.join(self._url, key)
        data = storage.get(url)
        index = data[-layout.index_bytes :] if layout.at_end else data[: layout.index_bytes]
        fault = layout.fault(index, len(data))
        if fault is not None:
            raise _damaged(url, fault)
        grid = (*(s // c for s, c in zip(layout.shard, layout.chunk, strict=True)), 2)
        pairs = layout.read(index).reshape(grid)
        fields = np.empty(shape, np.float32)
        view = memoryview(data)
        for place in np.ndindex(shape[:-HORIZONTAL]):
            offset, length = (int(number) for number in pairs[(*place, 0, 0)])
            if offset == ABSENT:
                fields[place] = np.nan
                continue
            try:
                blosc.decompress(view[offset : offset + length], fields[place])
            except (RuntimeError, ValueError) as error:
                raise _damaged(url, f"field {place} cannot be decoded: {error}") from error
        return fields


def _own_layout(metadata: bytes) -> ShardLayout | None:
    """The layout, if the array is stored as this project stores arrays."""
    layout = ShardLayout.of(metadata)
    array = json.loads(metadata)
    if layout is None or not layout.is_one_field() or array["data_type"] != "float32":
        return None
    codecs = array["codecs"][0]["configuration"]["codecs"]
    names = [codec["name"] for codec in codecs]
    own = len(array["codecs"]) == 1 and names == ["bytes", "blosc"] and codecs[0] == LITTLE
    fill = array["fill_value"] == "NaN"
    return layout if own and fill else None


def _damaged(url: str, found: str) -> ManifestError:
    return ManifestError(
        "a shard is damaged", url, found, "run verify --repair on the dataset, then the recipe"
    )
