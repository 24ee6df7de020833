"""How values become colours and places: limits, linear or logarithmic, and round ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DECADES = 4
"""A logarithmic scale spans at most this many powers of ten below the largest value."""

FACTOR = 100.0
"""A logarithmic scale spans at least this factor."""

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to fractions of a colour bar or an axis.

    Attributes:
        low: Value at fraction 0; smaller ones count as it.
        high: Value at fraction 1; larger ones count as it.
        logarithmic: Whether equal factors are equally far apart.
    """

    low: float
    high: float
    logarithmic: bool = False

    @classmethod
    def of(cls, low: float, high: float, *, symmetric: bool = False) -> Scale:
        """A linear scale of these limits, widened where they are equal."""
        if symmetric:
            high = max(abs(low), abs(high))
            low = -high
        if not low < high:
            room = abs(low) * 0.01 or 1.0
            low, high = low - room, high + room
        return cls(low, high)

    @classmethod
    def powers(cls, low: float, high: float) -> Scale:
        """A logarithmic scale up to ``high``; linear when values are of one magnitude."""
        least = max(low, high * 10.0**-DECADES)
        if not high > least * FACTOR:
            return cls.of(low, high)
        return cls(least, high, logarithmic=True)

    def fractions(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Fractions of 0 to 1, shape unchanged; NaN stays NaN."""
        held = np.clip(values.astype(np.float64), self.low, self.high)
        if self.logarithmic:
            return np.asarray(np.log(held / self.low) / math.log(self.high / self.low))
        return np.asarray((held - self.low) / (self.high - self.low))

    def fraction(self, value: float) -> float:
        """The fraction of one value."""
        return float(self.fractions(np.array([value]))[0])

    def ticks(self, count: int = 4) -> tuple[float, ...]:
        """Round values within the limits, about ``count`` of them, increasing."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return tuple(10.0**power for power in range(first, last + 1))
        raw = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(s * power for s in STEPS if s * power >= raw * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return tuple(i * step for i in range(first, last + 1))
