"""Gaussian grids: the points of ECMWF's own fields, and the analytic truth on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aurora_prep.providers.embedded.atmosphere import truth
from aurora_prep.providers.embedded.region import Region
from aurora_prep.sources.spec import Variable

Array = NDArray[np.float64]

NAME = re.compile(r"([OF])([1-9]\d{0,3})")
QUARTERS = 4
FIRST_ROW, GROWTH = 20, 4  # points next to the pole of an octahedral grid, and more by row
NEWTON_STEPS = 10
LEAST_LINES = 2


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Points of a Gaussian grid, row by row from north to south, from Greenwich eastwards.

    Attributes:
        lines: Rows between a pole and the equator: 1280 in O1280.
        is_octahedral: Whether rows grow by four points from the poles to the
            equator; otherwise all have as many.
    """

    lines: int
    is_octahedral: bool

    @classmethod
    def named(cls, name: str) -> Gaussian | None:
        """The grid that ECMWF calls ``O1280`` or ``F1280``; ``None`` for other names."""
        match = NAME.fullmatch(name)
        if match is None or int(match[2]) < LEAST_LINES:
            return None
        return cls(int(match[2]), match[1] == "O")

    @property
    def counts(self) -> NDArray[np.int64]:
        """Points in each row, shape ``(2 lines,)``."""
        if not self.is_octahedral:
            return np.full(2 * self.lines, QUARTERS * self.lines, np.int64)
        north = FIRST_ROW + GROWTH * np.arange(self.lines)
        return np.concatenate([north, north[::-1]])

    @property
    def size(self) -> int:
        """Number of points."""
        return int(self.counts.sum())

    @property
    def latitude(self) -> Array:
        """Degrees north of each row, decreasing, shape ``(2 lines,)``."""
        return gaussian_latitude(self.lines)


@lru_cache(maxsize=8)
def gaussian_latitude(lines: int) -> Array:
    """The zeros of the Legendre polynomial of degree ``2 lines`` as latitudes; read-only.

    Source: Newton's method on the three-term recurrence, from the asymptotic
    zeros of Abramowitz and Stegun, 22.16.6.
    """
    degree = 2 * lines
    x = np.cos(np.pi * (np.arange(1, lines + 1) - 0.25) / (degree + 0.5))
    for _ in range(NEWTON_STEPS):
        before, here = np.ones(lines), x.copy()
        for n in range(2, degree + 1):
            before, here = here, ((2 * n - 1) * x * here - (n - 1) * before) / n
        change = here * (x * x - 1.0) / (degree * (x * here - before))
        x -= change
        if np.abs(change).max() < np.finfo(float).eps:
            break
    north = np.degrees(np.arcsin(x))
    latitude = np.concatenate([north, -north[::-1]])
    latitude.flags.writeable = False
    return latitude


def truth_at(
    points: Region | Gaussian,
    variable: Variable,
    level: int | None,
    valid_time: datetime,
    out: Array | None = None,
) -> Array:
    """The value of a variable at every point of a grid, in the order of the grid.

    Args:
        points: The grid.
        variable: As for ``truth``; so ``level`` and ``valid_time``.
        level: hPa, or ``None``.
        valid_time: UTC, naive.
        out: Filled and returned, if given; shape ``(points,)``.

    Returns:
        Values, shape ``(points,)``.
    """
    if isinstance(points, Gaussian):
        rows, longest = points.latitude, int(points.counts.max())
        values = np.empty(points.size) if out is None else out
        if points.is_octahedral:
            _by_pairs_of_rows(points, variable, level, valid_time, values)
            return values
        longitude = _circle(longest)
    else:
        rows, longitude = points.latitude, points.longitude
        values = np.empty(rows.size * longitude.size) if out is None else out
    truth(variable, level, valid_time, rows, longitude, values.reshape(rows.size, longitude.size))
    return values


def _circle(count: int) -> Array:
    """Longitudes of evenly spaced points, from Greenwich."""
    return np.arange(count, dtype=np.float64) * np.float64(360.0 / count)


def _by_pairs_of_rows(
    points: Gaussian, variable: Variable, level: int | None, valid_time: datetime, values: Array
) -> None:
    """Fill rows of unequal length: a row and its mirror in the south have the same longitudes."""
    latitude, counts = points.latitude, points.counts
    ends = np.cumsum(counts)
    last = counts.size - 1
    for row in range(points.lines):
        count = int(counts[row])
        both = truth(
            variable,
            level,
            valid_time,
            latitude[[row, last - row]],
            _circle(count),
        )
        values[ends[row] - count : ends[row]] = both[0]
        values[ends[last - row] - count : ends[last - row]] = both[1]
