"""Geometry from the grid keys of a GRIB message, named as ecCodes names them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from aurora_prep.regridding.axes import rectilinear
from aurora_prep.regridding.gaussian import (
    READ_TO,
    gaussian_edges,
    gaussian_latitudes,
    reduced_gaussian,
)
from aurora_prep.regridding.geometry import FULL_TURN, POLE, Geometry, Rectilinear, Reduced
from aurora_prep.regridding.plane_grids import Projected, Scattered
from aurora_prep.regridding.planes import Plane, Projection, RotatedPole
from aurora_prep.sources.spec import RegridError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aurora_prep.regridding.arrays import Doubles, Positions

KEYS = (
    "gridType",
    "Ni",
    "Nj",
    "N",
    "pl",
    "iScansNegatively",
    "jScansPositively",
    "jPointsAreConsecutive",
    "alternativeRowScanning",
    "latitudeOfFirstGridPointInDegrees",
    "longitudeOfFirstGridPointInDegrees",
    "latitudeOfLastGridPointInDegrees",
    "longitudeOfLastGridPointInDegrees",
    "iDirectionIncrementInDegrees",
    "jDirectionIncrementInDegrees",
    "numberOfDataPoints",
    "latitudeOfSouthernPoleInDegrees",
    "longitudeOfSouthernPoleInDegrees",
    "angleOfRotationInDegrees",
    "DxInMetres",
    "DyInMetres",
    "LaDInDegrees",
    "LoVInDegrees",
    "Latin1InDegrees",
    "Latin2InDegrees",
    "orientationOfTheGridInDegrees",
    "projectionCentreFlag",
    "radius",
    "earthIsOblate",
    "earthMajorAxisInMetres",
    "earthMinorAxisInMetres",
)
"""The keys a caller should read, where the message has them."""

SOUTH_POLE = 128  # projectionCentreFlag, GRIB flag table 3.5: bit 1
ABSENT = 1e6  # degrees: ecCodes writes huge numbers for increments not given


def geometry_from_grib(keys: Mapping[str, object]) -> Geometry:
    """Geometry of the field a GRIB message holds, in the order of its values.

    Coordinates rounded by the header (a thousandth of a degree in edition 1)
    are put back on the analytic grid they stand for.

    Args:
        keys: Values of ``KEYS`` as ecCodes gives them (``pl`` as an array).

    Raises:
        RegridError: The grid is of an unknown kind, or its keys contradict each
            other.
    """
    kind = str(keys.get("gridType"))
    makers = {
        "regular_ll": regular,
        "regular_gg": regular_gaussian,
        "reduced_gg": reduced_gg,
        "reduced_ll": reduced_ll,
        "rotated_ll": rotated,
        "rotated_gg": rotated,
        "reduced_rotated_gg": rotated_points,
        "lambert": projected,
        "polar_stereographic": projected,
        "mercator": projected,
    }
    if kind not in makers:
        raise RegridError(
            "no geometry for this kind of GRIB grid",
            "geometry_from_grib",
            f"gridType {kind}",
            f"known are {', '.join(makers)}; for others give Scattered(latitude, longitude)",
        )
    geometry = makers[kind](keys)
    points = keys.get("numberOfDataPoints")
    if points is not None and geometry.size != cast("int", points):
        raise contradiction(keys, f"{points} points, the grid has {geometry.size}")
    return geometry


def in_rows(values: NDArray[Any], keys: Mapping[str, object]) -> NDArray[Any]:
    """Values of a message as the geometry orders them.

    Reverses every second row where rows alternate in direction, and turns
    columns that are consecutive into rows.

    Args:
        values: Flat values of one message.
        keys: Its grid keys.

    Returns:
        ``(rows, columns)``, or ``values`` on grids whose rows differ in length.
    """
    if str(keys.get("gridType")).startswith("reduced"):
        return values
    rows, columns = cast("int", keys["Nj"]), cast("int", keys["Ni"])
    across = bool(keys.get("jPointsAreConsecutive"))
    grid = values.reshape((columns, rows) if across else (rows, columns))
    if keys.get("alternativeRowScanning"):
        grid = grid.copy()
        grid[1::2] = grid[1::2, ::-1].copy()
    return grid.T if across else grid


def number(keys: Mapping[str, object], key: str, default: float | None = None) -> float:
    """A key as a number.

    Raises:
        RegridError: The key is absent and has no default.
    """
    value = keys.get(key, default)
    if value is None:
        raise RegridError(
            "a grid key is absent", f"GRIB {keys.get('gridType')}", key, "read it from the message"
        )
    return float(cast("float", value))


def contradiction(keys: Mapping[str, object], found: str) -> RegridError:
    """The error for keys that cannot all be true."""
    return RegridError(
        "the grid keys of the message contradict each other",
        f"GRIB {keys.get('gridType')} {keys.get('Nj')}x{keys.get('Ni')}",
        found,
        "the header is damaged: fetch the file again, or give the geometry yourself",
    )


def regular(keys: Mapping[str, object]) -> Rectilinear:
    """Regular latitude-longitude."""
    return rectilinear(latitude_axis(keys), longitude_axis(keys))


def latitude_axis(keys: Mapping[str, object]) -> Doubles:
    """Evenly spaced latitudes from the corners of the grid."""
    first = number(keys, "latitudeOfFirstGridPointInDegrees")
    last = number(keys, "latitudeOfLastGridPointInDegrees")
    southward = not keys.get("jScansPositively")
    if (first > last) is not southward and keys["Nj"] != 1:
        raise contradiction(keys, f"latitudes {first} to {last}, jScansPositively {not southward}")
    axis = evenly(keys, first, last, int(number(keys, "Nj")), "jDirectionIncrementInDegrees")
    return np.clip(axis, -POLE, POLE) if np.abs(axis).max() < POLE + READ_TO else axis


def longitude_axis(keys: Mapping[str, object]) -> Doubles:
    """Evenly spaced longitudes, unwrapped in the direction of scanning."""
    first = number(keys, "longitudeOfFirstGridPointInDegrees")
    last = number(keys, "longitudeOfLastGridPointInDegrees")
    turn = -FULL_TURN if keys.get("iScansNegatively") else FULL_TURN
    while (last - first) * turn < 0:
        last += turn
    return evenly(keys, first, last, int(number(keys, "Ni")), "iDirectionIncrementInDegrees")


def evenly(
    keys: Mapping[str, object], first: float, last: float, count: int, increment: str
) -> Doubles:
    """Points from ``first`` to ``last``, on round numbers when those are meant.

    Raises:
        RegridError: The increment of the header leads elsewhere.
    """
    if count < 2:  # noqa: PLR2004  # nothing lies between
        return np.array([first])
    step = (last - first) / (count - 1)
    said = abs(number(keys, increment, 0.0))
    off = abs(said - abs(step)) * (count - 1)
    if 0 < said < ABSENT and off > max(READ_TO * count, 1e-3 * abs(step)):
        raise contradiction(keys, f"{increment} {said}, corners {first} to {last} over {count}")
    tolerance = min(READ_TO, abs(step) / 20)
    turn = Fraction(round(np.sign(step)) * 360, count)
    meant = Fraction(step).limit_denominator(10_000)
    for exact in (turn, meant):
        if abs(float(exact * (count - 1)) - (last - first)) < 2 * tolerance:
            start = round(Fraction(first) / exact) * exact
            if abs(float(start) - first) > tolerance:
                start = Fraction(first).limit_denominator(1000)
            if abs(float(start) - first) > tolerance:
                start = Fraction(first)
            return np.array([float(start + i * exact) for i in range(count)])
    return np.linspace(first, last, count)


def gaussian_rows(keys: Mapping[str, object], rows: int) -> tuple[int, int, slice]:
    """Order of a Gaussian grid, its direction, and which of its rows these are."""
    order = int(number(keys, "N"))
    latitude = gaussian_latitudes(order)
    first = number(keys, "latitudeOfFirstGridPointInDegrees")
    last = number(keys, "latitudeOfLastGridPointInDegrees")
    start, end = (int(np.abs(latitude - value).argmin()) for value in (first, last))
    direction = 1 if end >= start else -1
    reach = 0.5 * float(latitude[order - 1] - latitude[order])
    off = max(abs(latitude[start] - first), abs(latitude[end] - last))
    if abs(end - start) + 1 != rows or off > reach or (rows == 2 * order and off > READ_TO * 10):
        raise contradiction(
            keys, f"N {order} and {rows} rows from {first} to {last} degrees are no Gaussian rows"
        )
    low, high = min(start, end), max(start, end)
    return order, direction, slice(low, high + 1)


def regular_gaussian(keys: Mapping[str, object]) -> Rectilinear:
    """Regular Gaussian, whole or cut out."""
    order, direction, rows = gaussian_rows(keys, int(number(keys, "Nj")))
    latitude = gaussian_latitudes(order)[rows][::direction].copy()
    edges = gaussian_edges(order)[rows.start : rows.stop + 1][::direction].copy()
    columns = rectilinear(np.array([1.0, 0.0]), longitude_axis(keys))
    return Rectilinear(latitude, columns.longitude, edges, columns.longitude_edges)


def row_lengths(keys: Mapping[str, object]) -> Positions:
    """``pl``: points in each row."""
    counts = np.asarray(keys.get("pl", ()), dtype=np.int64)
    if counts.ndim != 1 or counts.size == 0:
        raise contradiction(keys, "no row lengths (pl)")
    return counts


def reduced_gg(keys: Mapping[str, object]) -> Reduced:
    """Reduced Gaussian, classic or octahedral, whole or cut out."""
    counts = row_lengths(keys)
    order, direction, rows = gaussian_rows(keys, len(counts))
    points = int(number(keys, "numberOfDataPoints", float(counts.sum())))
    west = number(keys, "longitudeOfFirstGridPointInDegrees", 0.0)
    if len(counts) == 2 * order and points == counts.sum() and direction == 1 and west == 0:
        return reduced_gaussian(order, counts)
    first, step, cut = np.full(len(counts), west), FULL_TURN / np.maximum(counts, 1), counts
    if points != counts.sum():
        east = number(keys, "longitudeOfLastGridPointInDegrees")
        east += FULL_TURN if east < west else 0.0
        begin = np.ceil((west - READ_TO) / step)
        cut = (np.floor((east + READ_TO) / step) - begin + 1).astype(np.int64)
        first = begin * step
    return Reduced(
        gaussian_latitudes(order)[rows][::direction].copy(),
        gaussian_edges(order)[rows.start : rows.stop + 1][::direction].copy(),
        cut,
        first,
        step,
    )


def reduced_ll(keys: Mapping[str, object]) -> Reduced:
    """Reduced latitude-longitude, as ECMWF's wave model has it."""
    counts = row_lengths(keys)
    latitude = latitude_axis(keys)
    west = number(keys, "longitudeOfFirstGridPointInDegrees")
    east = number(keys, "longitudeOfLastGridPointInDegrees")
    east += FULL_TURN if east < west else 0.0
    longest = int(counts.max())
    whole = abs((east - west) * longest / max(longest - 1, 1) - FULL_TURN) < READ_TO * longest
    part = FULL_TURN / np.maximum(counts, 1)
    step = part if whole else np.where(counts > 1, (east - west) / np.maximum(counts - 1, 1), part)
    edges = rectilinear(latitude, np.array([0.0, 1.0])).latitude_edges
    return Reduced(latitude, edges, counts, np.full(len(counts), west), step)


