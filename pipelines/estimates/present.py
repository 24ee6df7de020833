"""Present: what is there already, of frames in the output and of answers in the cache."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.providers.cache import Cache
from aurora_prep.sources.spec import HOUR, Timeline

SHARD = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)\+(\d{3,})h(?:-m(\d{2,}))?")
SIDECAR = ".json"


def frames_present(plan: SourcePlan, parts: Collection[str]) -> int:
    """Frames of a plan whose shards have a part in the ledger.

    Counted from the names of the parts, so that the cost grows with what is there
    and not with what is planned.

    Args:
        plan: The plan of the source.
        parts: Names of the finished shards, as the ledger lists them.
    """
    leads = {lead: place for place, lead in enumerate(plan.lead_times)}
    members = {member: place for place, member in enumerate(plan.members)}
    inner = plan.leading[-1][1]
    counted = 0
    axis = 2 if plan.is_forecast else int(plan.is_ensemble)
    for time, member, lead in filter(None, map(_moment, parts)):
        places = _place(plan.init_times, time), members.get(member), leads.get(lead)
        if None in places:
            continue
        first = places[axis] or 0
        if first % plan.frames_per_shard == 0:
            counted += min(plan.frames_per_shard, inner - first)
    return counted


def answers_present(plan: SourcePlan, cache: Cache, server: str = "") -> tuple[int, int]:
    """Requests whose answer is in the cache, and the bytes of those answers.

    Args:
        plan: The plan of the source.
        cache: The cache.
        server: Who answers, where that is not the well-known server.
    """
    held = {path.name.removesuffix(SIDECAR) for path in cache.root.glob(f"??/*{SIDECAR}")}
    if not held:
        return 0, 0
    requests = (replace(request, server=server) for request in plan.requests(synthetic=False))
    there = (cache.lookup(request) for request in requests if request.digest in held)
    sizes = [answer.bytes for answer in there if answer is not None]
    return len(sizes), sum(sizes)


def _moment(part: str) -> tuple[datetime, int | None, timedelta] | None:
    """The first frame of a shard, from the name of its part; ``None`` of other names."""
    match = SHARD.fullmatch(part)
    if match is None:
        return None
    year, month, day, hour, lead, member = match.groups()
    try:
        time = datetime(int(year), int(month), int(day), int(hour))
    except ValueError:
        return None
    return time, None if member is None else int(member), int(lead) * HOUR


def _place(times: Sequence[datetime], time: datetime) -> int | None:
    """Position of a time, if it is one of these."""
    if not isinstance(times, Timeline):
        return _places(times).get(time)
    place, beside = divmod(time - times.start, times.step)
    return place if beside == timedelta(0) and 0 <= place < len(times) else None


@lru_cache(maxsize=8)
def _places(times: Sequence[datetime]) -> dict[Any, int]:
    return {time: place for place, time in enumerate(times)}
