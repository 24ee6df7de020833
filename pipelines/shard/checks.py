"""Checks of values: those that were read, and those that regridding made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aurora_prep.normalisation import FieldReduction
from aurora_prep.pipelines.reading.harmonise import check_values
from aurora_prep.pipelines.shard.reduce import reduce
from aurora_prep.sources.spec import Grid, HarmoniseError, RegridError, StatisticsError, Variable

Field = NDArray[np.float32]


def reduced(
    field: Field, grid: Grid, variable: Variable | None = None, where: str = ""
) -> FieldReduction:
    """Reduce a field on the target grid.

    Args:
        field: ``grid.shape``, in the variable's units.
        grid: The target.
        variable: What the field is.
        where: The place to name in errors.

    Raises:
        HarmoniseError: A value is infinite.
    """
    try:
        return reduce(field, grid)
    except StatisticsError:
        if variable is None or not np.isinf(field).any():
            raise
        raise HarmoniseError(*_infinite(field, grid, where)) from None


def check_read(
    variable: Variable, field: Field, reduction: FieldReduction | None, where: str
) -> None:
    """Refuse values that no correct file holds.

    Args:
        variable: Declares what is plausible, in its units.
        field: The values.
        reduction: What they were reduced to, where that is known.
        where: The place to name in errors.

    Raises:
        HarmoniseError: A value is implausible or infinite, or missing where none may be.
    """
    low, high, missing = _extremes(field, reduction)
    if np.isinf(low) or np.isinf(high):
        raise HarmoniseError(*_infinite(field, None, where))
    check_values(variable, low, high, missing, where)


def check_made(
    variable: Variable, field: Field, reduction: FieldReduction, grid: Grid, where: str
) -> None:
    """Refuse what regridding made where it is not what the dataset may hold.

    Args:
        variable: Declares what is plausible and whether values may be missing.
        field: ``grid.shape``, in the variable's units.
        reduction: What the field was reduced to.
        grid: The target.
        where: The place to name in errors.

    Raises:
        RegridError: A value is missing where none may be.
        HarmoniseError: A value is implausible.
    """
    low, high, missing = _extremes(field, reduction)
    if missing and not variable.may_be_missing:
        raise RegridError(
            "regridding leaves values missing where none may be",
            where,
            f"{missing} of {field.size} points missing, {extent(np.isnan(field), grid)}",
            "give files that cover the whole grid, or write the grid of the files (grid: native)",
        )
    check_values(variable, low, high, missing, where)


def extent(points: NDArray[np.bool_], grid: Grid) -> str:
    """Where points lie, in words: their range of latitudes and of longitudes."""
    latitude = np.asarray(grid.latitude)[points.any(axis=1)]
    longitude = np.asarray(grid.longitude)[points.any(axis=0)]
    return (
        f"latitudes {latitude.max():g} to {latitude.min():g},"
        f" longitudes {longitude.min():g} to {longitude.max():g}"
    )


def _infinite(field: Field, grid: Grid | None, where: str) -> tuple[str, str, str, str]:
    infinite = np.isinf(field)
    at = f", {extent(infinite, grid)}" if grid is not None else ""
    return (
        "the field has infinite values",
        where,
        f"{np.count_nonzero(infinite)} of {field.size} points infinite{at}",
        "look at the file; leave the frame out if it is wrong",
    )


def _extremes(field: Field, reduction: FieldReduction | None) -> tuple[float, float, int]:
    if reduction is not None:
        return reduction.minimum, reduction.maximum, reduction.missing
    missing = int(np.count_nonzero(np.isnan(field)))
    if missing == field.size:
        return float("nan"), float("nan"), missing
    if missing:
        return float(np.nanmin(field)), float(np.nanmax(field)), missing
    return float(field.min()), float(field.max()), 0
