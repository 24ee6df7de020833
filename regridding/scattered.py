"""Weights from points without rows: bilinear in a plane, in cells, in triangles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.spatial import ConvexHull, cKDTree

from aurora_prep.regridding.geometry import CLOSE, Geometry, Rectilinear
from aurora_prep.regridding.operators import Sparse
from aurora_prep.regridding.plane_grids import Curvilinear, Projected, Scattered
from aurora_prep.regridding.planes import cartesian
from aurora_prep.regridding.weights import linear, turned_linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aurora_prep.regridding.arrays import Doubles, Pair, Positions

    Triplets = tuple[Positions, Positions, Doubles]

NEWTON_STEPS = 12
ROUND_OFF = 1e-9
CANDIDATES = 24  # triangles whose centre is near, tried for each target point
LONGEST = 8.0  # times the spacing: a longer edge bridges a gap in the points


def bilinear(source: Geometry, target: Rectilinear) -> Sparse:
    """Linear interpolation on whatever structure the source has; nothing outside its hull."""
    if isinstance(source, Projected):
        return sparse(in_plane(source, target), source.size, target)
    if isinstance(source, Curvilinear):
        return sparse(in_cells(source, target), source.size, target)
    return sparse(in_triangles(source, target), source.size, target)


def sparse(triplets: Triplets, sources: int, target: Rectilinear) -> Sparse:
    """Weights given as (target, source, weight), in any order, as an operator.

    Sums over complete targets become exactly 1.
    """
    where, index, weight = triplets
    matrix = coo_array((weight, (where, index)), shape=(target.size, sources)).tocsr()
    matrix.eliminate_zeros()
    total = matrix.sum(axis=1)
    scale = np.where(total > 1 - CLOSE, 1 / np.where(total > 0, total, 1), 1.0)
    counts = np.diff(matrix.indptr)
    return Sparse(
        rows=target.shape[0],
        columns=target.shape[1],
        begin=matrix.indptr.astype(np.int64),
        index=matrix.indices.astype(np.uint32),
        weight=matrix.data * np.repeat(scale, counts),
    )


def in_plane(source: Projected, target: Rectilinear) -> Triplets:
    """Bilinear between the axes of a projected grid, in its own plane."""
    x, y = source.plane.to_plane(*target.points())
    fine = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    across = (
        turned_linear(source.x, x[fine], turn=True)
        if source.turns
        else turned_linear(source.x, x[fine], turn=False)
        if source.is_rotated
        else linear(source.x, x[fine])
    )
    up = linear(source.y, y[fine])
    columns = source.shape[1]
    places = [(a, b) for a in range(len(up.index)) for b in range(len(across.index))]
    index = [up.index[a].astype(np.int64) * columns + across.index[b] for a, b in places]
    weight = [up.weight[a] * across.weight[b] for a, b in places]
    return np.tile(fine, len(places)), np.concatenate(index), np.concatenate(weight)


def in_cells(source: Curvilinear, target: Rectilinear) -> Triplets:
    """Bilinear in the quadrilateral of four neighbours that holds the point.

    Source:
        The quadrilateral is seen in the tangent plane of the target point
        (gnomonic: great circles are straight), and the two coordinates of the
        bilinear form are found by Newton's method.
    """
    rows, columns = source.shape
    vectors = cartesian(*source.points()).T
    points = cartesian(*target.points()).T
    away, nearest = cKDTree(vectors).query(points, workers=1)
    near = np.flatnonzero(away <= 2 * np.radians(source.spacing) + ROUND_OFF)
    row, column = np.divmod(nearest[near], columns)
    found = np.zeros(len(near), dtype=bool)
    index, weight = np.zeros((4, len(near)), dtype=np.int64), np.zeros((4, len(near)))
    for down in (-1, 0):
        for left in (-1, 0):
            r, c = row + down, column + left
            inside = (r >= 0) & (r < rows - 1) & ~found
            inside &= np.ones_like(inside) if source.turns else (c >= 0) & (c < columns - 1)
            take = np.flatnonzero(inside)
            first = np.mod(c[take], columns)
            second = np.mod(c[take] + 1, columns)
            above, below = r[take] * columns, (r[take] + 1) * columns
            corners = np.stack([above + first, above + second, below + second, below + first])
            s, t = inverse_bilinear(vectors[corners], points[near[take]])
            good = (
                (s >= -ROUND_OFF) & (s <= 1 + ROUND_OFF) & (t >= -ROUND_OFF) & (t <= 1 + ROUND_OFF)
            )
            s, t = np.clip(s[good], 0, 1), np.clip(t[good], 0, 1)
            hit = take[good]
            found[hit] = True
            index[:, hit] = corners[:, good]
            weight[:, hit] = np.stack([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t])
    kept = near[found]
    return np.tile(kept, 4), index[:, found].ravel(), weight[:, found].ravel()


def inverse_bilinear(corners: Doubles, points: Doubles) -> Pair:
    """Coordinates of points in their quadrilaterals, NaN where there are none.

    Args:
        corners: Unit vectors of the corners in turn, ``(4, n, 3)``.
        points: Unit vectors of the points, ``(n, 3)``.
    """
    pole = np.where(np.abs(points[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])  # noqa: PLR2004
    east = np.cross(pole, points)
    east /= np.linalg.norm(east, axis=1, keepdims=True)
    north = np.cross(points, east)
    ahead = (corners * points).sum(axis=2)
    x, y = (corners * east).sum(axis=2) / ahead, (corners * north).sum(axis=2) / ahead
    s, t = np.full(len(points), 0.5), np.full(len(points), 0.5)
    with np.errstate(all="ignore"):
        for _ in range(NEWTON_STEPS):
            fx, fy = (form(side, s, t) for side in (x, y))
            (xs, xt), (ys, yt) = (slopes(side, s, t) for side in (x, y))
            area = xs * yt - xt * ys
            s, t = s - (fx * yt - fy * xt) / area, t - (fy * xs - fx * ys) / area
        far = np.hypot(*(form(side, s, t) for side in (x, y))) > ROUND_OFF
    far |= np.any(ahead <= 0, axis=0)
    return np.where(far, np.nan, s), np.where(far, np.nan, t)


def form(side: Doubles, s: Doubles, t: Doubles) -> Doubles:
    """The bilinear form over corners ``(4, n)`` at ``(s, t)``."""
    a, b, c, d = side
    return np.asarray((1 - t) * ((1 - s) * a + s * b) + t * ((1 - s) * d + s * c))


def slopes(side: Doubles, s: Doubles, t: Doubles) -> Pair:
    """Derivatives of ``form`` in ``s`` and ``t``."""
    a, b, c, d = side
    return (1 - t) * (b - a) + t * (c - d), (1 - s) * (d - a) + s * (c - b)


def in_triangles(source: Geometry, target: Rectilinear) -> Triplets:
    """Linear in the triangle of the spherical Delaunay triangulation that holds the point.

    Triangles on the far side of a regional set of points, and those with an
    edge much longer than the spacing, bridge places without points and are left out.

    Source:
        The convex hull of points on a sphere is their Delaunay triangulation.
    """
    vectors = cartesian(*source.points()).T
    hull = ConvexHull(vectors)
    faces, planes = hull.simplices.astype(np.int64), hull.equations
    edges = np.stack([vectors[faces[:, k]] - vectors[faces[:, k - 1]] for k in range(3)])
    longest = np.linalg.norm(edges, axis=2).max(axis=0)
    faces = faces[(planes[:, 3] < 0) & (longest <= LONGEST * np.radians(source.spacing))]
    centres = vectors[faces].mean(axis=1)
    tree = cKDTree(centres / np.linalg.norm(centres, axis=1, keepdims=True))
    points = cartesian(*target.points()).T
    count = min(CANDIDATES, len(faces))
    away, near = tree.query(points, k=np.arange(1, count + 1))
    left = np.flatnonzero(away[:, 0] <= np.radians(LONGEST * source.spacing))
    index, weight = np.zeros((len(points), 3), dtype=np.int64), np.zeros((len(points), 3))
    for k in range(count):
        corners = faces[near[left, k]]
        share = barycentric(vectors[corners], points[left])
        hit = share.min(axis=1) >= -ROUND_OFF
        index[left[hit]] = corners[hit]
        weight[left[hit]] = np.clip(share[hit], 0, None)
        left = left[~hit]
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), ROUND_OFF)
    return np.repeat(np.arange(len(points)), 3), index.ravel(), weight.ravel()


def barycentric(corners: Doubles, points: Doubles) -> Doubles:
    """Shares of triangle corners ``(n, 3, 3)`` that make points ``(n, 3)``; they sum to 1."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    share = np.stack(
        [
            (np.cross(b, c) * points).sum(axis=1),
            (np.cross(c, a) * points).sum(axis=1),
            (np.cross(a, b) * points).sum(axis=1),
        ],
        axis=1,
    )
    share *= np.sign((np.cross(a, b) * c).sum(axis=1))[:, None]
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def nearest_scattered(source: Geometry, target: Rectilinear) -> Positions:
    """Nearest source point by great circle; -1 outside the cells of the source."""
    vectors = cartesian(*source.points()).T
    points = cartesian(*target.points()).T
    away, index = cKDTree(vectors).query(points)
    return np.where(covers(source, target, away), index, -1).astype(np.int64)


def covers(source: Geometry, target: Rectilinear, away: Doubles) -> NDArray[np.bool_]:
    """Which target points lie inside the source's cells."""
    if isinstance(source, Projected):
        x, y = source.plane.to_plane(*target.points())
        if source.is_rotated:
            west = source.x_edges.min()
            x = west + np.mod(x - west, 360.0)
        inside = np.isfinite(x) & np.isfinite(y)
        for place, edges in ((x, source.x_edges), (y, source.y_edges)):
            slack = CLOSE * np.ptp(edges)
            inside &= (place >= edges.min() - slack) & (place <= edges.max() + slack)
        return inside
    reach = 0.75 if isinstance(source, Curvilinear) else 1.5
    return (
        away <= np.radians(reach * source.spacing)
        if isinstance(source, Scattered | Curvilinear)
        else away >= 0
    )
