"""Exact sums and histogram of one field, compiled: releases the GIL, runs threaded.

How a row's sums are exact at the speed of memory. Let ``|x| < 2**T`` in the row,
and no value have a bit below ``2**B``. Each square (48 bits, exact in float64) is
cut at ``2**(2T-40)`` by adding and subtracting a large constant. If ``B >= T-40``,
both parts, and ``x`` and ``|x|``, are whole multiples of a unit so few of which
make up each number that 4096 of them add up in float64 without rounding, in any
order: the narrow way, for values within 17 octaves. Other rows are added 37
octaves at a time, from the largest values down, with more cuts: the wide way. Row
sums are whole numbers of units and go into integer limbs of 32 bits, as they are
and times the weight of the row.
"""

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from aurora_prep.compiled import compiled
from aurora_prep.normalisation.exact import VALUE_BITS, WEIGHT_BITS
from aurora_prep.normalisation.histogram import ROOT_OF_ONE

SUMS = 7
"""Rows of the limbs: total, absolute, squares; weight, and the three weighted."""

LIMBS = 24
"""Limbs of a sum: the weighted squares reach bit 690."""

BLOCK = 4096
"""Columns whose exact parts add up in float64 without rounding."""

LANES = 4
"""Histograms filled in turn, so that equal neighbours do not wait for each other."""

HEAD = 40
"""Bits below the largest that the first part of a number keeps."""

SMALLEST_TOP = HEAD - VALUE_BITS
"""``T - 40``, the last bit of the narrow sums, never goes below that of a float32."""

SMALLEST_WIDE_TOP = HEAD + HEAD // 2 - VALUE_BITS
"""Nor does ``T - 60``, the last bit of the wide sums."""

OCTAVES = 37
"""Values of at least ``2**(T-37)`` have no bits below ``2**(T-60)``."""

I32 = np.int32
SIGN_FREE = np.int32(0x7FFFFFFF)
INFINITE = np.int32(0x7F800000)
NAN = np.int32(0x7FC00000)
MANTISSA_BITS = 23
TOTAL, ABSOLUTE, SQUARES, FIRST_WEIGHTED = range(4)

Whole = int | np.signedinteger
Weight = tuple[Whole, Whole, Whole]


@compiled
def extremes(
    bits: NDArray[np.int32],
    tops: NDArray[np.int64],
    bottoms: NDArray[np.int64],
    valid: NDArray[np.int64],
) -> tuple[Whole, Whole]:
    """Order-preserving keys of the extremes of a field.

    Args:
        bits: float32 bit patterns, shape ``(rows, columns)``.
        tops: Filled with ``T`` of every row, shape ``(rows,)``.
        bottoms: Filled with ``B`` of every row.
        valid: Filled with the number of values of every row that are not NaN.

    Returns:
        Keys of the lowest and of the highest value, the lowest above the highest
        when nothing is valid. A key is the bit pattern, with all but the sign
        inverted where the value is negative.
    """
    lowest, highest = SIGN_FREE, I32(-0x80000000)
    for row in range(bits.shape[0]):
        low, high, absent = SIGN_FREE, I32(-0x80000000), I32(0)
        smallest = SIGN_FREE
        for column in range(bits.shape[1]):
            pattern = bits[row, column]
            key = I32(pattern ^ I32(I32(pattern >> I32(31)) & SIGN_FREE))
            magnitude = I32(pattern & SIGN_FREE)
            nan = magnitude > INFINITE
            smallest = I32(min(smallest, SIGN_FREE if magnitude == 0 else magnitude))
            low = I32(min(low, SIGN_FREE if nan else key))
            high = I32(max(high, I32(-0x80000000) if nan else key))
            absent = I32(absent + I32(nan))
        largest = max(high, ~low) if low <= high else 0
        tops[row] = max((largest >> MANTISSA_BITS) - 126, SMALLEST_TOP)
        bottoms[row] = I32(max(I32(smallest >> MANTISSA_BITS), I32(1))) - 1 - VALUE_BITS
        lowest, highest = I32(min(lowest, low)), I32(max(highest, high))
        valid[row] = bits.shape[1] - absent
    return lowest, highest


@partial(compiled, fastmath={"reassoc"})
def _plus(left: float, right: float) -> float:
    """Addition that may be reordered: only for sums that are exact in any order."""
    return left + right


@compiled
def _narrow_sums(values: NDArray[np.float32], top: int) -> tuple[float, float, float, float]:
    """Sums of ``x``, of ``|x|`` and of the two parts of ``x**2``."""
    cut = math.ldexp(1.5, 2 * top - HEAD + 52)
    total, absolute, coarse, fine = 0.0, 0.0, 0.0, 0.0
    for column in range(values.shape[0]):
        value = values[column]
        x = np.float64(value if value == value else np.float32(0))  # noqa: PLR0124
        square = x * x
        head = (square + cut) - cut
        total = _plus(total, x)
        absolute = _plus(absolute, abs(x))
        coarse = _plus(coarse, head)
        fine = _plus(fine, square - head)
    return total, absolute, coarse, fine


