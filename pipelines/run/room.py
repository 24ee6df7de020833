"""Room: whether the disks can hold what a run will write and keep, asked before it begins."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from aurora_prep.manifest import durable
from aurora_prep.pipelines.estimates.answer_sizes import answer_bytes
from aurora_prep.pipelines.estimates.costs import measured_costs
from aurora_prep.pipelines.estimates.disk import least_budgets, shares
from aurora_prep.pipelines.estimates.load import load_of
from aurora_prep.pipelines.plan.units import Unit
from aurora_prep.pipelines.run.work import Work
from aurora_prep.sources.spec import RecipeError, WriteError

GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Need:
    """What a run still needs of the disks.

    Attributes:
        output: Bytes that will be written to the output.
        answers: Bytes of all answers that are not in the cache yet.
        budgets: Lane and most bytes that its answers may hold of the cache; empty where
            answers are kept.
    """

    output: int
    answers: int
    budgets: dict[str, int]

    @property
    def cache(self) -> int:
        """Bytes that will be added to the cache at most."""
        return min(self.answers, sum(self.budgets.values())) if self.budgets else self.answers


def need_of(work: Work, limit: int | None) -> Need:
    """What is left of a run needs this of the disks.

    Args:
        work: The run.
        limit: Most bytes that answers may hold of the cache; ``None`` for no bound.

    Raises:
        RecipeError: With so small a cache no shard could be made.
    """
    plans = work.plan.sources
    units = [unit for plan in plans for unit in work.units(plan) if not unit.is_done]
    units.sort(key=lambda unit: (bool(plans[unit.position].recipe.companions), unit.position))
    sizes: dict[tuple[int, int], int] = {}

    def size_of(position: int, number: int) -> int:
        key = position, number
        if key not in sizes:
            plan = plans[position]
            sizes[key] = answer_bytes(plan, work.requests(plan)[number])
        return sizes[key]

    budgets = {} if limit is None else _budgets(units, size_of, limit)
    absent = 0
    for position, number in {(u.position, n) for u in units for n in u.requests}:
        request = work.requests(plans[position])[number]
        if work.context.answers.held(request.digest) is None:
            absent += size_of(position, number)
    return Need(_output_bytes(work, units), absent, budgets)


def check_room(work: Work, need: Need) -> None:
    """Refuse to begin what the local disks cannot hold.

    Raises:
        WriteError: The numbers: what is needed, and what is free.
    """
    output = durable.local_path(work.context.root)
    cache = work.context.cache
    wanted: dict[int, tuple[Path, int]] = {}
    for path, size in ((output, need.output), (cache, need.cache)):
        if path is not None:
            there = _existing(Path(path))
            device = there.stat().st_dev
            wanted[device] = there, wanted.get(device, (there, 0))[1] + size
    for place, size in wanted.values():
        free = shutil.disk_usage(place).free
        if size > free:
            raise WriteError(
                "the disk cannot hold what the run needs",
                str(place),
                f"{free / GIGABYTE:,.2f} GB are free; needed are {need.output / GIGABYTE:,.2f} GB"
                f" for the output and {need.cache / GIGABYTE:,.2f} GB for the cache",
                "free some space, give another --out or --cache, or bound what is kept of the"
                " downloads: --cache-limit SIZE",
            )


def bounded(work: Work, need: Need) -> Work:
    """The same work with the cache shared among its lanes."""
    budgets = tuple(sorted(need.budgets.items()))
    return replace(work, context=replace(work.context, budgets=budgets)) if budgets else work


def _budgets(units: list[Unit], size_of: Callable[[int, int], int], limit: int) -> dict[str, int]:
    least = least_budgets(units, size_of)
    if sum(least.values()) > limit:
        each = ", ".join(f"{lane} {size / GIGABYTE:,.2f} GB" for lane, size in least.items())
        raise RecipeError(
            "the cache is bounded too tightly: no shard could be made",
            "--cache-limit",
            f"{limit / GIGABYTE:,.2f} GB; what has to be there at once: {each}",
            f"give {sum(least.values()) / GIGABYTE:,.2f} GB at least",
        )
    return shares(least, limit) if least else {}


def _output_bytes(work: Work, units: list[Unit]) -> int:
    total = 0.0
    for plan in work.plan.sources:
        left = sum(len(u.shards) for u in units if u.position == plan.position)
        frames = min(plan.frames, left * plan.frames_per_shard)
        total += load_of(plan, measured_costs()).output_bytes * frames / plan.frames
    return int(total)


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
