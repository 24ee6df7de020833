"""Times of NetCDF: decoded, and rounded to what the type of their numbers can tell."""

from __future__ import annotations

from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

# Seconds of the units in which CF writes distances in time; months and years have no length.
SECONDS = {
    name: seconds
    for seconds, names in {
        604_800.0: ("week", "weeks"),
        86_400.0: ("d", "day", "days"),
        3600.0: ("h", "hr", "hrs", "hour", "hours"),
        60.0: ("min", "mins", "minute", "minutes"),
        1.0: ("s", "sec", "secs", "second", "seconds"),
        1e-3: ("ms", "msec", "msecs", "millisec", "millisecs", "millisecond", "milliseconds"),
        1e-6: ("us", "microsec", "microsecs", "microsecond", "microseconds"),
        1e-9: ("ns", "nanosecond", "nanoseconds"),
    }.items()
    for name in names
}
MICRO = 1_000_000
STEPS = (3600 * MICRO, 60 * MICRO, MICRO)
# Rounding while a number was worked out costs as much as rounding when it was stored.
ROUNDINGS = 2
COARSEST = 1800.0  # seconds: with less precision hours cannot be told apart


def moments(
    name: str, numbers: NDArray[Any], spacing: float, units: str, calendar: str
) -> NDArray[np.datetime64]:
    """Times since a moment, as ``datetime64[s]``.

    Args:
        name: Of the coordinate, for errors.
        numbers: In ``units``.
        spacing: Distance between neighbouring numbers of the stored type.
        units: Such as ``hours since 1900-01-01``.
        calendar: CF calendar.

    Raises:
        ValueError: The units or the calendar are unknown, or the numbers too coarse.
    """
    try:
        decoded = netCDF4.num2date(
            numbers, units, calendar,
            only_use_cftime_datetimes=False, only_use_python_datetimes=True,
        )  # fmt: skip
    except (ValueError, OverflowError, TypeError, IndexError) as error:
        shown = np.ravel(numbers)[:3].tolist()
        raise ValueError(f"{name}: times {shown} in {units!r}, {calendar}: {error}") from error
    unit = (units.split(maxsplit=1) or [""])[0].lower()
    # Text, since the objects are datetimes of the standard library or of cftime.
    flat = [_moment(one) for one in np.ravel(np.asarray(decoded, object)).tolist()]
    micro = np.array(flat, "M8[us]").astype(np.int64).reshape(np.shape(numbers))
    return _rounded(name, micro, spacing * SECONDS.get(unit, 1.0)).astype("M8[s]")


def distances(
    name: str, numbers: NDArray[Any], spacing: float, units: str
) -> NDArray[np.timedelta64]:
    """Distances in time, as ``timedelta64[s]``.

    Args:
        name: Of the coordinate, for errors.
        numbers: In ``units``.
        spacing: Distance between neighbouring numbers of the stored type.
        units: Such as ``hours``.

    Raises:
        ValueError: The units are unknown, or the numbers too coarse.
    """
    seconds = SECONDS.get(units.strip() if len(units.strip()) == 1 else units.strip().lower())
    if seconds is None:
        said = repr(units) if units else "no units"
        raise ValueError(f"{name}: lead times in {said}; known are hours, minutes, days and others")
    micro = np.rint(numbers.astype(np.float64) * (seconds * MICRO))
    if (np.abs(micro) >= 2.0**62).any():
        raise ValueError(f"{name}: lead times up to {numbers.max()} {units}")
    return _rounded(name, micro.astype(np.int64), spacing * seconds).astype("m8[s]")


def _moment(one: Any) -> np.datetime64:
    return np.datetime64(one.isoformat(), "us")


def _rounded(name: str, micro: NDArray[np.int64], spacing: float) -> NDArray[np.int64]:
    """Whole seconds; a whole hour or minute where the stored number cannot tell it from one.

    Args:
        name: Of the coordinate, for errors.
        micro: Microseconds.
        spacing: Seconds between neighbouring numbers of the stored type.
    """
    tolerance = ROUNDINGS * spacing * MICRO
    if tolerance >= COARSEST * MICRO:
        raise ValueError(
            f"{name}: its numbers are stored {spacing:.0f} s apart, too coarse to tell hours apart"
        )
    result = np.empty_like(micro)
    open_ = np.ones(micro.shape, bool)
    for step in STEPS:
        nearest = (micro + step // 2) // step * step
        near = open_ & ((np.abs(micro - nearest) <= tolerance) | (step == MICRO))
        result[near] = nearest[near]
        open_ &= ~near
    return result // MICRO
