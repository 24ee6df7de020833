"""The operators on NumPy and SciPy alone, where numba is not installed.

Same weights, same rules; sums may differ in the last bit of float64. It is a
few times slower and takes more memory, since the weights of whole rows become
sparse matrices.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from aurora_prep.regridding.kernels import COMPLETE

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Doubles, Field
    from aurora_prep.regridding.operators import Sparse
    from aurora_prep.regridding.rows import Rows
    from aurora_prep.sources.spec import Nature


def rows(
    operator: Rows,
    source: Field,
    out: Field,
    start: int,
    stop: int,
    threshold: float,
    nature: Nature,
) -> None:
    """``Rows.run`` in two sparse products."""
    along, between = row_matrices(operator)
    between = between[start:stop]
    beyond = operator.beyond(source, operator.longitude, threshold, nature).astype(np.float64)
    shape = len(operator.pattern), operator.columns
    for field, poles, target in zip(source, beyond, out, strict=True):
        valid = ~np.isnan(field)
        here = ~np.isnan(poles)
        values = (along @ np.where(valid, field, 0.0)).reshape(shape)
        weights = (along @ valid.astype(np.float64)).reshape(shape)
        sums = between @ np.concatenate([values, np.where(here, poles, 0.0)])
        parts = between @ np.concatenate([weights, here])
        target[start:stop] = finished(sums, parts, threshold)


def sparse(
    operator: Sparse, source: Field, out: Field, start: int, stop: int, threshold: float
) -> None:
    """``Sparse.run`` as a sparse product."""
    first, last = start * operator.columns, stop * operator.columns
    matrix = csr_array(
        (operator.weight, operator.index.astype(np.int64), operator.begin),
        shape=(operator.rows * operator.columns, source.shape[1]),
    )[first:last]
    for field, target in zip(source, out, strict=True):
        valid = ~np.isnan(field)
        sums, parts = matrix @ np.where(valid, field, 0.0), matrix @ valid.astype(np.float64)
        target[start:stop] = finished(sums, parts, threshold).reshape(-1, operator.columns)


def finished(sums: Doubles, parts: Doubles, threshold: float) -> Doubles:
    """Means over valid parts; NaN where they are too small."""
    means = np.divide(sums, parts, out=np.full(sums.shape, np.nan), where=parts > 0)
    means = np.where(parts >= COMPLETE, sums, means)
    return np.where(parts >= threshold, means, np.nan)


@lru_cache(maxsize=2)
def row_matrices(operator: Rows) -> tuple[csr_array, csr_array]:
    """Weights along rows, ``(source rows * columns, points)``, and between rows."""
    starts, columns = operator.offsets[:-1], np.arange(operator.columns)
    targets, sources, weights = [], [], []
    for row, kind in enumerate(operator.pattern):
        if kind < 0:
            continue
        begin, places = operator.pattern_start[kind], operator.pattern_width[kind]
        part = slice(begin, begin + places * operator.columns)
        targets.append(np.tile(row * operator.columns + columns, places))
        sources.append(starts[row] + operator.index[part].astype(np.int64))
        weights.append(operator.weight[part])
    along = csr_array(
        (np.concatenate(weights), (np.concatenate(targets), np.concatenate(sources))),
        shape=(len(starts) * operator.columns, int(operator.offsets[-1])),
    )
    count, width = operator.row_index.shape
    between = csr_array(
        (
            operator.row_weight.ravel(),
            (np.repeat(np.arange(count), width), operator.row_index.astype(np.int64).ravel()),
        ),
        shape=(count, len(starts) + 2),
    )
    return along, between
