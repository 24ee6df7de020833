"""Samples as NumPy arrays: read ahead, shared between neighbours, resumable."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurora_prep.manifest import storage
from aurora_prep.manifest.reader import Field, ShardReader
from aurora_prep.manifest.samples import Positions, Sample, Samples
from aurora_prep.manifest.zarrstore import Store
from aurora_prep.sources.spec import FrameKey, ManifestError

Unit = tuple[str, str, tuple[int, ...]]  # store, path, block
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One sample with its values.

    Attributes:
        number: Its number in the samples.
        sample: Its frames.
        inputs: By path, ``(history, [level,] latitude, longitude)``, float32, physical units.
        targets: By path, ``(rollout, [level,] latitude, longitude)``.
        static: By path, ``(latitude, longitude)``; empty where the dataset has none.
        input_times: Valid times of the inputs, ``(history,)``.
        target_times: Valid times of the targets, ``(rollout,)``.
        latitude: Degrees north, decreasing.
        longitude: Degrees east, increasing.
        levels: Pressure, hPa, increasing.
    """

    number: int
    sample: Sample
    inputs: Mapping[str, Field]
    targets: Mapping[str, Field]
    static: Mapping[str, Field]
    input_times: NDArray[np.datetime64]
    target_times: NDArray[np.datetime64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    levels: tuple[int, ...]


@dataclass(kw_only=True)
class Loader:
    """Iterates over samples in a given order.

    Shards are read whole, by threads, ahead of time; those that several samples need are
    read once while they stay in the cache. ``position`` counts the samples handed out: a
    loader made with the same arguments and ``position`` goes on exactly there.

    Attributes:
        url: The dataset.
        samples: Which samples there are.
        order: Sample numbers, as :meth:`Samples.order` gives them.
        position: How many of ``order`` have been handed out.
        prefetch: Samples read ahead.
        threads: Threads that read and decode.
        cache_bytes: Decoded bytes kept for samples to come, those under way aside.
        bytes_read: Decoded bytes read so far.
        bytes_used: Bytes of the examples handed out so far.
    """

    url: str
    samples: Samples
    order: Positions
    position: int = 0
    prefetch: int = 2
    threads: int = 2
    cache_bytes: int = 2 * GIB
    bytes_read: int = field(default=0, init=False)
    bytes_used: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.position <= len(self.order):
            raise ManifestError(
                "the position is not within the order",
                "Loader, position",
                f"{self.position} of {len(self.order)}",
                "resume with the order the position was saved with",
            )
        self._lock = Lock()
        self._stores: dict[str, Store] = {}
        self._readers: dict[tuple[str, str], ShardReader] = {}
        self._static: dict[str, dict[str, Field]] = {}

    def __len__(self) -> int:
        return len(self.order) - self.position

    def __iter__(self) -> Iterator[Example]:
        """Hand out the samples from ``position`` on.

        Raises:
            ManifestError: A shard is absent or damaged.
        """
        cache: OrderedDict[Unit, Future[Field]] = OrderedDict()
        ahead: deque[int] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                upcoming = iter(self.order[self.position :].tolist())
                for number in upcoming:
                    self._request(number, cache, pool)
                    ahead.append(number)
                    if len(ahead) > self.prefetch:
                        yield self._hand_out(ahead.popleft(), cache, ahead)
                while ahead:
                    yield self._hand_out(ahead.popleft(), cache, ahead)
            finally:
                for future in cache.values():
                    future.cancel()

    def _request(
        self, number: int, cache: OrderedDict[Unit, Future[Field]], pool: ThreadPoolExecutor
    ) -> None:
        for unit, _ in self._units(number):
            if unit not in cache:
                cache[unit] = pool.submit(self._read, self._reader(unit[0], unit[1]), unit[2])
            cache.move_to_end(unit)

    def _hand_out(
        self, number: int, cache: OrderedDict[Unit, Future[Field]], ahead: Sequence[int]
    ) -> Example:
        example = self._example(number, cache)
        self.position += 1
        needed = {unit for later in ahead for unit, _ in self._units(later)}
        held = 0
        for unit in reversed(list(cache)):
            if unit in needed:
                continue
            held += cache[unit].result().nbytes
            if held > self.cache_bytes:
                del cache[unit]
        return example

    def _read(self, reader: ShardReader, block: tuple[int, ...]) -> Field:
        fields = reader.read(block)
        with self._lock:
            self.bytes_read += fields.nbytes
        return fields

    def _units(self, number: int) -> Iterator[tuple[Unit, tuple[int, ...]]]:
        """Shards a sample needs, frame by frame and path by path, and the frame's place."""
        for row in self.samples.positions[number]:
            key = self.samples.key(int(row))
            store = self.samples.frames.column("store")[int(row)].as_py()
            for path in self.samples.frames.column("variables")[int(row)].as_py():
                reader = self._reader(store, path)
                block, inside = reader.locate(key.init_time, key.lead_time, key.member)
                yield (store, path, block), inside

    def _example(self, number: int, cache: Mapping[Unit, Future[Field]]) -> Example:
        sample = self.samples[number]
        history = self.samples.window.history
        frames: dict[str, list[Field]] = {}
        for unit, inside in self._units(number):
            frames.setdefault(unit[1], []).append(cache[unit].result()[inside])
        inputs = {path: np.stack(fields[:history]) for path, fields in frames.items()}
        targets = {path: np.stack(fields[history:]) for path, fields in frames.items()}
        self.bytes_used += sum(f.nbytes for part in (inputs, targets) for f in part.values())
        row = int(self.samples.positions[number][history - 1])
        name = self.samples.frames.column("store")[row].as_py()
        coordinates = self._store(name).coordinates
        return Example(
            number=number,
            sample=sample,
            inputs=inputs,
            targets=targets,
            static=self._static_of(sample.grid),
            input_times=_times(sample.inputs),
            target_times=_times(sample.targets),
            latitude=coordinates["latitude"],
            longitude=coordinates["longitude"],
            levels=tuple(self.samples.frames.column("levels")[row].as_py()),
        )

    def _store(self, name: str) -> Store:
        if name not in self._stores:
            self._stores[name] = Store(storage.join(self.url, name))
        return self._stores[name]

    def _reader(self, store: str, path: str) -> ShardReader:
        if (store, path) not in self._readers:
            opened = self._store(store)
            name = path.rsplit("/", 1)[-1]
            reader = ShardReader(storage.join(self.url, store), opened, name)
            self._readers[store, path] = reader
        return self._readers[store, path]

    def _static_of(self, grid: str) -> dict[str, Field]:
        if grid not in self._static:
            name, fields = f"static/{grid}.zarr", {}
            if storage.exists(storage.join(self.url, name, "zarr.json")):
                store = self._store(name)
                arrays: dict[str, Any] = dict(store.group.arrays())
                fields = {
                    f"static/{key}": np.asarray(array[...], np.float32)
                    for key, array in sorted(arrays.items())
                    if key not in store.coordinates
                }
            self._static[grid] = fields
        return self._static[grid]


def share(order: Positions, rank: int, ranks: int, *, block: int = 1) -> Positions:
    """The part of an order that one of several workers takes, blocks kept whole."""
    turns = np.arange(len(order)) // block
    return np.asarray(order[turns % ranks == rank], np.int64)


def _times(keys: Sequence[FrameKey]) -> NDArray[np.datetime64]:
    return np.array([np.datetime64(key.valid_time, "s") for key in keys])
