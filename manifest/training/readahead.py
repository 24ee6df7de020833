"""Read ahead: the frames of samples to come, decoded by threads into their places."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np

from aurora_prep.manifest.training.buffers import Buffers, Field
from aurora_prep.manifest.training.cache import Cache
from aurora_prep.manifest.training.reader import Place, Shard, ShardReader

Frame = Mapping[str, tuple[ShardReader, Place, Place]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One frame of a sample.

    Attributes:
        row: Its row in the table of frames.
        next_use: Index of the next sample that needs it.
        arrays: For each path, its reader, its shard and its place in the shard.
        places: For each path, where its values belong.
    """

    row: int
    next_use: int
    arrays: Frame
    places: Mapping[str, Field]


class ReadAhead:
    """Fills places with values, by a pool of threads.

    A frame that no later sample needs is decoded where it belongs. One that is needed again
    is decoded once, kept, and copied, while the cache has room. A shard of several frames is
    kept as it is, compressed, until others push it out.
    """

    def __init__(self, pool: ThreadPoolExecutor, cache_bytes: int) -> None:
        self.bytes_read = 0
        self.buffers = Buffers()
        self._pool = pool
        self._frames: Cache[dict[str, Future[Field]]] = Cache(cache_bytes)
        self._shards: OrderedDict[tuple[int, Place], Future[Shard | None]] = OrderedDict()
        self._shard_bytes = cache_bytes // 4
        self._lock = Lock()

    def fill(self, frame: Wanted) -> list[Future[None]]:
        """Start to fill the places of a frame; the futures end when they are full."""
        kept = self._frames.use(frame.row, frame.next_use)
        if kept is None:
            size = sum(reader.frame_bytes for reader, _, _ in frame.arrays.values())
            if not self._frames.admit(size, frame.next_use):
                return [
                    self._pool.submit(self._decode, *frame.arrays[path], shard, place)
                    for path, place in frame.places.items()
                    for shard in (self._shard(*frame.arrays[path][:2]),)
                ]
            kept = {path: self._keep(*array) for path, array in frame.arrays.items()}
            self._frames.put(frame.row, kept, size, frame.next_use)
        return [self._pool.submit(_copy, kept[path], place) for path, place in frame.places.items()]

    def _keep(self, reader: ShardReader, block: Place, inside: Place) -> Future[Field]:
        shard = self._shard(reader, block)
        return self._pool.submit(self._decode_apart, reader, block, inside, shard)

    def _decode_apart(
        self,
        reader: ShardReader,
        block: Place,
        inside: Place,
        shard: Future[Shard | None] | None,
    ) -> Field:
        out = self.buffers.take(reader.frame_shape)
        self._decode(reader, block, inside, shard, out)
        return out

    def _decode(
        self,
        reader: ShardReader,
        block: Place,
        inside: Place,
        shard: Future[Shard | None] | None,
        out: Field,
    ) -> None:
        # The pool takes tasks in turn, so a shard a task waits for is there or under way.
        found = self._fetch(reader, block, keep=False) if shard is None else shard.result()
        reader.decode(found, block, inside, out)

    def _shard(self, reader: ShardReader, block: Place) -> Future[Shard | None] | None:
        """A shard of several frames, kept; ``None`` for a shard of one frame."""
        if reader.frames_per_shard == 1:
            return None
        key = (id(reader), block)
        if key not in self._shards:
            self._shards[key] = self._pool.submit(self._fetch, reader, block)
            size = reader.frame_bytes * reader.frames_per_shard
            while len(self._shards) > 1 and len(self._shards) * size > self._shard_bytes:
                self._shards.popitem(last=False)
        self._shards.move_to_end(key)
        return self._shards[key]

    def _fetch(self, reader: ShardReader, block: Place, *, keep: bool = True) -> Shard | None:
        shard = reader.fetch(block, keep=keep)
        with self._lock:
            self.bytes_read += reader.frame_bytes * reader.frames_in(block)
        return shard


def _copy(kept: Future[Field], place: Field) -> None:
    np.copyto(place, kept.result())
