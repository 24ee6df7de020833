"""Values as a user writes them in YAML, checked; a wrong one says where it is and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any

from aurora_prep.sources.spec import RecipeError

DURATION = re.compile(r"(\d+)\s*(h|d)")


def parse_time(value: Any, where: str, *, end_of_day: bool = False) -> datetime:
    """Read ``2020-01-01``, ``2020-01-01T06`` or longer as naive UTC.

    Raises:
        RecipeError: The value is no such time.
    """
    text = str(value).strip().removesuffix("Z")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise wrong("not a time", where, value, "write 2020-01-01 or 2020-01-01T06") from None
    if moment.tzinfo is not None:
        raise wrong("times are UTC and carry no zone", where, value, "drop the zone")
    day_only = re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
    return moment + timedelta(hours=23) if end_of_day and day_only else moment


def parse_duration(value: Any, where: str) -> timedelta:
    """Read ``6h`` or ``1d``.

    Raises:
        RecipeError: The value is no such duration.
    """
    match = DURATION.fullmatch(str(value).strip())
    if match is None:
        raise wrong("not a duration", where, value, "write hours or days: 6h, 1d")
    return timedelta(hours=int(match[1]) * (24 if match[2] == "d" else 1))


def mapping(
    value: Any, known: Collection[str] | None, where: str, needed: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A table of which every key is known and the needed ones are there."""
    if not isinstance(value, dict):
        raise wrong("a table of keys and values is expected", where, value, "see the README")
    for key in value:
        if known is not None and key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            raise wrong("unknown key", where, key, fix)
    for key in needed:
        if value.get(key) is None:
            raise wrong(f"{key} is missing", where, sorted(value), f"add {key}:")
    return value


def choice(value: Any, known: tuple[str, ...], where: str) -> str:
    """A word among known ones.

    Raises:
        RecipeError: It is none of them.
    """
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"take one of {', '.join(known)}"
        raise wrong("unknown choice", where, value, fix)
    return str(value)


def truth(value: Any, where: str) -> bool:
    """True or false, and nothing that only looks like it.

    Raises:
        RecipeError: It is neither.
    """
    if not isinstance(value, bool):
        raise wrong("neither true nor false", where, value, "write true or false")
    return value


def plain(value: Any) -> Any:
    """YAML's values as JSON knows them: dates become text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value


def wrong(problem: str, where: str, found: Any, fix: str) -> RecipeError:
    """The error to raise for a value."""
    return RecipeError(problem, where, found if isinstance(found, str) else repr(found), fix)
