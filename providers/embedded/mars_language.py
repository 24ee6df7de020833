"""A request in the archive's own language, or why it brings nothing.

Values are texts: ``50/100/850`` is a list, ``2020-01-01/to/2020-01-31`` a
range, ``0/to/240/by/6`` one with a step.

Source: ECMWF, MARS user documentation: the request language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from aurora_prep.providers.embedded.gaussian import Gaussian
from aurora_prep.providers.embedded.mars_shelf import Shelf
from aurora_prep.providers.embedded.region import Region
from aurora_prep.providers.embedded.selection import RefusedError, Selection, Wanted
from aurora_prep.sources.spec import HOUR

KEYWORDS = frozenset(
    {"class", "stream", "expver", "type", "levtype", "levelist", "param", "date", "time", "step"}
    | {"grid", "area", "domain", "resol", "expect", "target", "format", "padding", "output"}
)
# From the nominal time of an analysis or forecast until it can be read.
RELEASE = timedelta(hours=5, minutes=45)
VERBS = ("retrieve", "list")
PLACE = ("class", "stream", "type")
NUMBERS_OF_AREA, NUMBERS_OF_GRID = 4, 2


class NoDataError(Exception):
    """The archive ran the request and it brought an error; carries the archive's words."""


def invalid(detail: str) -> RefusedError:
    """The refusal of a request that is no MARS."""
    return RefusedError(400, "invalid request", f"Invalid MARS request(s): {detail}")


def expected_fields(wanted: int, got: int) -> NoDataError:
    """The error of a request that finds less than it names."""
    return NoDataError(f"ERROR 89 (MARS_EXPECTED_FIELDS): Expected {wanted}, got {got}.")


def not_released(time: datetime) -> NoDataError:
    """The error of a request for what is not released yet."""
    return NoDataError(f"Data not yet available. Scheduled for after {time + RELEASE:%H:%M:%S}")


def read_text(text: str) -> tuple[str, dict[str, str]]:
    """``list, class=od, ...`` as its verb and its keywords.

    Raises:
        RefusedError: It is not of that form.
    """
    verb, *parts = (part.strip() for part in text.split(","))
    words = {}
    for part in filter(None, parts):
        keyword, equals, value = part.partition("=")
        if not equals:
            raise invalid(f"syntax error: {part!r}")
        words[keyword.strip()] = value.strip()
    if verb.lower() not in VERBS:
        raise invalid(f"syntax error: unknown verb {verb!r}")
    return verb.lower(), words


def select(
    held: Mapping[str, Shelf],
    request: Mapping[str, Any],
    *,
    now: datetime,
    preliminary_from: datetime,
    edition: int,
    lines: int | None,
    lacks_first: bool = False,
    released: datetime | None = None,
) -> Selection:
    """Read a request.

    Args:
        held: What the archive holds.
        request: What the client sent.
        now: Nothing later than this exists.
        preliminary_from: From this time on fields are preliminary.
        edition: GRIB edition to answer with.
        lines: Rows between pole and equator of every Gaussian grid, in place of
            those asked for.
        lacks_first: Whether the first of the times asked is not archived.
        released: Nothing later than this is released; ``None`` for as usual, some hours
            before ``now``.

    Raises:
        RefusedError: It is not MARS.
        NoDataError: The archive holds nothing of it, or not all of it, or some of it is
            not released yet.
    """
    words = {str(keyword).lower(): value for keyword, value in request.items()}
    if strange := sorted(set(words) - KEYWORDS):
        raise invalid(f"Undefined keyword: {', '.join(strange)}")
    place = "/".join(_word(words, keyword) for keyword in PLACE)
    shelf = held.get(place)
    if shelf is None:
        raise NoDataError(f"ERROR 5 (MARS_NO_DATA): no branch {place} in the archive")
    levtype = _word(words, "levtype")
    points = _points(words, shelf, lines)
    numbers = _texts(words, "param")
    natives = [shelf.natives.get((levtype, number)) for number in numbers]
    levels: tuple[int, ...] = ()
    if levtype == "pl":
        levels = tuple(_whole(text, "levelist") for text in _texts(words, "levelist"))
    steps = [_whole(text, "step") for text in _texts(words, "step", default="0")]
    asked = [
        datetime(day.year, day.month, day.day, _hour(text))
        for day in _days(words)
        for text in _texts(words, "time", default="12")
    ]
    times = [time for time in asked if shelf.holds(time)]
    early = [time for time in times if time > (now - RELEASE if released is None else released)]
    if early:
        raise not_released(early[0])
    leads = [step * HOUR for step in steps if step * HOUR in shelf.lead_times]
    found = tuple(level for level in levels if level in shelf.levels)
    selection = Selection(
        dataset=place,
        product=shelf.product,
        wanted=tuple(Wanted(native, points, shelf.dialect) for native in natives if native),
        levels=found,
        times=tuple(sorted(times)[1 if lacks_first else 0 :]),
        lead_times=tuple(sorted(leads)),
        data_format="grib",
        zipped=False,
        preliminary_from=preliminary_from,
        edition=edition,
    )
    named = len(asked) * len(steps) * len(numbers) * max(1, len(levels))
    is_strict = str(words.get("expect", "")).lower() != "any"
    if len(selection) == 0 or (is_strict and len(selection) < named):
        raise expected_fields(named, len(selection))
    return selection