def rotated_pole(keys: Mapping[str, object]) -> RotatedPole:
    """The moved pole of a rotated grid."""
    return RotatedPole(
        number(keys, "latitudeOfSouthernPoleInDegrees"),
        number(keys, "longitudeOfSouthernPoleInDegrees"),
        number(keys, "angleOfRotationInDegrees", 0.0),
    )


def rotated(keys: Mapping[str, object]) -> Projected:
    """Regular or Gaussian latitudes and longitudes about a moved pole."""
    flat = regular(keys) if keys["gridType"] == "rotated_ll" else regular_gaussian(keys)
    return Projected(rotated_pole(keys), flat.longitude, flat.latitude)


def rotated_points(keys: Mapping[str, object]) -> Scattered:
    """A reduced Gaussian grid about a moved pole."""
    latitude, longitude = reduced_gg(keys).points()
    return Scattered(*rotated_pole(keys).to_sphere(longitude, latitude))


def projected(keys: Mapping[str, object]) -> Projected:
    """Lambert conformal, polar stereographic and Mercator, from their first point."""
    plane = projection(keys)
    x, y = plane.to_plane(
        np.array([number(keys, "latitudeOfFirstGridPointInDegrees")]),
        np.array([number(keys, "longitudeOfFirstGridPointInDegrees")]),
    )
    across = number(keys, "DxInMetres") * (-1 if keys.get("iScansNegatively") else 1)
    up = number(keys, "DyInMetres") * (1 if keys.get("jScansPositively") else -1)
    return Projected(
        plane,
        x + across * np.arange(int(number(keys, "Ni"))),
        y + up * np.arange(int(number(keys, "Nj"))),
    )


