"""A mergeable histogram whose merge is exact and does not depend on order.

Bins are equally wide in a coordinate ``y`` that is about ``sign(x) |x|**(1/4)``:
as good as linear bins where values share an offset (pressure, geopotential), and
still resolving values a million times below the largest (pollutants). The width is
the smallest power of two for which the bins from the lowest to the highest value
number at most ``BINS``. Width and first bin are thus functions of the extremes
alone; extremes only widen in a merge, and doubling the width joins neighbouring
bins exactly. So the histogram is a function of the values seen, whatever the order.

The coordinate is made of the bits of a float32: a quarter of the bit pattern, moved
so that 1 stays 1, read as a float32 again. That is linear within an octave of ``x``,
continuous, increasing, cheap, and the same on every machine.

Published sketches do not fit: KLL and t-digest depend on the order of merges,
and DDSketch's relative error is wider than the spread of pressure or geopotential.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BINS = 512
"""Most bins of a histogram: 1 kB a field in the statistics of one frame."""

FINEST = 22
"""Bins are no finer than this many bits below the largest ``|y|``: float32 holds them."""

ROOT_OF_ONE = np.int32(0x2FA00000)
"""Three quarters of the bit pattern of 1."""

LOWEST_LEVEL = -64
"""Level of a histogram that holds nothing but zeros."""


@dataclass(frozen=True, slots=True)
class Binning:
    """Bins from ``first * 2**level`` on, ``2**level`` wide, in ``y``.

    Attributes:
        level: Binary logarithm of the width.
        first: Index of the first bin.
        size: Number of bins.
    """

    level: int
    first: int
    size: int

    @staticmethod
    def spanning(lowest: float, highest: float) -> Binning:
        """The binning of values with these extremes; no bins when nothing was seen."""
        return _spanning(lowest, highest)


@lru_cache(maxsize=4096)
def _spanning(lowest: float, highest: float) -> Binning:
    if lowest > highest:
        return Binning(LOWEST_LEVEL, 0, 0)
    low, high = coordinates_of(np.array([lowest, highest], np.float32)).tolist()
    largest = max(abs(low), abs(high))
    level = math.frexp(largest)[1] - FINEST if largest else LOWEST_LEVEL
    while True:
        first, last = _bin(low, level), _bin(high, level)
        if last - first < BINS:
            return Binning(level, first, last - first + 1)
        level += 1


def coordinates_of(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Coordinates of float32 values, any shape; NaN stays NaN, both zeros become 0."""
    magnitude = values.view(np.int32) & 0x7FFFFFFF
    root = ((magnitude >> 2) + ROOT_OF_ONE).view(np.float32)
    root = np.where(magnitude == 0, np.float32(0), root)
    return np.where(np.isnan(values), values, np.copysign(root, values))


def values_at(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values that have these coordinates, shape unchanged."""
    root = np.abs(coordinates).astype(np.float32).view(np.int32)
    magnitude = np.clip((root.astype(np.int64) - ROOT_OF_ONE) << 2, 0, 0x7F7FFFFF)
    values = magnitude.astype(np.int32).view(np.float32).astype(np.float64)
    return np.copysign(np.where(coordinates == 0, 0.0, values), coordinates)


def _bin(coordinate: float, level: int) -> int:
    return math.floor(math.ldexp(coordinate, -level))


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts of values between two extremes; ``+`` is exact in any order.

    Attributes:
        lowest: Smallest value seen, positive infinity when there is none.
        highest: Largest value seen, negative infinity when there is none.
        counts: Values in each bin of ``Binning.spanning(lowest, highest)``,
            shape ``(size,)``, int64.
    """

    lowest: float = math.inf
    highest: float = -math.inf
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def binning(self) -> Binning:
        """The bins that ``counts`` belong to."""
        return Binning.spanning(self.lowest, self.highest)

    @property
    def count(self) -> int:
        """Number of values seen."""
        return int(self.counts.sum())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Histogram)
            and (self.lowest, self.highest) == (other.lowest, other.highest)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Histogram) -> Histogram:
        lowest, highest = min(self.lowest, other.lowest), max(self.highest, other.highest)
        binning = Binning.spanning(lowest, highest)
        counts = np.zeros(binning.size, np.int64)
        for part in (self, other):
            own = part.binning
            if own.level == binning.level:
                start = own.first - binning.first
                counts[start : start + own.size] += part.counts
            else:
                bins = (own.first + np.arange(own.size)) >> min(binning.level - own.level, 62)
                np.add.at(counts, bins - binning.first, part.counts)
        return Histogram(lowest, highest, counts)

    def quantiles(self, fractions: Sequence[float]) -> tuple[float, ...]:
        """Values below which these fractions of all values lie.

        A quantile is interpolated within its bin, so it is off by less than the
        bin is wide; 0 and 1 give the extremes exactly.

        Args:
            fractions: Each between 0 and 1.

        Returns:
            One value a fraction, in the units of the values; NaN when nothing was seen.
        """
        if not self.counts.size:
            return tuple(math.nan for _ in fractions)
        binning = self.binning
        edges = np.ldexp(binning.first + np.arange(binning.size + 1.0), binning.level)
        edges = np.clip(values_at(edges), self.lowest, self.highest)
        cumulative = np.concatenate([[0], np.cumsum(self.counts)])
        occupied = np.flatnonzero(self.counts)
        positions = np.asarray(fractions, np.float64) * cumulative[-1]
        at = np.searchsorted(cumulative[1:][occupied], positions, side="left")
        bins = occupied[np.minimum(at, occupied.size - 1)]
        inside = (positions - cumulative[bins]) / self.counts[bins]
        values = edges[bins] + np.clip(inside, 0, 1) * (edges[bins + 1] - edges[bins])
        return tuple(float(value) for value in values)