def _word(words: Mapping[str, Any], keyword: str) -> str:
    values = _texts(words, keyword)
    if len(values) != 1:
        raise invalid(f"{keyword} takes one value")
    return values[0]


def _texts(words: Mapping[str, Any], keyword: str, default: str | None = None) -> list[str]:
    """Values of a keyword: a text with slashes, a number, or a list of either."""
    value = words.get(keyword, default)
    if value is None:
        raise invalid(f"Missing keyword: {keyword}")
    given = value if isinstance(value, list) else [value]
    texts = [text.strip().lower() for item in given for text in str(item).split("/")]
    if not all(texts):
        raise invalid(f"Expected a value of {keyword}, found {value!r}")
    return _spread(texts, keyword) if "to" in texts and keyword != "date" else texts


def _spread(texts: list[str], keyword: str) -> list[str]:
    """``0/to/240/by/6`` as its numbers."""
    step = 1
    if texts[3:4] == ["by"]:
        step = _whole(texts[4] if len(texts) > 4 else "", keyword)  # noqa: PLR2004  a/to/b/by/c
    numbers = [_whole(texts[i], keyword) for i in (0, 2)] if len(texts) in (3, 5) else []
    if not numbers or step < 1:
        raise invalid(f"{keyword} is no range: {'/'.join(texts)}")
    return [str(number) for number in range(numbers[0], numbers[1] + 1, step)]


def _days(words: Mapping[str, Any]) -> list[date]:
    texts = _texts(words, "date")
    try:
        if "to" in texts:
            first, last = date.fromisoformat(texts[0]), date.fromisoformat(texts[2])
            return [first + timedelta(days=i) for i in range((last - first).days + 1)]
        return [date.fromisoformat(text) for text in texts]
    except (ValueError, IndexError):
        raise invalid(f"Invalid date: {'/'.join(texts)}") from None


def _hour(text: str) -> int:
    """Hours of ``06``, ``0600``, ``06:00`` and ``06:00:00``."""
    hour = _whole(text.replace(":", "")[:2], "time")
    if hour >= 24:  # noqa: PLR2004  hours of a day
        raise invalid(f"Invalid time: {text}")
    return hour


def _whole(text: str, keyword: str) -> int:
    if not text.isdecimal():
        raise invalid(f"Expected a whole number of {keyword}, found {text!r}")
    return int(text)


def _points(words: Mapping[str, Any], shelf: Shelf, lines: int | None) -> Region | Gaussian:
    asked = str(words.get("grid", ""))
    gaussian = Gaussian.named(asked.upper())
    if gaussian is not None:
        return replace(gaussian, lines=lines or gaussian.lines)
    steps = _numbers(asked, "grid", NUMBERS_OF_GRID) if asked else None
    area = _numbers(str(words["area"]), "area", NUMBERS_OF_AREA) if "area" in words else None
    region = Region.of(
        shelf.grid,
        (steps[0], steps[1]) if steps else None,
        (area[0], area[1], area[2], area[3]) if area else None,
    )
    if region is None:
        raise NoDataError("ERROR 10 (MARS_GRID): the area holds no point of the grid")
    return region


def _numbers(text: str, keyword: str, count: int) -> list[Fraction]:
    try:
        numbers = [Fraction(part) for part in text.split("/")]
    except (ValueError, ZeroDivisionError):
        numbers = []
    if len(numbers) != count or (keyword == "grid" and min(numbers) <= 0):
        raise invalid(f"{keyword} takes {count} numbers or the name of a grid, found {text!r}")
    return numbers
