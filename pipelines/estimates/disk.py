"""Disk: what a run's answers hold of the cache, and the least bound with which it can go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from aurora_prep.pipelines.estimates.answer_sizes import answer_bytes
from aurora_prep.pipelines.estimates.counts import sorts_of_months
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.pipelines.plan.units import Unit, fetched_units
from aurora_prep.sources.spec import Timeline


def least_budgets(units: Iterable[Unit], size_of: Callable[[int, int], int]) -> dict[str, int]:
    """The least bytes of the cache with which each lane can make its units one by one.

    An answer is held from the first unit that needs it to the last: while a unit is made, all
    answers that are held at that moment must have room.

    Args:
        units: Units in the order in which they are made.
        size_of: Bytes of the answer of ``(position, request number)``.
    """
    lanes: defaultdict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        if unit.lane:
            lanes[unit.lane].append(unit)
    return {lane: _peak(some, size_of) for lane, some in lanes.items()}


def least_cache(plan: SourcePlan) -> dict[str, int]:
    """The least bytes of the cache with which each lane of a source can go on.

    Worked out for the longest calendar month, since no request reaches beyond a month.
    """
    times = plan.init_times
    if isinstance(times, Timeline):
        times = max((month for month, _ in sorts_of_months(times)), key=len)
    return _least_of(replace(plan, init_times=times))


def together(found: Sequence[Mapping[str, int]]) -> int:
    """The least bytes for several sources: those of one lane are made one after the other."""
    lanes: dict[str, int] = {}
    for source in found:
        for lane, size in source.items():
            lanes[lane] = max(size, lanes.get(lane, 0))
    return sum(lanes.values())


def _least_of(plan: SourcePlan) -> dict[str, int]:
    requests = tuple(plan.requests(synthetic=False))
    if not requests:
        return {}
    blocks = {task.block for task in plan.tasks()}
    served = blocks - {()} if plan.static_files else blocks
    units = fetched_units(plan, requests, served)
    return least_budgets(units, lambda _, number: answer_bytes(plan, requests[number]))


def shares(least: Mapping[str, int], limit: int) -> dict[str, int]:
    """How lanes share a bound of the cache: each its least, and equal parts of the rest.

    Args:
        least: What ``least_budgets`` found.
        limit: Bytes that all lanes may hold together; no less than the sum of the least.
    """
    rest = (limit - sum(least.values())) // max(1, len(least))
    return {lane: size + rest for lane, size in least.items()}


def _peak(units: list[Unit], size_of: Callable[[int, int], int]) -> int:
    last = {(u.position, number): place for place, u in enumerate(units) for number in u.requests}
    held: dict[tuple[int, int], int] = {}
    peak = 0
    for place, unit in enumerate(units):
        for number in unit.requests:
            key = unit.position, number
            if key not in held:
                held[key] = size_of(*key)
        peak = max(peak, sum(held.values()))
        for key in [key for key in held if last[key] == place]:
            del held[key]
    return peak
