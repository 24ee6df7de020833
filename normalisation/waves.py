"""Waves as Aurora sees them: directions, absent components, presence, wind of waves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aurora_prep.normalisation.arrays import elementwise, namespace

RADIAN = math.pi / 180
PRACTICALLY_ABSENT = 1e-4
"""A component of less significant height, in metres, is absent."""

PRESENT = 0.5
"""Least presence of a value that is kept."""

COMPONENTS: dict[str, tuple[str, ...]] = {
    "swh": ("mwd", "mwp", "pp1d"),
    "shww": ("mdww", "mpww"),
    "shts": ("mdts", "mpts"),
    "swh1": ("mwd1", "mwp1"),
    "swh2": ("mwd2", "mwp2"),
}
"""Direction and periods of each component, by its significant height."""

RELEASED_COMPONENTS = COMPONENTS | {"shts": ("mdts",)}
"""As released: the entry of total swell names its direction twice, its period not."""


@elementwise(outputs=2)
def components_of_direction(degrees: Any) -> tuple[Any, Any]:
    """Sine and cosine of a direction in degrees."""
    xp = namespace(degrees)
    radians = degrees * RADIAN
    return xp.sin(radians), xp.cos(radians)


@elementwise()
def direction_of_components(sine: Any, cosine: Any) -> Any:
    """Direction in degrees, from 0 to below 360; the two need not be normalised."""
    xp = namespace(sine, cosine)
    degrees = xp.remainder(xp.atan2(sine, cosine) / RADIAN, 360.0)
    return xp.where(degrees >= 360.0, xp.zeros_like(degrees), degrees)  # noqa: PLR2004


@elementwise(outputs=2)
def split_presence(values: Any) -> tuple[Any, Any]:
    """Values with 0 for the missing, and 1 where a value is, 0 where it is missing.

    Aurora calls the second the density channel. Values are to be scaled first:
    the 0 of a missing value is that of the scaled ones.
    """
    xp = namespace(values)
    missing = xp.isnan(values)
    filled = xp.where(missing, xp.zeros_like(values), values)
    return filled, xp.where(missing, xp.zeros_like(values), xp.ones_like(values))


@elementwise()
def join_presence(filled: Any, presence: Any) -> Any:
    """Values again, NaN where the presence is below one half."""
    xp = namespace(filled, presence)
    return xp.where(presence < PRESENT, math.nan * xp.ones_like(filled), filled)


def drop_absent(fields: Mapping[str, Any], *, as_released: bool = False) -> dict[str, Any]:
    """Fields with NaN where their wave component is practically absent.

    Args:
        fields: Physical values by short name; heights in metres. Fields that
            belong to no component are handed through.
        as_released: Whether to follow the released code in leaving ``mpts`` as it
            is where the height of total swell, ``shts``, says that there is none.
    """
    kept = dict(fields)
    for height, others in (RELEASED_COMPONENTS if as_released else COMPONENTS).items():
        if height in fields:
            for name in (height, *others):
                if name in fields:
                    kept[name] = _where_present(fields[height], kept[name])
    return kept


@elementwise()
def _where_present(height: Any, values: Any) -> Any:
    xp = namespace(height, values)
    return xp.where(height < PRACTICALLY_ABSENT, math.nan * xp.ones_like(values), values)


@elementwise(outputs=2)
def wave_wind(speed: Any, direction: Any) -> tuple[Any, Any]:
    """Eastward and northward wind, ``10u_wave`` and ``10v_wave``, in m s-1.

    Args:
        speed: ``wind``, m s-1.
        direction: ``dwi``, degrees clockwise from north that the wind comes from.
    """
    sine, cosine = components_of_direction(direction)
    return -speed * sine, -speed * cosine


@elementwise(outputs=2)
def speed_and_direction(eastward: Any, northward: Any) -> tuple[Any, Any]:
    """``wind`` in m s-1 and ``dwi`` in degrees, from 0 to below 360."""
    xp = namespace(eastward, northward)
    return xp.hypot(eastward, northward), direction_of_components(-eastward, -northward)
