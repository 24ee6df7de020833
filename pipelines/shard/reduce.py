"""Statistics: reduce a field while it is in memory; nothing is read twice."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aurora_prep.normalisation import FieldReduction, area_weights, reduce_field
from aurora_prep.sources.spec import Grid


def reduce(field: NDArray[np.float32], grid: Grid) -> FieldReduction:
    """Reduce one field exactly, in both conventions: by grid point and by area.

    Args:
        field: Shape ``grid.shape``, float32; NaN means missing.
        grid: The grid it lies on.
    """
    return reduce_field(field, _weights(grid))


@lru_cache(maxsize=8)
def _weights(grid: Grid) -> NDArray[np.float64]:
    return area_weights(grid)
