"""The index of a Zarr v3 shard: where its inner chunks are, and whether that can be true.

Source:
    Zarr v3 specification, ``sharding_indexed`` codec: an array of ``(offset, nbytes)``
    pairs, little-endian uint64 in C order of the inner chunks, both 2**64 - 1 for a chunk
    that is absent, then the CRC-32C of the pairs; at the start or the end of the shard.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

ENTRY = np.dtype("<u8")
ABSENT = np.iinfo(ENTRY).max
CHECKSUM_BYTES = 4
INDEX_CODECS = ["bytes", "crc32c"]


@dataclass(frozen=True, slots=True)
class ShardLayout:
    """How an array is cut into shards and inner chunks.

    Attributes:
        shape: Of the array.
        shard: Of one shard.
        chunk: Of one inner chunk.
        at_end: Whether the index is at the end of the shard.
    """

    shape: tuple[int, ...]
    shard: tuple[int, ...]
    chunk: tuple[int, ...]
    at_end: bool

    @classmethod
    def of(cls, metadata: bytes) -> ShardLayout | None:
        """The layout an array's ``zarr.json`` declares; ``None`` if it has no such index.

        Raises:
            ValueError: The bytes are not the metadata of a Zarr v3 array.
        """
        try:
            array: dict[str, Any] = json.loads(metadata)
            shape, shard = array["shape"], array["chunk_grid"]["configuration"]["chunk_shape"]
            codec = array["codecs"][0]
            name, settings = codec["name"], codec.get("configuration", {})
            if name != "sharding_indexed":
                return None
            if [item["name"] for item in settings["index_codecs"]] != INDEX_CODECS:
                return None
            at_end = settings.get("index_location", "end") == "end"
            chunk = settings["chunk_shape"]
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            message = f"not the metadata of a Zarr v3 array: {error!r}"
            raise ValueError(message) from error
        return cls(tuple(shape), tuple(shard), tuple(chunk), at_end)

    @property
    def index_bytes(self) -> int:
        """Size of the index, its checksum included."""
        counts = (s // c for s, c in zip(self.shard, self.chunk, strict=True))
        return math.prod(counts) * 2 * ENTRY.itemsize + CHECKSUM_BYTES

    def is_one_field(self) -> bool:
        """Whether an inner chunk is one level of one frame."""
        return self.chunk[-2:] == self.shape[-2:] and set(self.chunk[:-2]) <= {1}

    def inside(self, block: Sequence[int]) -> int:
        """Inner chunks of the shard at ``block`` that lie within the array."""
        held = 1
        for at, size, shard, chunk in zip(block, self.shape, self.shard, self.chunk, strict=True):
            held *= -(-max(min(shard, size - at * shard), 0) // chunk)
        return held

    def read(self, index: bytes) -> NDArray[np.uint64]:
        """The ``(offset, nbytes)`` pairs of an index, shape ``(chunks, 2)``.

        Raises:
            ValueError: The index is not whole, or its checksum is wrong.
        """
        if len(index) != self.index_bytes:
            message = f"the index is {len(index)} bytes, not {self.index_bytes}"
            raise ValueError(message)
        pairs, checksum = index[:-CHECKSUM_BYTES], index[-CHECKSUM_BYTES:]
        if google_crc32c.value(pairs).to_bytes(CHECKSUM_BYTES, "little") != checksum:
            message = "the CRC-32C of the index is wrong"
            raise ValueError(message)
        return np.frombuffer(pairs, ENTRY).reshape(-1, 2)

    def fault(self, index: bytes, size: int) -> str | None:
        """What is impossible about a shard's index, in words; ``None`` when nothing is.

        Args:
            index: The bytes of the index.
            size: Bytes of the whole shard.
        """
        try:
            pairs = self.read(index)
        except ValueError as error:
            return str(error)
        there = pairs[(pairs != ABSENT).any(axis=1)]
        if (there == ABSENT).any():
            return "an inner chunk is half absent"
        there = there[np.argsort(there[:, 0], kind="stable")]
        starts, lengths = there[:, 0], there[:, 1]
        first, last = (0, size - len(index)) if self.at_end else (len(index), size)
        if (lengths == 0).any():
            return "an inner chunk is empty"
        if (starts < first).any() or (starts > last).any() or (lengths > last - starts).any():
            return "an inner chunk reaches beyond the shard"
        if (starts[1:] < starts[:-1] + lengths[:-1]).any():
            return "two inner chunks overlap"
        return None

    def present(self, index: bytes) -> int:
        """How many inner chunks a sound index says are there."""
        return int((self.read(index) != ABSENT).all(axis=1).sum())
