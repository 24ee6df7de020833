"""Present: what is there already, of frames in the output and of answers in the cache."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.providers.cache import Cache
from aurora_prep.sources.spec import FrameKey, Timeline

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
    for part in parts:
        frame = FrameKey.first_of_shard(plan.source.name, part)
        if frame is None:
            continue
        time = _place(plan.init_times, frame.init_time)
        places = time, members.get(frame.member), leads.get(frame.lead_time)
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


def _place(times: Sequence[datetime], time: datetime) -> int | None:
    """Position of a time, if it is one of these."""
    if not isinstance(times, Timeline):
        return _places(times).get(time)
    place, beside = divmod(time - times.start, times.step)
    return place if beside == timedelta(0) and 0 <= place < len(times) else None


@lru_cache(maxsize=8)
def _places(times: Sequence[datetime]) -> dict[Any, int]:
    return {time: place for place, time in enumerate(times)}
