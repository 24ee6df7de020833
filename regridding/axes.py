"""Rectilinear geometries from axes and from ``Grid``, with their cell borders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding.gaussian import gaussian_edges, gaussian_order
from aurora_prep.regridding.geometry import FULL_TURN, POLE, Rectilinear
from aurora_prep.sources.spec import Grid, RegridError

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Doubles

SEAM = 0.1  # of a step: how much wider the gap between last and first column may be
SLACK = 1e-3  # of a step: how far from a pole the outermost cell may end


def of_grid(grid: Grid) -> Rectilinear:
    """Geometry of a regular grid; its cells reach half a step, caps at the poles."""
    latitude, longitude = grid.latitude, grid.longitude
    down, across = grid.latitude_step / 2, grid.longitude_step / 2
    rows = [float(grid.north - down * (2 * i - 1)) for i in range(grid.rows + 1)]
    columns = [float(grid.west + across * (2 * i - 1)) for i in range(grid.columns + 1)]
    return Rectilinear(latitude, longitude, np.clip(rows, -POLE, POLE), np.array(columns))


def rectilinear(latitude: Doubles, longitude: Doubles) -> Rectilinear:
    """Geometry of any two monotonic axes, cell borders half-way between points.

    Regular and Gaussian latitudes are recognised; the outermost cells of a
    Gaussian grid, and those that would end within half a step of a pole, reach
    the pole. Longitudes may be wrapped anywhere; a repeated last column is an
    error.

    Args:
        latitude: Degrees north, ``(rows,)``, monotonic either way.
        longitude: Degrees east, ``(columns,)``, monotonic after unwrapping.

    Raises:
        RegridError: An axis is not finite and monotonic, reaches beyond a pole
            or more than once round the globe.
    """
    latitude = np.asarray(latitude, dtype=np.float64)
    longitude = unwrapped(np.asarray(longitude, dtype=np.float64))
    return Rectilinear(latitude, longitude, latitude_edges(latitude), longitude_edges(longitude))


def unwrapped(longitude: Doubles) -> Doubles:
    """Longitudes without jumps of 360 degrees: no step is longer than half a turn."""
    turns = np.cumsum(np.round(np.diff(longitude) / FULL_TURN))
    return longitude - FULL_TURN * np.concatenate([[0.0], turns])


def longitude_edges(longitude: Doubles) -> Doubles:
    """Borders half-way between columns; closed where the gap left is no wider than a step."""
    if len(longitude) < 2:  # noqa: PLR2004  # the width of a single column is not known
        raise RegridError(
            "a single column has no width",
            "longitude axis",
            f"{len(longitude)} columns",
            "give at least two longitudes",
        )
    middle = (longitude[1:] + longitude[:-1]) / 2
    steps = np.diff(longitude)
    turn = FULL_TURN if steps[0] > 0 else -FULL_TURN
    gap = turn - (longitude[-1] - longitude[0])
    widest = np.abs(steps).max()
    if 0 < gap / np.sign(turn) <= widest * (1 + SEAM):
        first = longitude[0] - gap / 2
        return np.concatenate([[first], middle, [first + turn]])
    first, last = longitude[0] - steps[0] / 2, longitude[-1] + steps[-1] / 2
    return np.concatenate([[first], middle, [last]])


def latitude_edges(latitude: Doubles) -> Doubles:
    """Borders half-way between rows, never beyond a pole."""
    if len(latitude) < 2:  # noqa: PLR2004  # the width of a single row is not known
        raise RegridError(
            "a single row has no height",
            "latitude axis",
            f"{len(latitude)} rows",
            "give at least two latitudes",
        )
    if (order := gaussian_order(latitude)) is not None:
        return gaussian_edges(order, latitude[0] > 0)
    steps = np.diff(latitude)
    middle = (latitude[1:] + latitude[:-1]) / 2
    ends = np.array([latitude[0] - steps[0] / 2, latitude[-1] + steps[-1] / 2])
    slack = SLACK * np.abs(steps[[0, -1]])
    ends = np.where(np.abs(ends) > POLE - slack, np.copysign(POLE, ends), ends)
    return np.concatenate([ends[:1], middle, ends[1:]])
