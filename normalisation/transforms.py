"""How Aurora scales and bends values, as pairs of forward and inverse.

Every transform takes NumPy arrays, PyTorch tensors and xarray objects, and gives
back the same kind. NaN, which means missing, stays NaN. Stored data are never
transformed: this is for statistics, export and loaders.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from aurora_prep.normalisation.arrays import elementwise, namespace
from aurora_prep.sources.spec import StatisticsError

FLOOR = 1e-4
"""Scaled pollutants at and below this have a log feature of zero."""

DEPTH = -math.log(FLOOR)
"""``-ln 1e-4``, the corrected denominator: the log feature of 1 is 1."""

CAP = 2.5
"""The linear feature of a scaled pollutant does not grow beyond this."""

NEWTON_STEPS = 8
"""Enough for float64: the error squares in each step from a start that is near."""

LOW_SO2_HPA = 850
"""From this level down the released model clips scaled sulphur dioxide."""


class Transform(Protocol):
    """A bijection of values; ``inverse(forward(x)) == x`` on its domain."""

    def forward(self, values: Any) -> Any:
        """From physical (or scaled) values to what the model sees."""

    def inverse(self, values: Any) -> Any:
        """Back again."""


def _require_scale(scale: Any, what: str) -> None:
    xp = namespace(scale)
    if not bool(xp.all(xp.asarray(scale) > 0)) or not bool(xp.all(xp.isfinite(xp.asarray(scale)))):
        raise StatisticsError(
            "a scale is not a positive number",
            what,
            str(scale),
            "leave out variables of no variance, or give them a scale of 1",
        )


@dataclass(frozen=True, slots=True)
class Standardise:
    """``(x - location) / scale``.

    Attributes:
        location: A number, or an array that broadcasts against the values.
        scale: The same, positive.
    """

    location: Any
    scale: Any

    def __post_init__(self) -> None:
        _require_scale(self.scale, "Standardise")

    def forward(self, values: Any) -> Any:
        """Scaled values."""
        return (values - self.location) / self.scale

    def inverse(self, values: Any) -> Any:
        """Physical values."""
        return values * self.scale + self.location


@dataclass(frozen=True, slots=True)
class MinMax:
    """``(x - minimum) / (maximum - minimum)``: Aurora's static ``z``, in 0 to 1."""

    minimum: float
    maximum: float

    def __post_init__(self) -> None:
        _require_scale(self.maximum - self.minimum, "MinMax")

    def forward(self, values: Any) -> Any:
        """Scaled values."""
        return (values - self.minimum) / (self.maximum - self.minimum)

    def inverse(self, values: Any) -> Any:
        """Physical values."""
        return values * (self.maximum - self.minimum) + self.minimum


@dataclass(frozen=True, slots=True)
class LogOffset:
    """``ln(x + offset) - ln offset``: Aurora 1.5's ``scaled_`` variables, from 0 on.

    Source: ``log_transform`` of ``microsoft-aurora`` 2.0.1.
    """

    offset: float = 1e-3

    def __post_init__(self) -> None:
        _require_scale(self.offset, "LogOffset")

    def forward(self, values: Any) -> Any:
        """Logarithms, 0 for 0."""
        return _log_offset(values, self.offset)

    def inverse(self, values: Any) -> Any:
        """Physical values."""
        return _exp_offset(values, self.offset)


@elementwise()
def _log_offset(values: Any, offset: float) -> Any:
    return namespace(values).log1p(values / offset)


@elementwise()
def _exp_offset(values: Any, offset: float) -> Any:
    return offset * namespace(values).expm1(values)


@elementwise(outputs=2)
def pollutant_features(scaled: Any) -> tuple[Any, Any]:
    """The two features of a scaled pollutant, for a learned combination.

    Args:
        scaled: Values over their scale; those below 0 count as 0.

    Returns:
        The linear feature, ``min(max(x, 0), 2.5)``, and the log feature,
        ``(ln max(x, 1e-4) - ln 1e-4) / (-ln 1e-4)``.
    """
    xp = namespace(scaled)
    logarithm = (xp.log(xp.clip(scaled, min=FLOOR)) + DEPTH) / DEPTH
    return xp.clip(scaled, min=0.0, max=CAP), logarithm


