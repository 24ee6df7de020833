"""Operators: weights ready to be applied to fields, by numba or by NumPy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from aurora_prep.regridding import kernels
from aurora_prep.regridding.compiled import HAVE_NUMBA
from aurora_prep.sources.spec import Nature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Field = NDArray[np.float32] | NDArray[np.float64]

VECTORS = (Nature.EASTWARD, Nature.NORTHWARD)


@dataclass(frozen=True, eq=False)
class Operator(ABC):
    """Moves flat source fields to a target of ``(rows, columns)``.

    Attributes:
        rows: Target rows.
        columns: Target columns.
    """

    rows: int
    columns: int

    batch: ClassVar[int] = 1  # fields that are worth being handled together

    @abstractmethod
    def run(
        self,
        source: Field,
        out: Field,
        start: int,
        stop: int,
        *,
        threshold: float,
        nature: Nature = Nature.SCALAR,
    ) -> None:
        """Fill target rows ``start`` to ``stop``.

        Args:
            source: ``(fields, points)``, C order; NaN is missing.
            out: ``(fields, rows, columns)``, C order, same dtype.
            start: First target row.
            stop: End of the target rows.
            threshold: Least valid fraction of a target cell that is not missing.
            nature: How values behave at a pole that has no row of its own.
        """

    def state(self) -> dict[str, Any]:
        """Arrays and numbers that make this operator, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Self:
        """The operator of a ``state``."""
        return cls(**state)


@dataclass(frozen=True, eq=False)
class Reorder(Operator):
    """The same points in another order: an exact copy.

    Attributes:
        index: Source point of every target point, flat.
    """

    index: NDArray[np.int64]

    def run(
        self,
        source: Field,
        out: Field,
        start: int,
        stop: int,
        *,
        threshold: float,  # noqa: ARG002  # a copied value is whole or missing
        nature: Nature = Nature.SCALAR,  # noqa: ARG002
    ) -> None:
        part = self.index[start * self.columns : stop * self.columns]
        for field, target in zip(source, out, strict=True):
            np.take(field, part, out=target[start:stop].reshape(-1), mode="clip")


@dataclass(frozen=True, eq=False)
class Nearest(Operator):
    """The value of one source point each.

    Attributes:
        index: Source point of every target point, flat; -1 outside the source.
    """

    index: NDArray[np.int64]

    def run(
        self,
        source: Field,
        out: Field,
        start: int,
        stop: int,
        *,
        threshold: float,  # noqa: ARG002  # a point is there or missing
        nature: Nature = Nature.SCALAR,  # noqa: ARG002
    ) -> None:
        part = self.index[start * self.columns : stop * self.columns]
        outside = part < 0
        for field, target in zip(source, out, strict=True):
            flat = target[start:stop].reshape(-1)
            np.take(field, part, out=flat, mode="clip")
            flat[outside] = np.nan


@dataclass(frozen=True, eq=False)
class Sparse(Operator):
    """A sparse matrix, for sources without rows.

    Attributes:
        begin: Where each target's weights start, ``(rows * columns + 1,)``.
        index: Source points, uint32.
        weight: Their weights; a target's sum is its part inside the source.
    """

    begin: NDArray[np.int64]
    index: NDArray[np.uint32]
    weight: NDArray[np.float64]

    def run(
        self,
        source: Field,
        out: Field,
        start: int,
        stop: int,
        *,
        threshold: float,
        nature: Nature = Nature.SCALAR,  # noqa: ARG002  # no rows, no poles to make
    ) -> None:
        first, last = start * self.columns, stop * self.columns
        if HAVE_NUMBA:
            for field, target in zip(source, out, strict=True):
                kernels.sparse(
                    field,
                    target.reshape(-1),
                    first,
                    last,
                    self.begin,
                    self.index,
                    self.weight,
                    threshold,
                )
            return
        from aurora_prep.regridding import fallback  # noqa: PLC0415  # SciPy only where needed

        fallback.sparse(self, source, out, start, stop, threshold)


