"""One-dimensional weights: overlaps of cells, linear interpolation, nearest point.

All weights are laid out for vector units: ``width`` source indices and weights
for every target, shape ``(width, targets)``, unused places repeating the first
index with weight zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding.geometry import CLOSE, FULL_TURN, POLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from aurora_prep.regridding.arrays import Doubles, Places, Positions

    Length = Callable[[Doubles, Doubles], Doubles]

OUTSIDE = -1
ROUNDING = 4 * np.finfo(float).eps * FULL_TURN  # degrees: overlaps this thin are not there


@dataclass(frozen=True, eq=False)
class Line:
    """Weights from one source axis to one target axis.

    Attributes:
        index: Source positions, ``(width, targets)``, uint32.
        weight: Weights, ``(width, targets)``; over the width they sum to ``cover``.
        cover: Part of every target that lies inside the source, ``(targets,)``,
            0 to 1.
    """

    index: Places
    weight: Doubles
    cover: Doubles


def degrees(low: Doubles, high: Doubles) -> Doubles:
    """Length of intervals of longitude."""
    return np.maximum(high - low, 0)


def sines(low: Doubles, high: Doubles) -> Doubles:
    """``sin(high) - sin(low)`` of latitudes in degrees, without cancellation at the poles."""
    half = np.radians(np.maximum(high - low, 0) / 2)
    return 2 * np.cos(np.radians((low + high) / 2)) * np.sin(half)


def overlaps(source: Doubles, target: Doubles, length: Length) -> Line:
    """Conservative weights between the cells of two axes.

    Args:
        source: Borders of source cells in degrees, ``(sources + 1,)``, monotonic.
        target: Borders of target cells, ``(targets + 1,)``, monotonic.
        length: Measure of an interval: ``degrees`` or ``sines``.
    """
    edges, position = ascending(source)
    return between(edges, position, target, length)


def turned_overlaps(source: Doubles, target: Doubles) -> Line:
    """``overlaps`` in longitude, where 359 and -1 degrees are the same."""
    edges, position = ascending(source)
    first = int(np.floor((target.min() - edges[0]) / FULL_TURN))
    last = int(np.floor((target.max() - edges[0]) / FULL_TURN))
    turns = FULL_TURN * np.arange(first, last + 1)
    if edges[-1] - edges[0] < FULL_TURN - CLOSE:
        position = np.append(position, OUTSIDE)
        edges = np.append(edges, edges[0] + FULL_TURN)
    tiles = (edges[:-1] + turns[:, None]).ravel()
    edges = np.append(tiles, edges[0] + turns[-1] + FULL_TURN)
    return between(edges, np.tile(position, len(turns)), target, degrees)


def between(
    edges: Doubles,
    position: Positions,
    target: Doubles,
    length: Length,
) -> Line:
    """Overlap of every target cell with the cells between ascending ``edges``."""
    low, high = np.minimum(target[:-1], target[1:]), np.maximum(target[:-1], target[1:])
    begin = np.searchsorted(edges, low + ROUNDING, side="right") - 1
    end = np.searchsorted(edges, high - ROUNDING, side="left") - 1
    width = int(max((end - begin).max() + 1, 1))
    place = begin + np.arange(width)[:, None]
    here = (place >= 0) & (place < len(position)) & (place <= end)
    place = np.where(here, place, 0)
    here &= position[place] != OUTSIDE
    part = length(np.maximum(edges[place], low), np.minimum(edges[place + 1], high)) * here
    return packed(np.where(here, position[place], 0), part, length(low, high))


def linear(source: Doubles, target: Doubles) -> Line:
    """Linear interpolation between the points of an axis; nothing beyond its ends."""
    position = np.arange(len(source))
    if source[-1] < source[0]:
        source, position = source[::-1], position[::-1]
    last = len(source) - 1
    upper = np.minimum(np.clip(np.searchsorted(source, target, side="right"), 1, None), last)
    lower = np.maximum(upper - 1, 0)
    step = np.where(upper > lower, source[upper] - source[lower], 1.0)
    part = (target - source[lower]) / step
    inside = (part >= -CLOSE) & (part <= np.where(upper > lower, 1 + CLOSE, CLOSE))
    part = np.where(part < CLOSE, 0.0, np.where(part > 1 - CLOSE, 1.0, part))
    weight = np.array([1 - part, part]) * inside
    return packed(position[np.array([lower, upper])], weight, np.ones(len(target)))


def turned_linear(source: Doubles, target: Doubles, turn: bool) -> Line:  # noqa: FBT001
    """``linear`` in longitude, where 359 and -1 degrees are the same.

    Args:
        source: Longitudes of the points, ``(sources,)``, monotonic, unwrapped.
        target: Longitudes asked for, ``(targets,)``, wrapped anywhere.
        turn: Whether the last point and the first one are neighbours.
    """
    position = np.arange(len(source))
    if source[-1] < source[0]:
        source, position = source[::-1], position[::-1]
    if turn:
        source, position = (
            np.append(source, source[0] + FULL_TURN),
            np.append(position, position[0]),
        )
    slack = CLOSE * (source[-1] - source[0]) / max(len(source) - 1, 1)
    line = linear(source, source[0] + np.mod(target - source[0] + slack, FULL_TURN) - slack)
    return Line(position[line.index].astype(np.uint32), line.weight, line.cover)


def packed(index: Positions, part: Doubles, whole: Doubles) -> Line:
    """Parts of a whole as weights, used places first, complete sums exactly 1."""
    part = np.where(part > 0, part, 0.0)
    order = np.argsort(part == 0, axis=0, kind="stable")
    index = np.take_along_axis(index, order, axis=0)
    part = np.take_along_axis(part, order, axis=0)
    width = max(int((part > 0).sum(axis=0).max(initial=1)), 1)
    index, part = index[:width], part[:width]
    total = part.sum(axis=0)
    cover = total / whole
    cover = np.where(cover > 1 - CLOSE, 1.0, cover)
    weight = part * (cover / np.where(total > 0, total, 1.0))
    index = np.where(part > 0, index, index[:1])
    return Line(np.ascontiguousarray(index, np.uint32), np.ascontiguousarray(weight), cover)


def ascending(edges: Doubles) -> tuple[Doubles, Positions]:
    """Borders from low to high, and which cell stands between each two."""
    position = np.arange(len(edges) - 1)
    return (edges, position) if edges[-1] > edges[0] else (edges[::-1], position[::-1])


def rows_linear(latitude: Doubles, edges: Doubles, target: Doubles) -> Line:
    """Linear interpolation between rows, with a row at each pole the cells reach.

    The rows beyond the last ones, made from their nearest row, have the
    indices ``rows`` (first end) and ``rows + 1`` (last end).
    """
    points, position = latitude, np.arange(len(latitude))
    ends = ((0, len(latitude)), (-1, len(latitude) + 1))
    for end, index in ends:
        if abs(edges[end]) == POLE and abs(latitude[end]) < POLE:
            at = 0 if end == 0 else len(points)
            points = np.insert(points, at, edges[end])
            position = np.insert(position, at, index)
    line = linear(points, target)
    return Line(position[line.index].astype(np.uint32), line.weight, line.cover)
