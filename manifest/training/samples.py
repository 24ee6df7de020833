"""Samples: which complete (history, target) tuples a dataset holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
import pyarrow as pa

from aurora_prep.manifest.ledger.records import SPAN, TIME
from aurora_prep.manifest.training.order import mixed, shares_of, shuffled
from aurora_prep.manifest.training.series import Positions, codes_of, list_codes_of
from aurora_prep.manifest.training.window import Window
from aurora_prep.sources.spec import FrameKey

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


@dataclass(frozen=True, slots=True)
class Sample:
    """One training sample.

    Attributes:
        inputs: Frames of the history, oldest first.
        targets: Frames to predict, nearest first.
        grid: Name of the grid.
        split: The split all its frames belong to.
        companions: For each companion source, its frames at the times of the inputs and
            then of the targets.
    """

    inputs: tuple[FrameKey, ...]
    targets: tuple[FrameKey, ...]
    grid: str
    split: str | None
    companions: tuple[tuple[FrameKey, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Samples(Sequence[Sample]):
    """All complete samples of a dataset, in the order of the manifest.

    Attributes:
        window: The times a sample needs.
        frames: Written frames, in the order of the manifest; those of companions follow.
        positions: Rows of ``frames`` that make up each sample, inputs first; shape
            ``(samples, history + rollout)``.
        chain: Sample numbers in the order in which a sample's first target is the next
            one's last input, where there is such a one: neighbours share frames.
        beside: Rows of the companions' frames, ``(samples, history + rollout, companions)``.
    """

    window: Window
    frames: pa.Table
    positions: Positions
    chain: Positions
    beside: Positions

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Sample, ...]: ...
    def __getitem__(self, index: int | slice) -> Sample | tuple[Sample, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(len(self))[index])
        history = self.window.history
        keys, *companions = (
            tuple(self.key(int(row)) for row in rows) for rows in self.rows(index).T
        )
        last = int(self.positions[index, history - 1])
        grid, split = (self.frames.column(name)[last].as_py() for name in ("grid", "split"))
        return Sample(keys[:history], keys[history:], grid, split, tuple(companions))

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def rows(self, numbers: int | Positions) -> Positions:
        """Rows of ``frames``, ``(..., history + rollout, 1 + companions)``, the source first."""
        return np.concatenate([self.positions[numbers, ..., None], self.beside[numbers]], axis=-1)

    def key(self, row: int) -> FrameKey:
        """The frame in a row of ``frames``."""
        names = ("source", "init_time", "lead_time", "member")
        return FrameKey(*(self.frames.column(name)[row].as_py() for name in names))

    @cached_property
    def groups(self) -> tuple[list[tuple[str, str]], Positions]:
        """``(source, grid)`` pairs, and which of them each sample comes from."""
        last = self.table().select(["source", "grid"])
        pairs = [(row["source"], row["grid"]) for row in last.to_pylist()]
        names = sorted(set(pairs))
        number = {name: i for i, name in enumerate(names)}
        return names, np.array([number[pair] for pair in pairs], np.int64)

    @cached_property
    def kinds(self) -> Positions:
        """A number for each sample, the same where source, grid, variables and levels are.

        Only samples of one kind fit into one array.
        """
        codes = [codes_of(self.frames.column(name)) for name in ("source", "grid")]
        codes += [list_codes_of(self.frames.column(name)) for name in ("variables", "levels")]
        rows = self.rows(np.arange(len(self)))[:, 0, :]
        described = np.stack(codes, axis=-1)[rows].reshape(len(self), -1)
        return np.unique(described, axis=0, return_inverse=True)[1].ravel()

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
            return shuffled(self.chain, rng, block)
        names, codes = self.groups
        return mixed(self.chain, codes, shares_of(names, codes, weights), rng, block)
