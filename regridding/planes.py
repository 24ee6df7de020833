"""Maps between the sphere and the plane a grid's axes live in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from aurora_prep.sources.spec import RegridError

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Doubles, Pair


EVEN = 1e-9  # of a step: how far steps of a cylindrical projection may differ


class Plane(ABC):
    """A map of the sphere, or part of it, onto x and y."""

    @abstractmethod
    def to_plane(self, latitude: Doubles, longitude: Doubles) -> Pair:
        """``(x, y)`` of points in degrees; not finite where the map has no such point."""

    @abstractmethod
    def to_sphere(self, x: Doubles, y: Doubles) -> Pair:
        """``(latitude, longitude)`` in degrees of points of the plane."""

    @abstractmethod
    def parts(self) -> tuple[object, ...]:
        """What tells this map from all others."""

    @property
    @abstractmethod
    def period(self) -> float | None:
        """Width of the whole globe along x, where meridians are parallel lines; else ``None``."""


@dataclass(frozen=True)
class Projection(Plane):
    """A map projection as PROJ knows it.

    Attributes:
        definition: Anything ``pyproj.CRS`` reads: a PROJ string, WKT, EPSG code.
    """

    definition: str

    def __post_init__(self) -> None:
        try:
            CRS(self.definition)
        except CRSError as error:
            raise RegridError(
                "not a projection that PROJ knows",
                "Projection",
                f"{self.definition!r}: {error}",
                "give a PROJ string, WKT or an EPSG code",
            ) from error

    @cached_property
    def transformer(self) -> Transformer:
        """From longitude and latitude on the projection's own ellipsoid to x and y."""
        crs = CRS(self.definition)
        geodetic = crs.geodetic_crs
        return Transformer.from_crs(geodetic, crs, always_xy=True)

    @cached_property
    def period(self) -> float | None:
        """Width of the globe on a cylindrical projection; ``None`` on all others.

        Found by projecting: x depends on the longitude alone, and evenly so.
        """
        longitude = np.arange(-180.0, 180.0)
        low, high = (self.to_plane(np.full(360, p), longitude)[0] for p in (0.0, 45.0))
        steps = np.diff(low)
        step = float(np.median(steps)) if np.all(np.isfinite(low)) else np.nan
        is_even = np.count_nonzero(np.abs(steps - step) <= EVEN * abs(step)) >= len(steps) - 1
        alike = np.all(np.abs(high - low) <= EVEN * abs(step))
        return abs(step) * 360.0 if step and is_even and alike else None

    def to_plane(self, latitude: Doubles, longitude: Doubles) -> Pair:
        """``(x, y)`` of points in degrees."""
        x, y = self.transformer.transform(longitude, latitude)
        return np.asarray(x), np.asarray(y)

    def to_sphere(self, x: Doubles, y: Doubles) -> Pair:
        """``(latitude, longitude)`` in degrees of points of the plane."""
        longitude, latitude = self.transformer.transform(x, y, direction="INVERSE")
        return np.asarray(latitude), np.asarray(longitude)

    def parts(self) -> tuple[object, ...]:
        """What tells it from all others."""
        return ("projection", self.definition)


@dataclass(frozen=True)
class RotatedPole(Plane):
    """Latitudes and longitudes about a moved pole; x is longitude, y latitude, degrees.

    Attributes:
        south_latitude: Latitude of the moved south pole.
        south_longitude: Its longitude.
        angle: Rotation about the moved axis, degrees.

    Source:
        GRIB edition 2, grid definition template 3.1: turn about the polar axis
        by the longitude of the moved pole, then about the new y axis.
    """

    south_latitude: float
    south_longitude: float
    angle: float = 0.0

    @cached_property
    def matrix(self) -> Doubles:
        """Geographic to rotated Cartesian coordinates, ``(3, 3)``."""
        turn, tilt = np.radians(self.south_longitude), np.radians(90 + self.south_latitude)
        about_z = np.array(
            [[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
        )
        about_y = np.array(
            [[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]]
        )
        return np.asarray(about_y @ about_z)

    @property
    def period(self) -> float:
        """One turn, in degrees."""
        return 360.0

    def to_plane(self, latitude: Doubles, longitude: Doubles) -> Pair:
        """``(x, y)`` of points in degrees."""
        y, x = degrees(np.tensordot(self.matrix, cartesian(latitude, longitude), axes=1))
        return x - self.angle, y

    def to_sphere(self, x: Doubles, y: Doubles) -> Pair:
        """``(latitude, longitude)`` in degrees of points of the plane."""
        return degrees(np.tensordot(self.matrix.T, cartesian(y, x + self.angle), axes=1))

    def parts(self) -> tuple[object, ...]:
        """What tells it from all others."""
        return ("rotated pole", self.south_latitude, self.south_longitude, self.angle)


def cartesian(latitude: Doubles, longitude: Doubles) -> Doubles:
    """Unit vectors ``(3, ...)`` of points in degrees."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


def degrees(vectors: Doubles) -> Pair:
    """Latitude and longitude in degrees of vectors ``(3, ...)``."""
    x, y, z = vectors
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))
