"""The operators on NumPy and SciPy alone, where numba is not installed.

Same weights, same rules; sums may differ in the last bit of float64. It is a
few times slower and takes more memory, since the weights of whole rows become
sparse matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from aurora_prep.regridding.kernels import COMPLETE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aurora_prep.regridding.arrays import Doubles, Field, Places, Positions


Matrices = tuple[csr_array, csr_array]


def rows(
    matrices: Matrices,
    poles: Field,
    source: Field,
    out: Field,
    start: int,
    stop: int,
    threshold: float,
) -> None:
    """``Rows.run`` in two sparse products.

    Args:
        matrices: From ``row_matrices``.
        poles: Rows made for the poles on target columns, ``(fields, 2, columns)``.
        source: ``(fields, points)``.
        out: ``(fields, rows, columns)``.
        start: First target row.
        stop: End of the target rows.
        threshold: Least valid fraction of a target cell.
    """
    along, between = matrices[0], matrices[1][start:stop]
    shape = -1, out.shape[-1]
    for field, beyond, target in zip(source, poles.astype(np.float64), out, strict=True):
        valid = ~np.isnan(field)
        here = ~np.isnan(beyond)
        values = (along @ np.where(valid, field, 0.0)).reshape(shape)
        weights = (along @ valid.astype(np.float64)).reshape(shape)
        sums = between @ np.concatenate([values, np.where(here, beyond, 0.0)])
        parts = between @ np.concatenate([weights, here])
        target[start:stop] = finished(sums, parts, threshold)


def sparse(
    matrix: csr_array, source: Field, out: Field, start: int, stop: int, threshold: float
) -> None:
    """``Sparse.run`` as a sparse product; ``matrix`` holds the rows of the asked targets only."""
    for field, target in zip(source, out, strict=True):
        valid = ~np.isnan(field)
        sums, parts = matrix @ np.where(valid, field, 0.0), matrix @ valid.astype(np.float64)
        target[start:stop] = finished(sums, parts, threshold).reshape(-1, out.shape[-1])


def sparse_matrix(
    begin: Positions, index: Places, weight: Doubles, sources: int, first: int, last: int
) -> csr_array:
    """Weights of the target points ``first`` to ``last``, ``(last - first, sources)``."""
    shape = len(begin) - 1, sources
    return csr_array((weight, index.astype(np.int64), begin), shape=shape)[first:last]


def finished(sums: Doubles, parts: Doubles, threshold: float) -> Doubles:
    """Means over valid parts; NaN where they are too small."""
    means = np.divide(sums, parts, out=np.full(sums.shape, np.nan), where=parts > 0)
    means = np.where(parts >= COMPLETE, sums, means)
    return np.where(parts >= threshold, means, np.nan)


def row_matrices(
    columns: int,
    offsets: Positions,
    patterns: Sequence[tuple[Places, Doubles] | None],
    row_index: Places,
    row_weight: Doubles,
) -> Matrices:
    """Weights along rows, ``(source rows * columns, points)``, and between rows.

    Args:
        columns: Target columns.
        offsets: Where each source row starts, ``(rows + 1,)``.
        patterns: Source columns and weights of each source row, both
            ``(places * columns,)``; ``None`` for an empty row.
        row_index: Source rows of each target row, ``(target rows, n)``.
        row_weight: Their weights.
    """
    starts, places = offsets[:-1], np.arange(columns)
    targets, sources, weights = [], [], []
    for row, pattern in enumerate(patterns):
        if pattern is None:
            continue
        index, weight = pattern
        targets.append(np.tile(row * columns + places, len(index) // columns))
        sources.append(starts[row] + index.astype(np.int64))
        weights.append(weight)
    along = csr_array(
        (np.concatenate(weights), (np.concatenate(targets), np.concatenate(sources))),
        shape=(len(starts) * columns, int(offsets[-1])),
    )
    count, width = row_index.shape
    between = csr_array(
        (
            row_weight.ravel(),
            (np.repeat(np.arange(count), width), row_index.astype(np.int64).ravel()),
        ),
        shape=(count, len(starts) + 2),
    )
    return along, between
