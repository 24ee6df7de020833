"""The coast: where a land-sea mask passes one half, as one path of SVG in degrees."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

HALF = 0.5
PER_DEGREE = 10
"""Coordinates of the path are whole tenths of a degree."""

Point = tuple[int, int]

# Edges of a cell: 0 top, 1 right, 2 bottom, 3 left. Corners of a case: 8 top left,
# 4 top right, 2 bottom right, 1 bottom left. Saddles keep the two lands apart.
CASES: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((3, 2),),
    2: ((2, 1),),
    3: ((3, 1),),
    4: ((0, 1),),
    5: ((0, 1), (3, 2)),
    6: ((0, 2),),
    7: ((3, 0),),
    8: ((3, 0),),
    9: ((0, 2),),
    10: ((3, 0), (2, 1)),
    11: ((0, 1),),
    12: ((3, 1),),
    13: ((2, 1),),
    14: ((3, 2),),
}


def outline(
    mask: NDArray[np.floating], latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> str:
    """The line at which a mask passes one half, by marching squares.

    Args:
        mask: Share of land, shape ``(rows, columns)``; NaN counts as sea.
        latitude: Degrees north, shape ``(rows,)``.
        longitude: Degrees east, shape ``(columns,)``, increasing.

    Returns:
        Path data of SVG in tenths of a degree, x to the east, y to the south; empty
        where the mask does not pass one half.
    """
    x, y = longitude * PER_DEGREE, -latitude * PER_DEGREE
    return "".join(map(_path, _chains(_segments(np.nan_to_num(mask).astype(np.float64), x, y))))


def _segments(
    mask: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> list[tuple[Point, Point]]:
    land = mask >= HALF
    case = 8 * land[:-1, :-1] + 4 * land[:-1, 1:] + 2 * land[1:, 1:] + land[1:, :-1]

    def crossing(row: int, column: int, edge: int) -> Point:
        """Where the mask passes one half on an edge of a cell."""
        rows, columns = (
            ((row, row), (column, column + 1)),
            ((row, row + 1), (column + 1, column + 1)),
            ((row + 1, row + 1), (column, column + 1)),
            ((row, row + 1), (column, column)),
        )[edge]
        before, after = mask[rows[0], columns[0]], mask[rows[1], columns[1]]
        share = (HALF - before) / (after - before)
        along = x[columns[0]] + share * (x[columns[1]] - x[columns[0]])
        down = y[rows[0]] + share * (y[rows[1]] - y[rows[0]])
        return round(float(along)), round(float(down))

    found = []
    for row, column in np.argwhere((case > 0) & (case < 15)).tolist():  # noqa: PLR2004  # all land
        for first, second in CASES[int(case[row, column])]:
            ends = crossing(row, column, first), crossing(row, column, second)
            if ends[0] != ends[1]:
                found.append(ends)
    return found


def _chains(segments: list[tuple[Point, Point]]) -> list[list[Point]]:
    """Segments joined end to end; each is used once."""
    meeting: dict[Point, list[int]] = defaultdict(list)
    for number, ends in enumerate(segments):
        for end in ends:
            meeting[end].append(number)
    used = [False] * len(segments)
    chains = []
    # Open lines start where a single segment ends; what is left are rings.
    starts = [n for n, ends in enumerate(segments) if any(len(meeting[e]) == 1 for e in ends)]
    for start in (*starts, *range(len(segments))):
        if used[start]:
            continue
        used[start] = True
        first, second = segments[start]
        chain = [second, first] if len(meeting[second]) == 1 else [first, second]
        while True:
            onward = next((n for n in meeting[chain[-1]] if not used[n]), None)
            if onward is None:
                break
            used[onward] = True
            first, second = segments[onward]
            chain.append(second if first == chain[-1] else first)
        chains.append(chain)
    return chains


def _path(chain: list[Point]) -> str:
    (x, y), *rest = chain
    parts = [f"M{x} {y}l"]
    for after_x, after_y in rest:
        parts.append(f"{after_x - x} {after_y - y} ")
        x, y = after_x, after_y
    return "".join(parts).rstrip().replace(" -", "-")
