"""Values as a user writes them in YAML, checked; a wrong one says where it is and what to do."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any

from aurora_prep.sources.spec import AuroraPrepError, RecipeError, moment

DURATION = re.compile(r"(\d+)\s*(h|d)", re.ASCII)
MOST_DIGITS = 7
WORDS = {"yes": True, "on": True, "no": False, "off": False}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?b)", re.IGNORECASE | re.ASCII)
UNITS = {"B": 1, "IB": 1} | {
    f"{prefix}{kind}": base**power
    for power, prefix in enumerate("KMGT", start=1)
    for kind, base in (("B", 1000), ("IB", 1024))
}


def parse_time(value: Any, where: str, *, end_of_day: bool = False) -> datetime:
    """Read ``2020-01-01``, ``20200101``, ``2020-01-01T06`` or longer as naive UTC.

    Raises:
        RecipeError: The value is no such time.
    """
    try:
        return moment(value, where, end_of_day=end_of_day)
    except AuroraPrepError as error:
        raise RecipeError(*error.args) from None


def parse_duration(value: Any, where: str) -> timedelta:
    """Read ``6h`` or ``1d``.

    Raises:
        RecipeError: The value is no such duration.
    """
    match = DURATION.fullmatch(str(value).strip())
    if match is None or len(match[1]) > MOST_DIGITS:
        raise wrong("not a duration", where, value, "write hours or days: 6h, 1d")
    return timedelta(hours=int(match[1]) * (24 if match[2] == "d" else 1))


def parse_size(value: Any, where: str) -> int:
    """Read ``200 GB``, ``1.5TB`` or ``512 MiB`` as bytes.

    Raises:
        RecipeError: The value is no such size.
    """
    match = SIZE.fullmatch(str(value).strip())
    if match is None or not float(match[1]):
        raise wrong("not a size", where, value, "write a number and a unit: 200 GB, 512 MiB")
    return int(float(match[1]) * UNITS[match[2].upper()])


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
    """True or false, in YAML 1.2's words or in those of YAML 1.1: yes, no, on, off.

    Raises:
        RecipeError: It is neither.
    """
    if isinstance(value, str):
        value = WORDS.get(value.lower(), value)
    if not isinstance(value, bool):
        raise wrong("neither true nor false", where, value, "write true or false")
    return value


def plain(value: Any) -> Any:
    """Values as JSON knows them: dates and paths become text.

    Raises:
        RecipeError: A value has no form in JSON.
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if value is not None and not isinstance(value, (str, int, float)):
        raise wrong("a recipe has no such values", "recipe", type(value).__name__, "write text")
    return value


def wrong(problem: str, where: str, found: Any, fix: str) -> RecipeError:
    """The error to raise for a value."""
    return RecipeError(problem, where, found if isinstance(found, str) else repr(found), fix)
