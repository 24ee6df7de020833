"""The commonest category of every target cell, by area."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding.compiled import HAVE_NUMBA, compiled
from aurora_prep.regridding.operators import Operator, Sparse
from aurora_prep.regridding.rows import Rows
from aurora_prep.sources.spec import RegridError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aurora_prep.regridding.arrays import Doubles, Field, Places, Positions


MOST = 256  # categories: more are no categories


@compiled
def tally(value: float, share: float, values: Field, shares: Doubles, seen: int) -> int:
    """Add the share of one source cell to its category."""
    for k in range(seen):
        if values[k] == value:
            shares[k] += share
            return seen
    values[seen], shares[seen] = value, share
    return seen + 1


@compiled
def winner(values: Field, shares: Doubles, seen: int, threshold: float) -> float:
    """The category with the largest share; of equal ones the lowest; NaN if too little is valid."""
    total, best, most = 0.0, np.nan, 0.0
    for k in range(seen):
        total += shares[k]
        close = abs(shares[k] - most) <= 1e-12  # noqa: PLR2004  # shares are parts of 1
        if (close and values[k] < best) or (not close and shares[k] > most):
            best, most = values[k], max(shares[k], most)
    return best if total > 0 and total >= threshold else np.nan


@compiled
def rows_majority(
    field: Field,
    out: Field,
    start: int,
    stop: int,
    offsets: Positions,
    pattern: Positions,
    pattern_start: Positions,
    pattern_width: Positions,
    index: Places,
    weight: Doubles,
    row_index: Places,
    row_weight: Doubles,
    threshold: float,
) -> None:
    """Majority over the weights of ``Rows``; arguments as in ``kernels.longitude_first``."""
    targets, width = out.shape[1], row_index.shape[1]
    size = width * pattern_width.max()
    values, shares = np.empty(size, dtype=field.dtype), np.empty(size)
    for i in range(start, stop):
        for j in range(targets):
            seen = 0
            for n in range(width):
                row = row_index[i, n]
                kind = pattern[row]
                if row_weight[i, n] == 0 or kind < 0:
                    continue
                for k in range(pattern_width[kind]):
                    place = pattern_start[kind] + k * targets + j
                    share = row_weight[i, n] * weight[place]
                    value = field[offsets[row] + index[place]]
                    if share > 0 and value == value:  # noqa: PLR0124  # NaN is not itself
                        seen = tally(value, share, values, shares, seen)
            out[i, j] = winner(values, shares, seen, threshold)


@compiled
def sparse_majority(
    field: Field,
    out: Field,
    start: int,
    stop: int,
    begin: Positions,
    index: Places,
    weight: Doubles,
    threshold: float,
) -> None:
    """Majority over the weights of ``Sparse``; ``out`` is flat."""
    size = 1
    for i in range(start, stop):
        size = max(size, begin[i + 1] - begin[i])
    values, shares = np.empty(size, dtype=field.dtype), np.empty(size)
    for i in range(start, stop):
        seen = 0
        for k in range(begin[i], begin[i + 1]):
            value = field[index[k]]
            if weight[k] > 0 and value == value:  # noqa: PLR0124  # NaN is not itself
                seen = tally(value, weight[k], values, shares, seen)
        out[i] = winner(values, shares, seen, threshold)


def majority(
    operator: Operator, source: Field, out: Field, start: int, stop: int, threshold: float
) -> None:
    """Fill target rows with the commonest category.

    Args:
        operator: Conservative weights.
        source: ``(fields, points)``, NaN is missing.
        out: ``(fields, rows, columns)``.
        start: First target row.
        stop: End of the target rows.
        threshold: Least valid fraction of a target cell.
    """
    if not isinstance(operator, Rows | Sparse):
        operator.run(source, out, start, stop, threshold=threshold)
    elif not HAVE_NUMBA:
        majority_without_numba(operator, source, out, start, stop, threshold)
    elif isinstance(operator, Rows):
        for field, target in zip(source, out, strict=True):
            rows_majority(
                field,
                target,
                start,
                stop,
                operator.offsets,
                operator.pattern,
                operator.pattern_start,
                operator.pattern_width,
                operator.index,
                operator.weight,
                operator.row_index,
                operator.row_weight,
                threshold,
            )
    else:
        first, last = start * operator.columns, stop * operator.columns
        for field, target in zip(source, out, strict=True):
            sparse_majority(
                field,
                target.reshape(-1),
                first,
                last,
                operator.begin,
                operator.index,
                operator.weight,
                threshold,
            )


def majority_without_numba(
    operator: Operator, source: Field, out: Field, start: int, stop: int, threshold: float
) -> None:
    """Majority as one average for every category.

    Raises:
        RegridError: The values are not categories.
    """
    shape = (operator.rows, operator.columns)
    for field, target in zip(source, out, strict=True):
        valid = ~np.isnan(field)
        codes = np.unique(field[valid])
        if len(codes) > MOST:
            raise RegridError(
                "the values are not categories",
                "majority",
                f"{len(codes)} different values",
                "use conservative, bilinear or nearest for quantities",
            )
        best, most, total = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape)
        for code in codes:
            share = fraction(operator, (field == code)[None])[0]
            more = share > most + 1e-12
            best, most = np.where(more, code, best), np.where(more, share, most)
            total += share
        enough = (total > 0) & (total >= threshold)
        target[start:stop] = np.where(enough, best, np.nan)[start:stop]


def fraction(operator: Operator, here: NDArray[np.bool_]) -> Doubles:
    """Part of each target cell, outside of the source included, where ``here`` is true.

    Args:
        operator: Weights.
        here: ``(fields, points)``.

    Returns:
        ``(fields, rows, columns)``, 0 to 1.
    """
    share = np.empty((len(here), operator.rows, operator.columns))
    operator.run(here.astype(np.float64), share, 0, operator.rows, threshold=0.0)
    return np.where(operator.cover > 0, np.nan_to_num(share) * operator.cover, 0.0)
