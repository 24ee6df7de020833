"""Series: frames that may stand together in a sample, in time order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aurora_prep.sources.spec import Product

Positions = NDArray[np.int64]
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
Match = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A forecast's run, or an analysis at one lead time, of one source and one set of fields.

    All its frames have the same grid, member, split, variables and levels.

    Attributes:
        rows: Rows of the frames in their table.
        hours: Valid times, whole hours, increasing.
        source: Name of the source.
        match: What a series of another source must have in common to stand beside this one:
            grid, member, split, whether it is a forecast, and then its init time.
        levels: A number for its levels, 0 for none.
    """

    rows: Positions
    hours: Positions
    source: str
    match: Match
    levels: int

    def find(self, wanted: Positions) -> tuple[NDArray[np.bool_], Positions]:
        """Where all of several times are.

        Args:
            wanted: Hours, shape ``(n, width)``.

        Returns:
            Which of the n are there with all their frames, ``(n,)``, and the rows of those,
            ``(whole, width)``.
        """
        at = np.searchsorted(self.hours, wanted)
        at[at == len(self.hours)] = 0
        whole = (self.hours[at] == wanted).all(axis=1)
        return whole, self.rows[at[whole]]


def series_of(frames: pa.Table) -> Iterator[Series]:
    """Every series of a table of frames (:data:`COLUMNS`), sources in no particular order."""
    if not frames.num_rows:
        return
    forecast = pc.equal(frames.column("product"), str(Product.FORECAST)).to_numpy()
    init = frames.column("init_time").cast(pa.timestamp("s")).cast(pa.int64()).to_numpy() // 3600
    lead = frames.column("lead_time").cast(pa.int64()).to_numpy() // 3600
    fixed, valid = np.where(forecast, init, lead), init + lead
    source, grid, member, split, store = (
        codes_of(frames.column(name)) for name in ("source", "grid", "member", "split", "store")
    )
    variables, levels = (list_codes_of(frames.column(name)) for name in ("variables", "levels"))
    keys = (valid, fixed, source, grid, member, split, store, variables, levels)
    order = np.lexsort(keys)
    changed = np.zeros(len(order), bool)
    for key in keys[1:]:
        changed[1:] |= np.diff(key[order]) != 0
    sizes = pc.list_value_length(frames.column("levels")).to_numpy()
    names = frames.column("source")
    for rows in np.split(order, np.flatnonzero(changed)):
        one = int(rows[0])
        run = int(fixed[one]) if forecast[one] else 0
        match = (int(grid[one]), int(member[one]), int(split[one]), int(forecast[one]), run)
        depth = int(levels[one]) + 1 if sizes[one] else 0
        yield Series(rows, valid[rows], names[one].as_py(), match, depth)


def beside(wanted: Positions, candidates: Iterable[Series]) -> Positions:
    """Rows of the frames at several times, those of one sample from one series.

    Args:
        wanted: Hours, shape ``(n, width)``.
        candidates: Series of one source; the first that has all times of a sample gives them.

    Returns:
        Rows, ``(n, width)``; -1 throughout where no series has all times.
    """
    rows = np.full(wanted.shape, -1, np.int64)
    for series in candidates:
        open_ = np.flatnonzero(rows[:, 0] < 0)
        whole, found = series.find(wanted[open_])
        rows[open_[whole]] = found
    return rows


def codes_of(column: pa.ChunkedArray) -> Positions:
    """A number for each value, the same for the same value."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)


def list_codes_of(column: pa.ChunkedArray) -> Positions:
    """A number for each list, the same for equal ones; long runs of equal lists are fast."""
    lists = column.combine_chunks()
    sizes = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    values = codes_of(pa.chunked_array([lists.flatten()]))
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
