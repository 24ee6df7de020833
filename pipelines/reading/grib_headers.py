"""What the headers of a GRIB message say of how its field was made."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import eccodes as ec

from aurora_prep.pipelines.reading.fields import (
    ACCUMULATED,
    INSTANT,
    ONE_MEMBER,
    UNKNOWN_TIME,
    Headers,
)

# GRIB 2, code table 4.7: what was made of the members of an ensemble.
DERIVED = {
    0: "mean", 1: "weighted mean", 2: "spread", 3: "normalised spread", 4: "spread",
    5: "large anomaly index", 6: "mean of a cluster", 7: "range between quartiles",
    8: "minimum", 9: "maximum", 192: "mode",
}  # fmt: skip
# GRIB 2, code table 4.0: templates of one member, of what is derived from all, of
# probabilities, of percentiles and of errors.
MEMBER = frozenset({1, 11, 41, 43, 45, 56, 58, 60, 61})
DERIVED_TEMPLATES = frozenset({2, 3, 4, 12, 13, 14})
OTHERS = {5: "probability", 9: "probability", 6: "percentile", 10: "percentile", 7: "error"}
# ECMWF's types of products made of an ensemble; ``cf`` and ``pf`` are its members.
TYPES = {
    "em": "mean", "es": "spread", "taem": "mean", "taes": "spread", "ep": "probability",
    "pd": "quantile", "efi": "extreme forecast index", "sot": "shift of tails", "cm": "mean",
    "cs": "spread", "ses": "spread",
}  # fmt: skip
# GRIB 1, code table 5: what lies between one and many forecasts or analyses.
FIRST_OF_MANY = 113
STEP = re.compile(r"(-?\d+)([a-zA-Z0-9]*)")
UNITS = {
    "": timedelta(hours=1), "h": timedelta(hours=1), "m": timedelta(minutes=1),
    "s": timedelta(seconds=1), "D": timedelta(days=1),
}  # fmt: skip


def has(handle: int, key: str) -> bool:
    """Whether a key is there and not missing."""
    return bool(ec.codes_is_defined(handle, key)) and not ec.codes_is_missing(handle, key)


def text_of(handle: int, key: str) -> str:
    """A key as text; empty where it is not there."""
    return ec.codes_get_string(handle, key) if ec.codes_is_defined(handle, key) else ""


def headers_of(handle: int) -> Headers:
    """How the headers say that a field was made."""
    mars_class, stream, kind = (text_of(handle, key) for key in ("class", "stream", "type"))
    return Headers(
        mars_class=mars_class,
        stream=stream,
        # ``dataType`` says ``af`` where the message says neither analysis nor forecast.
        type=kind or _data_type(handle),
        centre=text_of(handle, "centre"),
        statistic=_statistic(handle),
        ensemble=_ensemble(handle, kind),
    )


def member_of(handle: int) -> int | None:
    """The member of an ensemble; ``None`` where the message names none."""
    return ec.codes_get_long(handle, "number") if has(handle, "number") else None


def interval_of(handle: int, headers: Headers) -> tuple[timedelta, timedelta, Headers]:
    """Start and end of the time that a value is of, as distances from the init time.

    Both are the same for an instant, and for whatever the message gives no range of. A time
    that cannot be worked out is named in the headers, as their statistic.
    """
    try:
        end = _step(ec.codes_get_string(handle, "endStep"))
        if headers.statistic == INSTANT:
            return end, end, headers
        return _step(ec.codes_get_string(handle, "startStep")), end, headers
    except (ec.CodesInternalError, ValueError) as error:
        said = f"{UNKNOWN_TIME} ({headers.statistic}: {error})"
        return timedelta(0), timedelta(0), replace(headers, statistic=said)


def _step(text: str) -> timedelta:
    """A step as ecCodes writes it: ``6`` and ``90m`` are six hours and an hour and a half.

    It is not asked to convert: that means to set a key, which crashes on damaged messages.

    Raises:
        ValueError: The unit has no fixed length, such as a month.
    """
    match = STEP.fullmatch(text)
    if match is None or match[2] not in UNITS:
        raise ValueError(f"its step is {text!r}, of a length that is not known")
    return int(match[1]) * UNITS[match[2]]


def _data_type(handle: int) -> str:
    found = text_of(handle, "dataType")
    return "" if found == "af" else found


def _statistic(handle: int) -> str:
    """The step type, by ecCodes' name; what lies over many forecasts is never an instant."""
    found = text_of(handle, "stepType")
    if ec.codes_get_long(handle, "edition") == 1:
        indicator = ec.codes_get_long(handle, "timeRangeIndicator")
        if indicator >= FIRST_OF_MANY and found in ("", INSTANT, ACCUMULATED):
            return f"of many times (timeRangeIndicator {indicator})"
    return found


def _ensemble(handle: int, kind: str) -> str:
    """What was made of an ensemble's members, by its template, its local keys or its type."""
    if kind in TYPES:
        return TYPES[kind]
    if ec.codes_get_long(handle, "edition") != 1:
        template = ec.codes_get_long(handle, "productDefinitionTemplateNumber")
        if template in DERIVED_TEMPLATES:
            derived = ec.codes_get_long(handle, "derivedForecast")
            return DERIVED.get(derived, f"derivedForecast {derived}")
        if template in OTHERS:
            return OTHERS[template]
        is_member = template in MEMBER and not kind
        if is_member and ec.codes_get_long(handle, "numberOfForecastsInEnsemble") > 1:
            return ONE_MEMBER
    return ""
