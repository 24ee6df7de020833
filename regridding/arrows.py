"""Winds as arrows in space: from east and north to three components, and back.

The eastward and northward unit vectors at latitude ``p`` and longitude ``l`` are
``(-sin l, cos l, 0)`` and ``(-sin p cos l, -sin p sin l, cos p)``; an arrow is their
sum weighted by the components, and a component is the arrow's product with one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from aurora_prep.regridding.compiled import HAVE_NUMBA, compiled
from aurora_prep.regridding.geometry import Geometry, Rectilinear

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Doubles, Field
    from aurora_prep.sources.spec import Grid


@dataclass(frozen=True, eq=False)
class Tangents:
    """Sines and cosines of latitude and longitude, from which east and north follow.

    Attributes:
        sin_latitude: Of each row, ``(rows,)``; of each point where there are no axes.
        cos_latitude: Likewise.
        sin_longitude: Of each column, ``(columns,)``; of each point without axes.
        cos_longitude: Likewise.
        crossed: Whether points lie at the crossings of rows and columns.
    """

    sin_latitude: Field
    cos_latitude: Field
    sin_longitude: Field
    cos_longitude: Field
    crossed: bool

    @classmethod
    def of(
        cls, latitude: Doubles, longitude: Doubles, dtype: np.dtype[Any], *, crossed: bool
    ) -> Tangents:
        """From degrees."""
        phi, lam = np.radians(latitude), np.radians(longitude)
        return cls(
            np.sin(phi).astype(dtype),
            np.cos(phi).astype(dtype),
            np.sin(lam).astype(dtype),
            np.cos(lam).astype(dtype),
            crossed=crossed,
        )

    def spread(self) -> tuple[Field, Field, Field, Field]:
        """The four sides in shapes that broadcast to ``(rows, columns)`` or ``(points,)``."""
        rows = (slice(None), None) if self.crossed else (slice(None),)
        return (
            self.sin_latitude[rows],
            self.cos_latitude[rows],
            self.sin_longitude,
            self.cos_longitude,
        )

    def raise_arrows(self, u: Field, v: Field) -> Field:
        """Arrows of a wind.

        Args:
            u: Eastward components, ``(points,)``.
            v: Northward components.

        Returns:
            ``(3, points)``, dtype of ``u``; NaN where either component is missing.
        """
        arrows = np.empty((3, u.size), dtype=u.dtype)
        sides = self.sin_latitude, self.cos_latitude, self.sin_longitude, self.cos_longitude
        if HAVE_NUMBA:
            (raise_crossed if self.crossed else raise_points)(u, v, *sides, arrows)
            return arrows
        shape = (len(self.sin_latitude), -1) if self.crossed else (-1,)
        sin_p, cos_p, sin_l, cos_l = (side.astype(np.float64) for side in self.spread())
        east, north = u.reshape(shape).astype(np.float64), v.reshape(shape).astype(np.float64)
        for arrow, values in zip(
            arrows,
            (
                -(east * sin_l) - north * (sin_p * cos_l),
                east * cos_l - north * (sin_p * sin_l),
                north * cos_p + 0.0 * east,
            ),
            strict=True,
        ):
            arrow[:] = values.ravel()
        return arrows

    def read_off(self, arrows: Field, u: Field, v: Field) -> None:
        """Components of arrows along east and north.

        Args:
            arrows: ``(3, rows, columns)``.
            u: Eastward components to fill, ``(rows, columns)``.
            v: Northward components to fill.
        """
        sides = self.sin_latitude, self.cos_latitude, self.sin_longitude, self.cos_longitude
        if HAVE_NUMBA:
            read_crossed(arrows, *sides, u, v)
            return
        sin_p, cos_p, sin_l, cos_l = self.spread()
        x, y, z = arrows.astype(np.float64)
        u[...] = y * cos_l - x * sin_l
        v[...] = z * cos_p - sin_p * (x * cos_l + y * sin_l)


@lru_cache(maxsize=2)
def tangents_of(source: Geometry, dtype: np.dtype[Any]) -> Tangents:
    """East and north at the points of a source."""
    if isinstance(source, Rectilinear):
        return Tangents.of(source.latitude, source.longitude, np.dtype(np.float64), crossed=True)
    return Tangents.of(*source.points(), dtype, crossed=False)


@lru_cache(maxsize=4)
def target_tangents(target: Grid) -> Tangents:
    """East and north at the points of a regular grid."""
    return Tangents.of(target.latitude, target.longitude, np.dtype(np.float64), crossed=True)


@compiled
def raise_crossed(
    u: Field,
    v: Field,
    sin_p: Field,
    cos_p: Field,
    sin_l: Field,
    cos_l: Field,
    out: Field,
) -> None:
    """Arrows at the crossings of rows and columns, ``(3, rows * columns)``."""
    columns = len(sin_l)
    for i in range(len(sin_p)):
        for j in range(columns):
            k = i * columns + j
            east, north = np.float64(u[k]), np.float64(v[k])
            out[0, k] = -(east * sin_l[j]) - north * (sin_p[i] * cos_l[j])
            out[1, k] = east * cos_l[j] - north * (sin_p[i] * sin_l[j])
            out[2, k] = north * cos_p[i] + 0.0 * east


@compiled
def raise_points(
    u: Field, v: Field, sin_p: Field, cos_p: Field, sin_l: Field, cos_l: Field, out: Field
) -> None:
    """Arrows at single points, ``(3, points)``."""
    for k in range(len(sin_p)):
        east, north = np.float64(u[k]), np.float64(v[k])
        sin, cos = np.float64(sin_l[k]), np.float64(cos_l[k])
        lift = np.float64(sin_p[k])
        out[0, k] = -(east * sin) - north * (lift * cos)
        out[1, k] = east * cos - north * (lift * sin)
        out[2, k] = north * np.float64(cos_p[k]) + 0.0 * east


@compiled
def read_crossed(
    arrows: Field,
    sin_p: Field,
    cos_p: Field,
    sin_l: Field,
    cos_l: Field,
    u: Field,
    v: Field,
) -> None:
    """Components along east and north at the crossings of rows and columns."""
    for i in range(len(sin_p)):
        for j in range(len(sin_l)):
            x, y = np.float64(arrows[0, i, j]), np.float64(arrows[1, i, j])
            z = np.float64(arrows[2, i, j])
            u[i, j] = y * cos_l[j] - x * sin_l[j]
            v[i, j] = z * cos_p[i] - sin_p[i] * (x * cos_l[j] + y * sin_l[j])
