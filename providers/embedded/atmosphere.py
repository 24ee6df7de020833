"""The analytic atmosphere: closed-form fields on the sphere, so that every value has a truth.

A field is a zonal profile plus travelling waves::

    f(phi, lambda, t) = mean + sum of a sin(phi)^i cos(phi)^j
                             + sum of A cos(phi)^m [sin(phi)] cos(m lambda - omega t + delta)

with ``phi`` the latitude and ``lambda`` the longitude. A wave of number ``m``
carries ``cos(phi)^m``, as spherical harmonics do: it is smooth over the poles,
has one value there, and meets itself at 0 = 360 degrees. Wind components have
no zonal term without a cosine, so they vanish at the poles. Sizes and shapes
are those of the real atmosphere at a glance: warm tropics, jets at 45 degrees
near 250 hPa, subtropical highs, moist air below. No physics ties them together.

Every wave is one outer product of a vector of rows and a vector of columns;
only multiplications and additions touch the full field, so a value does not
depend on the region it is computed in.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from aurora_prep.sources.spec import Kind, Nature, Variable

Array = NDArray[np.float64]

EPOCH = datetime(1900, 1, 1)
SURFACE_HPA = 1013.25
GRAVITY = 9.80665
POLE_DEGREES = 90.0
TURN_DEGREES = 360.0
# Where the sea never opens: a wave model has no points beyond.
ICE_DEGREES = 86.0
# Rows worked on at a time: what is added stays in the processor's cache.
BLOCK = 32


@dataclass(frozen=True, slots=True)
class Wave:
    """``amplitude cos(phi)^m [sin(phi)] cos(m lambda - omega t + phase)``.

    Attributes:
        amplitude: In the units of the field.
        number: Zonal wave number ``m``, at least 1.
        odd: Whether the wave changes sign over the equator.
        period: Hours until the wave repeats itself: positive travels east,
            negative west, 0 stands still.
        phase: Degrees.
    """

    amplitude: float
    number: int
    odd: bool = False
    period: int = 0
    phase: float = 0.0


@dataclass(frozen=True, slots=True)
class Form:
    """One field in closed form.

    Attributes:
        mean: The constant term.
        zonal: Terms ``(a, i, j)`` of ``a sin(phi)^i cos(phi)^j``.
        waves: What depends on longitude and time.
        limits: Values outside are set to the nearer limit.
    """

    mean: float
    zonal: tuple[tuple[float, int, int], ...] = ()
    waves: tuple[Wave, ...] = ()
    limits: tuple[float, float] | None = None

    def __call__(
        self, seconds: int, latitude: Array, longitude: Array, out: Array | None = None
    ) -> Array:
        """Values at a moment, shape ``(rows, columns)``.

        Args:
            seconds: Since ``EPOCH``.
            latitude: Degrees north, shape ``(rows,)``.
            longitude: Degrees east, shape ``(columns,)``, any turn.
            out: Filled and returned, if given.
        """
        sine = np.sin(np.radians(latitude))
        cosine = np.where(np.abs(latitude) == POLE_DEGREES, 0.0, np.cos(np.radians(latitude)))
        turned = np.mod(longitude, TURN_DEGREES)
        profile = np.full(latitude.shape, self.mean)
        for factor, i, j in self.zonal:
            profile += factor * sine**i * cosine**j
        factors = []
        for wave in self.waves:
            down = wave.amplitude * cosine**wave.number * (sine if wave.odd else 1.0)
            degrees = np.mod(wave.number * turned, TURN_DEGREES) + _degrees(wave, seconds)
            factors.append((down[:, np.newaxis], np.cos(np.radians(degrees))))
        values = np.empty((latitude.size, longitude.size)) if out is None else out
        product = np.empty((BLOCK, longitude.size))
        for start in range(0, latitude.size, BLOCK):
            rows = slice(start, min(start + BLOCK, latitude.size))
            block, part = values[rows], product[: rows.stop - start]
            block[:] = profile[rows, np.newaxis]
            for down, across in factors:
                np.multiply(down[rows], across, out=part)
                block += part
            if self.limits is not None:
                np.clip(block, *self.limits, out=block)
        return values


def truth(
    variable: Variable,
    level: int | None,
    valid_time: datetime,
    latitude: Array,
    longitude: Array,
    out: Array | None = None,
) -> Array:
    """The value of a variable everywhere on a regular grid.

    Args:
        variable: Any variable that a source declares: those of the table below
            have a form of their own, others one drawn from their short name and
            their plausible range.
        level: hPa, or ``None`` where the variable has no levels.
        valid_time: UTC, naive; static variables do not depend on it.
        latitude: Degrees north, shape ``(rows,)``.
        longitude: Degrees east, shape ``(columns,)``; -10 and 350 are one place.
        out: Filled and returned, if given; shape ``(rows, columns)``.

    Returns:
        Values in the variable's units, shape ``(rows, columns)``; NaN over land and
        permanent ice for a variable that may be missing.
    """
    hpa = SURFACE_HPA if level is None else float(level)
    still = variable.kind is Kind.STATIC
    seconds = 0 if still else round((valid_time - EPOCH).total_seconds())
    build = FORMS.get(variable.path)
    form = _drawn(variable, hpa) if build is None else build(hpa)
    values = form(seconds, latitude, longitude, out)
    if variable.nature is Nature.CATEGORICAL:
        np.floor(values, out=values)
    elif variable.nature is Nature.DIRECTION:
        np.mod(values, TURN_DEGREES, out=values)
    if variable.may_be_missing:
        values[LAND(0, latitude, longitude) > 0.5] = np.nan  # noqa: PLR2004  # more land than sea
        values[latitude > ICE_DEGREES] = np.nan
    return values


def _degrees(wave: Wave, seconds: int) -> float:
    """Phase of a wave at a moment, exact over any number of periods."""
    if wave.period == 0:
        return wave.phase
    length = abs(wave.period) * 3600
    travelled = TURN_DEGREES * (seconds % length) / length
    return wave.phase - (travelled if wave.period > 0 else -travelled)


def _height(hpa: float) -> float:
    """Height of a pressure in the International Standard Atmosphere, metres (ICAO Doc 7488)."""
    tropopause = 226.3206
    if hpa >= tropopause:
        return 44_330.77 * (1.0 - math.pow(hpa / SURFACE_HPA, 0.190263))
    return 11_000.0 + 6_341.62 * math.log(tropopause / hpa)


def _geopotential(hpa: float) -> Form:
    depth = 1.0 - hpa / SURFACE_HPA
    slope = 1_000.0 + 9_000.0 * depth
    return Form(
        mean=GRAVITY * _height(hpa) + slope / 3.0,
        zonal=((-slope, 2, 0),),
        waves=(
            Wave(400.0 + 1_200.0 * depth, 4, period=132, phase=70.0 * depth),
            Wave(300.0 + 900.0 * depth, 2, odd=True, period=-300),
        ),
    )


def _temperature(hpa: float) -> Form:
    low = hpa / SURFACE_HPA
    slope = 45.0 * low - 10.0
    return Form(
        mean=max(288.15 * low**0.190263, 216.65) + slope / 3.0,
        zonal=((-slope, 2, 0),),
        waves=(
            Wave(3.0 + 3.0 * low, 3, period=108, phase=50.0 * low),
            Wave(2.0 + 4.0 * low, 2, odd=True, period=-264, phase=20.0),
        ),
    )


def _two_metre_temperature(_: float) -> Form:
    """Warmer in the afternoon: a wave that goes once round with the sun."""
    return Form(
        mean=301.0,
        zonal=((-42.0, 2, 0),),
        waves=(
            Wave(5.0, 1, period=-24, phase=140.0),
            Wave(6.0, 3, period=108, phase=45.0),
            Wave(5.0, 2, odd=True, phase=20.0),
        ),
    )


def _pressure(_: float) -> Form:
    return Form(
        mean=101_000.0,
        zonal=((4_000.0, 2, 2), (-600.0, 2, 0)),
        waves=(
            Wave(1_500.0, 4, period=132, phase=10.0),
            Wave(900.0, 2, odd=True, period=-300, phase=80.0),
        ),
    )


def _jet(hpa: float) -> float:
    """Speed of the westerlies at 45 degrees, m/s: strongest near 250 hPa."""
    return 8.0 + 30.0 * math.exp(-(math.log(hpa / 250.0) ** 2))


def _eastward(hpa: float) -> Form:
    jet = _jet(hpa)
    return Form(
        mean=0.0,
        zonal=((4.0 * jet, 2, 2), (-5.0, 0, 4)),
        waves=(
            Wave(0.4 * jet, 4, odd=True, period=132, phase=15.0),
            Wave(4.0, 2, period=-300, phase=hpa / 10.0),
        ),
    )


def _northward(hpa: float) -> Form:
    jet = _jet(hpa)
    return Form(
        mean=0.0,
        zonal=((-2.0, 1, 3),),
        waves=(
            Wave(0.5 * jet, 4, period=132, phase=105.0),
            Wave(3.0, 2, odd=True, period=-300, phase=hpa / 10.0),
        ),
    )


def _humidity(hpa: float) -> Form:
    """Positive everywhere: the wave is never larger than the profile under it."""
    scale = 0.016 * (hpa / SURFACE_HPA) ** 3 + 2e-6
    return Form(
        mean=0.05 * scale,
        zonal=((0.75 * scale, 0, 2),),
        waves=(Wave(0.25 * scale, 3, period=108, phase=50.0),),
    )


def _orography(_: float) -> Form:
    return Form(
        mean=4_000.0,
        zonal=((-1_500.0, 1, 0), (2_500.0, 4, 0)),
        waves=(Wave(6_000.0, 2, phase=-150.0), Wave(9_000.0, 3, odd=True, phase=30.0)),
    )


def _tracer(largest: float) -> Callable[[float], Form]:
    """A pollutant: most of it near the ground, plumes over a clean background of zero."""

    def build(hpa: float) -> Form:
        scale = largest * (0.02 + 0.98 * min(hpa / SURFACE_HPA, 1.0) ** 3)
        return Form(
            mean=0.1 * scale,
            zonal=((0.3 * scale, 0, 2),),
            waves=(
                Wave(0.5 * scale, 3, period=60, phase=25.0),
                Wave(0.4 * scale, 2, odd=True, period=-96, phase=70.0),
            ),
            limits=(0.0, math.inf),
        )

    return build


def _ozone(hpa: float) -> Form:
    """Mass mixing ratio of ozone: most of it in the stratosphere, nowhere zero."""
    scale = 1.5e-7 + 7e-6 / (1.0 + (hpa / 60.0) ** 2)
    return Form(
        mean=0.7 * scale,
        zonal=((0.3 * scale, 2, 0),),
        waves=(Wave(0.2 * scale, 4, period=132, phase=70.0),),
    )


def _sea_state(low: float, high: float) -> Callable[[float], Form]:
    """Height, period or wind of a sea: rough in the westerlies, calm at the equator."""

    def build(_: float) -> Form:
        size = high - low
        return Form(
            mean=low + 0.25 * size,
            zonal=((size, 2, 2),),
            waves=(
                Wave(0.15 * size, 3, period=84, phase=low),
                Wave(0.1 * size, 2, odd=True, period=-120, phase=high),
            ),
        )

    return build


LAND = Form(
    mean=0.4,
    zonal=((-0.7, 3, 0),),
    waves=(Wave(1.1, 2, phase=-150.0), Wave(1.6, 3, odd=True, phase=30.0)),
    limits=(0.0, 1.0),
)

# Soil types run from 0, which is water, to 7.
SOIL = Form(
    mean=3.5,
    zonal=((-2.0, 3, 0),),
    waves=(Wave(5.0, 2, phase=-150.0), Wave(7.0, 3, odd=True, phase=80.0)),
    limits=(0.0, 7.5),
)

# Largest amounts near the ground, in the units of each pollutant.
TRACERS = {
    "surface/pm1": 1.6e-6,
    "surface/pm2p5": 2.3e-6,
    "surface/pm10": 6.7e-6,
    "surface/tcco": 5.2e-3,
    "surface/tc_no": 2.9e-5,
    "surface/tcno2": 6.1e-5,
    "surface/tcso2": 1.6e-4,
    "atmospheric/co": 1.8e-5,
    "atmospheric/no": 4.1e-7,
    "atmospheric/no2": 1.9e-7,
    "atmospheric/so2": 6.0e-7,
}

# Sea states: roughly the lowest and the highest value, in the units of each.
SEAS = {
    "surface/swh": (0.5, 8.0),
    "surface/mwp": (4.0, 14.0),
    "surface/pp1d": (4.0, 18.0),
    "surface/shww": (0.1, 6.0),
    "surface/mpww": (2.0, 11.0),
    "surface/shts": (0.3, 6.0),
    "surface/mpts": (5.0, 15.0),
    "surface/swh1": (0.3, 5.0),
    "surface/mwp1": (5.0, 16.0),
    "surface/swh2": (0.1, 3.0),
    "surface/mwp2": (5.0, 17.0),
    "surface/wind": (1.0, 22.0),
}

# By path, since Aurora has both a static and an atmospheric z.
FORMS: Mapping[str, Callable[[float], Form]] = MappingProxyType(
    {
        "surface/2t": _two_metre_temperature,
        "surface/10u": _eastward,
        "surface/10v": _northward,
        "surface/msl": _pressure,
        "atmospheric/z": _geopotential,
        "atmospheric/u": _eastward,
        "atmospheric/v": _northward,
        "atmospheric/t": _temperature,
        "atmospheric/q": _humidity,
        "atmospheric/go3": _ozone,
        **{path: _tracer(largest) for path, largest in TRACERS.items()},
        **{path: _sea_state(low, high) for path, (low, high) in SEAS.items()},
        "static/z": _orography,
        "static/lsm": lambda _: LAND,
        "static/slt": lambda _: SOIL,
    }
)


def _drawn(variable: Variable, hpa: float) -> Form:
    """A form drawn from the path, well inside the plausible range.

    Winds swing round zero and vanish at the poles; directions swing through
    north, so that some cross from 359 to 0 degrees; categories fill the whole
    numbers of the range; everything else swings round its middle.
    """
    draw = hashlib.sha256(variable.path.encode()).digest()
    low, high = variable.plausible
    middle, reach = (low + high) / 2.0, 0.8 * (high - low) / 2.0
    swing = Wave(0.4, 1 + draw[0] % 3, period=60 + draw[1], phase=draw[2] + hpa / 10.0)
    other = Wave(0.3, 2 + draw[3] % 3, odd=True, period=-(90 + draw[4]), phase=float(draw[5]))
    zonal: tuple[tuple[float, int, int], ...] = ((0.15, 0, 0), (-0.3, 2, 0))
    limits: tuple[float, float] | None = None
    if variable.nature is Nature.DIRECTION:
        middle, reach = 330.0, 120.0
    elif variable.nature is Nature.CATEGORICAL:
        limits = (float(math.ceil(low)), float(math.floor(high)))
        reach *= 2.5
    elif variable.nature in (Nature.EASTWARD, Nature.NORTHWARD) and low < 0.0 < high:
        middle, reach, zonal = 0.0, 0.5 * min(-low, high), ((0.5, 2, 2),)
    if variable.has_levels:
        reach *= 0.5 + 0.5 * min(hpa / SURFACE_HPA, 1.0)
    if variable.kind is Kind.STATIC:
        swing, other = Wave(0.4, swing.number), Wave(0.3, other.number, odd=True)
    return Form(
        mean=middle,
        zonal=tuple((reach * factor, i, j) for factor, i, j in zonal),
        waves=tuple(
            Wave(reach * w.amplitude, w.number, w.odd, w.period, w.phase) for w in (swing, other)
        ),
        limits=limits,
    )