@compiled
def _wide_sums(
    values: NDArray[np.float32], top: int, above: np.float32, floor: np.float32
) -> tuple[float, float, float, float, float, float, float]:
    """As ``_narrow_sums``, with ``x`` and ``|x|`` in two parts and ``x**2`` in three.

    Only values with ``floor <= |x| < above`` are added.
    """
    value_cut = math.ldexp(1.5, top - HEAD + 52)
    cut = math.ldexp(1.5, 2 * top - HEAD + 52)
    fine_cut = math.ldexp(1.5, 2 * top - 2 * HEAD + 52)
    total, remainder, absolute, small = 0.0, 0.0, 0.0, 0.0
    coarse, fine, finest = 0.0, 0.0, 0.0
    for column in range(values.shape[0]):
        value = values[column]
        within = floor <= abs(value) < above
        x = np.float64(value if within else np.float32(0))
        size = abs(x)
        upper = (size + value_cut) - value_cut
        lower = size - upper
        square = x * x
        head = (square + cut) - cut
        tail = square - head
        middle = (tail + fine_cut) - fine_cut
        absolute = _plus(absolute, upper)
        small = _plus(small, lower)
        total = _plus(total, upper if x > 0 else -upper)
        remainder = _plus(remainder, lower if x > 0 else -lower)
        coarse = _plus(coarse, head)
        fine = _plus(fine, middle)
        finest = _plus(finest, tail - middle)
    return total, remainder, absolute, small, coarse, fine, finest


@compiled
def _add(limbs: NDArray[np.int64], value: Whole, offset: Whole) -> None:
    """Add ``value * 2**offset``; every limb gets less than ``2**32`` in magnitude."""
    limb, shift = offset >> 5, offset & 31
    low = (value & 0xFFFFFFFF) << shift
    high = (value >> 32) << shift
    limbs[limb] += low & 0xFFFFFFFF
    limbs[limb + 1] += (low >> 32) + (high & 0xFFFFFFFF)
    limbs[limb + 2] += high >> 32


@compiled
def _add_product(limbs: NDArray[np.int64], value: np.int64, offset: Whole, weight: Weight) -> None:
    """Add ``value * 2**offset`` times the row's weight, in four exact products."""
    upper, lower, weight_offset = weight
    sign = -1 if value < 0 else 1
    size = abs(value)
    high, low = size >> 31, size & 0x7FFFFFFF
    offset += weight_offset
    _add(limbs, sign * low * lower, offset)
    _add(limbs, sign * low * upper, offset + 26)
    _add(limbs, sign * high * lower, offset + 31)
    _add(limbs, sign * high * upper, offset + 57)


@compiled
def _split_weight(weight: float) -> Weight:
    """Upper 27 and lower 26 bits of a weight, and the offset of its last bit."""
    if weight == 0.0:
        return 0, 0, 0
    fraction, exponent = math.frexp(weight)
    whole = np.int64(fraction * 2.0**53)
    return whole >> 26, whole & 0x3FFFFFF, exponent - 53 + WEIGHT_BITS


@compiled
def _add_both(
    limbs: NDArray[np.int64],
    kind: int,
    value: np.int64,
    offset: Whole,
    weight: Weight,
) -> None:
    _add(limbs[kind], value, offset)
    if weight[0] or weight[1]:
        _add_product(limbs[FIRST_WEIGHTED + 1 + kind], value, offset, weight)


@compiled
def _add_float(
    limbs: NDArray[np.int64],
    kind: int,
    value: float,
    unit: int,
    weight: Weight,
) -> None:
    """Add an exact sum, a whole multiple of ``2**unit`` below ``2**53`` of them."""
    offset = unit + (2 * VALUE_BITS if kind == SQUARES else VALUE_BITS)
    _add_both(limbs, kind, np.int64(math.ldexp(value, -unit)), offset, weight)


