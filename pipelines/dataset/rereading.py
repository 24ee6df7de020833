"""Statistics of fields that are stored already: changes over a step, or all of them again.

Every reduction is exact, so the work may be cut and merged in any way: the
same bits come out as from the pass that wrote the fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurora_prep.manifest import durable, layout
from aurora_prep.manifest.store_reader import Store
from aurora_prep.normalisation import ShardStatistics, area_weights, reduce_changes, reduce_fields
from aurora_prep.normalisation.splits import earlier
from aurora_prep.sources.spec import FrameKey, Grid, orient

FRAMES_PER_UNIT = 64

Frames = Sequence[tuple[FrameKey, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a dataset holds of one source on one grid.

    Attributes:
        root: The dataset.
        source: Name of the source.
        grid: Name of the grid.
        store: Its Zarr store, relative to the dataset.
        static_store: Zarr store of its static fields; ``None`` when another source wrote them.
        fields: ``(path, level)`` of every field of a frame.
        static: Paths of the static fields.
        is_forecast: Whether frames are steps of forecasts.
    """

    root: str
    source: str
    grid: str
    store: str
    static_store: str | None
    fields: tuple[tuple[str, int | None], ...]
    static: tuple[str, ...]
    is_forecast: bool

    @property
    def name(self) -> str:
        """``source-grid``, the key of its statistics."""
        return layout.pair(self.source, self.grid)


@dataclass(frozen=True, slots=True)
class ChangesUnit:
    """A piece of the work on changes: one variable and level, some later frames.

    Attributes:
        held: What the dataset holds.
        path: Variable.
        level: Level.
        step: Time between the two fields of a change.
        frames: The later frames, and those a step before them.
    """

    held: Held
    path: str
    level: int | None
    step: timedelta
    frames: tuple[FrameKey, ...]


def units_of_changes(
    held: Held, frames: Frames, steps: Sequence[timedelta]
) -> Iterator[ChangesUnit]:
    """Cut the changes of all fields over all steps into pieces that overlap nowhere.

    Args:
        held: What the dataset holds.
        frames: The frames of the split.
        steps: Times between the two fields of a change.
    """
    keys = sorted(key for key, _ in frames)
    present = set(keys)
    for step in steps:
        for start in range(0, len(keys), FRAMES_PER_UNIT):
            later = keys[start : start + FRAMES_PER_UNIT]
            before = (earlier(key, step, forecast=held.is_forecast) for key in later)
            together = tuple(sorted({*later, *(key for key in before if key in present)}))
            for path, level in held.fields:
                yield ChangesUnit(held, path, level, step, together)


def changes_of(unit: ChangesUnit) -> ShardStatistics:
    """Reduce the changes of one piece of the work."""
    store = _store(durable.join(unit.held.root, unit.held.store))

    def read(key: FrameKey) -> NDArray[np.float32]:
        return _read(store, unit.path, unit.level, key)

    reduction = reduce_changes(
        read,
        unit.frames,
        unit.step,
        forecast=unit.held.is_forecast,
        row_weights=area_weights(_grid(store)),
    )
    found = ShardStatistics()
    if reduction.fields:
        found.add_difference(unit.path, unit.level, unit.step, reduction)
    return found


def recompute(held: Held, frames: Frames, steps: Sequence[timedelta]) -> ShardStatistics:
    """Compute the statistics of every stored field of some frames again, and of their changes.

    Args:
        held: What the dataset holds.
        frames: Frames of the split, with the digests of their content.
        steps: Times between the two fields of a change.
    """
    store = _store(durable.join(held.root, held.store))
    weights = area_weights(_grid(store))

    def of_frame(frame: tuple[FrameKey, str]) -> ShardStatistics:
        key, digest = frame
        fields = ((key, p, level, _read(store, p, level, key)) for p, level in held.fields)
        return reduce_fields(fields, {key: digest}, weights)

    def of_static(path: str) -> ShardStatistics:
        static = _store(durable.join(held.root, held.static_store or ""))
        field = _read(static, path, None, None)
        return reduce_fields([(None, path, None, field)], {}, weights)

    with ThreadPoolExecutor() as pool:
        parts = [
            *pool.map(of_frame, frames),
            *pool.map(of_static, held.static if held.static_store else ()),
            *pool.map(changes_of, units_of_changes(held, frames, steps)),
        ]
    return ShardStatistics.merge(parts)


@lru_cache(maxsize=8)
def _store(url: str) -> Store:
    return Store(url)


def _grid(store: Store) -> Grid:
    axes = store.coordinates
    return orient(axes["latitude"], axes["longitude"], store.url).grid


def _read(store: Store, path: str, level: int | None, key: FrameKey | None) -> NDArray[np.float32]:
    array: Any = store.group[path.rpartition("/")[2]]
    names = list(array.metadata.dimension_names)
    frame = (key.init_time, key.lead_time, key.member) if key else (None, None, None)
    place = list(store.place(names, *frame))
    if level is not None:
        place[names.index("level")] = store.places["level"][level]
    values: NDArray[np.float32] = np.asarray(array[tuple(place)])
    return values
