"""A time as people write it: one reading for recipes, questions and splits."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from aurora_prep.sources.spec.errors import SpecError

LAST_HOUR = timedelta(hours=23)
SHAPE = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d|\d{8}|\d{4}-?W\d\d-?\d)"
    r"(?:[Tt ]\s*(?P<clock>\d\d(?::?\d\d(?::?\d\d(?:[.,]\d{1,6})?)?)?))?"
    r"\s*(?P<zone>Z|z|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
NO_OFFSET = re.compile(r"[Zz]|UTC|[+-]00(?::?00)?")


def moment(value: object, where: str, *, end_of_day: bool = False) -> datetime:
    """Read a time as naive UTC.

    Args:
        value: ``2020-01-31`` or ``20200131``, with an hour or more after a ``T`` or a space;
            a whole number of eight digits; a ``date`` or a ``datetime``.
        where: The place to name in errors.
        end_of_day: Whether a day without a time means its last hour, 23, as the end of a
            period does, and not its first.

    Raises:
        SpecError: It is no such time, the day is in no calendar, or it is in a zone other than UTC.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value
        if value.utcoffset() != timedelta(0):
            raise _zoned(value.isoformat(), where)
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, date):
        return _day(value, end_of_day=end_of_day)
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    match = SHAPE.fullmatch(text)
    if match is None:
        raise SpecError("not a time", where, repr(value), "write 2020-01-01 or 2020-01-01T06")
    if match["zone"] and not NO_OFFSET.fullmatch(match["zone"]):
        raise _zoned(text, where)
    try:
        day = date.fromisoformat(match["day"])
    except ValueError as error:
        raise SpecError(
            "not a time: the calendar has no such day", where, f"{text!r} ({error})", "mend the day"
        ) from None
    if match["clock"] is None:
        return _day(day, end_of_day=end_of_day)
    try:
        return datetime.combine(day, time.fromisoformat(match["clock"].replace(",", ".")))
    except ValueError as error:
        raise SpecError(
            "not a time: the day has no such hour", where, f"{text!r} ({error})", "mend the hour"
        ) from None


def _day(day: date, *, end_of_day: bool) -> datetime:
    return datetime.combine(day, time()) + (LAST_HOUR if end_of_day else timedelta(0))


def _zoned(found: str, where: str) -> SpecError:
    return SpecError(
        "not a time: times are UTC and carry no zone", where, found, "convert it, drop the zone"
    )