def projection(keys: Mapping[str, object]) -> Plane:
    """The PROJ string of a projected GRIB grid on the Earth its header names."""
    earth = f"+R={number(keys, 'radius', 6_371_229.0)!r}"
    if keys.get("earthIsOblate"):
        major = number(keys, "earthMajorAxisInMetres")
        earth = f"+a={major!r} +b={number(keys, 'earthMinorAxisInMetres')!r}"
    kind = keys["gridType"]
    if kind == "lambert":
        low, high = number(keys, "Latin1InDegrees"), number(keys, "Latin2InDegrees")
        middle = number(keys, "LaDInDegrees", low)
        shape = f"+proj=lcc +lat_1={low!r} +lat_2={high!r} +lat_0={middle!r}"
        shape += f" +lon_0={number(keys, 'LoVInDegrees')!r}"
    elif kind == "polar_stereographic":
        south = int(number(keys, "projectionCentreFlag", 0.0)) & SOUTH_POLE
        true = abs(number(keys, "LaDInDegrees", 60.0))
        shape = f"+proj=stere +lat_0={-90 if south else 90} +lat_ts={-true if south else true!r}"
        shape += f" +lon_0={number(keys, 'orientationOfTheGridInDegrees')!r}"
    else:
        middle = number(keys, "longitudeOfFirstGridPointInDegrees")
        shape = f"+proj=merc +lat_ts={number(keys, 'LaDInDegrees')!r} +lon_0={middle!r}"
    return Projection(f"{shape} {earth} +units=m +no_defs")
