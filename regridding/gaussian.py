"""Gaussian latitudes and the reduced grids built on them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding.geometry import FULL_TURN, POLE, Reduced
from aurora_prep.sources.spec import RegridError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aurora_prep.regridding.arrays import Doubles, Positions

NEWTON_STEPS = 10
READ_TO = 1.1e-3  # degrees: GRIB edition 1 writes latitudes to a thousandth


@lru_cache(maxsize=16)
def gaussian_latitudes(order: int) -> Doubles:
    """Latitudes of the Gaussian grid with ``order`` rows between pole and equator.

    They are the zeros of the Legendre polynomial of degree ``2 * order``, as
    angles; exact to the last few bits.

    Args:
        order: The ``N`` of N320, O1280 or F48.

    Returns:
        Degrees north, ``(2 * order,)``, from north to south; read-only.

    Source:
        Newton's method on the three-term recurrence, started from Tricomi's
        asymptotic zeros (Abramowitz and Stegun 22.16.6), in the colatitude,
        where zeros near the pole keep their relative accuracy.
    """
    degree = 2 * order
    theta = np.pi * (4 * np.arange(1, order + 1) - 1) / (4 * degree + 2)
    for _ in range(NEWTON_STEPS):
        before, here = np.ones(order), np.cos(theta)
        for n in range(2, degree + 1):
            before, here = here, ((2 * n - 1) * np.cos(theta) * here - (n - 1) * before) / n
        slope = degree * (np.cos(theta) * here - before) / np.sin(theta)
        change = here / slope
        theta -= change
        if np.max(np.abs(change)) < np.finfo(float).eps:
            break
    north = POLE - np.degrees(theta)
    latitudes = np.concatenate([north, -north[::-1]])
    latitudes.setflags(write=False)
    return latitudes


def gaussian_edges(order: int, north_first: bool = True) -> Doubles:  # noqa: FBT001, FBT002
    """Borders half-way between Gaussian latitudes, the outermost at the poles."""
    latitude = gaussian_latitudes(order)
    edges = np.concatenate([[POLE], (latitude[1:] + latitude[:-1]) / 2, [-POLE]])
    return edges if north_first else edges[::-1].copy()


def gaussian_order(latitude: Doubles) -> int | None:
    """The ``N`` of a whole Gaussian axis written with any usual rounding, or ``None``."""
    order, odd = divmod(len(latitude), 2)
    steps = np.abs(np.diff(latitude))
    if odd or order < 2 or abs(latitude[0]) >= POLE or np.ptp(steps) < 1e-5 * steps[0]:  # noqa: PLR2004
        return None
    truth = gaussian_latitudes(order) * (1 if latitude[0] > 0 else -1)
    return order if np.max(np.abs(truth - latitude)) < READ_TO else None


def octahedral_counts(order: int) -> Positions:
    """Points in each row of the octahedral grid O``order``: 20, 24, 28 and so on."""
    north = 20 + 4 * np.arange(order)
    return np.concatenate([north, north[::-1]])


def octahedral(order: int) -> Reduced:
    """The octahedral reduced Gaussian grid, for example O1280."""
    return reduced_gaussian(order, octahedral_counts(order))


def reduced_gaussian(order: int, counts: Sequence[int] | Positions) -> Reduced:
    """A global reduced Gaussian grid, north to south, rows starting at Greenwich.

    Args:
        order: The ``N`` of the grid.
        counts: Points in each of the ``2 * order`` rows: ``pl`` of GRIB.

    Raises:
        RegridError: The number of rows is not ``2 * order``, or a row is empty.
    """
    counts = np.asarray(counts, dtype=np.int64)
    if counts.shape != (2 * order,) or np.any(counts < 1):
        raise RegridError(
            "row lengths do not make a global reduced Gaussian grid",
            f"reduced Gaussian N={order}",
            f"{counts.size} rows, the shortest of {counts.min(initial=0)} points",
            f"give {2 * order} positive row lengths",
        )
    return Reduced(
        gaussian_latitudes(order),
        gaussian_edges(order),
        counts,
        np.zeros(2 * order),
        FULL_TURN / counts,
    )
