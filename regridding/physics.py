"""Fields that are not plain numbers: winds, directions, waves."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding.planes import cartesian
from aurora_prep.sources.spec import Nature, RegridError

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Doubles, Field, Pair
    from aurora_prep.regridding.geometry import Geometry
    from aurora_prep.regridding.regridder import Regridder
    from aurora_prep.sources.spec import Grid


NO_DIRECTION = 1e-6  # of the full length: opposite directions that cancel


def vectors(
    regridder: Regridder,
    u: Field,
    v: Field,
    *,
    grid_relative: bool = False,
    threads: int = 1,
) -> tuple[Field, Field]:
    """Regrid a vector field so that it stays right at the poles.

    East and north turn from point to point, most of all near the poles. The
    vectors are therefore averaged as arrows in space, three components that turn
    nowhere, and read off along the east and north of the target points.

    Args:
        regridder: Weights; its nature is not used.
        u: Eastward components, or along the grid's x axis, ``(..., *source.shape)``.
        v: Northward components, or along the grid's y axis.
        grid_relative: Whether the components follow the axes of a projected
            grid (``uvRelativeToGrid`` of GRIB).
        threads: Threads to use.

    Returns:
        Eastward and northward components, ``(..., rows, columns)``, dtype of ``u``.

    Raises:
        RegridError: The grid has no axes to be relative to, or a size is wrong.
    """
    if grid_relative:
        u, v = to_east_north(regridder.source, u, v)
    east, north = tangents(regridder.source)
    plain = replace(regridder, nature=Nature.SCALAR)
    arrows = [
        plain((u * e + v * n).astype(u.dtype), threads=threads)
        for e, n in zip(east, north, strict=True)
    ]
    east, north = target_tangents(regridder.target)
    return (
        np.asarray(sum(arrow * e for arrow, e in zip(arrows, east, strict=True)), dtype=u.dtype),
        np.asarray(sum(arrow * n for arrow, n in zip(arrows, north, strict=True)), dtype=u.dtype),
    )


def to_east_north(source: Geometry, u: Field, v: Field) -> tuple[Field, Field]:
    """Turn components along the axes of a projected grid to east and north.

    Raises:
        RegridError: The grid has no axes of its own.
    """
    from aurora_prep.regridding.plane_grids import Projected  # noqa: PLC0415  # small cycle

    if not isinstance(source, Projected):
        raise RegridError(
            "components cannot be relative to this grid",
            source.name,
            "no x and y axes",
            "give eastward and northward components",
        )
    cosine, sine = grid_turn(source)
    return (u * cosine - v * sine).astype(u.dtype), (u * sine + v * cosine).astype(v.dtype)


@lru_cache(maxsize=4)
def grid_turn(source: Geometry) -> Pair:
    """Cosine and sine of the angle from a projected grid's x axis to east."""
    angle = source.east_angle()  # type: ignore[attr-defined]  # a Projected, see to_east_north
    return np.cos(angle), np.sin(angle)


@lru_cache(maxsize=4)
def tangents(source: Geometry) -> Pair:
    """Unit vectors to east and north at the points of a source, ``(3, *shape)``."""
    east, north = east_north(*source.points())
    return east.reshape(3, *source.shape), north.reshape(3, *source.shape)


@lru_cache(maxsize=4)
def target_tangents(target: Grid) -> Pair:
    """Unit vectors to east and north at the points of a regular grid."""
    latitude, longitude = np.meshgrid(target.latitude, target.longitude, indexing="ij")
    return east_north(latitude, longitude)


def east_north(latitude: Doubles, longitude: Doubles) -> Pair:
    """Unit vectors to east and north at points in degrees, ``(3, ...)``."""
    east = cartesian(np.zeros_like(latitude), longitude + 90.0)
    return east, cartesian(latitude + 90.0, longitude)


def directions(
    regridder: Regridder,
    direction: Field,
    height: Field | None = None,
    *,
    threads: int = 1,
) -> Field:
    """Regrid directions in degrees as unit vectors, never across 360.

    Args:
        regridder: Weights; its nature is not used.
        direction: Degrees clockwise from north, ``(..., *source.shape)``.
        height: Wave heights on the same grid: directions then count by energy,
            the square of the height. Without it they count alike.
        threads: Threads to use.

    Returns:
        Degrees in [0, 360), ``(..., rows, columns)``; NaN where too little is
        valid or where directions cancel.
    """
    energy = np.float64(1.0) if height is None else np.square(height, dtype=np.float64)
    angle = np.radians(direction, dtype=np.float64)
    part = replace(regridder, nature=Nature.EASTWARD)
    north, east = (
        part((energy * side(angle)).astype(direction.dtype), threads=threads)
        for side in (np.cos, np.sin)
    )
    length = np.hypot(north, east)
    if height is None:
        full: Field | float = 1.0
    else:
        plain = replace(regridder, nature=Nature.SCALAR)
        counted = np.where(np.isnan(direction), np.nan, energy).astype(direction.dtype)
        full = plain(counted, threads=threads)
    turned = np.mod(np.degrees(np.arctan2(east, north)), 360.0).astype(direction.dtype)
    turned = np.where(turned >= 360, np.zeros_like(turned), turned)  # noqa: PLR2004
    return np.where(length > NO_DIRECTION * full, turned, np.full_like(turned, np.nan))


def following(regridder: Regridder, field: Field, height: Field, *, threads: int = 1) -> Field:
    """Regrid a wave period or partition under the mask of its height.

    Values count only where there is a height, and the result is missing exactly
    where the regridded height is, or where no value is left.

    Args:
        regridder: Weights and mask rule of the height; its nature is that of the field.
        field: Period, direction or other property of the waves, ``(..., *source.shape)``.
        height: Height of the same waves, same shape.
        threads: Threads to use.
    """
    here = ~np.isnan(height)
    masked = np.where(here, field, np.asarray(np.nan, dtype=field.dtype))
    loose = replace(regridder, valid_fraction=0.0)
    if regridder.nature is Nature.DIRECTION:
        result = directions(loose, masked, height.astype(field.dtype), threads=threads)
    else:
        result = loose(masked, threads=threads)
    enough = regridder.valid_part(height) >= regridder.valid_fraction - 1e-9
    return np.where(enough, result, np.asarray(np.nan, dtype=field.dtype))
