"""Exact sums and histogram of one field, compiled: releases the GIL, runs threaded.

How a row's sums are exact at the speed of memory. Let ``|x| < 2**T`` in the row.
Each square (48 bits, exact in float64) is cut at ``2**(2T-40)`` and at
``2**(2T-80)`` by adding and subtracting a large constant; each half has so few
bits that 4096 of them add up in float64 without rounding, in any order. When no
square has bits below ``2**(2T-80)``, no value has bits below ``2**(T-40)``, and
the plain sums of ``x`` and ``|x|`` are exact too. A row that does have such bits
(values spread over more than 17 octaves) is added by exponent in integers
instead. Row sums are whole numbers of units and go into integer limbs of 32 bits,
as they are and times the weight of the row.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from aurora_prep.normalisation.exact import VALUE_BITS, WEIGHT_BITS

SUMS = 7
"""Rows of the limbs: total, absolute, squares; weight, and the three weighted."""

LIMBS = 24
"""Limbs of a sum: the weighted squares reach bit 690."""

BLOCK = 4096
"""Columns whose exact parts add up in float64 without rounding."""

LANES = 4
"""Histograms filled in turn, so that equal neighbours do not wait for each other."""

HEAD = 40
"""Bits of a square kept by its first part, and by its second."""

SMALLEST_TOP = HEAD - VALUE_BITS
"""``T - 40`` never goes below the last bit of a float32."""

I32 = np.int32
SIGN_FREE = np.int32(0x7FFFFFFF)
INFINITE = np.int32(0x7F800000)
MANTISSA_BITS = 23
FIRST_WEIGHTED = 3

Whole = int | np.signedinteger
Weight = tuple[Whole, Whole, Whole]


@njit(nogil=True, cache=True)
def extremes(
    bits: NDArray[np.int32], tops: NDArray[np.int64], valid: NDArray[np.int64]
) -> tuple[Whole, Whole]:
    """Order-preserving keys of the extremes of a field.

    Args:
        bits: float32 bit patterns, shape ``(rows, columns)``.
        tops: Filled with ``T`` of every row, shape ``(rows,)``.
        valid: Filled with the number of values of every row that are not NaN.

    Returns:
        Keys of the lowest and of the highest value, the lowest above the highest
        when nothing is valid. A key is the bit pattern, with all but the sign
        inverted where the value is negative.
    """
    lowest, highest = SIGN_FREE, I32(-0x80000000)
    for row in range(bits.shape[0]):
        low, high, absent = SIGN_FREE, I32(-0x80000000), I32(0)
        for column in range(bits.shape[1]):
            pattern = bits[row, column]
            key = I32(pattern ^ I32(I32(pattern >> I32(31)) & SIGN_FREE))
            nan = I32(pattern & SIGN_FREE) > INFINITE
            low = I32(min(low, SIGN_FREE if nan else key))
            high = I32(max(high, I32(-0x80000000) if nan else key))
            absent = I32(absent + I32(nan))
        magnitude = max(high, ~low) if low <= high else 0
        tops[row] = max((magnitude >> MANTISSA_BITS) - 126, SMALLEST_TOP)
        lowest, highest = I32(min(lowest, low)), I32(max(highest, high))
        valid[row] = bits.shape[1] - absent
    return lowest, highest


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def _plus(left: float, right: float) -> float:
    """Addition that may be reordered: only for sums that are exact in any order."""
    return left + right


@njit(nogil=True, cache=True)
def _float_sums(values: NDArray[np.float32], top: int) -> tuple[float, float, float, float, float]:
    cut = math.ldexp(1.5, 2 * top - HEAD + 52)
    fine_cut = math.ldexp(1.5, 2 * top - 2 * HEAD + 52)
    total, absolute, coarse, fine, rest = 0.0, 0.0, 0.0, 0.0, 0.0
    for column in range(values.shape[0]):
        value = values[column]
        x = np.float64(value if value == value else np.float32(0))  # noqa: PLR0124
        square = x * x
        head = (square + cut) - cut
        tail = square - head
        middle = (tail + fine_cut) - fine_cut
        total = _plus(total, x)
        absolute = _plus(absolute, abs(x))
        coarse = _plus(coarse, head)
        fine = _plus(fine, middle)
        rest = _plus(rest, abs(tail - middle))
    return total, absolute, coarse, fine, rest


@njit(nogil=True, cache=True)
def _exponent_sums(bits: NDArray[np.int32], sums: NDArray[np.int64]) -> tuple[int, int]:
    """Sums of mantissas by exponent; returns the range of exponents filled."""
    first, last = 255, 0
    for column in range(bits.shape[0]):
        pattern = bits[column]
        magnitude = pattern & SIGN_FREE
        if magnitude == 0 or magnitude > INFINITE:
            continue
        exponent = magnitude >> MANTISSA_BITS
        mantissa = magnitude & 0x7FFFFF
        if exponent:
            mantissa |= 0x800000
        else:
            exponent = 1
        first, last = min(first, exponent), max(last, exponent)
        sums[exponent, 0] += -mantissa if pattern < 0 else mantissa
        sums[exponent, 1] += mantissa
        sums[exponent, 2] += mantissa * mantissa
    return first, last


@njit(nogil=True, cache=True)
def _add(limbs: NDArray[np.int64], value: Whole, offset: Whole) -> None:
    """Add ``value * 2**offset``; every limb gets less than ``2**32`` in magnitude."""
    limb, shift = offset >> 5, offset & 31
    low = (value & 0xFFFFFFFF) << shift
    high = (value >> 32) << shift
    limbs[limb] += low & 0xFFFFFFFF
    limbs[limb + 1] += (low >> 32) + (high & 0xFFFFFFFF)
    limbs[limb + 2] += high >> 32


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def _split_weight(weight: float) -> Weight:
    """Upper 27 and lower 26 bits of a weight, and the offset of its last bit."""
    if weight == 0.0:
        return 0, 0, 0
    fraction, exponent = math.frexp(weight)
    whole = np.int64(fraction * 2.0**53)
    return whole >> 26, whole & 0x3FFFFFF, exponent - 53 + WEIGHT_BITS


@njit(nogil=True, cache=True)
def _add_both(
    limbs: NDArray[np.int64],
    kind: int,
    value: np.int64,
    offset: Whole,
    weighted: bool,  # noqa: FBT001
    weight: Weight,
) -> None:
    _add(limbs[kind], value, offset)
    if weighted:
        _add_product(limbs[FIRST_WEIGHTED + 1 + kind], value, offset, weight)


@njit(nogil=True, cache=True)
def _fill(
    values: NDArray[np.float32],
    scale: np.float32,
    first: np.float32,
    trash: np.float32,
    bins: NDArray[np.int32],
    counts: NDArray[np.uint32],
) -> None:
    size = values.shape[0]
    for column in range(size):
        value = values[column]
        root = np.copysign(np.sqrt(np.sqrt(np.abs(value))), value)
        index = np.floor(root * scale) - first
        bins[column] = I32(index if index == index else trash)  # noqa: PLR0124
    whole = size - size % LANES
    for column in range(0, whole, LANES):
        counts[0, np.uint32(bins[column])] += 1
        counts[1, np.uint32(bins[column + 1])] += 1
        counts[2, np.uint32(bins[column + 2])] += 1
        counts[3, np.uint32(bins[column + 3])] += 1
    for column in range(whole, size):
        counts[0, np.uint32(bins[column])] += 1


@njit(nogil=True, cache=True)
def sums(
    values: NDArray[np.float32],
    bits: NDArray[np.int32],
    tops: NDArray[np.int64],
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
    table = np.zeros((256, 3), np.int64)
    bins = np.empty(min(columns, BLOCK), np.int32)
    trash = np.float32(counts.shape[1] - 1)
    weighted = weights.shape[0] > 0
    weight: Weight = (0, 0, 0)
    for row in range(rows):
        top = tops[row]
        if weighted:
            weight = _split_weight(weights[row])
            _add_product(limbs[FIRST_WEIGHTED], valid[row], 0, weight)
        for start in range(0, columns, BLOCK):
            stop = min(start + BLOCK, columns)
            block = values[row, start:stop]
            total, absolute, coarse, fine, rest = _float_sums(block, top)
            if rest == 0.0:
                unit = math.ldexp(1.0, HEAD - top)
                offset = top - HEAD + VALUE_BITS
                _add_both(limbs, 0, np.int64(total * unit), offset, weighted, weight)
                _add_both(limbs, 1, np.int64(absolute * unit), offset, weighted, weight)
                part = np.int64(math.ldexp(coarse, HEAD - 2 * top))
                _add_both(limbs, 2, part, 2 * offset + HEAD, weighted, weight)
                part = np.int64(math.ldexp(fine, 2 * HEAD - 2 * top))
                _add_both(limbs, 2, part, 2 * offset, weighted, weight)
            else:
                lowest, highest = _exponent_sums(bits[row, start:stop], table)
                for exponent in range(lowest, highest + 1):
                    offset = exponent - 1
                    for kind in range(3):
                        part = table[exponent, kind]
                        table[exponent, kind] = 0
                        place = 2 * offset if kind == FIRST_WEIGHTED - 1 else offset
                        _add_both(limbs, kind, part, place, weighted, weight)
            _fill(block, scale, first, trash, bins, counts)
    return limbs
