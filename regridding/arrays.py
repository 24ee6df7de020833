"""Names of array types, for annotations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
"""Values of fields: float32 or float64, NaN where missing."""

Doubles = NDArray[np.float64]
Places = NDArray[np.uint32]
Positions = NDArray[np.int64]
Pair = tuple[Doubles, Doubles]
"""Two arrays of one shape: latitude and longitude, or x and y."""
