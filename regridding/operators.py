"""Operators: weights ready to be applied to fields, by numba or by NumPy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from aurora_prep.regridding import kernels
from aurora_prep.regridding.compiled import HAVE_NUMBA
from aurora_prep.regridding.geometry import CLOSE
from aurora_prep.sources.spec import Nature

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Doubles, Field, Places, Positions


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

    @property
    @abstractmethod
    def cover(self) -> Doubles:
        """Part of each target cell that lies inside the source, ``(rows, columns)``."""

    @property
    @abstractmethod
    def empty(self) -> bool:
        """Whether no target cell meets the source."""

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

    index: Positions

    @property
    def cover(self) -> Doubles:
        """Part of each target cell inside the source."""
        return np.ones((self.rows, self.columns))

    @property
    def empty(self) -> bool:
        """Whether no target cell meets the source."""
        return False

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
        """Fill target rows; arguments as in ``Operator.run``."""
        part = self.index[start * self.columns : stop * self.columns]
        for field, target in zip(source, out, strict=True):
            np.take(field, part, out=target[start:stop].reshape(-1), mode="clip")


@dataclass(frozen=True, eq=False)
class Nearest(Operator):
    """The value of one source point each.

    Attributes:
        index: Source point of every target point, flat; -1 outside the source.
    """

    index: Positions

    @property
    def cover(self) -> Doubles:
        """Part of each target cell inside the source."""
        return (self.index >= 0).astype(np.float64).reshape(self.rows, self.columns)

    @property
    def empty(self) -> bool:
        """Whether no target cell meets the source."""
        return bool(np.all(self.index < 0))

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
        """Fill target rows; arguments as in ``Operator.run``."""
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

    begin: Positions
    index: Places
    weight: Doubles

    @cached_property
    def cover(self) -> Doubles:
        """Part of each target cell inside the source."""
        ends = np.concatenate([[0.0], np.cumsum(self.weight)])[self.begin]
        cover = np.minimum(np.diff(ends), 1.0)
        return np.where(cover > kernels.COMPLETE - CLOSE, 1.0, cover).reshape(
            self.rows, self.columns
        )

    @property
    def empty(self) -> bool:
        """Whether no target cell meets the source."""
        return len(self.weight) == 0

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
        """Fill target rows; arguments as in ``Operator.run``."""
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

        weights = self.begin, self.index, self.weight
        matrix = fallback.sparse_matrix(*weights, source.shape[1], first, last)
        fallback.sparse(matrix, source, out, start, stop, threshold)
