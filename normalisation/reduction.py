"""Reduce a field to what its statistics need, exactly; reductions add up exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aurora_prep.compiled import HAVE_NUMBA
from aurora_prep.normalisation import kernel
from aurora_prep.normalisation.exact import VALUE_BITS, Sums
from aurora_prep.normalisation.histogram import Binning, Histogram
from aurora_prep.normalisation.kernel_numpy import field_sums, histogram_counts
from aurora_prep.sources.spec import StatisticsError

COMPILED = HAVE_NUMBA
LIGHTEST, HEAVIEST = 2.0**-52, 2.0**11
FIELD_DIMENSIONS = 2


@dataclass(frozen=True, slots=True)
class FieldReduction:
    """Exact, mergeable reduction of whole fields of one variable and level.

    ``FieldReduction()`` is the identity of ``+``; ``+`` is exact, associative and
    commutative: any order and grouping of the same fields gives an equal object.

    Attributes:
        fields: Number of fields.
        empty: Fields among them without a single valid value.
        missing: Number of NaN.
        points: Sums in which every grid point counts the same.
        area: Sums by row weight; ``None`` when no weights were given.
        maxima: Sum over the fields of each field's largest value, in units of
            ``2**-149``.
        histogram: Distribution of the values, and their extremes.
    """

    fields: int = 0
    empty: int = 0
    missing: int = 0
    points: Sums = field(default_factory=Sums)
    area: Sums | None = None
    maxima: int = 0
    histogram: Histogram = field(default_factory=Histogram)

    def __add__(self, other: FieldReduction) -> FieldReduction:
        """Merge; raises ``StatisticsError`` when only one of them has row weights."""
        if not self.fields:
            return other
        if not other.fields:
            return self
        if (self.area is None) != (other.area is None):
            raise StatisticsError(
                "reductions with and without row weights do not add up",
                "FieldReduction",
                f"{self.fields} and {other.fields} fields, one of them without area sums",
                "pass the row weights of the grid to every reduce_field, or to none",
            )
        return FieldReduction(
            self.fields + other.fields,
            self.empty + other.empty,
            self.missing + other.missing,
            self.points + other.points,
            None if self.area is None or other.area is None else self.area + other.area,
            self.maxima + other.maxima,
            self.histogram + other.histogram,
        )

    @property
    def count(self) -> int:
        """Number of valid values."""
        return self.points.weight

    @property
    def minimum(self) -> float:
        """Smallest valid value; NaN when there is none."""
        return self.histogram.lowest if self.count else math.nan

    @property
    def maximum(self) -> float:
        """Largest valid value; NaN when there is none."""
        return self.histogram.highest if self.count else math.nan

    @property
    def mean(self) -> float:
        """Grid-point mean, correctly rounded; NaN when there is no valid value."""
        return self.points.mean

    @property
    def standard_deviation(self) -> float:
        """Grid-point population standard deviation; NaN when there is no valid value."""
        return self.points.standard_deviation

    @property
    def missing_fraction(self) -> float:
        """Share of NaN among all values; NaN when nothing was reduced."""
        size = self.count + self.missing
        return self.missing / size if size else math.nan

    @property
    def mean_maximum(self) -> float:
        """Mean over the fields of each field's largest value; NaN when there is none."""
        seen = self.fields - self.empty
        return self.maxima / (seen << VALUE_BITS) if seen else math.nan


def reduce_field(
    field: NDArray[np.float32],
    row_weights: NDArray[np.float64] | None = None,
    *,
    compiled: bool = COMPILED,
) -> FieldReduction:
    """Reduce one whole field. Thread-safe; releases the GIL where compiled.

    Args:
        field: Values, shape ``(rows, columns)``, float32; NaN means missing.
        row_weights: Weight of every row, shape ``(rows,)``: zero, or between
            2**-52 and 2**11. ``None`` leaves out the area-weighted convention.
        compiled: Whether the numba kernel runs, or plain NumPy; same bits.

    Raises:
        StatisticsError: The field is not a float32 matrix, holds infinities, or
            the weights do not fit it.
    """
    values = _checked_field(field)
    weights = _checked_weights(row_weights, values.shape[0])
    if compiled:
        return _reduce_compiled(values, weights)
    valid = values[~np.isnan(values)]
    lowest, highest = math.inf, -math.inf
    if valid.size:
        lowest, highest = float(valid.min()) + 0.0, float(valid.max()) + 0.0
        _require_finite(lowest, highest)
    binning = Binning.spanning(lowest, highest)
    counts = histogram_counts(values, binning.level, binning.first, binning.size)
    points, area = field_sums(values, weights)
    return _reduction(values.size, points, area, Histogram(lowest, highest, counts))


