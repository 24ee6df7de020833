"""What a grid is to the numerics: points, cells, and a digest that names both."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.sources.spec import RegridError

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Doubles, Pair, Positions

FULL_TURN = 360.0
POLE = 90.0
CLOSE = 1e-9  # in steps: two coordinates closer than this are one


class Geometry(ABC):
    """Points and cells of a source grid.

    Attributes:
        shape: Trailing axes of a field on this grid: ``(rows, columns)``, or
            ``(points,)`` where rows have different lengths or there are none.
    """

    shape: tuple[int, ...]

    @property
    @abstractmethod
    def name(self) -> str:
        """Short text for people: kind and size."""

    @property
    @abstractmethod
    def spacing(self) -> float:
        """Typical distance between neighbours, in degrees of a great circle."""

    @abstractmethod
    def parts(self) -> tuple[object, ...]:
        """What tells this grid from all others: texts, numbers and arrays."""

    @abstractmethod
    def points(self) -> Pair:
        """Latitude and longitude of every point in degrees, flat, in field order."""

    @property
    def size(self) -> int:
        """Number of points."""
        return int(np.prod(self.shape))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the grid's definition: the same on every machine."""
        return digest_of_parts(type(self).__name__, *self.parts())

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse a field whose trailing axes are not this grid's.

        Raises:
            RegridError: The shapes differ.
        """
        if shape[-len(self.shape) :] != self.shape:
            raise RegridError(
                "the field does not fit its grid",
                self.name,
                f"a field of shape {shape}; the grid has {self.shape}",
                "give the grid this field was decoded with: leading axes are free,"
                " the last ones must be the grid's",
            )


def digest_of_parts(*parts: object) -> str:
    """SHA-256 over texts, numbers and arrays, little-endian whatever the machine."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            little = np.ascontiguousarray(part, dtype=part.dtype.newbyteorder("<"))
            digest.update(f"array {little.dtype.str} {little.shape};".encode())
            digest.update(little.data)
        else:
            digest.update(f"{type(part).__name__} {part!r};".encode())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Rectilinear(Geometry):
    """Latitudes by longitudes: regular, regular Gaussian or any monotonic axes.

    Attributes:
        latitude: Degrees north, shape ``(rows,)``, strictly monotonic, either way.
        longitude: Degrees east, shape ``(columns,)``, strictly monotonic and
            unwrapped (they may run beyond 360 or below 0), at most one turn.
        latitude_edges: Cell borders in the order of ``latitude``, ``(rows + 1,)``.
        longitude_edges: Cell borders in the order of ``longitude``,
            ``(columns + 1,)``; exactly one turn apart when the grid is periodic.
    """

    latitude: Doubles
    longitude: Doubles
    latitude_edges: Doubles
    longitude_edges: Doubles

    def __post_init__(self) -> None:
        check_axis("latitude", self.latitude, self.latitude_edges)
        check_axis("longitude", self.longitude, self.longitude_edges)
        check_latitudes(self.latitude, self.latitude_edges)
        if span(self.longitude_edges) > FULL_TURN * (1 + 1e-12):
            raise RegridError(
                "longitudes go round the globe more than once",
                f"longitude axis of {len(self.longitude)}",
                f"{self.longitude[0]} to {self.longitude[-1]}",
                "drop the repeated columns",
            )
        object.__setattr__(self, "shape", (len(self.latitude), len(self.longitude)))

    @property
    def periodic(self) -> bool:
        """Whether the columns close the circle."""
        return abs(span(self.longitude_edges) - FULL_TURN) < CLOSE

    @property
    def name(self) -> str:
        """Kind, size and extent."""
        return "rectilinear {}x{} lat {:g}..{:g} lon {:g}..{:g}".format(
            *self.shape, *self.latitude[[0, -1]], *self.longitude[[0, -1]]
        )

    @property
    def spacing(self) -> float:
        """Distance between neighbours, degrees of a great circle."""
        rows = span(self.latitude_edges) / len(self.latitude)
        return max(rows, span(self.longitude_edges) / len(self.longitude))

    def parts(self) -> tuple[object, ...]:
        """What tells it from all others."""
        return self.latitude, self.longitude, self.latitude_edges, self.longitude_edges

    def points(self) -> Pair:
        """Latitude and longitude of every point, degrees, flat."""
        latitude, longitude = np.meshgrid(self.latitude, self.longitude, indexing="ij")
        return latitude.ravel(), longitude.ravel()


