"""The nearest source point of every target point, by great-circle distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding.geometry import CLOSE, FULL_TURN, Geometry, Rectilinear, Reduced

if TYPE_CHECKING:
    from collections.abc import Callable

    from aurora_prep.regridding.arrays import Doubles, Positions

NEIGHBOURS = 2  # rows looked at on either side of a target point
TIE = 1e-12  # relative: distances closer than this are equal


def nearest_index(source: Geometry, target: Rectilinear) -> Positions:
    """Source point nearest to every target point; -1 outside the source's cells.

    Of points equally far away the first in the order of the rows is taken, then
    the first in its row.

    Returns:
        Flat positions, ``(target points,)``.
    """
    if isinstance(source, Rectilinear):
        return rows_nearest(
            source.latitude,
            source.latitude_edges,
            lambda row: (source.longitude, source.longitude_edges, row * source.shape[1]),
            np.full(source.shape[0], source.shape[1]),
            target,
        )
    if isinstance(source, Reduced):
        return rows_nearest(
            source.latitude,
            source.latitude_edges,
            lambda row: (*source.row(row), int(source.offsets[row])),
            source.counts,
            target,
        )
    from aurora_prep.regridding.scattered import nearest_scattered  # noqa: PLC0415  # SciPy

    return nearest_scattered(source, target)


def rows_nearest(
    latitude: Doubles,
    edges: Doubles,
    row_of: Callable[[int], tuple[Doubles, Doubles, int]],
    counts: Positions,
    target: Rectilinear,
) -> Positions:
    """Nearest points of a grid with rows: the best of the nearest point of each near row."""
    found = np.full(target.shape, -1, dtype=np.int64)
    filled = np.flatnonzero(counts)
    order = filled[np.argsort(latitude[filled])]
    low, high = min(edges[0], edges[-1]), max(edges[0], edges[-1])
    known: dict[int, tuple[Positions, Doubles]] = {}
    for i, here in enumerate(target.latitude):
        if not low - CLOSE <= here <= high + CLOSE:
            continue
        near = int(np.searchsorted(latitude[order], here))
        rows = np.sort(order[max(near - NEIGHBOURS, 0) : near + NEIGHBOURS])
        best = np.full(target.shape[1], np.inf)
        for row in rows:
            if row not in known:
                known[row] = row_nearest(*row_of(row), target.longitude)
            index, away = known[row]
            share = np.cos(np.radians(here)) * np.cos(np.radians(latitude[row]))
            away = np.sin(np.radians(here - latitude[row]) / 2) ** 2 + share * away
            closer = (away < best * (1 - TIE)) & (index >= 0)
            found[i] = np.where(closer, index, found[i])
            best = np.where(closer, away, best)
        known = {row: known[row] for row in rows}
    return found.ravel()


def row_nearest(
    points: Doubles,
    edges: Doubles,
    offset: int,
    longitude: Doubles,
) -> tuple[Positions, Doubles]:
    """Nearest point of one row and ``sin(difference / 2) ** 2``; -1 outside its cells."""
    west = min(edges[0], edges[-1])
    order = np.argsort(points)
    line = np.concatenate([points[order], [points[order[0]] + FULL_TURN]])
    place = west + np.mod(longitude - west + CLOSE, FULL_TURN) - CLOSE
    place = np.where(place < line[0], place + FULL_TURN, place)
    upper = np.clip(np.searchsorted(line, place), 1, len(line) - 1)
    low, high = np.abs(place - line[upper - 1]), np.abs(line[upper] - place)
    index = np.concatenate([order, order[:1]])[np.where(low <= high + CLOSE, upper - 1, upper)]
    inside = np.mod(longitude - west + CLOSE, FULL_TURN) <= abs(edges[-1] - edges[0]) + 2 * CLOSE
    away = np.sin(np.radians(np.minimum(low, high)) / 2) ** 2
    return np.where(inside, index + offset, -1), away
