"""Time of day, week and year as points on circles."""

import math
from datetime import datetime

HOURS_A_DAY = 24
DAYS_A_WEEK = 7
DAYS_A_YEAR = 365.25


def time_features(time: datetime, *, as_released: bool = False) -> dict[str, float]:
    """Cosine and sine of the hour, the weekday (Monday 0) and the day of the year.

    Args:
        time: Valid time, UTC.
        as_released: Whether to follow the released code, which takes the day of
            the month for the day of the year; the released air-pollution model
            was trained so.

    Returns:
        Values by Aurora's names: ``tod_cos``, ``tod_sin``, ``dow_cos``,
        ``dow_sin``, ``doy_cos``, ``doy_sin``.
    """
    day = time.day if as_released else time.timetuple().tm_yday
    turns = {
        "tod": time.hour / HOURS_A_DAY,
        "dow": time.weekday() / DAYS_A_WEEK,
        "doy": day / DAYS_A_YEAR,
    }
    return {
        f"{name}_{label}": function(2 * math.pi * turn)
        for name, turn in turns.items()
        for label, function in (("cos", math.cos), ("sin", math.sin))
    }
