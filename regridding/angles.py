"""Averages of directions in degrees, as unit vectors and never across 360."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from aurora_prep.regridding.arrays import Field

NO_DIRECTION = 1e-6  # of the full length: opposite directions that cancel


def mean_direction(
    component: Callable[[Field], Field],
    scalar: Callable[[Field], Field],
    direction: Field,
    height: Field | None = None,
) -> Field:
    """The direction of the mean of unit vectors, or of vectors as long as the energy.

    Args:
        component: Regrids a component of a vector.
        scalar: Regrids a scalar with the same weights.
        direction: Degrees clockwise from north.
        height: Wave heights at the same points: directions then count by energy, the
            square of the height. Without it they count alike.

    Returns:
        Degrees in [0, 360), dtype of ``direction``; NaN where too little is valid or
        where directions cancel.
    """
    energy = np.float64(1.0) if height is None else np.square(height, dtype=np.float64)
    angle = np.radians(direction, dtype=np.float64)
    north, east = (
        component((energy * side(angle)).astype(direction.dtype)) for side in (np.cos, np.sin)
    )
    length = np.hypot(north, east)
    full: Field | float = 1.0
    if height is not None:
        full = scalar(np.where(np.isnan(direction), np.nan, energy).astype(direction.dtype))
    turned = np.mod(np.degrees(np.arctan2(east, north)), 360.0).astype(direction.dtype)
    turned = np.where(turned >= 360, np.zeros_like(turned), turned)  # noqa: PLR2004
    return np.where(length > NO_DIRECTION * full, turned, np.full_like(turned, np.nan))
