"""Frames of one stored array, decoded straight into the memory where they are wanted."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import local
from typing import Any

import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from aurora_prep.manifest import durable
from aurora_prep.manifest.layout import ZARR_METADATA
from aurora_prep.manifest.shard_codec import ABSENT, ShardLayout
from aurora_prep.manifest.store_reader import Store
from aurora_prep.manifest.training.buffers import Field
from aurora_prep.sources.spec import ManifestError

FRAME_DIMS = ("time", "init_time", "lead_time", "member")
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
SCRATCH = local()
Place = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """The bytes of a shard, and where in them the fields are.

    Attributes:
        url: Where it comes from.
        data: Its bytes.
        pairs: Offset and length of every field, ``(*frames, [level,] 1, 1, 2)``.
    """

    url: str
    data: memoryview
    pairs: NDArray[np.uint64]

    def decode(self, inside: Place, out: Field) -> None:
        """Decode a frame into ``out``, ``([level,] latitude, longitude)``.

        Raises:
            ManifestError: The shard is damaged.
        """
        frame = self.pairs[inside]
        for level in np.ndindex(out.shape[:-2]):
            offset, length = (int(number) for number in frame[(*level, 0, 0)])
            if offset == ABSENT:
                out[level] = np.nan
                continue
            try:
                blosc.decompress(self.data[offset : offset + length], out[level])
            except (RuntimeError, ValueError) as error:
                found = f"field {(*inside, *level)} cannot be decoded: {error}"
                raise _damaged(self.url, found) from error


class ShardReader:
    """Reads frames of one array.

    Shards as this project writes them (float32, one field an inner chunk, Blosc) are decoded
    here, without a copy; any other array goes through zarr-python, with the same values.

    Attributes:
        dims: Names of the dimensions.
        shape: Of the array.
        frame_shape: Of one frame, ``([level,] latitude, longitude)``.
        frames_per_shard: Frames in a whole shard.
    """

    def __init__(self, url: str, store: Store, name: str) -> None:
        self._url = durable.join(url, name)
        self._folder = durable.local_path(self._url)
        array: Any = store.group[name]
        self._array = array
        self._store = store
        self.dims: tuple[str, ...] = tuple(array.metadata.dimension_names)
        self.shape: tuple[int, ...] = array.shape
        self._layout = _own_layout(durable.get(durable.join(self._url, ZARR_METADATA)))
        self._outer = sum(dim in FRAME_DIMS for dim in self.dims)
        self._cut: tuple[int, ...] = tuple((array.shards or array.chunks)[: self._outer])
        self.frame_shape = self.shape[self._outer :]
        self.frames_per_shard = math.prod(self._cut)

    @property
    def frame_bytes(self) -> int:
        """Size of one frame, decoded."""
        return 4 * int(math.prod(self.frame_shape))

    def locate(
        self, init_time: datetime, lead_time: timedelta, member: int | None
    ) -> tuple[Place, Place]:
        """The shard that holds a frame, and the frame's place in it.

        Raises:
            ManifestError: The frame is not in the store.
        """
        place = self._store.place(self.dims, init_time, lead_time, member)[: self._outer]
        whole = [int(i) for i in place if not isinstance(i, slice)]
        pairs = [divmod(i, cut) for i, cut in zip(whole, self._cut, strict=True)]
        return tuple(block for block, _ in pairs), tuple(inside for _, inside in pairs)

    def frames_in(self, block: Place) -> int:
        """How many frames a shard holds: the last one may be short."""
        sizes = zip(block, self._cut, self.shape[: self._outer], strict=True)
        return math.prod(min((i + 1) * cut, size) - i * cut for i, cut, size in sizes)

    def fetch(self, block: Place, *, keep: bool = True) -> Shard | None:
        """The bytes of a shard; ``None`` where zarr-python reads.

        Args:
            block: Which shard.
            keep: Without it, the bytes last until this thread fetches again.

        Raises:
            ManifestError: The shard is absent or damaged.
        """
        layout = self._layout
        if layout is None:
            return None
        key = "/".join(map(str, ("c", *block, *(0 for _ in self.frame_shape))))
        url = durable.join(self._url, key)
        data = memoryview(durable.get(url)) if keep else self._scratch(key, url)
        index = bytes(data[-layout.index_bytes :] if layout.at_end else data[: layout.index_bytes])
        fault = layout.fault(index, len(data))
        if fault is not None:
            raise _damaged(url, fault)
        counts = (s // c for s, c in zip(layout.shard, layout.chunk, strict=True))
        return Shard(url, data, layout.read(index).reshape(*counts, 2))

    def decode(self, shard: Shard | None, block: Place, inside: Place, out: Field) -> None:
        """Decode a frame of a shard, as :meth:`fetch` gave it, into ``out``.

        Raises:
            ManifestError: The shard is damaged.
        """
        if shard is not None:
            shard.decode(inside, out)
            return
        at = (i * cut + j for i, cut, j in zip(block, self._cut, inside, strict=True))
        out[...] = self._array[tuple(at)]

    def _scratch(self, key: str, url: str) -> memoryview:
        """The bytes of a local file in memory of this thread, else in memory of their own."""
        if self._folder is None:
            return memoryview(durable.get(url))
        try:
            with (self._folder / key).open("rb", buffering=0) as file:
                size = file.seek(0, 2)
                file.seek(0)
                if len(getattr(SCRATCH, "memory", b"")) < size:
                    SCRATCH.memory = bytearray(size + size // 8)
                data = memoryview(SCRATCH.memory)[:size]
                done = 0
                while done < size and (count := file.readinto(data[done:])):
                    done += count
        except OSError:
            return memoryview(durable.get(url))  # which says what is the matter
        return data[:done]


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
