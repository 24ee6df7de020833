"""The regridder: two grids, a method, a rule for missing values."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from aurora_prep.regridding.axes import of_grid
from aurora_prep.regridding.build import build
from aurora_prep.regridding.geometry import Geometry, digest_of_parts
from aurora_prep.regridding.operators import Operator, Reorder
from aurora_prep.sources.spec import Grid, Nature, RegridError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Field = NDArray[np.float32] | NDArray[np.float64]

FORMAT = 1  # of weights: a change of their meaning or layout makes old ones stale
METHODS = ("auto", "conservative", "bilinear", "nearest")
TIE = 1e-9  # valid fractions this little below the threshold are rounding


@dataclass(frozen=True, eq=False)
class Regridder:
    """Moves fields from one grid to another. Safe to share between threads.

    Attributes:
        source: Where fields come from.
        target: Where they go.
        method: ``conservative``, ``bilinear``, ``nearest``; never ``auto``.
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

    @property
    def is_identity(self) -> bool:
        """Whether fields come back unchanged."""
        index = self.operator.index if isinstance(self.operator, Reorder) else None
        return index is not None and bool(np.array_equal(index, np.arange(index.size)))

    def __call__(
        self, field: Field, out: Field | None = None, *, threads: int = 1
    ) -> Field:
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
        leading = field.shape[: field.ndim - len(self.source.shape)]
        if out is None and self.is_identity:
            return field
        out = self.result(leading, field.dtype, out)
        flat = np.ascontiguousarray(field).reshape(-1, self.source.size)
        self.fill(flat, out.reshape(-1, *self.target.shape), threads)
        return out

    def result(self, leading: tuple[int, ...], dtype: np.dtype[np.floating], out: Field | None) -> Field:
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
            for low, high in zip(borders[:-1], borders[1:], strict=True)
        ]

        def work(task: tuple[slice, int, int]) -> None:
            part, low, high = task
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
        method: ``conservative``, ``bilinear``, ``nearest``, or ``auto``:
            conservative where the target is no finer than the source, else bilinear.
        nature: How the values behave.
        valid_fraction: A target cell is missing when less than this part of it
            holds valid values, 0 to 1.
        cache: Folder for weights that are worth keeping.

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
    if method == "auto":
        method = automatic(geometry, wanted, nature)
    operator = build(geometry, wanted, method)
    return Regridder(geometry, target, method, nature, valid_fraction, operator)


def automatic(source: Geometry, target: Geometry, nature: Nature) -> str:
    """Conservative towards coarser grids, bilinear towards finer ones."""
    return "conservative" if target.spacing >= source.spacing * (1 - TIE) else "bilinear"


def weights_digest(source: Geometry, target: Geometry, method: str) -> str:
    """SHA-256 that names a set of weights."""
    return digest_of_parts("weights", FORMAT, source.digest, target.digest, method)
