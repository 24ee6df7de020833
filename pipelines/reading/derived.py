"""Fields that follow from the grid alone: no provider has to send them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from aurora_prep.sources.spec import Grid

SOUTHERN_LIMIT = -78.0  # of the wave model, degrees north


def is_derived(path: str) -> bool:
    """Whether the variable of this path is computed and not fetched."""
    return path in DERIVED


def derive(path: str, grid: Grid) -> NDArray[np.float32]:
    """The field of a derived variable, shape ``(latitude, longitude)``, float32."""
    return DERIVED[path](grid)


def _latitude_mask(grid: Grid) -> NDArray[np.float32]:
    """1 where the wave model reaches, from 78 degrees south to the north pole, else 0.

    Source: Aurora supplement B.8.
    """
    inside = (grid.latitude >= SOUTHERN_LIMIT).astype(np.float32)
    return np.repeat(inside[:, np.newaxis], grid.columns, axis=1)


DERIVED: Mapping[str, Callable[[Grid], NDArray[np.float32]]] = MappingProxyType(
    {"static/lat_mask": _latitude_mask}
)
