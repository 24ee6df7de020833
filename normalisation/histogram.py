"""A mergeable histogram whose merge is exact and does not depend on order.

Bins are equally wide in ``y = sign(x) |x|**(1/4)``: about as fine as linear bins
where values share an offset (pressure, geopotential), and still resolving values
a million times below the largest (pollutants). The width is the smallest power of
two for which the bins from the lowest to the highest value number at most
``BINS``. Width and first bin are thus functions of the extremes alone; extremes
only widen in a merge, and doubling the width joins neighbouring bins exactly. So
the histogram is a function of the set of values seen, whatever the order.

Published sketches do not fit: KLL and t-digest depend on the order of merges,
and DDSketch's relative error is wider than the spread of pressure or geopotential.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BINS = 512
"""Most bins of a histogram: 1 kB a field in the statistics of one frame."""

FINEST = 22
"""Bins are no finer than this many bits below the largest ``|y|``: float32 holds them."""

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

    @classmethod
    def spanning(cls, lowest: float, highest: float) -> Binning:
        """The binning of values with these extremes; none when nothing was seen."""
        if lowest > highest:
            return cls(LOWEST_LEVEL, 0, 0)
        low, high = power_coordinate(lowest), power_coordinate(highest)
        largest = max(abs(low), abs(high))
        level = math.frexp(largest)[1] - FINEST if largest else LOWEST_LEVEL
        while True:
            first, last = _bin(low, level), _bin(high, level)
            if last - first < BINS:
                return cls(level, first, last - first + 1)
            level += 1


def power_coordinate(value: float) -> float:
    """``sign(x) |x|**(1/4)`` of a float32, each root correctly rounded to float32."""
    root = np.sqrt(np.sqrt(np.abs(np.float32(value))))
    return float(np.copysign(root, np.float32(value)))


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
        edges = np.clip(
            np.copysign(edges**4, edges), np.float64(self.lowest), np.float64(self.highest)
        )
        cumulative = np.concatenate([[0], np.cumsum(self.counts)])
        occupied = np.flatnonzero(self.counts)
        positions = np.asarray(fractions, np.float64) * cumulative[-1]
        at = np.searchsorted(cumulative[1:][occupied], positions, side="left")
        bins = occupied[np.minimum(at, occupied.size - 1)]
        inside = (positions - cumulative[bins]) / self.counts[bins]
        values = edges[bins] + np.clip(inside, 0, 1) * (edges[bins + 1] - edges[bins])
        return tuple(float(value) for value in values)
