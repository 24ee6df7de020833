"""Row weights of the area-weighted convention."""

import numpy as np
from numpy.typing import NDArray

from aurora_prep.sources.spec import Grid


def area_weights(grid: Grid) -> NDArray[np.float64]:
    """Share of the sphere's surface that belongs to a row of points.

    A row's cells reach half a step to either side, and end at the poles: the
    weight is ``sin(north edge) - sin(south edge)``, written as a product so that
    nothing cancels near the poles. On a global grid the weights add up to 2.

    Returns:
        Weights, shape ``(rows,)``, north to south.
    """
    half = float(grid.latitude_step) / 2
    north = np.radians(np.minimum(grid.latitude + half, 90.0))
    south = np.radians(np.maximum(grid.latitude - half, -90.0))
    weights: NDArray[np.float64] = 2 * np.cos((north + south) / 2) * np.sin((north - south) / 2)
    return weights
