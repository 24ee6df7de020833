"""Counts: shards, objects, requests and points of a plan, by arithmetic and never one by one."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.sources.spec import HOUR, Grid, Http, Index, Mars, Timeline, Zarr

MONTHS = 12
GAUSSIAN = re.compile(r"(?P<kind>[FON])(?P<lines>\d+)")
PARTIAL = 2  # a chunk is read in part where this many times the wanted levels fit into it
# Pressure levels of ECMWF's operational analyses; a file of the tree is assumed to hold all.
OPERATIONAL_LEVELS = 25
# Points of octahedral row k (from the pole, from 1) are 4 k + 16.
OCTAHEDRAL_STEP, OCTAHEDRAL_FIRST = 4, 16


def shard_count(plan: SourcePlan) -> int:
    """Shards of frames, static fields aside."""
    *outer, (_, inner) = plan.leading
    return math.prod(length for _, length in outer) * -(-inner // plan.frames_per_shard)


def object_count(plan: SourcePlan) -> int:
    """Objects of the Zarr stores, metadata aside: one a shard and variable."""
    return shard_count(plan) * len(plan.variables) + len(plan.static_variables)


def part_count(plan: SourcePlan) -> int:
    """Parts of the ledger: one a shard, and one for the static fields."""
    return shard_count(plan) + bool(plan.static_variables)


def request_count(plan: SourcePlan) -> int:
    """Requests to the provider, without making them all.

    No request reaches beyond a calendar month, and what is asked in a month depends
    on nothing but which of its hours are wanted, and which branches of an archive
    begin or end before or in it. So one month of each sort is planned, and counted
    as often as its sort occurs: at most a few dozen months for any period. Of files with
    an index one init time of each sort is enough.
    """
    times = plan.init_times
    if not isinstance(times, Timeline):
        return sum(1 for _ in plan.requests(synthetic=False))
    moving = replace(plan, static_paths=())
    access = plan.source.access(plan.recipe.access)
    if isinstance(access, Index):
        return _indexed_count(plan, access, times)
    turns = _turns(plan)
    sorts: Counter[tuple[int, ...]] = Counter()
    example: dict[tuple[int, ...], Timeline] = {}
    for hours, month in _months(times):
        sort = (*hours, *(_side(month, turn) for turn in turns))
        sorts[sort] += 1
        example.setdefault(sort, month)
    counted = sum(
        number * sum(1 for _ in replace(moving, init_times=example[sort]).requests(synthetic=False))
        for sort, number in sorts.items()
    )
    if not plan.static_variables:
        return counted
    once = Timeline(times.start, times.start, HOUR)
    with_static = sum(1 for _ in replace(plan, init_times=once).requests(synthetic=False))
    without = sum(1 for _ in replace(moving, init_times=once).requests(synthetic=False))
    return counted + with_static - without


def _indexed_count(plan: SourcePlan, access: Index, times: Timeline) -> int:
    """Requests for files with an index: those of one init time of each sort, so often."""
    moving = replace(plan, static_paths=())
    counted = sum(
        number * _count(replace(moving, init_times=Timeline(time, time, times.step)))
        for time, number in _alike(access, times).values()
    )
    first = Timeline(times.start, times.start, HOUR)
    with_static, without = (replace(one, init_times=first) for one in (plan, moving))
    return counted + _count(with_static) - _count(without)


def _turns(plan: SourcePlan) -> tuple[datetime, ...]:
    """The moments at which branches of the plan's archive begin or end."""
    access = plan.source.access(plan.recipe.access)
    branches = access.branches if isinstance(access, Mars) else ()
    return tuple({turn for b in branches for turn in (b.first, b.last) if turn is not None})


def _side(month: Timeline, turn: datetime) -> int:
    """Whether a month lies before a moment, around it or after it; the one around is alone."""
    if month[-1] < turn:
        return -1
    return 1 if month.start > turn else 0


def sorts_of_months(times: Timeline) -> list[tuple[Timeline, int]]:
    """One month of each sort, and how often months of its sort occur in a period."""
    sorts: Counter[tuple[int, int]] = Counter()
    example: dict[tuple[int, int], Timeline] = {}
    for sort, month in _months(times):
        sorts[sort] += 1
        example.setdefault(sort, month)
    return [(example[sort], number) for sort, number in sorts.items()]


