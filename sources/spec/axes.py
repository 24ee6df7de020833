"""From the axes of a file to an exact grid, and the way to turn a field onto it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.sources.spec.errors import HarmoniseError
from aurora_prep.sources.spec.grid import FULL_TURN, POLE, Grid

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# GRIB1 rounds corners to a thousandth of a degree, float32 axes to 3e-5.
TOLERANCE = 6e-4
FLOAT32_TOLERANCE = 5e-5
HALF_TURN = 180.0
LARGEST_DENOMINATOR = 4800
# Largest denominators to try for a step, and how far both ends together may be off.
DENOMINATORS = (
    (120, 2 * FLOAT32_TOLERANCE),
    (LARGEST_DENOMINATOR, 2 * TOLERANCE),
    (10**7, 0.0),
)
SMALLEST_AXIS = 2


@dataclass(frozen=True, slots=True)
class Orientation:
    """How the rows and columns of a file become those of a grid.

    Attributes:
        grid: The exact grid, north to south and west to east from ``west``.
        flip: Whether the file's rows run from south to north.
        mirror: Whether the file's columns run from east to west.
        roll: Columns to move from the end to the front.
        columns: Columns of the file that are used.
        repeated: Whether the file repeats its first column at its end, which is not used.
    """

    grid: Grid
    flip: bool
    mirror: bool
    roll: int
    columns: int
    repeated: bool = False

    @property
    def is_identity(self) -> bool:
        """Whether a field already lies as the grid does."""
        return not (self.flip or self.mirror or self.roll or self.repeated)

    def apply(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn ``(..., rows, columns)`` of the file into those of the grid; values are kept."""
        if self.flip:
            field = field[..., ::-1, :]
        if self.mirror:
            field = field[..., ::-1]
        field = field[..., : self.columns]
        return np.roll(field, self.roll, axis=-1) if self.roll else field


def orient(latitude: ArrayLike, longitude: ArrayLike, where: str) -> Orientation:
    """Recognise an evenly spaced grid from its axes.

    Every coordinate must lie within rounding of the exact grid, so that axes
    in float32, or corners rounded to a thousandth of a degree, all give the
    same grid.

    Args:
        latitude: Degrees north, shape ``(rows,)``, in either direction.
        longitude: Degrees east, shape ``(columns,)``, in either direction,
            in any range, with or without a repeated meridian.
        where: The place to name in errors.

    Raises:
        HarmoniseError: The axes are not evenly spaced, or not on the globe.
    """
    lat, lon = np.asarray(latitude, np.float64), np.asarray(longitude, np.float64)
    flip, mirror = bool(lat.size > 1 and lat[-1] > lat[0]), False
    if flip:
        lat = lat[::-1]
    lon = lon % 360.0
    turns = np.diff(lon) % 360.0
    if np.count_nonzero(turns > HALF_TURN) * 2 > turns.size:
        mirror, lon = True, lon[::-1]
    lon = np.concatenate([lon[:1], lon[0] + np.cumsum(np.diff(lon) % 360.0)])
    columns = lon.size
    repeated = bool(columns > 1 and abs(lon[-1] - lon[0] - 360.0) < TOLERANCE)
    if repeated:
        columns -= 1
        lon = lon[:-1]
    north, latitude_step = _axis(-lat, f"{where}, latitude")
    west, longitude_step = _axis(lon, f"{where}, longitude")
    _check_extent(-north, lat.size, latitude_step, columns * longitude_step, where)
    west %= FULL_TURN
    roll = 0
    if columns * longitude_step == FULL_TURN and west:
        # A closed circle starts at Greenwich, or just east of it.
        east_of_greenwich = west % longitude_step
        roll = columns - int((FULL_TURN + east_of_greenwich - west) / longitude_step)
        west = east_of_greenwich
    grid = Grid(latitude_step, longitude_step, min(-north, POLE), west, lat.size, columns)
    return Orientation(grid, flip, mirror, roll, columns, repeated)


def _check_extent(
    north: Fraction, rows: int, latitude_step: Fraction, turn: Fraction, where: str
) -> None:
    """Refuse what is not on the globe."""
    south = north - (rows - 1) * latitude_step
    if max(north, -south) > float(POLE) + TOLERANCE:
        raise HarmoniseError(
            "the latitudes reach beyond a pole",
            f"{where}, latitude",
            f"{float(north)} to {float(south)}",
            "check which axis is which; the file cannot be used as it is",
        )
    if turn > FULL_TURN:
        raise HarmoniseError(
            "the longitudes go round the globe more than once",
            f"{where}, longitude",
            f"columns of {float(turn)} degrees in all",
            "regrid the file to a regular grid first, or drop the columns too many",
        )


def _axis(values: NDArray[np.float64], where: str) -> tuple[Fraction, Fraction]:
    """First value and step, as fractions, of an increasing evenly spaced axis."""
    if values.size < SMALLEST_AXIS or not np.isfinite(values).all():
        raise HarmoniseError(
            "an axis needs two finite coordinates at least",
            where,
            f"{values.size} coordinates: {values[:4].tolist()}",
            "select a region of at least two rows and two columns",
        )
    spacing = (values[-1] - values[0]) / (values.size - 1)
    step = Fraction(spacing)
    for largest, tolerance in DENOMINATORS:
        step = Fraction(spacing).limit_denominator(largest)
        if abs(float(step) - spacing) * (values.size - 1) <= tolerance:
            break
    first = _first(float(values[0]), step)
    exact = float(first) + float(step) * np.arange(values.size)
    if step <= 0 or np.abs(exact - values).max() > TOLERANCE:
        worst = int(np.abs(exact - values).argmax())
        raise HarmoniseError(
            "the coordinates are not evenly spaced",
            where,
            f"{abs(values[worst])} where {abs(exact[worst])} is expected (position {worst})",
            "regrid the file to a regular grid first, or give a grid for this source",
        )
    return first, step


def _first(value: float, step: Fraction) -> Fraction:
    """The coordinate that was rounded to ``value``: a multiple of half a step if it can be."""
    if step > 0:
        aligned = round(2 * Fraction(value) / step) * step / 2
        in_thousandths = abs(value * 1000 - round(value * 1000)) < FLOAT32_TOLERANCE
        tolerance = min(TOLERANCE, float(step) / 8) if in_thousandths else FLOAT32_TOLERANCE
        if abs(float(aligned) - value) <= tolerance:
            return aligned
    first = Fraction(value).limit_denominator(LARGEST_DENOMINATOR)
    if abs(float(first) - value) > TOLERANCE:
        first = Fraction(value).limit_denominator(10**6)
    return first
