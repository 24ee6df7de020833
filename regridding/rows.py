"""Separable weights between grids that have rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aurora_prep.regridding import kernels
from aurora_prep.regridding.compiled import HAVE_NUMBA
from aurora_prep.regridding.operators import Operator
from aurora_prep.sources.spec import Nature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aurora_prep.regridding.arrays import Doubles, Field, Places, Positions

VECTORS = (Nature.EASTWARD, Nature.NORTHWARD)


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

    offsets: Positions
    pattern: Positions
    pattern_start: Positions
    pattern_width: Positions
    pattern_whole: NDArray[np.bool_]
    index: Places
    weight: Doubles
    row_index: Places
    row_weight: Doubles
    ends: Doubles
    longitude: Doubles

    batch: ClassVar[int] = 4

    @cached_property
    def cover(self) -> Doubles:
        """Part of each target cell inside the source."""
        along = np.zeros((len(self.pattern_start) + 1, self.columns))
        for kind, (begin, places) in enumerate(
            zip(self.pattern_start, self.pattern_width, strict=True)
        ):
            part = self.weight[begin : begin + places * self.columns]
            along[kind] = part.reshape(places, self.columns).sum(axis=0)
        total = np.zeros((self.rows, self.columns))
        for n in range(self.row_index.shape[1]):
            row, weight = self.row_index[:, n], self.row_weight[:, n, None]
            made = row >= len(self.pattern)
            inside = along[self.pattern[np.where(made, 0, row)]]
            total += weight * np.where(made[:, None], 1.0, inside)
        return np.where(total > kernels.COMPLETE, 1.0, total)

    @property
    def empty(self) -> bool:
        """Whether no target cell meets the source."""
        return not (bool(np.any(self.weight)) and bool(np.any(self.row_weight)))

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
        return bool(before <= after + self.rows * self.columns * self.row_index.shape[1])

    @cached_property
    def matrices(self) -> Any:
        """The weights as sparse matrices, for machines without numba."""
        from aurora_prep.regridding import fallback  # noqa: PLC0415  # SciPy only where needed

        patterns: list[tuple[Places, Doubles] | None] = []
        for kind in self.pattern:
            begin, places = self.pattern_start[kind], self.pattern_width[kind]
            part = slice(begin, begin + places * self.columns)
            patterns.append(None if kind < 0 else (self.index[part], self.weight[part]))
        between = self.row_index, self.row_weight
        return fallback.row_matrices(self.columns, self.offsets, patterns, *between)

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
        """Fill target rows; arguments as in ``Operator.run``."""
        if not HAVE_NUMBA:
            from aurora_prep.regridding import fallback  # noqa: PLC0415

            poles = self.beyond(source, self.longitude, threshold, nature)
            fallback.rows(self.matrices, poles, source, out, start, stop, threshold)
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

    def beyond(self, source: Field, longitude: Doubles, threshold: float, nature: Nature) -> Field:
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
    row: Doubles,
    where: Doubles,
    longitude: Doubles,
    threshold: float,
    nature: Nature,
) -> Doubles:
    """Values at a pole as the nearest full row implies them; see ``Rows.beyond``."""
    valid: NDArray[np.bool_] = ~np.isnan(row)
    enough = valid.any(axis=1) & (valid.mean(axis=1) >= threshold)
    filled, count = np.where(valid, row, 0.0), np.maximum(valid.sum(axis=1), 1)
    if nature not in VECTORS:
        mean = filled.sum(axis=1) / count
        return np.repeat(np.where(enough, mean, np.nan)[:, None], len(longitude), axis=1)
    at, to = np.radians(where), np.radians(longitude)
    cosine, sine = (2 * filled @ np.cos(at)) / count, (2 * filled @ np.sin(at)) / count
    wave = cosine[:, None] * np.cos(to) + sine[:, None] * np.sin(to)
    return np.where(np.all(valid, axis=1)[:, None], wave, np.nan)
