"""Geometry from CF coordinates: names, units, bounds and grid mappings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

from aurora_prep.regridding.axes import rectilinear
from aurora_prep.regridding.plane_grids import Curvilinear, Projected, Scattered
from aurora_prep.regridding.planes import Projection, RotatedPole, cartesian
from aurora_prep.sources.spec import RegridError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aurora_prep.regridding.arrays import Doubles
    from aurora_prep.regridding.geometry import Geometry

DEGREES_NORTH = {
    "degrees_north",
    "degree_north",
    "degree_n",
    "degrees_n",
    "degreen",
    "degreesn",
}
DEGREES_EAST = {
    "degrees_east",
    "degree_east",
    "degree_e",
    "degrees_e",
    "degreee",
    "degreese",
}
NAMES = {
    "latitude": {"latitude", "lat", "nav_lat", "xlat", "clat"},
    "longitude": {"longitude", "lon", "nav_lon", "xlong", "clon"},
}
EARTH = (
    "earth_radius", "semi_major_axis", "semi_minor_axis", "reference_ellipsoid_name",
    "horizontal_datum_name", "geographic_crs_name", "crs_wkt", "spatial_ref",
)  # fmt: skip
AGREE = 0.1  # of the spacing: how far a mapping and the coordinates may be apart
ROUNDED = 1e-6  # radians: the last digit of coordinates in float32
METRES = {"m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0, "km": 1000.0}


class NotOnAGridError(RegridError):
    """A variable has no latitude and longitude, nor any others that stand for them."""


@dataclass(frozen=True, eq=False)
class Coordinate:
    """One coordinate variable of a file.

    Attributes:
        dims: Names of its dimensions.
        values: Its values.
        attributes: Its CF attributes: ``units``, ``standard_name``, ``bounds``.
    """

    dims: tuple[str, ...]
    values: NDArray[Any]
    attributes: Mapping[str, object] = field(default_factory=dict)


def geometry_from_cf(
    dims: Sequence[str],
    coordinates: Mapping[str, Coordinate],
    grid_mapping: Mapping[str, object] | None = None,
) -> Geometry:
    """Geometry of a variable, in the order of its last dimensions.

    Looks, in this order, for projection axes with a grid mapping, for latitude
    and longitude axes, and for latitude and longitude of every point.

    Args:
        dims: Dimensions of the variable, the horizontal ones last.
        coordinates: Coordinate variables by name, bounds included.
        grid_mapping: Attributes of the grid mapping variable, if there is one.

    Raises:
        RegridError: No such coordinates, or they are not on the last dimensions.
    """
    wanted, geometry = located(coordinates, grid_mapping)
    if tuple(dims[-len(wanted) :]) != wanted:
        raise RegridError(
            "the horizontal dimensions are not the last ones",
            "geometry_from_cf",
            f"dimensions {tuple(dims)}, coordinates on {wanted}",
            f"transpose the variable to (..., {', '.join(wanted)})",
        )
    return geometry


def located(
    coordinates: Mapping[str, Coordinate], grid_mapping: Mapping[str, object] | None = None
) -> tuple[tuple[str, ...], Geometry]:
    """The horizontal dimensions, in the order of the geometry, and the geometry.

    Raises:
        RegridError: The coordinates describe no grid.
    """
    if grid_mapping and (plane := from_mapping(coordinates, grid_mapping)) is not None:
        return settled(*plane, coordinates, grid_mapping)
    latitude, longitude = (found(coordinates, what) for what in NAMES)
    if latitude is None or longitude is None:
        raise NotOnAGridError(
            "no latitude and longitude among the coordinates",
            "geometry_from_cf",
            f"coordinates {sorted(coordinates)}",
            "give coordinates with units degrees_north and degrees_east",
        )
    if latitude.dims != longitude.dims:
        axes = rectilinear(doubles(latitude), doubles(longitude))
        return (*latitude.dims, *longitude.dims), axes
    corners = bounds(coordinates, latitude), bounds(coordinates, longitude)
    known = None if corners[0] is None or corners[1] is None else (corners[0], corners[1])
    if latitude.values.ndim == 1:
        return latitude.dims, Scattered(doubles(latitude), doubles(longitude), known)
    bent = np.ptp(latitude.values, axis=1).max(), np.ptp(longitude.values, axis=0).max()
    if max(bent) == 0:
        return latitude.dims, rectilinear(doubles(latitude)[:, 0], doubles(longitude)[0])
    return latitude.dims, Curvilinear(doubles(latitude), doubles(longitude), known)


def found(
    coordinates: Mapping[str, Coordinate], what: str, axes: int | None = None
) -> Coordinate | None:
    """The latitude or longitude: by units, then by standard name, then by name.

    Args:
        coordinates: Coordinate variables by name.
        what: ``latitude`` or ``longitude``.
        axes: Number of its dimensions, where only such a one is wanted.
    """
    sizes = (1, 2) if axes is None else (axes,)
    units = DEGREES_NORTH if what == "latitude" else DEGREES_EAST
    rules = (
        lambda _, c: str(c.attributes.get("units", "")).lower() in units,
        lambda _, c: c.attributes.get("standard_name") == what,
        lambda name, _: name.lower() in NAMES[what],
    )
    for rule in rules:
        hits = [c for name, c in coordinates.items() if rule(name, c) and c.values.ndim in sizes]
        hits = [c for c in hits if "grid_" not in str(c.attributes.get("standard_name", ""))]
        if hits:
            return hits[0]
    return None


def from_mapping(
    coordinates: Mapping[str, Coordinate], mapping: Mapping[str, object]
) -> tuple[tuple[str, ...], Projected] | None:
    """Dimensions and geometry from axes in the plane of a mapping; ``None`` without them."""
    kind = str(mapping.get("grid_mapping_name", ""))
    if kind == "latitude_longitude" or not mapping:
        return None
    names = (
        ("grid_latitude", "grid_longitude")
        if kind == "rotated_latitude_longitude"
        else ("projection_y_coordinate", "projection_x_coordinate")
    )
    axes = [
        next((c for c in coordinates.values() if c.attributes.get("standard_name") == name), None)
        for name in names
    ]
    y, x = axes
    if y is None or x is None or y.values.ndim != 1 or x.values.ndim != 1:
        return None
    dims = (*y.dims, *x.dims)
    if kind == "rotated_latitude_longitude":
        north = float(cast("float", mapping["grid_north_pole_latitude"]))
        east = float(cast("float", mapping["grid_north_pole_longitude"]))
        turn = float(cast("float", mapping.get("north_pole_grid_longitude", 0.0)))
        return dims, Projected(RotatedPole(-north, east + 180.0, -turn), doubles(x), doubles(y))
    try:
        crs = CRS.from_cf(dict(mapping))
    except (CRSError, KeyError, ValueError) as error:
        raise RegridError(
            "the grid mapping is not one that PROJ knows",
            "geometry_from_cf",
            f"{dict(mapping)}: {error}",
            "correct the attributes of the grid mapping variable",
        ) from error
    return dims, Projected(Projection(crs.to_wkt()), metres(x), metres(y))


def settled(
    dims: tuple[str, ...],
    plane: Projected,
    coordinates: Mapping[str, Coordinate],
    mapping: Mapping[str, object],
) -> tuple[tuple[str, ...], Geometry]:
    """The grid of a mapping, held against the latitudes and longitudes that the file has too.

    A mapping that does not name the earth is completed by them: where it does not agree, they
    count.

    Raises:
        RegridError: The mapping and the coordinates contradict each other, or the mapping
            names no earth and there are no coordinates to tell.
    """
    latitude, longitude = (found(coordinates, what, axes=2) for what in NAMES)
    is_rotated = isinstance(plane.plane, RotatedPole)
    has_earth = is_rotated or any(mapping.get(key) is not None for key in EARTH)
    if latitude is None or longitude is None or latitude.dims != dims or longitude.dims != dims:
        if has_earth:
            return dims, plane
        raise RegridError(
            "the grid mapping does not say how large the earth is",
            f"grid mapping {mapping.get('grid_mapping_name')}",
            f"none of {', '.join(EARTH)}, and no latitude and longitude of the points",
            "add earth_radius, or semi_major_axis and inverse_flattening, to the mapping",
        )
    said = doubles(latitude).ravel(), doubles(longitude).ravel()
    made = plane.points()
    apart = np.linalg.norm(cartesian(*said) - cartesian(*made), axis=0)
    worst = int(np.argmax(np.where(np.isfinite(apart), apart, np.inf)))
    allowed = max(AGREE * np.radians(plane.spacing), ROUNDED)
    if apart[worst] <= allowed:
        return dims, plane
    if not has_earth:
        return dims, Curvilinear(doubles(latitude), doubles(longitude))
    raise RegridError(
        "the grid mapping contradicts the file's own latitudes and longitudes",
        f"grid mapping {mapping.get('grid_mapping_name')}",
        "point {} is at {:.4f} N {:.4f} E by its coordinates, at {:.4f} N {:.4f} E by the"
        " mapping: {:.4g} degrees apart".format(
            tuple(map(int, np.unravel_index(worst, plane.shape))),
            *(side[worst] for side in (*said, *made)),
            float(np.degrees(apart[worst])),
        ),
        "find out which is right, then drop the other: the attribute grid_mapping of the"
        " variable, or the coordinates",
    )


def metres(axis: Coordinate) -> Doubles:
    """A projection axis in metres.

    Raises:
        RegridError: Its units are not a length.
    """
    units = str(axis.attributes.get("units", "m"))
    if units not in METRES:
        raise RegridError(
            "a projection axis is not in metres",
            "geometry_from_cf",
            f"units {units!r}",
            f"use one of {', '.join(METRES)}",
        )
    return doubles(axis) * METRES[units]


def bounds(coordinates: Mapping[str, Coordinate], axis: Coordinate) -> Doubles | None:
    """Corners of every cell, ``(points, corners)``, where the file has them."""
    name = axis.attributes.get("bounds")
    corners = coordinates.get(str(name))
    if corners is None:
        return None
    return np.asarray(corners.values, np.float64).reshape(axis.values.size, -1)


def doubles(axis: Coordinate) -> Doubles:
    """Values in float64; float32 ones are put back on the decimal they stand for."""
    values = np.asarray(axis.values)
    if values.dtype == np.float32:
        decimal = np.round(values.astype(np.float64), 6)
        return np.where(decimal.astype(np.float32) == values, decimal, values.astype(np.float64))
    return values.astype(np.float64)
