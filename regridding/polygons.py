"""Conservative weights from cells of any shape: exact clipping in the equal-area plane.

Longitude by sine of latitude maps the sphere to a plane in which areas are
areas and target cells are rectangles. A source cell is a polygon there, its
great-circle edges followed in short steps; cut along the borders of the
target, its pieces add up to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding.compiled import compiled

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Doubles, Positions
    from aurora_prep.regridding.geometry import Rectilinear


STEP = np.radians(1.0)  # of longitude: edges are followed in steps no longer
MOST = 64  # steps of an edge
HALF, TURN = np.pi, 2 * np.pi
POLAR = 1 - 1e-14  # sines above this are the pole


@compiled
def trace(latitude: Doubles, longitude: Doubles, x: Doubles, y: Doubles) -> int:
    """Corners of a cell as a polygon in the plane, longitudes unwrapped.

    A cell that holds a pole, or has a corner there, is closed along it.

    Args:
        latitude: Corners in turn, radians; repeated corners are skipped.
        longitude: Likewise.
        x: Longitudes of the polygon, filled.
        y: Sines of latitude of the polygon, filled.

    Returns:
        Number of points of the polygon.
    """
    corners, count = len(latitude), 0
    last = 0.0
    started = False
    polar, opening = 0.0, 0.0
    for k in range(corners):
        nxt = (k + 1) % corners
        lat_a, lon_a, lat_b, lon_b = latitude[k], longitude[k], latitude[nxt], longitude[nxt]
        ax, ay, az = np.cos(lat_a) * np.cos(lon_a), np.cos(lat_a) * np.sin(lon_a), np.sin(lat_a)
        bx, by, bz = np.cos(lat_b) * np.cos(lon_b), np.cos(lat_b) * np.sin(lon_b), np.sin(lat_b)
        if abs(ax - bx) + abs(ay - by) + abs(az - bz) < 1e-14:  # noqa: PLR2004
            continue
        change = abs((lon_b - lon_a + HALF) % TURN - HALF)
        steps = min(max(int(np.ceil(change / STEP)), 2), MOST)
        for step in range(steps):
            part = step / steps
            vx, vy, vz = ax + part * (bx - ax), ay + part * (by - ay), az + part * (bz - az)
            height = vz / np.sqrt(vx * vx + vy * vy + vz * vz)
            if abs(height) >= POLAR:
                polar = 1.0 if height > 0 else -1.0
                continue
            here = np.arctan2(vy, vx)
            if started:
                here = last + (here - last + HALF) % TURN - HALF
                if polar != 0:
                    x[count], y[count] = last, polar
                    x[count + 1], y[count + 1] = here, polar
                    count += 2
            else:
                opening = polar
            x[count], y[count] = here, height
            count += 1
            last, started, polar = here, True, 0.0
    if count == 0:
        return 0
    closing = last + (x[0] - last + HALF) % TURN - HALF
    polar = opening if polar == 0 else polar
    if polar != 0:
        x[count], y[count] = last, polar
        x[count + 1], y[count + 1] = closing, polar
        count += 2
    if abs(closing - x[0]) > HALF:
        pole = 1.0 if y[0] > 0 else -1.0
        x[count], y[count] = closing, y[0]
        x[count + 1], y[count + 1] = closing, pole
        x[count + 2], y[count + 2] = x[0], pole
        count += 3
    return count


@compiled
def cut(
    x: Doubles, y: Doubles, count: int, level: float, keep: float, to_x: Doubles, to_y: Doubles
) -> int:
    """The part of a polygon where ``keep * (x - level) >= 0``.

    Source:
        Sutherland and Hodgman (1974); one border of a rectangle at a time.
    """
    made = 0
    for k in range(count):
        j = k - 1 if k > 0 else count - 1
        before, here = keep * (x[j] - level), keep * (x[k] - level)
        if (before >= 0) != (here >= 0):
            part = before / (before - here)
            to_x[made], to_y[made] = level, y[j] + part * (y[k] - y[j])
            made += 1
        if here >= 0:
            to_x[made], to_y[made] = x[k], y[k]
            made += 1
    return made


@compiled
def area(x: Doubles, y: Doubles, count: int) -> float:
    """Signed area of a polygon."""
    total = 0.0
    for k in range(1, count - 1):
        total += (x[k] - x[0]) * (y[k + 1] - y[0]) - (x[k + 1] - x[0]) * (y[k] - y[0])
    return total / 2


@compiled
def overlap_cells(  # noqa: C901  # one loop nest over shared scratch
    latitude: Doubles,
    longitude: Doubles,
    columns: Doubles,
    rows: Doubles,
    where: Positions,
    index: Positions,
    weight: Doubles,
    begin: int,
) -> tuple[int, int]:
    """Areas that source cells share with target cells.

    Args:
        latitude: Corners of the cells, radians, ``(cells, corners)``.
        longitude: Likewise.
        columns: Borders of target columns, radians, ascending, ``(m + 1,)``.
        rows: Sines of borders of target rows, ascending, ``(n + 1,)``.
        where: Target cells found, row by ascending row, filled.
        index: Source cells, filled.
        weight: Shared area over the target's area, filled.
        begin: Source cell to start with.

    Returns:
        How many were found, and the source cell to go on with: the arrays
        may be full before all are done.
    """
    size = latitude.shape[1] * MOST + 8
    px, py = np.empty(4 * size), np.empty(4 * size)
    ax, ay, bx, by = (
        np.empty(4 * size),
        np.empty(4 * size),
        np.empty(4 * size),
        np.empty(4 * size),
    )
    targets = len(columns) - 1
    found = 0
    for cell in range(begin, latitude.shape[0]):
        count = trace(latitude[cell], longitude[cell], px, py)
        if count < 3:  # noqa: PLR2004  # no area
            continue
        low, high = py[:count].min(), py[:count].max()
        first = max(np.searchsorted(rows, low, side="right") - 1, 0)
        room = len(weight) - found
        started = found
        for row in range(first, len(rows) - 1):
            if rows[row] >= high:
                break
            band = cut(py, px, count, rows[row], 1.0, by, bx)
            band = cut(by, bx, band, rows[row + 1], -1.0, ay, ax)
            if band < 3:  # noqa: PLR2004
                continue
            west, east = ax[:band].min(), ax[:band].max()
            turn = np.ceil((west - columns[-1]) / TURN)
            while columns[0] + turn * TURN < east:
                shift = turn * TURN
                start = max(np.searchsorted(columns, west - shift, side="right") - 1, 0)
                for column in range(start, targets):
                    if columns[column] + shift >= east:
                        break
                    piece = cut(ax, ay, band, columns[column] + shift, 1.0, bx, by)
                    piece = cut(
                        bx, by, piece, columns[column + 1] + shift, -1.0, px[size:], py[size:]
                    )
                    share = abs(area(px[size:], py[size:], piece))
                    if share > 0:
                        if found - started >= room:
                            return started, cell
                        whole = (columns[column + 1] - columns[column]) * (
                            rows[row + 1] - rows[row]
                        )
                        where[found] = row * targets + column
                        index[found] = cell
                        weight[found] = share / whole
                        found += 1
                turn += 1
    return found, latitude.shape[0]


def cell_overlaps(
    corners: tuple[Doubles, Doubles], target: Rectilinear
) -> tuple[Positions, Positions, Doubles]:
    """Conservative weights as (target, source, weight) from corners in degrees.

    Args:
        corners: Latitudes and longitudes of the corners of every cell in turn,
            each ``(cells, corners)``.
        target: Target grid.
    """
    latitude, longitude = (np.radians(side) for side in corners)
    edges, columns = np.sin(np.radians(target.latitude_edges)), np.radians(target.longitude_edges)
    down = bool(edges[0] > edges[-1])
    rows = np.ascontiguousarray(edges[::-1] if down else edges)
    room = max(16 * target.shape[1], 4 * len(latitude))
    parts: list[tuple[Positions, Positions, Doubles]] = []
    begin = 0
    while begin < len(latitude):
        where, index = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
        weight = np.empty(room)
        found, begin = overlap_cells(
            latitude, longitude, columns, rows, where, index, weight, begin
        )
        parts.append((where[:found], index[:found], weight[:found]))
    where, index, weight = (np.concatenate(side) for side in zip(*parts, strict=True))
    if down:
        row, column = np.divmod(where, target.shape[1])
        where = (target.shape[0] - 1 - row) * target.shape[1] + column
    return where, index, weight
