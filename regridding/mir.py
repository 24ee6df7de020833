"""ECMWF's own interpolation, through the optional extra ``[mir]``.

For reproducing what CDS and MARS deliver. Nothing here is needed, or imported,
unless a ``mir-`` method is asked for.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aurora_prep.regridding.gaussian import gaussian_order
from aurora_prep.regridding.geometry import Geometry, Rectilinear, Reduced
from aurora_prep.regridding.operators import Operator
from aurora_prep.sources.spec import Grid, Nature, RegridError

if TYPE_CHECKING:
    from aurora_prep.regridding.arrays import Doubles, Field


METHODS = {
    "mir-linear": "linear",
    "mir-average": "grid-box-average",
    "mir-nearest": "nearest-neighbour",
}
LOCK = threading.Lock()  # the library keeps weights and settings for the whole process


@dataclass(frozen=True, eq=False)
class Mir(Operator):
    """A job for MIR: its weights, its rule for missing values.

    Attributes:
        job: Options of the job: grid, area, interpolation.
        spec: MIR's name of the source grid.
        shape: Shape of a source field.
    """

    job: dict[str, str]
    spec: str
    shape: tuple[int, ...]

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
        threshold: float,  # noqa: ARG002  # MIR's rule: missing if the heaviest weight is
        nature: Nature = Nature.SCALAR,  # noqa: ARG002  # MIR knows scalars
    ) -> None:
        """Fill target rows; arguments as in ``Operator.run``."""
        library = loaded()
        if np.isnan(source).any():
            raise RegridError(
                "MIR takes missing values from GRIB messages only",
                f"MIR {self.job['interpolation']} of {self.spec}",
                f"{int(np.isnan(source).sum())} missing values in an array",
                "give it the message (mir_message, or aurora-prep regrid on the GRIB file),"
                " or take one of our own methods",
            )
        for field, target in zip(source, out, strict=True):
            with LOCK:
                result = library.ArrayOutput()
                values = np.ascontiguousarray(field, np.float64).reshape(self.shape)
                library.Job(**self.job).execute(library.ArrayInput(values, self.spec), result)
                values = np.array(result.values(), dtype=np.float64)
            target[start:stop] = fitted(values, self.rows, self.columns, self.job)[start:stop]


def mir_message(message: bytes, target: Grid, method: str) -> Doubles:
    """Interpolate one GRIB message with MIR, by MIR's own rule for missing values.

    Args:
        message: The message.
        target: Regular grid wanted.
        method: ``mir-linear``, ``mir-average`` or ``mir-nearest``.

    Returns:
        ``(rows, columns)``; NaN where MIR has a missing value.

    Raises:
        RegridError: MIR is not installed, or cannot do this.
    """
    library = loaded()
    with LOCK:
        result = library.ArrayOutput()
        job = job_of(target, method)
        library.Job(**job).execute(library.GribMemoryInput(message), result)
        values = np.array(result.values(), dtype=np.float64)
    return fitted(values, target.rows, target.columns, job)


def job_of(target: Grid, method: str) -> dict[str, str]:
    """Options of a MIR job."""
    corners = target.north, target.west, target.south, target.east
    return {
        "grid": f"{float(target.longitude_step)!r}/{float(target.latitude_step)!r}",
        "area": "/".join(repr(float(corner)) for corner in corners),
        "interpolation": METHODS[method],
    }


def fitted(values: Doubles, rows: int, columns: int, job: dict[str, str]) -> Doubles:
    """MIR's answer as ``(rows, columns)``.

    Raises:
        RegridError: It is of another size.
    """
    if values.size != rows * columns:
        raise RegridError(
            "MIR answered another grid",
            f"MIR job {job}",
            f"{values.size} values, {rows * columns} wanted",
            "take a grid whose corners are whole numbers of steps",
        )
    return values.reshape(rows, columns)


def loaded() -> Any:
    """The library.

    Raises:
        RegridError: It is not installed.
    """
    try:
        import mir  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: PLC0415
    except ImportError as error:
        raise RegridError(
            "MIR is not installed",
            "method mir-linear, mir-average or mir-nearest",
            str(error),
            "pip install 'aurora-prep[mir]', or take one of our own methods",
        ) from error
    return mir


def mir_operator(source: Geometry, target: Grid, method: str) -> Mir:
    """The job of a ``mir-`` method.

    Raises:
        RegridError: MIR is not installed, or does not know the source grid by name.
    """
    loaded()
    return Mir(
        target.rows,
        target.columns,
        job=job_of(target, method),
        spec=spec_of(source),
        shape=source.shape,
    )


def spec_of(source: Geometry) -> str:
    """MIR's name of a grid.

    Raises:
        RegridError: It has none that says the same.
    """
    spec: dict[str, object] | None = None
    if isinstance(source, Reduced) and whole_gaussian(source):
        spec = {"type": "reduced_gg", "pl": source.counts.tolist()}
    elif isinstance(source, Rectilinear) and whole_gaussian(source):
        spec = {"grid": f"F{source.shape[0] // 2}"}
    elif isinstance(source, Rectilinear):
        spec = regular_spec(source)
    if spec is None:
        raise RegridError(
            "MIR has no name for this source grid",
            source.name,
            "not a whole Gaussian grid from Greenwich, nor evenly spaced from north-west",
            "take one of our own methods",
        )
    return json.dumps(spec)


def whole_gaussian(source: Reduced | Rectilinear) -> bool:
    """Whether rows are all those of a Gaussian grid, north to south, from Greenwich."""
    first = source.first if isinstance(source, Reduced) else source.longitude[:1]
    north = bool(source.latitude[0] > 0)
    return gaussian_order(source.latitude) is not None and north and not np.any(first)


def regular_spec(source: Rectilinear) -> dict[str, object] | None:
    """Steps and area of an evenly spaced grid from north-west; ``None`` for others."""
    down, across = -np.diff(source.latitude), np.diff(source.longitude)
    even = np.ptp(down) < 1e-9 and np.ptp(across) < 1e-9  # noqa: PLR2004  # degrees
    if not even or down[0] <= 0 or across[0] <= 0:
        return None
    steps = [round(float(across.mean()), 9), round(float(down.mean()), 9)]
    north, south = source.latitude[[0, -1]].tolist()
    west, east = source.longitude[[0, -1]].tolist()
    return {"grid": steps, "area": [north, west, south, east]}