def reduce_difference(
    later: NDArray[np.float32],
    earlier: NDArray[np.float32],
    row_weights: NDArray[np.float64] | None = None,
    *,
    compiled: bool = COMPILED,
) -> FieldReduction:
    """Reduce the change between two fields; missing where either is missing.

    The change is formed in float32, as training code forms it: without error
    where neither value is more than twice the other, else rounded once. The
    caller answers for the pair: same source, exactly one step apart, no forecast
    boundary between (see ``splits.pairs``).

    Args:
        later: Values, shape ``(rows, columns)``, float32.
        earlier: Values one step before, same shape.
        row_weights: As for ``reduce_field``.
        compiled: As for ``reduce_field``.

    Raises:
        StatisticsError: The shapes differ, or as for ``reduce_field``.
    """
    after, before = _checked_field(later), _checked_field(earlier)
    if after.shape != before.shape:
        raise StatisticsError(
            "the two fields of a difference have different shapes",
            "reduce_difference",
            f"{after.shape} later, {before.shape} earlier",
            "pass two fields of one grid",
        )
    with np.errstate(invalid="ignore", over="ignore"):
        change = np.subtract(after, before)
    found = reduce_field(change, row_weights, compiled=compiled)
    if found.missing and (np.isinf(after).any() or np.isinf(before).any()):
        _require_finite(-math.inf, math.inf)  # the difference of two infinities is NaN
    return found


def _reduce_compiled(
    values: NDArray[np.float32], weights: NDArray[np.float64] | None
) -> FieldReduction:
    bits = values.view(np.int32)
    tops, bottoms, valid = np.empty((3, values.shape[0]), np.int64)
    low_key, high_key = kernel.extremes(bits, tops, bottoms, valid)
    lowest, highest = math.inf, -math.inf
    if low_key <= high_key:
        lowest, highest = _of_key(int(low_key)), _of_key(int(high_key))
        _require_finite(lowest, highest)
    binning = Binning.spanning(lowest, highest)
    counts = np.zeros((kernel.LANES, binning.size + 1), np.uint32)
    limbs = kernel.sums(
        values,
        bits,
        tops,
        bottoms,
        valid,
        np.empty(0) if weights is None else weights,
        np.float32(math.ldexp(1.0, -binning.level)),
        np.float32(binning.first),
        counts,
    )
    whole = [sum(int(limb) << (32 * i) for i, limb in enumerate(row) if limb) for row in limbs]
    return _reduction(
        values.size,
        Sums(int(valid.sum()), *whole[: kernel.FIRST_WEIGHTED]),
        None if weights is None else Sums(*whole[kernel.FIRST_WEIGHTED :]),
        Histogram(lowest, highest, counts[:, :-1].sum(axis=0, dtype=np.int64)),
    )


def _reduction(size: int, points: Sums, area: Sums | None, histogram: Histogram) -> FieldReduction:
    numerator, denominator = 0, 1
    if points.weight:
        numerator, denominator = histogram.highest.as_integer_ratio()
    return FieldReduction(
        fields=1,
        empty=int(not points.weight),
        missing=size - points.weight,
        points=points,
        area=area,
        maxima=numerator * (2**VALUE_BITS // denominator),
        histogram=histogram,
    )


def _of_key(key: int) -> float:
    """The value of an order-preserving key; both zeros are positive zero."""
    pattern = np.int32(key if key >= 0 else key ^ 0x7FFFFFFF)
    return float(pattern.view(np.float32)) + 0.0


def _require_finite(lowest: float, highest: float) -> None:
    if math.isinf(lowest) or math.isinf(highest):
        raise StatisticsError(
            "a field holds infinite values",
            "reduce_field",
            f"values from {lowest} to {highest}",
            "mark missing values as NaN before statistics are taken",
        )


def _checked_field(field: NDArray[np.float32]) -> NDArray[np.float32]:
    if field.ndim != FIELD_DIMENSIONS or field.dtype != np.float32 or not field.size:
        raise StatisticsError(
            "a field is not a matrix of float32",
            "reduce_field",
            f"{field.dtype} of shape {field.shape}",
            "pass one level of one frame, as stored: float32, (rows, columns)",
        )
    return np.ascontiguousarray(field, dtype=np.float32)


def _checked_weights(weights: NDArray[np.float64] | None, rows: int) -> NDArray[np.float64] | None:
    if weights is None:
        return None
    checked = np.ascontiguousarray(weights, dtype=np.float64)
    allowed = (checked == 0) | ((checked >= LIGHTEST) & (checked < HEAVIEST))
    if checked.shape != (rows,) or not allowed.all():
        raise StatisticsError(
            "row weights do not fit the field",
            "reduce_field",
            f"shape {checked.shape} from {checked.min():g} to {checked.max():g}, {rows} rows",
            "pass one weight a row, zero or from 2**-52 to below 2**11",
        )
    return checked
