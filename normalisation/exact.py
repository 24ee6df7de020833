"""Exact sums of float32 values, rounded once, when a mean is asked for.

Every finite float32 is a whole multiple of 2**-149, its square of 2**-298, and
every weight allowed here a whole multiple of 2**-104. Sums of them are therefore
whole numbers of such units, which Python integers hold without rounding. Integer
addition is associative and commutative, so any order, split, worker count or
retry of the same fields gives the same state, bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

VALUE_BITS = 149
"""Values are counted in units of 2**-149, the smallest positive float32."""

WEIGHT_BITS = 104
"""Row weights are counted in units of 2**-104: 53 bits below 2**-52."""

ROOT_BITS = 256
"""Bits of the radicand before its integer root is taken: the root keeps 128."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Exact weighted sums of values; ``+`` is associative and commutative.

    The unit of the weights cancels in every result, so grid-point sums count
    points and area sums count weight in units of ``2**-WEIGHT_BITS``.

    Attributes:
        weight: Sum of the weights ``w`` of the valid values.
        total: Sum of ``w x``, in units of ``2**-VALUE_BITS``.
        absolute: Sum of ``w |x|``, in the same units.
        squares: Sum of ``w x**2``, in units of ``2**-(2 VALUE_BITS)``.
    """

    weight: int = 0
    total: int = 0
    absolute: int = 0
    squares: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.weight + other.weight,
            self.total + other.total,
            self.absolute + other.absolute,
            self.squares + other.squares,
        )

    @property
    def mean(self) -> float:
        """Weighted mean, correctly rounded; NaN when nothing was seen."""
        return self.total / (self.weight << VALUE_BITS) if self.weight else math.nan

    @property
    def mean_absolute(self) -> float:
        """Weighted mean of the absolute values, correctly rounded; NaN when empty."""
        return self.absolute / (self.weight << VALUE_BITS) if self.weight else math.nan

    @property
    def standard_deviation(self) -> float:
        """Population standard deviation, within an ulp; NaN when nothing was seen.

        The variance ``(W sum(w x**2) - sum(w x)**2) / W**2`` is formed in whole
        numbers: its subtraction cancels nothing that is not exact.
        """
        if not self.weight:
            return math.nan
        radicand = self.weight * self.squares - self.total**2
        shift = max(0, ROOT_BITS - radicand.bit_length()) // 2
        root = math.isqrt(radicand << (2 * shift))
        return root / (self.weight << (VALUE_BITS + shift))
