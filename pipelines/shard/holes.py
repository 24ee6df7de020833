"""Holes: single points without a value, filled from their neighbours where a recipe asks for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def fill_holes(
    field: NDArray[np.float32], most: int, *, is_global: bool
) -> tuple[NDArray[np.float32], int]:
    """Give points without a value the mean of those of their four neighbours that have one.

    Args:
        field: Shape ``(latitude, longitude)``, float32; NaN means missing.
        most: Most points to fill; a field with more of them is left as it is.
        is_global: Whether the first and the last column are neighbours.

    Returns:
        A field of the same shape, and how many points of it were filled: none where there
        are more holes than that, or one whose four neighbours have no value either.
    """
    rows, columns = np.nonzero(np.isnan(field))
    if not 0 < rows.size <= most:
        return field, 0
    height, width = field.shape
    total, count = np.zeros(rows.size, np.float64), np.zeros(rows.size, np.int64)
    for down, right in NEIGHBOURS:
        row, column = rows + down, columns + right
        inside = (row >= 0) & (row < height)
        if is_global:
            column = column % width
        else:
            inside &= (column >= 0) & (column < width)
        values = field[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
        values = np.where(inside, values.astype(np.float64), np.nan)
        there = ~np.isnan(values)
        total[there] += values[there]
        count += there
    if not count.all():
        return field, 0
    filled = field.copy()
    filled[rows, columns] = (total / count).astype(np.float32)
    return filled, int(rows.size)
