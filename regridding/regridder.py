"""The regridder: two grids, a method, a rule for missing values."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding import mir
from aurora_prep.regridding.angles import mean_direction
from aurora_prep.regridding.axes import of_grid
from aurora_prep.regridding.build import build
from aurora_prep.regridding.cache import kept
from aurora_prep.regridding.geometry import Geometry, Rectilinear, digest_of_parts
from aurora_prep.regridding.majority import fraction, majority
from aurora_prep.regridding.operators import Operator, Reorder
from aurora_prep.regridding.plane_grids import Curvilinear, Scattered
from aurora_prep.sources.spec import Grid, Nature, RegridError

if TYPE_CHECKING:
    from pathlib import Path

    from aurora_prep.regridding.arrays import Field


FORMAT = 2  # of weights: a change of their meaning or layout makes old ones stale
OWN = ("conservative", "bilinear", "nearest", "majority")
METHODS = ("auto", *OWN, *mir.METHODS)
UNAVERAGED = ("majority", "nearest", "mir-nearest")
TIE = 1e-9  # valid fractions this little below the threshold are rounding


@dataclass(frozen=True, eq=False)
class Regridder:
    """Moves fields from one grid to another. Safe to share between threads.

    Attributes:
        source: Where fields come from.
        target: Where they go.
        method: One of ``METHODS``, never ``auto``.
        nature: How the values behave.
        valid_fraction: Least part of a target cell that must hold valid values.
        operator: The weights.
    """

    source: Geometry
    target: Grid
    method: str
    nature: Nature
    valid_fraction: float
    operator: Operator

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what decides the values: grids, method, nature and mask rule."""
        return digest_of_parts(
            weights_digest(self.source, of_grid(self.target), self.method),
            str(self.nature),
            self.valid_fraction,
        )

    @cached_property
    def is_identity(self) -> bool:
        """Whether fields come back unchanged."""
        index = self.operator.index if isinstance(self.operator, Reorder) else None
        return index is not None and bool(np.array_equal(index, np.arange(index.size)))

    @property
    def is_copy(self) -> bool:
        """Whether every value of the result is a value of the field, none a mean."""
        return self.method in UNAVERAGED or isinstance(self.operator, Reorder)

    def __call__(self, field: Field, out: Field | None = None, *, threads: int = 1) -> Field:
        """Regrid one field or a batch.

        Args:
            field: ``(..., *source.shape)``, float32 or float64; NaN is missing.
            out: Optional result to fill, ``(..., rows, columns)``, C order, same dtype.
            threads: Threads to use; the result does not depend on it.

        Returns:
            ``(..., rows, columns)``, same dtype. On an identical grid ``field``
            itself, unless ``out`` is given.

        Raises:
            RegridError: The field's size is not its grid's, or its dtype is not
                floating, or ``out`` does not fit.
        """
        field = np.asarray(field)
        self.source.check(field.shape)
        if field.dtype not in (np.float32, np.float64):
            raise RegridError(
                "the field is not float32 or float64",
                self.source.name,
                f"dtype {field.dtype}",
                "convert it, with NaN for missing values",
            )
        if out is None and self.is_identity:
            return field
        leading = field.shape[: field.ndim - len(self.source.shape)]
        out = self.result(leading, field.dtype, out)
        if self.nature is Nature.DIRECTION and self.method not in UNAVERAGED:
            part, plain = (replace(self, nature=n) for n in (Nature.EASTWARD, Nature.SCALAR))
            out[...] = mean_direction(
                lambda side: part(side, threads=threads),
                lambda side: plain(side, threads=threads),
                field,
            )
            return out
        flat = np.ascontiguousarray(field).reshape(-1, self.source.size)
        self.fill(flat, out.reshape(-1, *self.target.shape), threads)
        return out

    def valid_part(self, field: Field) -> Field:
        """Part of each target cell that holds valid values, the rest of the earth included.

        Args:
            field: ``(..., *source.shape)``.

        Returns:
            ``(..., rows, columns)``, 0 to 1, dtype of ``field``.

        Raises:
            RegridError: The field's size is not its grid's.
        """
        self.source.check(field.shape)
        leading = field.shape[: field.ndim - len(self.source.shape)]
        here = ~np.isnan(field).reshape(-1, self.source.size)
        return (
            fraction(self.operator, here).astype(field.dtype).reshape(*leading, *self.target.shape)
        )

    def result(
        self, leading: tuple[int, ...], dtype: np.dtype[np.floating], out: Field | None
    ) -> Field:
        """An array for the result, or ``out`` if it fits.

        Raises:
            RegridError: ``out`` does not fit.
        """
        shape = (*leading, *self.target.shape)
        if out is None:
            return np.empty(shape, dtype=dtype)
        if out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
            raise RegridError(
                "out does not fit the result",
                f"grid {self.target.name}",
                f"shape {out.shape}, dtype {out.dtype}; needed {shape}, {dtype}, C order",
                "leave out away, or allocate it like the result",
            )
        return out

    def fill(self, source: Field, out: Field, threads: int) -> None:
        """Run the operator over batches of fields and bands of rows."""
        threshold, nature = self.valid_fraction - TIE, self.nature
        batch = self.operator.batch
        starts = range(0, len(source), batch)
        bands = 1 if threads == 1 else -(-threads // max(len(starts), 1))
        borders = np.linspace(0, self.target.rows, bands + 1).astype(int)
        tasks = [
            (slice(start, start + batch), int(low), int(high))
            for start in starts
            for low, high in pairwise(borders)
        ]

        def work(task: tuple[slice, int, int]) -> None:
            part, low, high = task
            if self.method == "majority":
                majority(self.operator, source[part], out[part], low, high, threshold)
            else:
                self.operator.run(
                    source[part], out[part], low, high, threshold=threshold, nature=nature
                )

        if threads == 1:
            for task in tasks:
                work(task)
            return
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, tasks))


