"""Harmonise: a decoded field in; our units, row and column order out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurora_prep.sources.spec import (
    DecodeError,
    Grid,
    HarmoniseError,
    Native,
    Orientation,
    Variable,
    orient,
)
from aurora_prep.sources.spec.wmo import CONVERSIONS

# Each spelling of a dimensionless unit seen in a provider's file.
DIMENSIONLESS = frozenset(
    {"", "1", "~", "(0 - 1)", "0 - 1", "numeric", "dimensionless", "fraction"}
    | {"(code table 4.213)", "(code table 4.234)"}
)
# Words for units that mean the same, in lower case.
SYNONYMS = {
    "degrees": "degree",
    "radians": "radian",
    "degree true": "degree",
    "m of water equivalent": "m",
}
# Factor from a file's units to ours. A table on purpose: units nobody has
# looked at must stop the run.
FACTOR = {("hPa", "Pa"): 100.0, ("gpm", "m2 s-2"): 9.80665}
PLAIN_GRIDS = ("regular_ll", "axes")
INCREMENT_TOLERANCE = 2e-3


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the points of a file's field lie.

    Attributes:
        shape: Rows and columns as the file stores them; ``None`` when the
            points are not on a regular latitude-longitude grid.
        transposed: Whether the file runs along meridians first.
        alternating: Whether every second row runs the other way.
        orientation: How to turn the field; ``None`` as for ``shape``.
    """

    shape: tuple[int, int] | None
    transposed: bool = False
    orientation: Orientation | None = None
    alternating: bool = False

    @property
    def grid(self) -> Grid | None:
        """The regular grid the field is on once turned."""
        return self.orientation.grid if self.orientation else None


def placement_of(description: Mapping[str, Any], where: str) -> Placement:
    """Understand a file's description of its grid.

    Args:
        description: GRIB keys, or the axes of a NetCDF file.
        where: The place to name in errors.

    Raises:
        HarmoniseError: The axes are not evenly spaced.
        DecodeError: The grid contradicts itself.
    """
    if description["gridType"] not in PLAIN_GRIDS:
        return Placement(None)
    if description["gridType"] == "axes":
        latitude, longitude = np.array(description["latitude"]), np.array(description["longitude"])
    else:
        latitude, longitude = _grib_axes(description, where)
    orientation = orient(latitude, longitude, where)
    transposed = bool(description.get("jPointsAreConsecutive"))
    shape = latitude.size, longitude.size
    alternating = bool(description.get("alternativeRowScanning"))
    return Placement(shape, transposed, orientation, alternating)


def harmonise(
    field: NDArray[np.float32], units: str, native: Native, placement: Placement, where: str
) -> NDArray[np.float32]:
    """Turn a field onto its grid and into our units; values are otherwise kept.

    Args:
        field: As :func:`decode` gives it.
        units: As written in the file.
        native: The declaration the field was matched with.
        placement: Where its points lie.
        where: The place to name in errors.

    Returns:
        ``(latitude, longitude)``, north to south, west to east, float32, in
        ``native.variable.units``; ``(points,)`` off regular grids.

    Raises:
        HarmoniseError: The units are not those declared, or the field has
            another number of points than its grid.
    """
    factor = _factor(units, native, where)
    if infinite := int(np.count_nonzero(np.isinf(field))):
        raise HarmoniseError(
            "the field has infinite values",
            where,
            f"{infinite} of {field.size} values",
            "fetch the file again; leave the frame out if the provider has no better",
        )
    if placement.orientation is not None and placement.shape is not None:
        rows, columns = placement.shape
        if field.size != rows * columns:
            raise HarmoniseError(
                "the field has another size than its grid",
                where,
                f"{field.size} values on {rows} x {columns} points",
                "fetch the file again",
            )
        field = field.reshape((columns, rows) if placement.transposed else (rows, columns))
        if placement.alternating:
            field = field.copy()
            field[1::2] = field[1::2, ::-1].copy()
        field = placement.orientation.apply(field.T if placement.transposed else field)
    return field if factor == 1.0 else (field * np.float64(factor)).astype(np.float32)


