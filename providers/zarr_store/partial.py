"""Some fields of a large chunk, without downloading the others.

A chunk of an ensemble holds fifty members, one of ARCO-ERA5 37 levels. Where a
shard wants the smaller part of a chunk, the bytes of that part are read alone.
The bucket's checksum is of the whole, so a part cannot be compared with it.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarr.abc.store import RangeByteRequest, Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from aurora_prep.providers.zarr_store.blosc import Frame, Span, joined
from aurora_prep.providers.zarr_store.chunks import Chunk
from aurora_prep.sources.spec import DecodeError

HEAD = 32 * 2**10
GAP = 256 * 2**10  # what lies between two spans is read with them rather than asked around
SMALLEST = 16 * 2**20  # a smaller chunk is read whole
MOST = 0.5  # so is one of which more than this part is wanted
MOST_NOTED = 100_000
FLOAT32 = np.dtype("<f4")


Index = tuple[int, ...]
Field = tuple[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Part:
    """Some fields of a chunk that are read together.

    Attributes:
        slabs: How the array is read.
        chunk: Position of the chunk.
        positions: Of the fields in the chunk, ascending.
    """

    slabs: Slabs
    chunk: Index
    positions: Index

    @property
    def size(self) -> int:
        """Bytes of the fields once decoded."""
        return len(self.positions) * math.prod(self.slabs.chunks[-2:]) * FLOAT32.itemsize

    @property
    def start(self) -> Index:
        """The first field of the chunk, as an index into the array's outer dimensions."""
        outer = zip(self.chunk, self.slabs.chunks[:-2], strict=False)
        return tuple(at * size for at, size in outer)

    def rank(self, index: Sequence[int]) -> int:
        """Which of the fields one is."""
        return self.positions.index(self.slabs.place(index)[1])


class Parts:
    """Which fields are read with which others; safe to use from several threads.

    Args:
        slabs: How arrays are read in part, by name; ``None`` where they cannot be.
    """

    def __init__(self, slabs: Mapping[str, Slabs | None]) -> None:
        self._slabs = dict(slabs)
        self._lock = threading.Lock()
        self._parts: OrderedDict[tuple[str, Index], Part] = OrderedDict()

    def __len__(self) -> int:
        return len(self._parts)

    def note(self, fields: Iterable[Field]) -> None:
        """Find the chunks of which no more than the smaller part is wanted."""
        wanted: dict[tuple[str, Index], dict[int, Index]] = {}
        for name, index in fields:
            if (slabs := self._slabs.get(name)) is not None:
                chunk, position = slabs.place(index)
                wanted.setdefault((name, chunk), {})[position] = tuple(index)
        with self._lock:
            for (name, chunk), indices in wanted.items():
                slabs = self._slabs[name]
                if slabs is None or not slabs.is_worthwhile(len(indices)):
                    for index in indices.values():
                        self._parts.pop((name, index), None)
                    continue
                part = Part(slabs, chunk, tuple(sorted(indices)))
                self._parts.update(((name, index), part) for index in indices.values())
            while len(self._parts) > MOST_NOTED:
                self._parts.popitem(last=False)

    def of(self, name: str, index: Sequence[int]) -> Part | None:
        """What a field is read with; ``None`` where its whole chunk is read."""
        with self._lock:
            return self._parts.get((name, tuple(index)))