def _count(plan: SourcePlan) -> int:
    return sum(1 for _ in plan.requests(synthetic=False))


def _months(times: Timeline) -> Iterator[tuple[tuple[int, int], Timeline]]:
    """The times of each calendar month, with what the month's requests depend on.

    That is the hour of the month of its first time, and the number of its times.
    """
    start, step = times.start, times.step
    number = start.year * MONTHS + start.month - 1
    position = 0
    while position < len(times):
        begin = datetime(number // MONTHS, number % MONTHS + 1, 1)
        number += 1
        end = datetime(number // MONTHS, number % MONTHS + 1, 1)
        stop = min(len(times), -((start - end) // step))
        if stop > position:
            first, last = start + position * step, start + (stop - 1) * step
            yield ((first - begin) // HOUR, stop - position), Timeline(first, last, step)
            position = stop


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a provider sends for a field.

    Attributes:
        points: Points of a field.
        is_reduced: Whether its rows differ in length.
        downloaded_levels: Levels that come with every variable that has any.
        decoded_levels: Levels that must be decoded of it.
    """

    points: int
    is_reduced: bool
    downloaded_levels: int
    decoded_levels: int


def delivery_of(plan: SourcePlan) -> Delivery:
    """What a provider sends for the fields of a plan.

    A store asked for levels sends those. A chunk of a public Zarr store holds all levels
    of a variable; it is read whole where more than half of them are wanted, else by the
    ranges of the wanted ones. A file of a tree comes whole, and only the wanted messages
    are decoded.
    """
    access = plan.source.access(plan.recipe.access)
    wanted = len(plan.levels)
    match access:
        case Zarr() if isinstance(plan.init_times, Timeline) and not plan.files:
            times = plan.init_times
            paths = [variable.path for variable in plan.variables]
            store = access.store_of(times[0], times[-1], times.step, paths, plan.source.name)
            held = len(store.levels or plan.source.levels)
            read = wanted if PARTIAL * wanted <= held else held
            return Delivery(*_points("", plan.source.grid), read, read)
        case Http():
            return Delivery(*_points(access.grid, plan.source.grid), OPERATIONAL_LEVELS, wanted)
        case Mars():
            named = dict(access.branches[0].keywords).get("grid", "")
            return Delivery(*_points(named, plan.source.grid), wanted, wanted)
        case _:
            return Delivery(*_points("", plan.source.grid), wanted, wanted)


def whole_files(plan: SourcePlan) -> float:
    """Bytes of the files that come whole for a part of them, since no index lies beside them."""
    access = plan.source.access(plan.recipe.access)
    if not isinstance(access, Index) or not plan.paths:
        return 0.0
    total = 0
    for time, number in _alike(access, plan.init_times).values():
        there = (f for f in access.files if any(f.holds(p, None, time) for p in plan.paths))
        total += number * next((files.file_bytes for files in there), 0)
    return float(total * len(plan.lead_times))


def _alike(
    access: Index, times: Sequence[datetime]
) -> dict[tuple[bool, ...], tuple[datetime, int]]:
    """One init time of each sort, and how many there are; those of a sort lie in like files."""
    sorts: dict[tuple[bool, ...], tuple[datetime, int]] = {}
    for time in times:
        sort = tuple(files.holds(files.paths[0], None, time) for files in access.files)
        first, number = sorts.get(sort, (time, 0))
        sorts[sort] = first, number + 1
    return sorts


def _points(named: str, declared: Grid) -> tuple[int, bool]:
    """Points of a Gaussian grid by its name, else of the declared grid; whether it is reduced."""
    match = GAUSSIAN.fullmatch(named)
    if match is None:
        return declared.rows * declared.columns, False
    lines = int(match["lines"])
    if match["kind"] == "F":
        return 2 * lines * 4 * lines, False
    # Classic reduced grids (N) hold some points fewer than octahedral ones of the same order.
    rows = lines * (lines + 1) // 2
    return 2 * (OCTAHEDRAL_STEP * rows + OCTAHEDRAL_FIRST * lines), True
