"""Training samples: which complete (history, target) tuples a dataset holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aurora_prep.manifest.query import Manifest
from aurora_prep.manifest.records import SPAN, TIME, Status
from aurora_prep.sources.spec import HOUR, FrameKey, ManifestError, Product

POLLUTANT = "surface/pm2p5"
SPACING, POLLUTION_SPACING = 6 * HOUR, 12 * HOUR
COLUMNS = [
    "source",
    "grid",
    "product",
    "init_time",
    "lead_time",
    "member",
    "split",
    "variables",
    "levels",
    "store",
]
TABLE = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("grid", pa.string(), nullable=False),
        pa.field("init_time", TIME, nullable=False),
        pa.field("lead_time", SPAN, nullable=False),
        pa.field("member", pa.int32()),
        pa.field("split", pa.string()),
    ]
)
Positions = NDArray[np.int64]
NONE: Positions = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The times a sample needs, relative to its last input.

    Attributes:
        history: Number of inputs, the last input included.
        history_step: Distance between inputs. ``None``: Aurora's own, which is 12 h for
            frames that hold air pollution and 6 h for all others.
        lead: Distance from the last input to the first target, and between targets.
            ``None``: the same as Aurora's own spacing.
        rollout: Number of targets.
    """

    history: int = 2
    history_step: timedelta | None = None
    lead: timedelta | None = None
    rollout: int = 1

    def __post_init__(self) -> None:
        counts = {"history": self.history, "rollout": self.rollout}
        for name, count in counts.items():
            if count < 1:
                raise ManifestError(
                    "a sample needs at least one input and one target",
                    f"Window, {name}",
                    str(count),
                    "give 1 or more",
                )
        for name, span in {"history_step": self.history_step, "lead": self.lead}.items():
            if span is not None and (span < HOUR or span % HOUR):
                raise ManifestError(
                    "a spacing is not a whole, positive number of hours",
                    f"Window, {name}",
                    str(span),
                    "give a spacing such as 6h",
                )

    def offsets(self, variables: Collection[str]) -> NDArray[np.int64]:
        """Hours of every input and target from the last input, inputs first, in time order."""
        own = POLLUTION_SPACING if POLLUTANT in variables else SPACING
        step, lead = (span or own for span in (self.history_step, self.lead))
        past = -(step // HOUR) * np.arange(self.history - 1, -1, -1)
        return np.concatenate([past, (lead // HOUR) * np.arange(1, self.rollout + 1)])


@dataclass(frozen=True, slots=True)
class Sample:
    """One training sample.

    Attributes:
        inputs: Frames of the history, oldest first.
        targets: Frames to predict, nearest first.
        grid: Name of the grid.
        split: The split all its frames belong to.
    """

    inputs: tuple[FrameKey, ...]
    targets: tuple[FrameKey, ...]
    grid: str
    split: str | None


@dataclass(frozen=True, eq=False)
class Samples(Sequence[Sample]):
    """All complete samples of a dataset, in the order of the manifest.

    Attributes:
        window: The times a sample needs.
        frames: Written frames, in the order of the manifest.
        positions: Rows of ``frames`` that make up each sample, inputs first; shape
            ``(samples, history + rollout)``.
        chain: Sample numbers in the order in which a sample's first target is the next
            one's last input, where there is such a one: neighbours share frames.
    """

    window: Window
    frames: pa.Table
    positions: Positions
    chain: Positions

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Sample, ...]: ...
    def __getitem__(self, index: int | slice) -> Sample | tuple[Sample, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(len(self))[index])
        rows = self.positions[index]
        keys = tuple(self.key(int(row)) for row in rows)
        last = int(rows[self.window.history - 1])
        grid, split = (self.frames.column(name)[last].as_py() for name in ("grid", "split"))
        return Sample(keys[: self.window.history], keys[self.window.history :], grid, split)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def key(self, row: int) -> FrameKey:
        """The frame in a row of ``frames``."""
        names = ("source", "init_time", "lead_time", "member")
        return FrameKey(*(self.frames.column(name)[row].as_py() for name in names))

    @cached_property
    def groups(self) -> tuple[list[tuple[str, str]], Positions]:
        """``(source, grid)`` pairs, and which of them each sample comes from."""
        pairs = self.table().select(["source", "grid"]).to_pylist()
        names = sorted({(row["source"], row["grid"]) for row in pairs})
        number = {name: i for i, name in enumerate(names)}
        codes = [number[row["source"], row["grid"]] for row in pairs]
        return names, np.array(codes, np.int64)

    def table(self) -> pa.Table:
        """One row a sample: the frame that is its last input, and the split."""
        last = pa.array(self.positions[:, self.window.history - 1])
        return self.frames.select(TABLE.names).take(last).cast(TABLE)

    def counts(self) -> pa.Table:
        """Number of samples by source, grid and split."""
        keys = ["source", "grid", "split"]
        found = self.table().group_by(keys).aggregate([([], "count_all")])
        return found.rename_columns([*keys, "samples"]).sort_by([(k, "ascending") for k in keys])

    def order(
        self,
        seed: int,
        *,
        epoch: int = 0,
        weights: Mapping[str, float] | None = None,
        block: int = 1,
    ) -> Positions:
        """Sample numbers of an epoch in a shuffled order, the same for the same arguments.

        Args:
            seed: Any whole number, not negative.
            epoch: Another epoch, another order.
            weights: Share of each source, in any unit. The epoch keeps its length; within a
                source, every sample comes once before any comes again. A source that is not
                named has weight 0. ``None``: every sample exactly once.
            block: Samples that follow each other along ``chain`` and stay neighbours, so
                that they can share what they read; within a block they are shuffled too.

        Raises:
            ManifestError: The weights are not positive, or name a source without samples.
        """
        rng = np.random.default_rng([seed, epoch])
        if weights is None:
            return _shuffled(self.chain, rng, block)
        names, codes = self.groups
        shares = self._shares(names, codes, weights)
        runs = -(-len(self) // block)
        drawn = rng.choice(len(names), size=runs, p=shares)
        order = np.empty(runs * block, np.int64)
        for code in np.unique(drawn):
            own, places = self.chain[codes[self.chain] == code], np.flatnonzero(drawn == code)
            needed = len(places) * block
            cycles = [_shuffled(own, rng, block) for _ in range(-(-needed // len(own)))]
            slots = (places[:, None] * block + np.arange(block)).ravel()
            order[slots] = np.concatenate(cycles)[:needed]
        return order[: len(self)]

    def _shares(
        self, names: list[tuple[str, str]], codes: Positions, weights: Mapping[str, float]
    ) -> NDArray[np.float64]:
        """Probability of each group: a source's weight, spread over its grids by samples."""
        sizes = np.bincount(codes, minlength=len(names))
        of_source: dict[str, int] = {}
        for (source, _), size in zip(names, sizes, strict=True):
            of_source[source] = of_source.get(source, 0) + int(size)
        unknown = sorted(set(weights) - set(of_source))
        if unknown or not weights or any(w < 0 for w in weights.values()):
            raise ManifestError(
                "the weights do not fit the samples",
                "weights",
                f"{dict(weights)}; sources with samples: {sorted(of_source)}",
                "give a weight that is not negative to some of these sources",
            )
        shares = np.array(
            [
                weights.get(source, 0) * size / of_source[source]
                for (source, _), size in zip(names, sizes, strict=True)
            ]
        )
        if not shares.sum() > 0:
            raise ManifestError(
                "every weight is zero", "weights", str(dict(weights)), "give one a weight above 0"
            )
        return np.asarray(shares / shares.sum(), np.float64)


def samples_of(
    manifest: Manifest,
    window: Window | None = None,
    *,
    source: str | None = None,
    grid: str | None = None,
    split: str | None = None,
) -> Samples:
    """Every complete sample of a dataset.

    All frames of a sample are written, come from one source, grid and member, hold the same
    variables and levels and belong to one split, history included, so that nothing leaks.
    Those of a forecast share their init time.

    Args:
        manifest: An open manifest.
        window: The times a sample needs; Aurora's own by default.
        source: Only this source.
        grid: Only this grid.
        split: Only this split.

    Raises:
        ManifestError: A name is nowhere in the manifest.
    """
    window = window or Window()
    found = manifest.query(source=source, grid=grid, split=split, status=Status.WRITTEN)
    frames = found.select(COLUMNS).combine_chunks()
    width = window.history + window.rollout
    pieces, phases, numbers = [np.empty((0, width), np.int64)], [NONE], [NONE]
    for number, (rows, hours) in enumerate(_series(frames)):
        offsets = window.offsets(frames.column("variables")[int(rows[0])].as_py())
        whole, hits = _complete(hours, offsets)
        pieces.append(rows[hits])
        phases.append(hours[whole] % offsets[window.history])
        numbers.append(np.full(len(hits), number))
    positions = np.concatenate(pieces)
    order = np.argsort(positions[:, window.history - 1], kind="stable")
    positions = positions[order]
    phase, series = (np.concatenate(keys)[order] for keys in (phases, numbers))
    chain = np.lexsort((positions[:, window.history - 1], phase, series))
    return Samples(window, frames, positions, chain)


def _series(frames: pa.Table) -> Iterator[tuple[Positions, NDArray[np.int64]]]:
    """Rows of each series frames of a sample may come from, and their hours, increasing.

    A series is a forecast's run, or an analysis at one lead time, of one source, grid,
    member, split and set of fields.
    """
    if not frames.num_rows:
        return
    forecast = pc.equal(frames.column("product"), str(Product.FORECAST)).to_numpy()
    init = frames.column("init_time").cast(pa.timestamp("s")).cast(pa.int64()).to_numpy() // 3600
    lead = frames.column("lead_time").cast(pa.int64()).to_numpy() // 3600
    fixed, moving = np.where(forecast, init, lead), np.where(forecast, lead, init)
    codes = [_codes(frames.column(name)) for name in ("source", "grid", "member", "split", "store")]
    codes += [_list_codes(frames.column(name)) for name in ("variables", "levels")]
    keys = (moving, fixed, *codes)
    order = np.lexsort(keys)
    changed = np.zeros(len(order), bool)
    for key in keys[1:]:
        changed[1:] |= np.diff(key[order]) != 0
    for rows in np.split(order, np.flatnonzero(changed)):
        yield rows, moving[rows]


def _complete(
    hours: NDArray[np.int64], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], Positions]:
    """Which hours are a last input of a complete sample, and where its frames are.

    Returns:
        Mask over ``hours``, and places in ``hours``, shape ``(samples, len(offsets))``.
    """
    wanted = hours[:, None] + offsets
    at = np.searchsorted(hours, wanted)
    at[at == len(hours)] = 0
    whole = (hours[at] == wanted).all(axis=1)
    return whole, at[whole]


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each value, the same for the same value."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)


def _list_codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each list, the same for equal ones; long runs of equal lists are fast."""
    lists = column.combine_chunks()
    sizes = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    values = _codes(pa.chunked_array([lists.flatten()]))
    starts = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    codes, following = np.zeros(len(lists), np.int64), 0
    for size in np.unique(sizes):
        chosen = np.flatnonzero(sizes == size)
        block = values[starts[chosen][:, None] + np.arange(size)]
        head = np.concatenate([[True], (block[1:] != block[:-1]).any(axis=1)])
        distinct = np.unique(block[head], axis=0, return_inverse=True)[1].ravel() if size else 0
        codes[chosen] = (distinct + np.zeros(head.sum(), np.int64))[np.cumsum(head) - 1] + following
        following = int(codes.max()) + 1
    return codes


def _shuffled(numbers: Positions, rng: np.random.Generator, block: int) -> Positions:
    """Numbers in a random order of blocks, shuffled within each block."""
    if block <= 1:
        return rng.permutation(numbers)
    blocks = np.array_split(numbers, range(block, len(numbers), block))
    return np.concatenate([rng.permutation(blocks[i]) for i in rng.permutation(len(blocks))])
