"""Fields that are not plain numbers: winds, directions, waves."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding.angles import mean_direction
from aurora_prep.regridding.arrows import tangents_of, target_tangents
from aurora_prep.regridding.operators import Reorder
from aurora_prep.regridding.plane_grids import Curvilinear, Projected
from aurora_prep.regridding.regridder import UNAVERAGED, Regridder
from aurora_prep.sources.spec import Nature, RegridError

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Field, Pair
    from aurora_prep.regridding.geometry import Geometry


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
    nowhere, and read off along the east and north of the target points. Where the
    target has the points of the source, components are copied.

    Args:
        regridder: Weights; its nature is not used.
        u: Eastward components, or along the grid's x axis, ``(..., *source.shape)``,
            m/s or any other unit; NaN is missing.
        v: Northward components, or along the grid's y axis.
        grid_relative: Whether the components follow the axes of a projected or
            curvilinear grid (``uvRelativeToGrid`` of GRIB).
        threads: Threads to use.

    Returns:
        Eastward and northward components, ``(..., rows, columns)``, dtype of ``u``;
        NaN in both where either component is missing.

    Raises:
        RegridError: The grid has no axes to be relative to, or a size is wrong.
    """
    if grid_relative:
        u, v = to_east_north(regridder.source, u, v)
    regridder.source.check(u.shape)
    regridder.source.check(v.shape)
    plain = replace(regridder, nature=Nature.SCALAR)
    if isinstance(regridder.operator, Reorder):
        return plain(u, threads=threads), plain(v, threads=threads)
    source, target = regridder.source, regridder.target
    leading = u.shape[: u.ndim - len(source.shape)]
    results = plain.result(leading, u.dtype, None), plain.result(leading, u.dtype, None)
    flat = [np.ascontiguousarray(side, u.dtype).reshape(-1, source.size) for side in (u, v)]
    into = [result.reshape(-1, *target.shape) for result in results]
    arrows = np.empty((3, *target.shape), dtype=u.dtype)
    for eastward, northward, east, north in zip(*flat, *into, strict=True):
        raised = tangents_of(source, u.dtype).raise_arrows(eastward, northward)
        plain.fill(raised, arrows, threads)
        target_tangents(target).read_off(arrows, east, north)
    return results


def to_east_north(source: Geometry, u: Field, v: Field) -> tuple[Field, Field]:
    """Turn components along the axes of a projected or curvilinear grid to east and north.

    Raises:
        RegridError: The grid has no axes of its own.
    """
    if not isinstance(source, Projected | Curvilinear):
        raise RegridError(
            "components cannot be relative to this grid",
            source.name,
            "no x and y axes",
            "give eastward and northward components",
        )
    source.check(u.shape)
    source.check(v.shape)
    cosine, sine = grid_turn(source)
    return (u * cosine - v * sine).astype(u.dtype), (u * sine + v * cosine).astype(v.dtype)


@lru_cache(maxsize=2)
def grid_turn(source: Projected | Curvilinear) -> Pair:
    """Cosine and sine of the angle from east to a grid's x axis."""
    angle = source.east_angle()
    return np.cos(angle), np.sin(angle)


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
    part, plain = (replace(regridder, nature=nature) for nature in (Nature.EASTWARD, Nature.SCALAR))
    return mean_direction(
        lambda field: part(field, threads=threads),
        lambda field: plain(field, threads=threads),
        direction,
        height,
    )


def following(
    regridder: Regridder,
    field: Field,
    height: Field,
    *,
    moved_height: Field | None = None,
    threads: int = 1,
) -> Field:
    """Regrid a wave period, direction or partition under the mask of its height.

    Values count only where there is a height, and the result is missing exactly
    where the regridded height is, or where no value is left. Methods that copy single
    values take the value where the height is there.

    Args:
        regridder: Weights and mask rule of the height; its nature is that of the field.
        field: Period, direction or other property of the waves, ``(..., *source.shape)``.
        height: Height of the same waves, metres, same shape.
        moved_height: The height already regridded, where the caller has it.
        threads: Threads to use.

    Returns:
        ``(..., rows, columns)``, dtype of ``field``.
    """
    missing = np.asarray(np.nan, dtype=field.dtype)
    masked = np.where(np.isnan(height), missing, field)
    loose = replace(regridder, valid_fraction=0.0)
    if regridder.nature is Nature.DIRECTION and regridder.method not in UNAVERAGED:
        result = directions(loose, masked, height.astype(field.dtype), threads=threads)
    else:
        result = loose(masked, threads=threads)
    if moved_height is None:
        moved_height = replace(regridder, nature=Nature.SCALAR)(height, threads=threads)
    return np.where(np.isnan(moved_height), missing, result)