def check_values(
    variable: Variable, minimum: float, maximum: float, missing: int, where: str
) -> None:
    """Refuse values that no correct file holds.

    Args:
        variable: Declares what is plausible, in its units.
        minimum: Smallest value of the field, NaN when all are missing.
        maximum: Largest value of the field.
        missing: Number of missing values.
        where: The place to name in errors.

    Raises:
        HarmoniseError: A value lies outside, is missing where none may be, or all are.
    """
    low, high = variable.plausible
    if missing and minimum != minimum:  # noqa: PLR0124  # NaN: no point has a value
        raise HarmoniseError(
            "the field has no value at any point",
            where,
            f"{missing} missing values",
            "fetch the file again; leave the frame out if the provider has no better",
        )
    if missing and not variable.may_be_missing:
        raise HarmoniseError(
            "the field has missing values where none may be",
            where,
            f"{missing} missing values",
            "fetch the file again; leave the frame out if the provider has no better",
        )
    if minimum < low or maximum > high:
        raise HarmoniseError(
            "the values are not plausible: wrong units or a damaged file",
            where,
            f"{minimum:.6g} to {maximum:.6g} {variable.units}, plausible {low:.6g} to {high:.6g}",
            "look at the file; leave the frame out if it is wrong",
        )


def _factor(units: str, native: Native, where: str) -> float:
    ours, found, declared = native.variable.units, canonical(units), canonical(native.units)
    if found == canonical(ours):
        return 1.0
    # Never by name alone: units and number change together, and both are written in the file.
    if found == CONVERSIONS.get(native.variable.param, ("", 1.0))[0]:
        return CONVERSIONS[native.variable.param][1]
    if found != declared or (found, ours) not in FACTOR:
        raise HarmoniseError(
            "the file's units differ from the declaration",
            where,
            f"{units!r}, declared {native.units!r}",
            "ask the provider which is right, then edit the source's declaration",
        )
    return FACTOR[found, ours]


def canonical(units: str) -> str:
    """One spelling for units that mean the same: ``m**2 s**-2`` and ``m^2 s^-2`` are ``m2 s-2``."""
    plain = units.replace("**", "").replace("^", "").strip()
    if plain.lower() in DIMENSIONLESS:
        return "1"
    return SYNONYMS.get(plain.lower(), plain)


def _grib_axes(
    keys: Mapping[str, Any], where: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows, columns = int(keys["Nj"]), int(keys["Ni"])
    north, south = _ends(keys, "latitude")
    west, east = _ends(keys, "longitude")
    span = (west - east if keys["iScansNegatively"] else east - west) % 360.0
    span = span or (360.0 if columns > 1 else 0.0)
    _check_increment(keys, "iDirectionIncrementInDegrees", span, columns, where)
    _check_increment(keys, "jDirectionIncrementInDegrees", abs(north - south), rows, where)
    turn = -span if keys["iScansNegatively"] else span
    return np.linspace(north, south, rows), west + np.linspace(0.0, turn, columns)


def _ends(keys: Mapping[str, Any], axis: str) -> tuple[float, float]:
    first, last = (f"{axis}Of{end}GridPointInDegrees" for end in ("First", "Last"))
    return float(keys[first]), float(keys[last])


def _check_increment(
    keys: Mapping[str, Any], key: str, span: float, count: int, where: str
) -> None:
    if key in keys and count > 1:
        given, implied = float(keys[key]), span / (count - 1)
        if abs(given - implied) > INCREMENT_TOLERANCE:
            raise DecodeError(
                "the grid contradicts itself",
                where,
                f"{key} is {given}, but {count} points span {span} degrees ({implied:.6g} each)",
                "ask the provider which is right; the file cannot be used as it is",
            )