@dataclass(frozen=True, slots=True)
class Slabs:
    """An array whose chunks can be read in part: Blosc over plain float32, the globe last.

    Attributes:
        store: The store.
        path: Path of the array in it.
        chunks: Shape of a chunk.
        key: Name of a chunk by its position.
    """

    store: Store
    path: str
    chunks: tuple[int, ...]
    key: Callable[[tuple[int, ...]], str]

    @classmethod
    def of(cls, store: Store, array: Any) -> Slabs | None:
        """How to read an array in part; ``None`` where it cannot be, or need not."""
        codecs = [type(codec).__name__ for codec in array.compressors]
        is_plain = (
            codecs in (["Blosc"], ["BloscCodec"])
            and not array.filters
            and array.shards is None
            and array.dtype == FLOAT32
            and getattr(array.metadata, "order", "C") == "C"
            and array.chunks[-2:] == array.shape[-2:]
        )
        if not is_plain or math.prod(array.chunks) * FLOAT32.itemsize < SMALLEST:
            return None
        return cls(store, array.path, array.chunks, array.metadata.encode_chunk_key)

    def place(self, index: Sequence[int]) -> tuple[tuple[int, ...], int]:
        """The chunk of a field, and the field's position among those of the chunk."""
        outer = self.chunks[:-2]
        at = [i // size for i, size in zip(index, outer, strict=True)]
        within = [i % size for i, size in zip(index, outer, strict=True)]
        position = int(np.ravel_multi_index(within, outer)) if outer else 0
        return (*at, 0, 0), position

    def is_worthwhile(self, wanted: int) -> bool:
        """Whether so many fields are the smaller part of a chunk."""
        return wanted <= MOST * math.prod(self.chunks[:-2])

    def within(self, positions: Sequence[int]) -> tuple[NDArray[np.intp], ...]:
        """Fields of a chunk, as an index into its outer dimensions."""
        return np.unravel_index(positions, self.chunks[:-2])

    def load(self, chunk: tuple[int, ...], positions: Sequence[int]) -> Chunk | None:
        """Some fields of a chunk, shape ``(len(positions), rows, columns)``.

        Returns:
            The fields, not to be written to; ``None`` where the chunk can only be read whole.

        Raises:
            FetchError: The chunk is not there, or cannot be had.
            DecodeError: It is damaged.
        """
        fields: Chunk | None = sync(self._load(chunk, positions))
        return fields

    async def _load(self, chunk: tuple[int, ...], positions: Sequence[int]) -> Chunk | None:
        key = f"{self.path}/{self.key(chunk)}"
        where = f"{self.store}, {key}"
        head = await self._read(key, (0, HEAD))
        front = Frame.front(head, where)
        if front is None:
            return None
        if front > len(head):
            head += await self._whole(key, (len(head), front))
        frame = Frame.parse(head[:front], where)
        size = math.prod(self.chunks[-2:]) * FLOAT32.itemsize
        if frame.size != size * math.prod(self.chunks[:-2]):
            raise DecodeError(
                "a chunk of the Zarr store is damaged",
                where,
                f"{frame.size} bytes, in an array of chunks {self.chunks}",
                "tell the store's owner; leave the frame out meanwhile",
            )
        runs = {p: frame.blocks(p * size, (p + 1) * size) for p in positions}
        blocks = sorted({block for run in runs.values() for block in run})
        contents = await self._blocks(key, frame.spans(blocks))

        def decode() -> Chunk:
            fields = np.empty((len(positions), *self.chunks[-2:]), FLOAT32)
            for field, (position, run) in zip(fields, runs.items(), strict=True):
                skipped = position * size - run.start * frame.block
                decoded = frame.decode(run, contents, where)
                field.ravel()[:] = np.frombuffer(decoded, FLOAT32, field.size, skipped)
            fields.flags.writeable = False
            return fields

        return await asyncio.to_thread(decode)

    async def _blocks(self, key: str, spans: dict[int, Span]) -> dict[int, bytes]:
        """The encoded blocks, neighbours in one read, all reads at once."""
        reads = joined(list(spans.values()), GAP)
        data = await asyncio.gather(*(self._whole(key, read) for read in reads))
        begins = np.array([start for start, _ in reads])
        contents = {}
        for block, (start, stop) in spans.items():
            read = int(np.searchsorted(begins, start, side="right")) - 1
            skipped = int(begins[read])
            contents[block] = data[read][start - skipped : stop - skipped]
        return contents

    async def _whole(self, key: str, span: Span) -> bytes:
        content = await self._read(key, span)
        if len(content) != span[1] - span[0]:
            raise DecodeError(
                "a chunk of the Zarr store is damaged",
                f"{self.store}, {key}",
                f"it ends before byte {span[1]}",
                "tell the store's owner; leave the frame out meanwhile",
            )
        return content

    async def _read(self, key: str, span: Span) -> bytes:
        found = await self.store.get(key, default_buffer_prototype(), RangeByteRequest(*span))
        return b"" if found is None else found.to_bytes()
