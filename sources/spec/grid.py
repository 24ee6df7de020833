"""Regular latitude-longitude grids, counted by arithmetic on fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.sources.spec.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FINEST_STEP = Fraction(1, 240)  # beyond any weather model; a field has 3.7e9 points
FULL_TURN = Fraction(360)
POLE = Fraction(90)


@dataclass(frozen=True, slots=True)
class Grid:
    """Points of a regular latitude-longitude grid, global or regional.

    Rows run from north to south, columns from west to east. Nothing is
    accumulated: every coordinate is ``north - row * step`` or
    ``west + column * step`` on fractions, rounded once to float64.

    Attributes:
        latitude_step: Degrees between rows, positive.
        longitude_step: Degrees between columns, positive.
        north: Latitude of the first row, degrees.
        west: Longitude of the first column, degrees, ``0 <= west < 360``.
        rows: Number of latitudes.
        columns: Number of longitudes.
    """

    latitude_step: Fraction
    longitude_step: Fraction
    north: Fraction
    west: Fraction
    rows: int
    columns: int

    def __post_init__(self) -> None:
        where = f"Grid {self.rows} x {self.columns}"
        if self.latitude_step <= 0 or self.longitude_step <= 0:
            raise SpecError(
                "grid steps must be positive",
                where,
                f"{self.latitude_step} x {self.longitude_step} degrees",
                "give steps in degrees, north to south and west to east",
            )
        if self.rows < 1 or self.columns < 1:
            raise SpecError("grid has no points", where, where, "give at least one row and column")
        if self.north > POLE or self.south < -POLE:
            raise SpecError(
                "grid reaches beyond a pole",
                where,
                f"latitudes {float(self.north)} to {float(self.south)}",
                "keep latitudes within -90 and 90 degrees",
            )
        if not 0 <= self.west < FULL_TURN:
            raise SpecError(
                "west is not a longitude of 0 to below 360 degrees",
                where,
                f"{float(self.west)}",
                "take longitudes modulo 360",
            )
        if self.columns * self.longitude_step > FULL_TURN:
            raise SpecError(
                "grid goes round the globe more than once",
                where,
                f"{self.columns} columns of {float(self.longitude_step)} degrees",
                "drop the repeated columns",
            )

    @classmethod
    def regular(cls, step: str) -> Grid:
        """Global grid with both poles, named by its step in degrees.

        Args:
            step: A number as text, such as ``"0.25"``, ``"0.250"`` or ``"1/4"``; it must
                divide 180 and 360.

        Raises:
            SpecError: The text is not a number, or does not divide the globe.
        """
        degrees = _degrees(step)
        if degrees < FINEST_STEP or (2 * POLE / degrees).denominator != 1:
            raise SpecError(
                "not the step of a global regular grid",
                "Grid.regular",
                repr(step),
                'use a step that divides 180 degrees, for example "0.25"',
            )
        rows, columns = int(2 * POLE / degrees) + 1, int(FULL_TURN / degrees)
        return cls(degrees, degrees, POLE, Fraction(0), rows, columns)

    @property
    def shape(self) -> tuple[int, int]:
        """``(rows, columns)``: latitude first."""
        return self.rows, self.columns

    @property
    def south(self) -> Fraction:
        """Latitude of the last row."""
        return self.north - (self.rows - 1) * self.latitude_step

    @property
    def east(self) -> Fraction:
        """Longitude of the last column, not wrapped."""
        return self.west + (self.columns - 1) * self.longitude_step

    @property
    def is_periodic(self) -> bool:
        """Whether the columns close the circle."""
        return self.columns * self.longitude_step == FULL_TURN

    @property
    def is_global(self) -> bool:
        """Whether the grid holds both poles and the whole circle from 0 degrees."""
        whole = self.north == POLE and self.south == -POLE
        return whole and self.is_periodic and self.west == 0

    @property
    def name(self) -> str:
        """``0.25`` for a global grid; steps, corner and shape for a regional one."""
        if self.is_global and self.latitude_step == self.longitude_step:
            return _decimal(self.latitude_step)
        steps = f"{_decimal(self.latitude_step)}x{_decimal(self.longitude_step)}"
        corner = f"n{_decimal(self.north)}-w{_decimal(self.west)}"
        return f"{steps}-{corner}-{self.rows}x{self.columns}"

    @property
    def latitude(self) -> NDArray[np.float64]:
        """Latitudes in degrees north, shape ``(rows,)``, decreasing; read only."""
        return _coordinates(self.north, -self.latitude_step, self.rows)

    @property
    def longitude(self) -> NDArray[np.float64]:
        """Longitudes in degrees east, shape ``(columns,)``, increasing from ``west``; read only.

        Those of a regional grid that crosses the meridian run on beyond 360.
        """
        return _coordinates(self.west, self.longitude_step, self.columns)


@lru_cache(maxsize=64)
def _coordinates(first: Fraction, step: Fraction, count: int) -> NDArray[np.float64]:
    """Every coordinate as a fraction, rounded once."""
    values = np.array([float(first + i * step) for i in range(count)])
    values.flags.writeable = False
    return values


def grid_name(text: str) -> str:
    """The name of a grid that a user may spell in another way.

    Args:
        text: The name of a grid, or a number of degrees: ``"0.250"`` and ``"1/4"`` both mean
            the grid named ``"0.25"``.
    """
    degrees = _degrees(text)
    return _decimal(degrees) if degrees > 0 else text


def _degrees(text: str) -> Fraction:
    """A number of degrees exactly as it is written; 0 for what is none."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return Fraction(0)


def _decimal(value: Fraction) -> str:
    """Shortest decimal text of a fraction; four digits for fractions without a finite one."""
    return f"{float(value):.4f}".rstrip("0").rstrip(".")
