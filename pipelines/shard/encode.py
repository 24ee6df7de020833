"""Write: fields into Zarr v3 shards, each a whole object made by one worker.

A shard holds, for one variable, all levels of one or a few frames; an inner
chunk is one level of one frame, so that levels compress and decode in
parallel. The bytes follow the ``sharding_indexed`` codec of the Zarr v3
specification: inner chunks in C order, then an index of ``(offset, length)``
pairs as little-endian uint64, then its CRC-32C. xarray-beam writes the
metadata from a template, and what it wrote is read back and compared, so
bytes and metadata cannot drift apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import Blosc
from numpy.typing import NDArray

from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.sources.spec import Variable, WriteError

CODECS = {"auto": ("lz4", 5), "blosc-lz4": ("lz4", 5), "blosc-zstd": ("zstd", 1)}
INDEX_ENTRY = np.dtype("<u8")
ABSENT = np.iinfo(INDEX_ENTRY).max
HORIZONTAL_DIMS = 2
CRC_BYTES = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """How one variable's array is cut into shards and chunks.

    Attributes:
        shape: Whole array, ``([*leading,] [level,] latitude, longitude)``.
        shard: Shape of a shard.
        codec: Name of the codec, as in the recipe.
    """

    shape: tuple[int, ...]
    shard: tuple[int, ...]
    codec: str = "auto"

    @property
    def chunk(self) -> tuple[int, ...]:
        """Shape of an inner chunk: one field."""
        outer = len(self.shape) - HORIZONTAL_DIMS
        return (1,) * outer + self.shape[-HORIZONTAL_DIMS:]

    @property
    def chunks_per_shard(self) -> int:
        """Inner chunks in a shard, absent ones included."""
        return int(np.prod(self.shard[:-HORIZONTAL_DIMS], dtype=np.int64))

    def compressor(self) -> Blosc:
        """The inner codec, after the plain little-endian bytes."""
        name, level = CODECS[self.codec]
        return Blosc(cname=name, clevel=level, shuffle=Blosc.SHUFFLE)

    def inner_codec(self) -> dict[str, Any]:
        """The compressor, as ``zarr.json`` spells it."""
        name, level = CODECS[self.codec]
        blosc = {"typesize": 4, "cname": name, "clevel": level, "shuffle": "shuffle"}
        return {"name": "blosc", "configuration": {**blosc, "blocksize": 0}}

    def codecs(self) -> list[dict[str, Any]]:
        """The codec chain, as ``zarr.json`` spells it."""
        little = {"name": "bytes", "configuration": {"endian": "little"}}
        configuration = {
            "chunk_shape": list(self.chunk),
            "codecs": [little, self.inner_codec()],
            "index_codecs": [little, {"name": "crc32c"}],
            "index_location": "end",
        }
        return [{"name": "sharding_indexed", "configuration": configuration}]

    def check(self, metadata: Mapping[str, Any], where: str) -> None:
        """Compare with the ``zarr.json`` of the array that shards are written into.

        Raises:
            WriteError: The metadata describe other bytes than we write.
        """
        found = (
            metadata["shape"],
            metadata["chunk_grid"]["configuration"]["chunk_shape"],
            metadata["codecs"],
            metadata["data_type"],
        )
        wanted = (list(self.shape), list(self.shard), self.codecs(), "float32")
        if found != wanted:
            raise WriteError(
                "the store's metadata describe another layout than the recipe",
                where,
                f"{json.dumps(found)}, expected {json.dumps(wanted)}",
                "write into a new output, or give --overwrite",
            )


def encode_field(field: NDArray[np.float32], compressor: Blosc) -> bytes:
    """One inner chunk: a field compressed, the same bytes on every machine.

    Args:
        field: Shape ``(latitude, longitude)``, float32.
        compressor: The layout's compressor.
    """
    return bytes(compressor.encode(np.ascontiguousarray(field, dtype="<f4")))


def assemble_shard(chunks: Sequence[bytes | None], layout: Layout) -> bytes:
    """Join inner chunks, C order of ``(leading, level)``, into one shard.

    Args:
        chunks: Encoded chunks; ``None`` where a frame is missing. A last
            shard may be given short.
        layout: Layout of the array.
    """
    index = np.full((layout.chunks_per_shard, 2), ABSENT, INDEX_ENTRY)
    offset = 0
    for position, chunk in enumerate(chunks):
        if chunk is not None:
            index[position] = offset, len(chunk)
            offset += len(chunk)
    tail = index.tobytes()
    crc = google_crc32c.value(tail).to_bytes(4, "little")
    return b"".join([*(c for c in chunks if c is not None), tail, crc])


def chunks_of(data: bytes, layout: Layout) -> list[bytes | None]:
    """The encoded inner chunks of a shard, as ``assemble_shard`` was given them.

    Args:
        data: A whole shard.
        layout: Layout of the array.
    """
    size = layout.chunks_per_shard * 2 * INDEX_ENTRY.itemsize
    tail = data[-size - CRC_BYTES : -CRC_BYTES]
    index = np.frombuffer(tail, INDEX_ENTRY).reshape(-1, 2).tolist()
    return [None if start == ABSENT else data[start : start + length] for start, length in index]


def checksum(data: bytes) -> str:
    """SHA-256 of an object, as the manifest records it."""
    return hashlib.sha256(data).hexdigest()


def layout_of(plan: SourcePlan, variable: Variable, codec: str) -> Layout:
    """How one variable of a plan is stored."""
    return Layout(plan.array_shape(variable), plan.shard_shape(variable), codec)