@dataclass(frozen=True, slots=True)
class Pollutant:
    """The pollutant transform with the corrected denominator.

    For a scaled ``x`` (location 0)::

        c1 min(max(x, 0), 2.5) + c2 (ln max(x, 1e-4) - ln 1e-4) / (-ln 1e-4) + bias

    strictly increasing from 0 on for positive weights. Printed versions of the
    paper divide by ``ln 1e-4``, which makes it neither increasing nor invertible;
    the authors confirmed the correction (microsoft/aurora, issue 47).

    Attributes:
        linear_weight: ``c1``, positive; the released model starts from 0.5.
        log_weight: ``c2``, positive; the same.
        bias: Added; the released model starts from 0.
    """

    linear_weight: float = 0.5
    log_weight: float = 0.5
    bias: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.linear_weight < math.inf and 0 < self.log_weight < math.inf):
            raise StatisticsError(
                "the pollutant transform has no inverse with these weights",
                "Pollutant",
                f"linear {self.linear_weight}, log {self.log_weight}",
                "give positive weights, or use pollutant_features by themselves",
            )

    def forward(self, scaled: Any) -> Any:
        """Transformed values; a negative value counts as 0."""
        linear, logarithm = pollutant_features(scaled)
        return self.linear_weight * linear + self.log_weight * logarithm + self.bias

    def inverse(self, values: Any) -> Any:
        """Scaled values, 0 or larger; what lies below ``forward(0)`` counts as 0."""
        return _inverse_pollutant(values, self.linear_weight, self.log_weight, self.bias)


@elementwise()
def _inverse_pollutant(values: Any, c1: float, c2: float, bias: float) -> Any:
    """Piece by piece; the middle one is ``(a/c1) W((c1/a) exp((y - c2)/a))``, a = c2/L.

    W is the Lambert function. Its argument overflows for small ``a``, so
    ``u = ln x`` is found instead, from ``c1 e**u + a (u + L) = y``: the left side
    is convex and increasing, hence Newton's steps from above never overshoot.
    Every piece sees only values of its own range, so that no gradient of a piece
    not taken is infinite.
    """
    xp = namespace(values)
    slope = c2 / DEPTH
    y = xp.clip(values - bias, min=0.0)
    low, high = c1 * FLOOR, c1 * CAP + slope * (math.log(CAP) + DEPTH)

    middle = xp.clip(y, min=low, max=high)
    by_log = middle / slope - DEPTH
    by_line = xp.log(middle / c1)
    u = xp.where(by_log < by_line, by_log, by_line)
    for _ in range(NEWTON_STEPS):
        line = c1 * xp.exp(u)
        u = u - (line + slope * (u + DEPTH) - middle) / (line + slope)

    above = xp.exp((xp.clip(y, min=high) - c1 * CAP) / slope - DEPTH)
    inner = xp.where(y < high, xp.exp(u), above)
    return xp.where(y <= low, xp.clip(y, max=low) / c1, inner)


def clip_low_so2(scaled: Any, levels: tuple[int, ...], *, axis: int = -3) -> Any:
    """Scaled sulphur dioxide with at most 1 at 850 hPa and below, optional as in the model.

    The released model does this to its own predictions when it runs with LoRA.

    Args:
        scaled: Scaled values with a level axis.
        levels: Pressure levels of that axis, hPa.
        axis: Position of the level axis.

    Raises:
        StatisticsError: The axis has another length than the levels.
    """
    if scaled.shape[axis] != len(levels):
        raise StatisticsError(
            "the level axis does not fit the levels",
            "clip_low_so2",
            f"{scaled.shape[axis]} values on the axis, {len(levels)} levels",
            "pass the levels of the array, in its order",
        )
    ceilings = [1.0 if level >= LOW_SO2_HPA else math.inf for level in levels]
    after = scaled.ndim - 1 - axis % scaled.ndim
    return _clip_levels(scaled, tuple(ceilings), after)


@elementwise()
def _clip_levels(scaled: Any, ceilings: tuple[float, ...], after: int) -> Any:
    xp = namespace(scaled)
    options = {"device": scaled.device} if hasattr(scaled, "device") else {}
    ceiling = xp.asarray(ceilings, dtype=scaled.dtype, **options)
    ceiling = ceiling.reshape((len(ceilings),) + (1,) * after)
    return xp.where(scaled > ceiling, ceiling, scaled)
