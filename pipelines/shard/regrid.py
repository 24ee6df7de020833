"""Regrid: fields onto the recipe's grid, by weights built once a process."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurora_prep.pipelines.reading.grid_description import GridDescription
from aurora_prep.pipelines.reading.harmonise import Placement
from aurora_prep.pipelines.shard.groups import Mover
from aurora_prep.regridding import Geometry, Regridder, geometry_from_grib, in_rows, regridder
from aurora_prep.regridding.regridder import UNAVERAGED
from aurora_prep.sources.spec import Grid, Nature

_BUILDING = threading.Lock()  # of weights: two threads that need the same ones build them once


class Regrid:
    """Regrids fields of any placement onto one grid; safe to share between threads.

    Attributes:
        target: The grid written.
        cache: Folder in which weights are kept; ``None`` keeps them nowhere.
        valid_fraction: Least valid part of a target cell that is not missing.
    """

    def __init__(self, target: Grid, cache: Path | None, valid_fraction: float = 0.5) -> None:
        self.target = target
        self.cache = cache
        self.valid_fraction = valid_fraction

    def source(self, placement: Placement, description: GridDescription) -> Geometry | Grid:
        """Where fields lie: a regular grid, or the geometry that a file describes.

        Args:
            placement: Where the points lie.
            description: The file's description of the grid, for placements off regular grids.

        Raises:
            RegridError: The description contradicts itself, or is of no known kind.
        """
        return placement.grid or described(description)

    def mover(self, source: Geometry | Grid, method: str) -> Mover:
        """The regridder of a nature, between a source and the target.

        Categories are never averaged: where ``method`` would, the most frequent one counts.

        Args:
            source: Where fields lie.
            method: One of ``regridding.METHODS``, ``auto`` included.
        """

        def of(nature: Nature) -> Regridder:
            averaged = nature is Nature.CATEGORICAL and method not in UNAVERAGED
            kind = Nature.CATEGORICAL if nature is Nature.CATEGORICAL else Nature.SCALAR
            chosen = "auto" if averaged else method
            with _BUILDING:
                built = _regridder(
                    source, self.target, chosen, kind, self.valid_fraction, self.cache
                )
            return replace(built, nature=nature)

        return of


def in_order(
    field: NDArray[np.float32], placement: Placement, description: GridDescription
) -> NDArray[np.float32]:
    """A harmonised field in the order of its source's geometry."""
    return field if placement.grid is not None else in_rows(field, description)


@lru_cache(maxsize=16)
def described(description: GridDescription) -> Geometry:
    """The geometry that a file describes, made once."""
    return geometry_from_grib(description)


@lru_cache(maxsize=32)
def _regridder(
    source: Any, target: Grid, method: str, kind: Nature, valid_fraction: float, cache: Path | None
) -> Regridder:
    return regridder(
        source, target, method, nature=kind, valid_fraction=valid_fraction, cache=cache
    )