@dataclass(frozen=True, eq=False)
class Reduced(Geometry):
    """Rows of evenly spaced points, each row with its own number of them.

    Reduced Gaussian (classic and octahedral) and reduced latitude-longitude
    grids, global or cut out. A row may be empty.

    Attributes:
        latitude: Degrees north of the rows, ``(rows,)``, strictly monotonic.
        latitude_edges: Borders of the rows, ``(rows + 1,)``.
        counts: Points in each row, ``(rows,)``.
        first: Longitude of each row's first point, degrees, ``(rows,)``.
        step: Degrees between the points of each row, ``(rows,)``, positive.
    """

    latitude: Doubles
    latitude_edges: Doubles
    counts: Positions
    first: Doubles
    step: Doubles

    def __post_init__(self) -> None:
        check_axis("latitude", self.latitude, self.latitude_edges)
        check_latitudes(self.latitude, self.latitude_edges)
        rows = len(self.latitude)
        lengths = {len(self.counts), len(self.first), len(self.step)}
        full = bool(np.all(self.counts * self.step <= FULL_TURN * (1 + 1e-12)))
        if lengths != {rows} or np.any(self.counts < 0) or np.any(self.step <= 0) or not full:
            raise RegridError(
                "rows of a reduced grid do not fit together",
                f"reduced grid of {rows} rows",
                f"{len(self.counts)} counts, {len(self.first)} first longitudes,"
                f" {len(self.step)} steps, longest row {float(np.max(self.counts * self.step))}"
                " degrees",
                "give one count, first longitude and positive step a row, at most one turn",
            )
        object.__setattr__(self, "shape", (int(self.counts.sum()),))

    @property
    def name(self) -> str:
        """Kind, size and extent."""
        return "reduced {} rows {} points lat {:g}..{:g}".format(
            len(self.latitude), self.size, *self.latitude[[0, -1]]
        )

    @property
    def spacing(self) -> float:
        """Distance between neighbours, degrees of a great circle."""
        return span(self.latitude_edges) / len(self.latitude)

    @cached_property
    def offsets(self) -> Positions:
        """Where each row starts in the field, ``(rows + 1,)``."""
        return np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)

    def parts(self) -> tuple[object, ...]:
        """What tells it from all others."""
        return self.latitude, self.latitude_edges, self.counts, self.first, self.step

    def row(self, row: int) -> Pair:
        """Longitudes and cell borders of one row, in degrees."""
        first, step, count = self.first[row], self.step[row], int(self.counts[row])
        return first + step * np.arange(count), first + step * (np.arange(count + 1) - 0.5)

    def points(self) -> Pair:
        """Latitude and longitude of every point, degrees, flat."""
        column = np.arange(self.size) - np.repeat(self.offsets[:-1], self.counts)
        longitude = np.repeat(self.first, self.counts) + column * np.repeat(self.step, self.counts)
        return np.repeat(self.latitude, self.counts), longitude


def span(edges: Doubles) -> float:
    """Distance between the first and the last edge."""
    return abs(float(edges[-1] - edges[0]))


def check_axis(what: str, points: Doubles, edges: Doubles) -> None:
    """Refuse an axis that is not finite and monotonic with one cell a point.

    Raises:
        RegridError: The axis is not usable.
    """
    finite = bool(np.all(np.isfinite(points)) and np.all(np.isfinite(edges)))
    steps = np.diff(edges)
    inside = bool(np.all((points - edges[:-1]) * (edges[1:] - points) >= 0)) if finite else False
    one_way = bool(np.all(steps > 0) or np.all(steps < 0))
    if len(points) == 0 or len(edges) != len(points) + 1 or not (finite and inside and one_way):
        raise RegridError(
            f"the {what} axis is not strictly monotonic",
            f"{what} axis of {len(points)} points, {len(edges)} cell borders",
            np.array2string(points, threshold=6, edgeitems=3),
            "give finite coordinates in one direction, each inside its own cell",
        )


def check_latitudes(latitude: Doubles, edges: Doubles) -> None:
    """Refuse latitudes beyond a pole.

    Raises:
        RegridError: A row or a border lies beyond 90 degrees.
    """
    if max(np.abs(latitude).max(), np.abs(edges).max()) > POLE:
        raise RegridError(
            "latitudes reach beyond a pole",
            f"latitude axis of {len(latitude)}",
            f"{latitude[0]} to {latitude[-1]}, cells {edges[0]} to {edges[-1]}",
            "check that latitudes are in degrees and in the right axis",
        )
