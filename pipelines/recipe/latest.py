"""Times that follow the clock: ``latest`` and ``latest-6h`` in the period of a source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aurora_prep import sources
from aurora_prep.pipelines.recipe.values import parse_duration, wrong
from aurora_prep.sources.spec import Source

LATEST = re.compile(r"latest(?:\s*-\s*(?P<back>\w+))?")
ENDS = ("start", "end")


def dated(entry: Any, where: str) -> Any:
    """An entry of ``sources`` with dates in place of ``latest``; others come back as they are.

    ``latest`` is the newest time of which the source is known to be released, by the clock
    and the declaration alone: nobody is asked. A recipe that was read keeps its times, and
    its digest is that of its times.

    Args:
        entry: The entry as plain values, not yet checked.
        where: The place to name in errors.

    Raises:
        RecipeError: The source does not say when its data are released.
    """
    period = entry.get("period") if isinstance(entry, Mapping) else None
    if not isinstance(period, Mapping) or str(entry.get("source")) not in sources.names():
        return entry
    source = sources.load(str(entry["source"]))
    found = {end: _latest(period.get(end), source, f"{where}, period.{end}") for end in ENDS}
    times = {end: time.isoformat() for end, time in found.items() if time is not None}
    return {**entry, "period": {**period, **times}} if times else entry


def _latest(value: Any, source: Source, where: str) -> datetime | None:
    """The time that ``latest`` stands for now; ``None`` of other values."""
    match = LATEST.fullmatch(str(value).strip())
    if match is None:
        return None
    if source.released_after is None:
        found = f"{value} of {source.name}, which does not say when its data are released"
        raise wrong("latest of a source that has no release time", where, found, "give a date")
    newest = now() - source.released_after
    newest -= (newest - source.first) % source.cadence
    return newest - parse_duration(match["back"], where) if match["back"] else newest


def now() -> datetime:
    """The clock, in UTC and naive."""
    return datetime.now(UTC).replace(tzinfo=None)