@dataclass(frozen=True, eq=False)
class Rows(Operator):
    """Rows to rows: weights along each row, then weights between rows.

    Regular, Gaussian, irregular and reduced grids alike, conservative and
    bilinear: on all of them weights are a product of one in longitude, which
    may differ from row to row, and one in latitude. Nothing of the size of the
    target times its neighbours is ever stored.

    Attributes:
        offsets: Where each source row starts in a flat field, ``(source rows + 1,)``.
        pattern: Which longitude weights each row has, ``(source rows,)``; -1: empty row.
        pattern_start: Where each pattern starts in ``index`` and ``weight``.
        pattern_width: Places a target column of each pattern.
        pattern_whole: Whether each pattern covers all target columns.
        index: Source columns of all patterns, flat, uint32.
        weight: Their weights.
        row_index: Source rows of each target row, ``(rows, n)``; the two after
            the last are rows made for the poles.
        row_weight: Their weights.
        ends: Longitudes of the first row and of the last row, degrees, one after
            the other: rows for the poles are made from these.
        longitude: Target longitudes, ``(columns,)``.
    """

    offsets: NDArray[np.int64]
    pattern: NDArray[np.int64]
    pattern_start: NDArray[np.int64]
    pattern_width: NDArray[np.int64]
    pattern_whole: NDArray[np.bool_]
    index: NDArray[np.uint32]
    weight: NDArray[np.float64]
    row_index: NDArray[np.uint32]
    row_weight: NDArray[np.float64]
    ends: NDArray[np.float64]
    longitude: NDArray[np.float64]

    batch: ClassVar[int] = 4

    @property
    def rows_first(self) -> bool:
        """Whether mixing rows before columns is possible and takes less work.

        Source: costs of one place in vector units, measured; a gathered value
        takes about three times a streamed one.
        """
        if len(self.pattern_start) > 1 or self.pattern[0] < 0:
            return False
        source, places = int(self.offsets[1]), int(self.pattern_width[0])
        before = self.rows * (source * self.row_index.shape[1] + 3 * self.columns * places)
        after = len(self.pattern) * 3 * self.columns * places
        return before <= after + self.rows * self.columns * self.row_index.shape[1]

    @property
    def makes_poles(self) -> bool:
        """Whether a target row needs a row at a pole that the source has not."""
        return bool(np.any(self.row_index >= len(self.pattern)))

    def run(
        self,
        source: Field,
        out: Field,
        start: int,
        stop: int,
        *,
        threshold: float,
        nature: Nature = Nature.SCALAR,
    ) -> None:
        if not HAVE_NUMBA:
            from aurora_prep.regridding import fallback  # noqa: PLC0415

            fallback.rows(self, source, out, start, stop, threshold, nature)
        elif self.rows_first:
            self.run_rows_first(source, out, start, stop, threshold, nature)
        else:
            beyond = self.beyond(source, self.longitude, threshold, nature)
            kernels.longitude_first(
                source,
                beyond,
                out,
                start,
                stop,
                self.offsets,
                self.pattern,
                self.pattern_start,
                self.pattern_width,
                self.pattern_whole,
                self.index,
                self.weight,
                self.row_index,
                self.row_weight,
                threshold,
            )

    def run_rows_first(
        self,
        source: Field,
        out: Field,
        start: int,
        stop: int,
        threshold: float,
        nature: Nature,
    ) -> None:
        """Rows of one length: mix rows, then columns."""
        shape = int(self.pattern_width[0]), self.columns
        columns = int(self.offsets[1])
        whole = (self.row_weight.sum(axis=1) >= kernels.COMPLETE) & self.pattern_whole[0]
        beyond = self.beyond(source, self.ends[:columns], threshold, nature)
        for field, poles, target in zip(source, beyond, out, strict=True):
            kernels.latitude_first(
                field.reshape(-1, columns),
                poles,
                target,
                start,
                stop,
                self.row_index,
                self.row_weight,
                self.index.reshape(shape),
                self.weight.reshape(shape),
                whole,
                threshold,
            )

    def beyond(
        self, source: Field, longitude: NDArray[np.float64], threshold: float, nature: Nature
    ) -> Field:
        """Rows at the two poles, made from the nearest row of the source.

        A scalar has one value at the pole: the mean of the row. The components
        of a vector turn with longitude: they are the row's part of one wave
        round the circle, so that both components of a wind across the pole
        stay that one wind.

        Args:
            source: ``(fields, points)``.
            longitude: Where values are wanted, degrees, ``(n,)``.
            threshold: Least valid fraction of the row.
            nature: Scalar or component of a vector.

        Returns:
            ``(fields, 2, n)``, dtype of ``source``; NaN where too much is missing.
        """
        made = np.full((len(source), 2, len(longitude)), np.nan, dtype=source.dtype)
        if not self.makes_poles:
            return made
        first, last = int(self.offsets[1]), int(self.offsets[-2])
        halves = ((source[:, :first], self.ends[:first]), (source[:, last:], self.ends[first:]))
        for pole, (row, where) in enumerate(halves):
            made[:, pole] = polar_row(row.astype(np.float64), where, longitude, threshold, nature)
        return made


def polar_row(
    row: NDArray[np.float64],
    where: NDArray[np.float64],
    longitude: NDArray[np.float64],
    threshold: float,
    nature: Nature,
) -> NDArray[np.float64]:
    """Values at a pole as the nearest full row implies them; see ``Rows.beyond``."""
    valid = np.isfinite(row)
    enough = valid.any(axis=1) & (valid.mean(axis=1) >= threshold)
    filled, count = np.where(valid, row, 0.0), np.maximum(valid.sum(axis=1), 1)
    if nature not in VECTORS:
        mean = filled.sum(axis=1) / count
        return np.repeat(np.where(enough, mean, np.nan)[:, None], len(longitude), axis=1)
    at, to = np.radians(where), np.radians(longitude)
    cosine, sine = (2 * filled @ np.cos(at)) / count, (2 * filled @ np.sin(at)) / count
    wave = cosine[:, None] * np.cos(to) + sine[:, None] * np.sin(to)
    return np.where(valid.all(axis=1)[:, None], wave, np.nan)
