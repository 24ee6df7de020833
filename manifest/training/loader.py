"""Samples as NumPy arrays: read ahead, shared between neighbours, resumable."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aurora_prep.manifest import durable, layout
from aurora_prep.manifest.store_reader import Store
from aurora_prep.manifest.training import statics as static_fields
from aurora_prep.manifest.training.buffers import Field
from aurora_prep.manifest.training.order import next_uses
from aurora_prep.manifest.training.readahead import Frame, ReadAhead, Wanted
from aurora_prep.manifest.training.reader import ShardReader
from aurora_prep.manifest.training.samples import Sample, Samples
from aurora_prep.manifest.training.series import Positions
from aurora_prep.sources.spec import FrameKey, ManifestError

GIB = 1 << 30
WAVES, WAVE_MASK = "surface/swh", "static/lat_mask"


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

    Threads read and decode samples ahead of time, straight into the arrays that are handed
    out. A frame that several samples need is decoded once while the cache holds it; which
    ones are worth keeping follows from the order. ``position`` counts the samples handed
    out: a loader made with the same arguments and ``position`` goes on exactly there.

    Attributes:
        url: The dataset.
        samples: Which samples there are.
        order: Sample numbers, as :meth:`Samples.order` gives them.
        position: How many of ``order`` have been handed out.
        prefetch: Samples read ahead.
        threads: Threads that read and decode.
        cache_bytes: Decoded bytes kept for samples to come, those under way aside.
        statics: The user's own static fields, which come before the dataset's: arrays by
            name, or a NetCDF file or Zarr store.
        bytes_read: Decoded size of the shards read so far.
        bytes_used: Bytes of the examples handed out so far.
    """

    url: str
    samples: Samples
    order: Positions
    position: int = 0
    prefetch: int = 2
    threads: int = 2
    cache_bytes: int = 2 * GIB
    statics: static_fields.Given | None = None
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
        self._stores: dict[str, Store] = {}
        self._readers: dict[tuple[str, str], ShardReader] = {}
        self._static: dict[tuple[str, bool], dict[str, Field]] = {}

    def __len__(self) -> int:
        return len(self.order) - self.position

    def __iter__(self) -> Iterator[Example]:
        """Hand out the samples from ``position`` on.

        Raises:
            ManifestError: A shard is absent or damaged, or sources of a sample do not fit.
        """
        numbers = self.order[self.position :]
        rows = self.samples.rows(numbers)
        uses = next_uses(rows.reshape(-1, rows.shape[1] * rows.shape[2])).reshape(rows.shape)
        pool = ThreadPoolExecutor(self.threads)
        ahead, before = ReadAhead(pool, self.cache_bytes), self.bytes_read
        pending: deque[tuple[Example, list[Future[None]]]] = deque()
        try:
            for step, number in enumerate(numbers.tolist()):
                pending.append(self._begin(number, rows[step], uses[step], ahead))
                if len(pending) > self.prefetch:
                    yield self._end(*pending.popleft(), ahead, before)
            while pending:
                yield self._end(*pending.popleft(), ahead, before)
        finally:
            pool.shutdown(cancel_futures=True)

    def _begin(
        self, number: int, rows: Positions, uses: Positions, ahead: ReadAhead
    ) -> tuple[Example, list[Future[None]]]:
        """An example whose arrays are being filled."""
        sample, history = self.samples[number], self.samples.window.history
        frames = {place: self._frame(int(row)) for place, row in np.ndenumerate(rows)}
        inputs, targets = (
            {
                path: ahead.buffers.take((count, *reader.frame_shape))
                for column in range(rows.shape[1])
                for path, (reader, _, _) in frames[0, column].items()
            }
            for count in (history, len(rows) - history)
        )
        futures = []
        for (step, column), arrays in frames.items():
            part, at = (inputs, step) if step < history else (targets, step - history)
            places = {path: part[path][at] for path in arrays}
            row, use = int(rows[step, column]), int(uses[step, column])
            futures += ahead.fill(Wanted(row, use, arrays, places))
        return self._example(number, sample, rows[history - 1], inputs, targets), futures

    def _end(
        self, example: Example, futures: Sequence[Future[None]], ahead: ReadAhead, before: int
    ) -> Example:
        """The example, once its arrays are full."""
        for future in futures:
            future.result()
        self.position += 1
        self.bytes_read = before + ahead.bytes_read
        parts = (example.inputs, example.targets)
        self.bytes_used += sum(values.nbytes for part in parts for values in part.values())
        return example

    def _frame(self, row: int) -> Frame:
        """Where the arrays of a frame are."""
        key, store = self.samples.key(row), self.samples.frames.column("store")[row].as_py()
        found = {}
        for path in self.samples.frames.column("variables")[row].as_py():
            reader = self._reader(store, path)
            found[path] = (reader, *reader.locate(key.init_time, key.lead_time, key.member))
        return found

    def _example(
        self,
        number: int,
        sample: Sample,
        last: Positions,
        inputs: Mapping[str, Field],
        targets: Mapping[str, Field],
    ) -> Example:
        """The example of a sample whose last input stands in these rows of the frames."""
        columns = (self.samples.frames.column(name) for name in ("store", "levels"))
        names, levels = ([column[int(row)].as_py() for row in last] for column in columns)
        axes = [self._store(name).coordinates for name in names]
        latitude, longitude = axes[0]["latitude"], axes[0]["longitude"]
        for name, other in zip(names, axes, strict=True):
            same = np.array_equal(other["latitude"], latitude)
            if not same or not np.array_equal(other["longitude"], longitude):
                raise ManifestError(
                    "two sources of one sample are on different points",
                    f"{self.url}, {names[0]} and {name}",
                    f"{len(latitude)} x {len(longitude)} and "
                    f"{len(other['latitude'])} x {len(other['longitude'])}",
                    "prepare both on one grid: give both the same grid in the recipe",
                )
        return Example(
            number=number,
            sample=sample,
            inputs=inputs,
            targets=targets,
            static=self._static_of(sample.grid, latitude, longitude, waves=WAVES in inputs),
            input_times=_times(sample.inputs),
            target_times=_times(sample.targets),
            latitude=latitude,
            longitude=longitude,
            levels=tuple(next((own for own in levels if own), ())),
        )

    def _store(self, name: str) -> Store:
        if name not in self._stores:
            self._stores[name] = Store(durable.join(self.url, name))
        return self._stores[name]

    def _reader(self, store: str, path: str) -> ShardReader:
        if (store, path) not in self._readers:
            opened = self._store(store)
            name = path.rsplit("/", 1)[-1]
            reader = ShardReader(durable.join(self.url, store), opened, name)
            self._readers[store, path] = reader
        return self._readers[store, path]

    def _static_of(
        self,
        grid: str,
        latitude: NDArray[np.float64],
        longitude: NDArray[np.float64],
        *,
        waves: bool,
    ) -> dict[str, Field]:
        if (grid, waves) not in self._static:
            fields = {}
            if waves:
                fields[WAVE_MASK] = static_fields.latitude_mask(latitude, len(longitude))
            name = layout.static_store(grid)
            if durable.exists(durable.join(self.url, name, layout.ZARR_METADATA)):
                fields |= static_fields.stored(self._store(name))
            if self.statics is not None:
                fields |= static_fields.given(self.statics, latitude, longitude)
            self._static[grid, waves] = fields
        return self._static[grid, waves]


def _times(keys: Sequence[FrameKey]) -> NDArray[np.datetime64]:
    return np.array([np.datetime64(key.valid_time, "s") for key in keys])