@compiled
def _fill(
    bits: NDArray[np.int32],
    scale: np.float32,
    first: np.float32,
    counts: NDArray[np.uint32],
    coordinates: NDArray[np.int32],
    bins: NDArray[np.int32],
) -> None:
    """Count a block into the lanes; the last two arrays are for it to work in."""
    size = bits.shape[0]
    for column in range(size):
        pattern = bits[column]
        magnitude = I32(pattern & SIGN_FREE)
        root = I32(I32(magnitude >> I32(2)) + ROOT_OF_ONE)
        root = root if magnitude else I32(0)
        sign = I32(pattern & I32(-0x80000000))
        coordinates[column] = NAN if magnitude > INFINITE else I32(root | sign)
    trash = np.float32(counts.shape[1] - 1)
    roots = coordinates.view(np.float32)
    for column in range(size):
        index = np.floor(roots[column] * scale) - first
        bins[column] = I32(index if index == index else trash)  # noqa: PLR0124
    whole = size - size % LANES
    for column in range(0, whole, LANES):
        counts[0, np.uint32(bins[column])] += 1
        counts[1, np.uint32(bins[column + 1])] += 1
        counts[2, np.uint32(bins[column + 2])] += 1
        counts[3, np.uint32(bins[column + 3])] += 1
    for column in range(whole, size):
        counts[0, np.uint32(bins[column])] += 1


@compiled
def _add_narrow(
    limbs: NDArray[np.int64], values: NDArray[np.float32], top: int, weight: Weight
) -> None:
    """Add a block of a row whose values are close enough."""
    total, absolute, coarse, fine = _narrow_sums(values, top)
    _add_float(limbs, TOTAL, total, top - HEAD, weight)
    _add_float(limbs, ABSOLUTE, absolute, top - HEAD, weight)
    _add_float(limbs, SQUARES, coarse, 2 * top - HEAD, weight)
    _add_float(limbs, SQUARES, fine, 2 * top - 2 * HEAD, weight)


@compiled
def _add_wide(
    limbs: NDArray[np.int64],
    values: NDArray[np.float32],
    top: int,
    bottom: int,
    weight: Weight,
) -> None:
    """Add a block of a row, whatever its values."""
    above, floor = np.float32(np.inf), np.float32(np.inf)
    while floor > 0:
        top = max(top, SMALLEST_WIDE_TOP)
        last_bit = top - HEAD - HEAD // 2
        floor = np.float32(0.0 if bottom >= last_bit else math.ldexp(1.0, top - OCTAVES))
        total, remainder, absolute, small, coarse, fine, finest = _wide_sums(
            values, top, above, floor
        )
        _add_float(limbs, TOTAL, total, top - HEAD, weight)
        _add_float(limbs, TOTAL, remainder, last_bit, weight)
        _add_float(limbs, ABSOLUTE, absolute, top - HEAD, weight)
        _add_float(limbs, ABSOLUTE, small, last_bit, weight)
        _add_float(limbs, SQUARES, coarse, 2 * top - HEAD, weight)
        _add_float(limbs, SQUARES, fine, 2 * top - 2 * HEAD, weight)
        _add_float(limbs, SQUARES, finest, 2 * last_bit, weight)
        above, top = floor, top - OCTAVES


@compiled
def sums(
    values: NDArray[np.float32],
    bits: NDArray[np.int32],
    tops: NDArray[np.int64],
    bottoms: NDArray[np.int64],
    valid: NDArray[np.int64],
    weights: NDArray[np.float64],
    scale: np.float32,
    first: np.float32,
    counts: NDArray[np.uint32],
) -> NDArray[np.int64]:
    """Exact sums of a field, and its histogram.

    Args:
        values: The field, shape ``(rows, columns)``, finite or NaN.
        bits: The same memory as bit patterns.
        tops: ``T`` of every row, from ``extremes``.
        bottoms: ``B`` of every row, from ``extremes``.
        valid: Valid values of every row, from ``extremes``.
        weights: Weight of every row, shape ``(rows,)``; empty for none.
        scale: ``2**-level`` of the binning.
        first: First bin of the binning.
        counts: Filled with the histogram, shape ``(LANES, bins + 1)``; the last
            column takes the NaN.

    Returns:
        Limbs of 32 bits, not yet carried, shape ``(SUMS, LIMBS)``.
    """
    rows, columns = values.shape
    limbs = np.zeros((SUMS, LIMBS), np.int64)
    coordinates = np.empty(min(columns, BLOCK), np.int32)
    bins = np.empty(min(columns, BLOCK), np.int32)
    weight: Weight = (0, 0, 0)
    for row in range(rows):
        top = tops[row]
        if weights.shape[0]:
            weight = _split_weight(weights[row])
            _add_product(limbs[FIRST_WEIGHTED], valid[row], 0, weight)
        for start in range(0, columns, BLOCK):
            stop = min(start + BLOCK, columns)
            block = values[row, start:stop]
            if bottoms[row] >= top - HEAD:
                _add_narrow(limbs, block, top, weight)
            else:
                _add_wide(limbs, block, top, bottoms[row], weight)
            _fill(bits[row, start:stop], scale, first, counts, coordinates, bins)
    return limbs
