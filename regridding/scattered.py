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
TIE = 1e-12  # of a squared chord: distances closer than this are equal
CURVED, SCATTERED = 0.75, 1.5  # spacings: how far from its point a cell reaches
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
    if source.plane.period is None:
        across = linear(source.x, x[fine])
    else:
        unit = source.unit
        across = turned_linear(source.x * unit, x[fine] * unit, turn=source.turns)
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
    reach = 2 * np.radians(source.spacing) + ROUND_OFF
    away, nearest = search(source, points, reach)
    near = np.flatnonzero(away <= reach)
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
    reach = np.radians(LONGEST * source.spacing)
    first, _ = tree.query(points, distance_upper_bound=reach + ROUND_OFF)
    left = np.flatnonzero(first <= reach)
    near = np.zeros((len(points), count), dtype=np.int64)
    near[left] = tree.query(points[left], k=np.arange(1, count + 1))[1]
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
    """Nearest source point by great circle; -1 outside the cells of the source.

    Only points that may lie inside are looked up, and no farther than a cell reaches: far
    from all points a search tree would have to look at every one of them.
    """
    latitude, longitude = target.points()
    near = np.arange(target.size)
    reach = np.inf
    if isinstance(source, Projected):
        near = np.flatnonzero(inside_plane(source, latitude, longitude))
        if source.is_orthogonal:
            found = np.full(target.size, -1, dtype=np.int64)
            found[near] = neighbour_nearest(source, latitude[near], longitude[near])
            return found
    elif isinstance(source, Curvilinear | Scattered):
        cells = CURVED if isinstance(source, Curvilinear) else SCATTERED
        reach = np.radians(cells * source.spacing)
    found = np.full(target.size, -1, dtype=np.int64)
    away, index = search(source, cartesian(latitude[near], longitude[near]).T, reach)
    inside = away <= reach
    found[near[inside]] = index[inside]
    return found


def neighbour_nearest(source: Projected, latitude: Doubles, longitude: Doubles) -> Positions:
    """Nearest source point among the nine about a point's place in the plane.

    Where rows and columns meet at right angles no other point is nearer. Of points equally
    far away the first in the order of the rows is taken.
    """
    x, y = source.on_plane(latitude, longitude)
    rows, columns = source.shape
    row, column = place_on(source.y, y), place_on(source.x, x)
    points = cartesian(latitude, longitude)
    vectors = cartesian(*source.points())
    best = np.full(len(x), np.inf)
    found = np.zeros(len(x), dtype=np.int64)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            r = np.clip(row + down, 0, rows - 1)
            c = column + right
            c = np.mod(c, columns) if source.turns else np.clip(c, 0, columns - 1)
            index = r * columns + c
            away = np.square(vectors[:, index] - points).sum(axis=0)
            level = np.abs(away - best) <= TIE * np.maximum(away, TIE)
            closer = (away < best) & ~level | level & (index < found)
            found, best = np.where(closer, index, found), np.where(closer, away, best)
    return found


def place_on(axis: Doubles, values: Doubles) -> Positions:
    """Position on a monotonic axis of the coordinate nearest to each value."""
    order = np.arange(len(axis))
    if axis[-1] < axis[0]:
        axis, order = axis[::-1], order[::-1]
    middle = (axis[1:] + axis[:-1]) / 2
    return order[np.searchsorted(middle, values)]


def search(source: Geometry, points: Doubles, reach: float) -> tuple[Doubles, Positions]:
    """Distance to the nearest source point, infinite beyond ``reach``, and its position.

    Args:
        source: Its points are searched.
        points: Unit vectors, ``(n, 3)``.
        reach: Farthest distance looked at, in chords of the unit sphere.
    """
    tree = cKDTree(cartesian(*source.points()).T)
    bound = np.inf if np.isinf(reach) else reach * (1 + CLOSE) + ROUND_OFF
    away, index = tree.query(points, distance_upper_bound=bound, workers=1)
    return np.asarray(away), np.asarray(index, dtype=np.int64)


def inside_plane(source: Projected, latitude: Doubles, longitude: Doubles) -> NDArray[np.bool_]:
    """Which points lie inside the cells of a projected grid."""
    x, y = source.on_plane(latitude, longitude)
    inside = np.isfinite(x) & np.isfinite(y)
    for place, edges in ((x, source.x_edges), (y, source.y_edges)):
        slack = CLOSE * np.ptp(edges)
        inside &= (place >= edges.min() - slack) & (place <= edges.max() + slack)
    return inside
