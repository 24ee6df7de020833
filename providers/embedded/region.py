"""The points of a request: the store's grid, another step, or an area of either."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aurora_prep.sources.spec import Grid

POLE = Fraction(90)
TURN = Fraction(360)


@dataclass(frozen=True, slots=True)
class Region:
    """Points of a regular grid as the store delivers them, west maybe negative.

    Attributes:
        north: Latitude of the first row, degrees.
        west: Longitude of the first column, degrees, as the client asked.
        latitude_step: Degrees between rows, positive.
        longitude_step: Degrees between columns, positive.
        rows: Number of latitudes, north to south.
        columns: Number of longitudes, west to east.
    """

    north: Fraction
    west: Fraction
    latitude_step: Fraction
    longitude_step: Fraction
    rows: int
    columns: int

    @classmethod
    def of(
        cls,
        grid: Grid,
        steps: tuple[Fraction, Fraction] | None = None,
        area: tuple[Fraction, Fraction, Fraction, Fraction] | None = None,
    ) -> Region | None:
        """The points asked for, or ``None`` where there is no point.

        Args:
            grid: The grid of the source.
            steps: Degrees west to east, then north to south; ``None`` for the
                steps of ``grid``.
            area: North, west, south and east in degrees; ``None`` for all of
                ``grid``. Points on the edge belong to it.
        """
        across, down = steps or (grid.longitude_step, grid.latitude_step)
        if area is None:
            area = (grid.north, grid.west, grid.south, grid.west + TURN - across)
            if not grid.is_periodic:
                area = (grid.north, grid.west, grid.south, grid.east)
        north, west, south, east = area
        if east < west:
            east += TURN
        top, bottom = -((north - POLE) // down), (POLE - south) // down
        left, right = -(-west // across), east // across
        rows, columns = bottom - top + 1, min(right - left + 1, TURN // across)
        if rows < 1 or columns < 1:
            return None
        return cls(POLE - top * down, left * across, down, across, rows, columns)

    @property
    def shape(self) -> tuple[int, int]:
        """``(rows, columns)``."""
        return self.rows, self.columns

    @property
    def south(self) -> Fraction:
        """Latitude of the last row."""
        return self.north - (self.rows - 1) * self.latitude_step

    @property
    def east(self) -> Fraction:
        """Longitude of the last column."""
        return self.west + (self.columns - 1) * self.longitude_step

    @property
    def latitude(self) -> NDArray[np.float64]:
        """Degrees north, decreasing, shape ``(rows,)``."""
        return _spaced(self.north, -self.latitude_step, self.rows)

    @property
    def longitude(self) -> NDArray[np.float64]:
        """Degrees east, increasing, shape ``(columns,)``."""
        return _spaced(self.west, self.longitude_step, self.columns)


@lru_cache(maxsize=128)
def _spaced(start: Fraction, step: Fraction, count: int) -> NDArray[np.float64]:
    """Evenly spaced degrees, each rounded once. Shared, hence read-only."""
    degrees = np.array([float(start + i * step) for i in range(count)])
    degrees.flags.writeable = False
    return degrees
