"""Whether a field is of the product that a source declares, by what its headers say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from aurora_prep.pipelines.reading.fields import (
    ACCUMULATED,
    INSTANT,
    NO_TIME,
    ONE_MEMBER,
    UNKNOWN_TIME,
    FieldRef,
    Headers,
)
from aurora_prep.sources.spec import HOUR, Kind, Native, Product, Source, StepType

WHOLE = 1.0  # hours of an accumulation


@dataclass(frozen=True, slots=True)
class Choice:
    """Which fields of files a recipe's entry takes, where files hold more than the source has.

    Attributes:
        is_any_product: Whether fields of another product are taken for the source's.
        members: Members to take, of files that hold others beside them; empty for all.
        area: North, west, south and east of the grid to take; ``None`` for any.
    """

    is_any_product: bool = False
    members: tuple[int, ...] = ()
    area: tuple[float, float, float, float] | None = None


def strange(source: Source, ref: FieldRef, native: Native, choice: Choice) -> str | None:
    """Why a field cannot be of this source though its variable is; ``None`` when it can.

    Static fields are taken from anywhere, but for what an ensemble's spread or extremes are.
    """
    variable = native.variable
    if variable.kind is Kind.STATIC:
        return _derived(source, ref.headers)
    if ref.init_time == NO_TIME or ref.headers.statistic.startswith(UNKNOWN_TIME):
        return "no time" if ref.init_time == NO_TIME else ref.headers.statistic
    if source.product is Product.FORECAST and not ref.has_init:
        return "a valid time, but no init time or lead time"
    is_sum = variable.step_type is StepType.ACCUMULATED
    wrong = off_hour(ref) or (_sum(ref) if is_sum else None)
    if wrong or choice.is_any_product:
        return wrong
    if not is_sum and ref.headers.statistic not in ("", INSTANT):
        return f"{_statistic(ref.headers.statistic)} and not of an instant"
    return _foreign(source, ref) or _ahead(source, ref, is_sum=is_sum)


def off_hour(ref: FieldRef) -> str | None:
    """Why a field is at no whole hour; ``None`` where it is, or has no time."""
    if ref.init_time == NO_TIME:
        return None
    if ref.init_time.minute or ref.init_time.second or ref.init_time.microsecond:
        return f"not on a whole hour: {ref.valid_time:%Y-%m-%dT%H:%M:%S}"
    if ref.lead_time % HOUR:
        return f"not on a whole hour: {ref.lead_time} after {ref.init_time:%Y-%m-%dT%H}"
    return None


def described(headers: Headers) -> str:
    """What headers say, in words."""
    words = {
        "class": headers.mars_class, "stream": headers.stream, "type": headers.type,
        "centre": headers.centre, "statistic": headers.statistic, "ensemble": headers.ensemble,
    }  # fmt: skip
    return ", ".join(f"{key} {value}" for key, value in words.items() if value) or "nothing"


def _foreign(source: Source, ref: FieldRef) -> str | None:
    """Which of the archive's words, or which member, the source does not declare."""
    said = ref.headers
    for word, value, declared in (
        ("class", said.mars_class, source.classes),
        ("stream", said.stream, source.streams),
        ("type", said.type, source.origins),
        ("centre", said.centre, source.centres),
    ):
        if value and declared and value not in declared:
            return f"of {word} {value} and not {' or '.join(declared)}"
    if source.members and ref.member not in source.members:
        named = "no member" if ref.member is None else f"member {ref.member}"
        return f"of {named}, and not of one that the source has"
    if not source.members and ref.member:
        return f"of member {ref.member} of an ensemble"
    return _derived(source, said)


def _ahead(source: Source, ref: FieldRef, *, is_sum: bool) -> str | None:
    """How far a field of an analysis lies ahead of its start, where it may not.

    The sums of a reanalysis are those of short forecasts.
    """
    if source.product is Product.FORECAST or not ref.lead_time:
        return None
    is_short = is_sum and source.product is Product.REANALYSIS
    return None if is_short else f"{ref.lead_time / HOUR:g} h ahead"


def _derived(source: Source, said: Headers) -> str | None:
    """What a field was made of an ensemble, where the source is of something else."""
    is_member = said.ensemble == ONE_MEMBER and bool(source.members)
    if said.ensemble and said.ensemble != source.derived and not is_member:
        return f"{said.ensemble} of an ensemble"
    return None


def _sum(ref: FieldRef) -> str | None:
    """Why a sum is not that of the hour that ends at its valid time, as ERA5 delivers it.

    Nothing is divided or subtracted, so longer sums are refused. A sum that gives no range
    is one since the start of the forecast.
    """
    if ref.headers.statistic not in ("", INSTANT, ACCUMULATED):
        return f"{_statistic(ref.headers.statistic)} and not a sum"
    if ref.hours and ref.hours != WHOLE:
        return f"accumulated over {ref.hours:g} h and not over one"
    if not ref.hours and ref.lead_time > timedelta(hours=1):
        return f"accumulated since the start of the forecast, {ref.lead_time / HOUR:g} h before"
    return None


def _statistic(name: str) -> str:
    words = {
        ACCUMULATED: "accumulated", "avg": "a mean over time", "max": "a maximum over time",
        "min": "a minimum over time",
    }  # fmt: skip
    if name.startswith("avg") and name != "avg":
        return f"a mean over many times, such as a month ({name})"
    return words.get(name, f"of statistic {name}")
