"""Exact sums and histogram of one field in plain NumPy, for where numba cannot run.

Mantissas are summed by exponent. A bin of ``numpy.bincount`` adds whole numbers
below ``2**53`` in float64, which is exact, so the result is that of the compiled
kernel, bit for bit, though about fifty times slower.
"""

import numpy as np
from numpy.typing import NDArray

from aurora_prep.normalisation.exact import WEIGHT_BITS, Sums
from aurora_prep.normalisation.histogram import coordinates_of

HALF = 24
"""Squares of 48 bits are summed in two halves of this many."""


def row_weight_units(weights: NDArray[np.float64]) -> list[int]:
    """Row weights as whole numbers of ``2**-WEIGHT_BITS``."""
    return [
        numerator * (2**WEIGHT_BITS // denominator)
        for numerator, denominator in (float(weight).as_integer_ratio() for weight in weights)
    ]


def row_sums(row: NDArray[np.float32]) -> Sums:
    """Exact sums of one row, shape ``(columns,)``, leaving out NaN."""
    bits = row[~np.isnan(row)].view(np.int32).astype(np.int64)
    magnitude = bits & 0x7FFFFFFF
    exponent = np.maximum(magnitude >> 23, 1)
    mantissa = (magnitude & 0x7FFFFF) | np.where(magnitude >> 23, 0x800000, 0)
    square = mantissa * mantissa

    def by_exponent(parts: NDArray[np.int64], stride: int) -> int:
        sums = np.bincount(exponent, weights=parts.astype(np.float64))
        return sum(int(sums[e]) << (stride * (int(e) - 1)) for e in np.flatnonzero(sums))

    return Sums(
        weight=bits.size,
        total=by_exponent(np.where(bits < 0, -mantissa, mantissa), 1),
        absolute=by_exponent(mantissa, 1),
        squares=by_exponent(square & (2**HALF - 1), 2) + (by_exponent(square >> HALF, 2) << HALF),
    )


def field_sums(
    values: NDArray[np.float32], weights: NDArray[np.float64] | None
) -> tuple[Sums, Sums | None]:
    """Exact sums of a field: of its points, and by the weight of their rows.

    Args:
        values: The field, shape ``(rows, columns)``, finite or NaN.
        weights: Weight of every row, shape ``(rows,)``.
    """
    rows = [row_sums(np.ascontiguousarray(row)) for row in values]
    points = sum(rows, Sums())
    if weights is None:
        return points, None
    area = Sums()
    for weight, row in zip(row_weight_units(weights), rows, strict=True):
        area += Sums(
            weight * row.weight,
            weight * row.total,
            weight * row.absolute,
            weight * row.squares,
        )
    return points, area


def histogram_counts(
    values: NDArray[np.float32], level: int, first: int, size: int
) -> NDArray[np.int64]:
    """Values in each bin of a binning, shape ``(size,)``."""
    coordinates = coordinates_of(values[~np.isnan(values)])
    index = np.floor(np.ldexp(coordinates, -level)).astype(np.int64) - first
    return np.bincount(index, minlength=size).astype(np.int64)