def regridder(
    source: Geometry | Grid,
    target: Grid,
    method: str = "auto",
    *,
    nature: Nature = Nature.SCALAR,
    valid_fraction: float = 0.5,
    cache: Path | None = None,
) -> Regridder:
    """Weights from ``source`` to ``target``, ready to be applied.

    Args:
        source: Geometry of the fields, or a regular grid.
        target: Regular grid wanted, global or regional.
        method: One of ``METHODS``. ``auto`` is majority for categories; else
            conservative where the target is no finer than the source and the
            source's cells are known; else bilinear.
        nature: How the values behave.
        valid_fraction: A target cell is missing when less than this part of it
            holds valid values, 0 to 1; 0 asks for any valid value at all.
        cache: Folder for weights; used where building them takes long.

    Raises:
        RegridError: The method does not exist or does not fit, or the grids do
            not meet.
    """
    geometry = of_grid(source) if isinstance(source, Grid) else source
    wanted = of_grid(target)
    if method not in METHODS:
        raise RegridError(
            "no such method", "regridder", repr(method), f"use one of {', '.join(METHODS)}"
        )
    if not 0 <= valid_fraction <= 1:
        raise RegridError(
            "not a fraction", "regridder, valid_fraction", repr(valid_fraction), "give 0 to 1"
        )
    if method == "auto":
        method = automatic(geometry, wanted, nature)
    if nature is Nature.CATEGORICAL and method not in UNAVERAGED:
        raise RegridError(
            "categories cannot be averaged",
            f"regridder from {geometry.name} to {target.name}",
            f"method {method}",
            f"use one of {', '.join(UNAVERAGED)}, or auto",
        )
    if method in mir.METHODS:
        operator: Operator = mir.mir_operator(geometry, target, method)
    else:
        operator = weights(geometry, wanted, method, cache)
    if operator.empty:
        raise RegridError(
            "the target lies outside the data",
            f"from {geometry.name}",
            f"no cell of grid {target.name} meets it",
            "choose a target that overlaps the source",
        )
    return Regridder(geometry, target, method, nature, valid_fraction, operator)


def weights(source: Geometry, target: Rectilinear, method: str, cache: Path | None) -> Operator:
    """Weights built, or read from ``cache`` where building takes longer than reading."""
    method = "conservative" if method == "majority" else method
    if cache is None or isinstance(source, Rectilinear):
        return build(source, target, method)
    digest = weights_digest(source, target, method)
    return kept(cache, digest, lambda: build(source, target, method))


def automatic(source: Geometry, target: Geometry, nature: Nature) -> str:
    """Majority of categories; conservative to coarser grids, bilinear to finer ones."""
    cells = not isinstance(source, Curvilinear | Scattered) or source.corners is not None
    if nature is Nature.CATEGORICAL:
        return "majority" if cells else "nearest"
    coarser = target.spacing >= source.spacing * (1 - TIE)
    return "conservative" if coarser and cells else "bilinear"


def weights_digest(source: Geometry, target: Geometry, method: str) -> str:
    """SHA-256 that names a set of weights."""
    return digest_of_parts("weights", FORMAT, source.digest, target.digest, method)
