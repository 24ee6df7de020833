"""From two grids and a method to an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding.geometry import CLOSE, FULL_TURN, Geometry, Rectilinear, Reduced
from aurora_prep.regridding.nearest import nearest_index
from aurora_prep.regridding.operators import Nearest, Operator, Reorder
from aurora_prep.regridding.plane_grids import Projected
from aurora_prep.regridding.polygons import cell_overlaps
from aurora_prep.regridding.rows import Rows
from aurora_prep.regridding.weights import (
    Line,
    linear,
    overlaps,
    rows_linear,
    sines,
    turned_linear,
    turned_overlaps,
)
from aurora_prep.sources.spec import RegridError

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Doubles, Pair, Places, Positions


def build(source: Geometry, target: Rectilinear, method: str) -> Operator:
    """Weights of ``method`` from ``source`` to ``target``.

    Raises:
        RegridError: The method does not exist for this kind of source.
    """
    if isinstance(source, Rectilinear) and (index := same_points(source, target)) is not None:
        return Reorder(rows=target.shape[0], columns=target.shape[1], index=index)
    if method == "nearest":
        return Nearest(
            rows=target.shape[0],
            columns=target.shape[1],
            index=nearest_index(source, target),
        )
    if isinstance(source, Rectilinear | Reduced):
        return rows_operator(source, target, conservative=method != "bilinear")
    from aurora_prep.regridding.scattered import bilinear, sparse  # noqa: PLC0415  # SciPy

    if method == "bilinear":
        return bilinear(source, target)
    return sparse(cell_overlaps(cells_of(source), target), source.size, target)


def cells_of(source: Geometry) -> Pair:
    """Corners of every cell.

    Raises:
        RegridError: They are not known.
    """
    corners = source.cells() if isinstance(source, Projected) else getattr(source, "corners", None)
    if corners is None:
        raise RegridError(
            "conservative weights need the corners of the source cells",
            source.name,
            "no corners",
            "give the geometry its corners, or use bilinear",
        )
    return corners


def rows_operator(
    source: Rectilinear | Reduced, target: Rectilinear, *, conservative: bool
) -> Rows:
    """Separable weights, conservative or bilinear, from a grid that has rows."""
    if conservative:
        between = overlaps(source.latitude_edges, target.latitude_edges, sines)
    else:
        between = rows_linear(source.latitude, source.latitude_edges, target.latitude)
    kinds, pattern, offsets, ends = row_patterns(source)
    lines = [
        turned_overlaps(edges, target.longitude_edges)
        if conservative
        else turned_linear(points, target.longitude, is_turn(edges))
        for points, edges in kinds
    ]
    filled = [filled_places(line.index, line.weight) for line in lines]
    sizes = [index.size for index, _ in filled]
    row_index, row_weight = filled_places(between.index, between.weight)
    return Rows(
        rows=target.shape[0],
        columns=target.shape[1],
        offsets=offsets,
        pattern=pattern,
        pattern_start=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64),
        pattern_width=np.array([index.shape[0] for index, _ in filled], dtype=np.int64),
        pattern_whole=np.array([bool(np.all(line.cover == 1)) for line in lines]),
        index=np.concatenate([index.ravel() for index, _ in filled]),
        weight=np.concatenate([weight.ravel() for _, weight in filled]),
        row_index=np.ascontiguousarray(row_index.T),
        row_weight=np.ascontiguousarray(row_weight.T),
        ends=ends,
        longitude=target.longitude,
    )


def row_patterns(
    source: Rectilinear | Reduced,
) -> tuple[
    list[Pair],
    Positions,
    Positions,
    Doubles,
]:
    """Distinct rows (points and cell borders), which one each row is, offsets, end rows."""
    if isinstance(source, Rectilinear):
        rows, columns = source.shape
        kinds = [(source.longitude, source.longitude_edges)]
        offsets = columns * np.arange(rows + 1, dtype=np.int64)
        ends = np.tile(source.longitude, 2)
        return kinds, np.zeros(rows, dtype=np.int64), offsets, ends
    keys = np.stack([source.counts, source.first, source.step], axis=1)
    filled = source.counts > 0
    _, first, pattern = np.unique(keys[filled], axis=0, return_index=True, return_inverse=True)
    rows_filled = np.flatnonzero(filled)
    which = np.full(len(filled), -1, dtype=np.int64)
    which[filled] = pattern.ravel()
    kinds = [source.row(int(rows_filled[row])) for row in first]
    ends = np.concatenate([source.row(0)[0], source.row(len(filled) - 1)[0]])
    return kinds, which, source.offsets, ends


def filled_places(index: Places, weight: Doubles) -> tuple[Places, Doubles]:
    """Pad to 2, 4 or a multiple of 4 places with the first index at weight zero."""
    width = len(index)
    wanted = 2 if width <= 2 else -(-width // 4) * 4  # noqa: PLR2004  # what the kernels take
    more = np.broadcast_to(index[:1], (wanted - width, index.shape[1]))
    index = np.concatenate([index, more]) if wanted > width else index
    weight = np.concatenate([weight, np.zeros((wanted - width, weight.shape[1]))])
    return index.astype(np.uint32), weight


def is_turn(edges: Doubles) -> bool:
    """Whether cell borders close the circle."""
    return abs(abs(float(edges[-1] - edges[0])) - FULL_TURN) < CLOSE


def same_points(source: Rectilinear, target: Rectilinear) -> Positions | None:
    """Source position of every target point when both grids are the same points."""
    if source.shape != target.shape:
        return None
    rows = matched(linear(source.latitude, target.latitude), source.shape[0])
    columns = matched(
        turned_linear(source.longitude, target.longitude, source.periodic), source.shape[1]
    )
    if rows is None or columns is None:
        return None
    return (rows[:, None] * source.shape[1] + columns).ravel()


def matched(line: Line, count: int) -> Positions | None:
    """The permutation a line of single whole weights is, or ``None``."""
    if not np.all(line.weight[0] == 1):
        return None
    index = line.index[0].astype(np.int64)
    return index if len(np.unique(index)) == count else None
