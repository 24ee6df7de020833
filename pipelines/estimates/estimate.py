"""Estimate: the answer of ``plan`` for one source, and for all of a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from aurora_prep.pipelines.estimates.costs import Costs, measured_costs
from aurora_prep.pipelines.estimates.counts import object_count, shard_count
from aurora_prep.pipelines.estimates.disk import least_cache, together
from aurora_prep.pipelines.estimates.load import Load, load_of
from aurora_prep.pipelines.estimates.prices import Setting
from aurora_prep.pipelines.estimates.times import GIBIBYTE, HOUR_SECONDS, dollars_of, times_of
from aurora_prep.pipelines.plan.recipe_plan import Plan
from aurora_prep.pipelines.plan.source_plan import SourcePlan

WORKERS = (1, 10, 100, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What is there already of one source.

    Attributes:
        frames: Frames in the output.
        requests: Requests whose answer is in the cache.
        request_bytes: Bytes of those answers.
    """

    frames: int = 0
    requests: int = 0
    request_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one source of a plan will cost, all of it; ``left`` is the load of the rest.

    Attributes:
        source: Name of the source.
        grid: Grid written.
        access: Way to the data.
        frames: Frames planned.
        present: Frames that are in the output already.
        fields: Two-dimensional fields planned.
        shards: Shards of frames.
        objects: Zarr objects written.
        requests: Requests to the provider.
        cached_requests: Requests whose answer is in the cache already.
        cached_bytes: Bytes of those answers.
        download_bytes: Bytes to download.
        cache_least_bytes: Bytes of raw files that must have room at once, at least.
        output_bytes: Bytes to write.
        core_hours: Work of this software's cores.
        dollars: Price of the core-hours on rented workers that never wait.
        storage_dollars_month: Price of keeping the output for a month.
        left: What is left to do.
        lanes: The least room of the cache of each lane, in bytes.
    """

    source: str
    grid: str
    access: str
    frames: int
    present: int
    fields: int
    shards: int
    objects: int
    requests: int
    cached_requests: int
    cached_bytes: int
    download_bytes: int
    cache_least_bytes: int
    output_bytes: int
    core_hours: float
    dollars: float
    storage_dollars_month: float
    left: Load
    lanes: Mapping[str, int]

    @property
    def counted(self) -> dict[str, Any]:
        """All but the load and the lanes, by name."""
        return {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("left", "lanes")
        }


def estimate(
    plan: SourcePlan,
    setting: Setting,
    *,
    present: Present | None = None,
    differences: Sequence[timedelta] = (),
    costs: Costs | None = None,
) -> Estimate:
    """Work out what one source will cost.

    Args:
        plan: The plan of the source.
        setting: Prices, workers and providers.
        present: What is there already.
        differences: Steps over which the recipe wants changes.
        costs: What a field costs; as measured where not given.
    """
    present = present or Present()
    whole = load_of(plan, costs or measured_costs(), differences=differences)
    hours = whole.core_seconds / HOUR_SECONDS
    asked = 1 - present.requests / whole.requests if whole.requests else 1.0
    lanes = least_cache(plan)
    return Estimate(
        lanes=lanes,
        source=plan.source.name,
        grid=plan.grid.name,
        access=plan.recipe.access,
        frames=plan.frames,
        present=present.frames,
        fields=plan.frames * plan.fields_per_frame,
        shards=shard_count(plan),
        objects=object_count(plan),
        requests=int(whole.requests),
        cached_requests=present.requests,
        cached_bytes=present.request_bytes,
        download_bytes=int(whole.download_bytes),
        cache_least_bytes=together([lanes]),
        output_bytes=int(whole.output_bytes),
        core_hours=round(hours, 3),
        dollars=round(hours * setting.worker_hour / setting.worker.cores, 2),
        storage_dollars_month=round(
            whole.output_bytes / GIBIBYTE * setting.prices.storage_gib_month, 2
        ),
        left=whole.left(frames=1 - present.frames / plan.frames, requests=asked),
    )


def rows(
    plan: Plan, estimates: Sequence[Estimate], setting: Setting, workers: Sequence[int] = WORKERS
) -> dict[str, Any]:
    """The estimates as JSON values: ``{"sources": [...], "totals": {...}}``.

    Args:
        plan: The plan.
        estimates: One a source of the plan.
        setting: Prices, workers and providers.
        workers: Numbers of workers to tell time and money for.
    """
    plain = [e.counted for e in estimates]
    counted = [name for name in plain[0] if not isinstance(plain[0][name], str)]
    totals: dict[str, Any] = {name: sum(row[name] for row in plain) for name in counted}
    for name, digits in (("core_hours", 3), ("dollars", 2), ("storage_dollars_month", 2)):
        totals[name] = round(totals[name], digits)
    totals["cache_least_bytes"] = together([e.lanes for e in estimates])
    totals["times"] = _times([e.left for e in estimates], setting, workers)
    for row, entry, found in zip(plain, plan.sources, estimates, strict=True):
        row["first"] = entry.init_times[0].isoformat()
        row["last"] = (entry.init_times[-1] + entry.lead_times[-1]).isoformat()
        row["variables"] = list(entry.paths)
        row["levels"] = list(entry.levels)
        row["ignored"] = list(entry.ignored)
        row["quirks"] = [str(quirk) for quirk in entry.quirks]
        row["times"] = _times([found.left], setting, workers)
    return {"sources": plain, "totals": totals}


def _times(loads: Iterable[Load], setting: Setting, workers: Sequence[int]) -> list[dict[str, Any]]:
    loads = tuple(loads)
    found = []
    for number in workers:
        times = times_of(loads, setting, number)
        found.append(
            {
                "workers": number,
                "hours": round(times.hours, 3),
                "bound": times.bound,
                "queue_hours": round(times.queue, 3),
                "network_hours": round(times.network, 3),
                "cores_hours": round(times.cores, 3),
                "writing_hours": round(times.writing, 3),
                "finish_hours": round(times.finish, 3),
                "dollars": round(dollars_of(times, loads, setting), 2),
            }
        )
    return found
