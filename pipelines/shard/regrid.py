"""Regrid: fields onto the recipe's grid, by weights built once a process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurora_prep.pipelines.reading.harmonise import Placement
from aurora_prep.regridding import Regridder, geometry_from_grib, in_rows, regridder
from aurora_prep.sources.spec import Grid, Variable, digest_of


class Regrid:
    """Regrids fields of any placement onto one grid; safe to share between threads.

    Attributes:
        target: The grid written.
        cache: Folder in which weights are kept.
    """

    def __init__(self, target: Grid, cache: Path) -> None:
        self.target = target
        self.cache = cache

    def __call__(
        self,
        field: NDArray[np.float32],
        placement: Placement,
        description: Mapping[str, Any],
        variable: Variable,
        method: str,
    ) -> NDArray[np.float32]:
        """One field on the target grid; unchanged, bit for bit, when it lies there already.

        Args:
            field: ``(latitude, longitude)`` on the placement's grid, or ``(points,)``.
            placement: Where the points lie.
            description: The file's description of the grid, for placements off regular grids.
            variable: Says how values may be averaged.
            method: Name of the method.

        Raises:
            RegridError: The grids do not meet, or the field is not its grid's size.
        """
        if placement.grid == self.target:
            return field
        if placement.grid is not None:
            return self._between(placement.grid, variable, method)(field)
        named = _described(digest_of(dict(description)), _Keys(description))
        return self._between(named, variable, method)(in_rows(field, description))

    def _between(self, source: Any, variable: Variable, method: str) -> Regridder:
        return _regridder(source, self.target, method, variable.nature, self.cache)


class _Keys:
    """Grid keys that a cache does not have to compare: their digest stands for them."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self.keys = keys

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keys)


@lru_cache(maxsize=16)
def _described(digest: str, keys: _Keys) -> Any:  # noqa: ARG001  the digest is the cache's key
    return geometry_from_grib(keys.keys)


@lru_cache(maxsize=64)
def _regridder(source: Any, target: Grid, method: str, nature: Any, cache: Path) -> Regridder:
    return regridder(source, target, method, nature=nature, cache=cache)
