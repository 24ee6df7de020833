"""Geometries whose rows do not follow parallels: projected, curvilinear, scattered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding.axes import SEAM, longitude_edges
from aurora_prep.regridding.geometry import CLOSE, FULL_TURN, POLE, Geometry, check_axis
from aurora_prep.regridding.planes import Plane, RotatedPole, cartesian
from aurora_prep.sources.spec import RegridError

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Doubles, Pair

SAMPLE = 20  # rows and columns looked at
RIGHT_ANGLE = 0.05  # cosine of the angle between rows and columns


@dataclass(frozen=True, eq=False)
class Projected(Geometry):
    """Points at the crossings of x and y axes of a plane.

    Attributes:
        plane: The map from the sphere to the plane.
        x: Coordinates of the columns, monotonic, in units of the plane.
        y: Coordinates of the rows, monotonic.
    """

    plane: Plane
    x: Doubles
    y: Doubles

    def __post_init__(self) -> None:
        for what, axis in (("x", self.x), ("y", self.y)):
            if len(axis) < 2:  # noqa: PLR2004  # cells need a width
                raise RegridError(
                    f"the {what} axis has no cells",
                    "projected grid",
                    f"{len(axis)} points",
                    "give at least two coordinates",
                )
        check_axis("x", self.x, self.edges(self.x))
        check_axis("y", self.y, self.edges(self.y))
        object.__setattr__(self, "shape", (len(self.y), len(self.x)))

    @property
    def name(self) -> str:
        """Kind, size and extent."""
        kind = self.plane.parts()[0]
        return f"{kind} {self.shape[0]}x{self.shape[1]}"

    @cached_property
    def spacing(self) -> float:
        """Distance between neighbours, degrees of a great circle."""
        return typical_spacing(*(side.reshape(self.shape) for side in self.points()))

    def parts(self) -> tuple[object, ...]:
        """What tells it from all others."""
        return *self.plane.parts(), self.x, self.y

    def points(self) -> Pair:
        """Latitude and longitude of every point, degrees, flat."""
        x, y = np.meshgrid(self.x, self.y)
        return self.plane.to_sphere(x.ravel(), y.ravel())

    @property
    def is_rotated(self) -> bool:
        """Whether x is a longitude, about a moved pole."""
        return isinstance(self.plane, RotatedPole)

    @property
    def unit(self) -> float:
        """Degrees a unit of x, where x goes round the globe; else 1."""
        return FULL_TURN / (self.plane.period or FULL_TURN)

    @property
    def turns(self) -> bool:
        """Whether the columns close the circle."""
        if self.plane.period is None:
            return False
        x = self.x * self.unit
        step = abs(float(x[1] - x[0]))
        slack = CLOSE * FULL_TURN if self.is_rotated else SEAM * step
        return bool(abs(abs(x[-1] - x[0]) + step - FULL_TURN) < slack)

    def on_plane(self, latitude: Doubles, longitude: Doubles) -> Pair:
        """``(x, y)`` of points in degrees, x within one turn from the western border.

        A map cuts the globe open along one meridian; a grid may run across the cut.
        """
        x, y = self.plane.to_plane(latitude, longitude)
        period = self.plane.period
        if period is None:
            return x, y
        slack = CLOSE * period
        west = self.x_edges.min() - slack
        return west + np.mod(x - west, period), y

    @staticmethod
    def edges(axis: Doubles) -> Doubles:
        """Cell borders half-way between points, the outermost half a step beyond."""
        middle = (axis[1:] + axis[:-1]) / 2
        ends = (3 * axis[0] - axis[1]) / 2, (3 * axis[-1] - axis[-2]) / 2
        return np.concatenate([ends[:1], middle, ends[1:]])

    @property
    def x_edges(self) -> Doubles:
        """Borders of the columns."""
        edges = longitude_edges(self.x * self.unit) / self.unit if self.turns else None
        return self.edges(self.x) if edges is None else edges

    @property
    def y_edges(self) -> Doubles:
        """Borders of the rows; those of rotated latitudes end at the moved poles."""
        edges = self.edges(self.y)
        return np.clip(edges, -POLE, POLE) if self.is_rotated else edges

    @cached_property
    def is_orthogonal(self) -> bool:
        """Whether rows and columns meet at right angles, nearly, wherever a sample looks."""
        x = self.x[:: max(1, len(self.x) // SAMPLE)]
        y = self.y[:: max(1, len(self.y) // SAMPLE)]
        x, y = (side.ravel() for side in np.meshgrid(x, y))
        step = 1e-3 * abs(float(self.x[1] - self.x[0])), 1e-3 * abs(float(self.y[1] - self.y[0]))
        here = cartesian(*self.plane.to_sphere(x, y))
        across = cartesian(*self.plane.to_sphere(x + step[0], y)) - here
        up = cartesian(*self.plane.to_sphere(x, y + step[1])) - here
        lengths = np.linalg.norm(across, axis=0) * np.linalg.norm(up, axis=0)
        lean = np.abs((across * up).sum(axis=0))
        return bool(np.all(lean <= RIGHT_ANGLE * np.maximum(lengths, np.finfo(float).tiny)))

    def cells(self) -> Pair:
        """Corners of every cell, ``(points, 4)``, in turn."""
        x, y = np.meshgrid(self.x_edges, self.y_edges)
        return quadrilaterals(*(side.reshape(x.shape) for side in self.plane.to_sphere(x, y)))

    def east_angle(self) -> Doubles:
        """Angle from east to the grid's x direction, radians anticlockwise, ``shape``.

        Rotating grid-relative components by it gives eastward and northward ones.

        Source:
            Directional derivative of the map by central differences over a
            thousandth of a step, as great-circle tangents.
        """
        x, y = np.meshgrid(self.x, self.y)
        step = 1e-3 * (self.x[1] - self.x[0])
        here = cartesian(*self.plane.to_sphere(x.ravel(), y.ravel()))
        ahead = cartesian(*self.plane.to_sphere((x + step).ravel(), y.ravel()))
        behind = cartesian(*self.plane.to_sphere((x - step).ravel(), y.ravel()))
        return angle_to_east(here, (ahead - behind) * np.sign(step)).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Curvilinear(Geometry):
    """Points with two-dimensional latitudes and longitudes.

    Attributes:
        latitude: Degrees north, ``(rows, columns)``.
        longitude: Degrees east, ``(rows, columns)``.
        corners: Latitudes and longitudes of the corners of every cell in turn,
            each ``(rows * columns, corners)``, where they are known.
    """

    latitude: Doubles
    longitude: Doubles
    corners: Pair | None = None

    def __post_init__(self) -> None:
        check_points(self.latitude, self.longitude, self.corners, axes=2)
        object.__setattr__(self, "shape", self.latitude.shape)

    @property
    def name(self) -> str:
        """Kind, size and extent."""
        return f"curvilinear {self.shape[0]}x{self.shape[1]}"

    @cached_property
    def spacing(self) -> float:
        """Distance between neighbours, degrees of a great circle."""
        return typical_spacing(self.latitude, self.longitude)

    def parts(self) -> tuple[object, ...]:
        """What tells it from all others."""
        return self.latitude, self.longitude, *(self.corners or ())

    def points(self) -> Pair:
        """Latitude and longitude of every point, degrees, flat."""
        return self.latitude.ravel(), self.longitude.ravel()

    @cached_property
    def turns(self) -> bool:
        """Whether the last column is a neighbour of the first."""
        vectors = cartesian(self.latitude, self.longitude)
        step = np.linalg.norm(np.diff(vectors, axis=2), axis=0)
        seam = np.linalg.norm(vectors[:, :, 0] - vectors[:, :, -1], axis=0)
        return bool(np.median(seam) < 1.5 * np.median(step))

    def east_angle(self) -> Doubles:
        """Angle from east to the direction of growing columns, radians anticlockwise, ``shape``.

        Source:
            Central differences between the neighbours in a row, one-sided at its ends.
        """
        vectors = cartesian(self.latitude, self.longitude)
        if self.turns:
            along = np.roll(vectors, -1, axis=2) - np.roll(vectors, 1, axis=2)
        else:
            along = np.gradient(vectors, axis=2)
        flat = 3, self.size
        return angle_to_east(vectors.reshape(flat), along.reshape(flat)).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Scattered(Geometry):
    """Points in no order: icosahedral, cubed sphere, stations.

    Attributes:
        latitude: Degrees north, ``(points,)``.
        longitude: Degrees east, ``(points,)``.
        corners: Latitudes and longitudes of the corners of every cell in turn,
            each ``(points, corners)``, where they are known.
    """

    latitude: Doubles
    longitude: Doubles
    corners: Pair | None = None

    def __post_init__(self) -> None:
        check_points(self.latitude, self.longitude, self.corners, axes=1)
        object.__setattr__(self, "shape", self.latitude.shape)

    @property
    def name(self) -> str:
        """Kind, size and extent."""
        return f"scattered {self.size} points"

    @cached_property
    def spacing(self) -> float:
        """Distance between neighbours, degrees of a great circle."""
        from scipy.spatial import cKDTree  # noqa: PLC0415  # only unstructured grids need it

        vectors = cartesian(self.latitude, self.longitude).T
        away, _ = cKDTree(vectors).query(vectors[:: max(self.size // 1000, 1)], k=2)
        return float(np.degrees(np.median(away[:, 1])))

    def parts(self) -> tuple[object, ...]:
        """What tells it from all others."""
        return self.latitude, self.longitude, *(self.corners or ())

    def points(self) -> Pair:
        """Latitude and longitude of every point, degrees, flat."""
        return self.latitude, self.longitude


def check_points(
    latitude: Doubles,
    longitude: Doubles,
    corners: Pair | None,
    *,
    axes: int,
) -> None:
    """Refuse coordinates that do not fit together.

    Raises:
        RegridError: Shapes differ, values are not finite or latitudes beyond a pole.
    """
    shapes = [latitude.shape, longitude.shape, *(side.shape[:1] for side in corners or ())]
    fits = latitude.shape == longitude.shape and latitude.ndim == axes and latitude.size > 0
    fits &= all(shape == (latitude.size,) for shape in shapes[2:])
    fine = fits and bool(np.all(np.isfinite(latitude)) and np.all(np.isfinite(longitude)))
    if not fine or np.abs(latitude).max() > POLE:
        raise RegridError(
            "coordinates of points do not fit together",
            f"grid with {axes}-D latitude and longitude",
            f"shapes {', '.join(map(str, shapes))}",
            f"give finite {axes}-D arrays of one shape, latitudes within 90 degrees,"
            " corners one row a point",
        )


def angle_to_east(here: Doubles, along: Doubles) -> Doubles:
    """Angle from east to directions in space, radians anticlockwise, ``(points,)``.

    Args:
        here: Unit vectors of the points, ``(3, points)``.
        along: Directions at the points, ``(3, points)``.
    """
    east = np.stack([-here[1], here[0], np.zeros(here.shape[1])])
    north = np.cross(here, east, axis=0)
    return np.asarray(np.arctan2((along * north).sum(axis=0), (along * east).sum(axis=0)))


def quadrilaterals(latitude: Doubles, longitude: Doubles) -> Pair:
    """Corners in turn, ``(rows * columns, 4)``, from a lattice of ``(rows + 1, columns + 1)``."""

    def turn(side: Doubles) -> Doubles:
        corners = [side[:-1, :-1], side[:-1, 1:], side[1:, 1:], side[1:, :-1]]
        return np.stack([corner.ravel() for corner in corners], axis=1)

    return turn(latitude), turn(longitude)


def typical_spacing(latitude: Doubles, longitude: Doubles) -> float:
    """Median distance between neighbours in a row and in a column, degrees."""
    vectors = cartesian(latitude, longitude)
    steps = [
        np.median(np.linalg.norm(np.diff(vectors, axis=axis), axis=0))
        for axis in (1, 2)
        if vectors.shape[axis] > 1
    ]
    return float(np.degrees(max(steps, default=0.0)))
