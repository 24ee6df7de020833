"""What every worker is told, and which shards need which requests and files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import xarray_beam as xbeam

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.parts import finished, part_url
from aurora_prep.pipelines.plan.recipe_plan import Plan, make_plan
from aurora_prep.pipelines.plan.source_plan import ShardTask, SourcePlan, blocks_of_moments
from aurora_prep.pipelines.reading.derived import is_derived
from aurora_prep.pipelines.reading.match import STATIC, Moment
from aurora_prep.pipelines.shard.context import RawFile, RunContext
from aurora_prep.providers.credentials import Service
from aurora_prep.sources.spec import Kind, Request

ShardKey = tuple[int, xbeam.Key]


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker is told: where the run works, and what is left to do.

    Attributes:
        context: Where the run works.
        service: Who answers requests; resolved to credentials where it is used.
        retried: ``source/grid/shard`` of finished shards that lack frames and
            are done again.
        rejected: Those of them of which a field was damaged or implausible.
    """

    context: RunContext
    service: Service
    retried: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()

    @property
    def plan(self) -> Plan:
        """The plan, made once in each process."""
        return _plan(self.context)

    def companions(self, plan: SourcePlan) -> tuple[SourcePlan, ...]:
        """Plans of the sources of which every frame of this one needs a frame."""
        named = plan.recipe.companions
        there = (entry for entry in self.plan.sources if entry.grid == plan.grid)
        return tuple(entry for entry in there if entry.source.name in named)

    def left(self, plan: SourcePlan) -> Iterator[ShardTask]:
        """Shard tasks of a source without a part in the ledger, or to be done again."""
        done = self._done(plan)
        return (task for task in plan.tasks() if task.name not in done)

    def done(self, plan: SourcePlan) -> Iterator[ShardTask]:
        """Shard tasks of a source that are finished."""
        done = self._done(plan)
        return (task for task in plan.tasks() if task.name in done)

    def is_done_meanwhile(self, plan: SourcePlan, task: ShardTask) -> bool:
        """Whether an earlier attempt of this run, lost with its machine, finished a shard."""
        name = plan.source.name, plan.grid.name, task.name
        return "/".join(name) not in self.retried and durable.exists(
            part_url(self.context.root, *name)
        )

    def blocks_of(self, shards: frozenset[str], plan: SourcePlan) -> set[tuple[int, ...]]:
        """Blocks of the shards of a source among some named ``source/grid/shard``."""
        prefix = f"{plan.source.name}/{plan.grid.name}/"
        if not any(name.startswith(prefix) for name in shards):
            return set()
        return {task.block for task in plan.tasks() if prefix + task.name in shards}

    def needed(self, plan: SourcePlan) -> Iterator[Request]:
        """Requests of a source that unfinished shards need, in the plan's order."""
        left = {task.block for task in self.left(plan)}
        requests = plan.requests(synthetic=self.context.synthetic)
        return (request for request in requests if blocks_of_request(request, plan) & left)

    def _done(self, plan: SourcePlan) -> set[str]:
        names = finished(self.context.root, plan.source.name, plan.grid.name)
        prefix = f"{plan.source.name}/{plan.grid.name}/"
        return {name for name in names if prefix + name not in self.retried}


def key_of(plan: SourcePlan, block: tuple[int, ...]) -> ShardKey:
    """xarray-beam's key of a shard: the offsets of its first frame; variables when static."""
    if not block:
        return plan.position, xbeam.Key(vars={v.short_name for v in plan.static_variables})
    names = [name for name, _ in plan.leading]
    starts = [*block[:-1], block[-1] * plan.frames_per_shard]
    return plan.position, xbeam.Key(dict(zip(names, starts, strict=True)))


def block_of(plan: SourcePlan, key: xbeam.Key) -> tuple[int, ...]:
    """The block of a shard's key."""
    starts = [key.offsets[name] for name, _ in plan.leading if name in key.offsets]
    return (*starts[:-1], starts[-1] // plan.frames_per_shard) if starts else ()


def blocks_of_request(request: Request, plan: SourcePlan) -> set[tuple[int, ...]]:
    """Blocks of the shards that the answer to a request has fields of."""
    blocks: set[tuple[int, ...]] = set()
    if any(path.startswith(f"{Kind.STATIC}/") for path, _ in request.fields):
        blocks.add(())
    if any(not path.startswith(f"{Kind.STATIC}/") for path, _ in request.fields):
        moments = product(request.times, request.lead_times, request.members or plan.members)
        blocks |= blocks_of_moments(moments, plan)
    return blocks


def blocks_at(moment: Moment, plan: SourcePlan) -> set[tuple[int, ...]]:
    """Shard tasks that a field of the user's own files belongs to."""
    if moment == STATIC:
        return set() if plan.static_files else {()}
    return blocks_of_moments([moment], plan)


def static_files(plan: SourcePlan) -> tuple[RawFile, ...]:
    """What the static task starts with: the user's files of static fields.

    A reference without a file stands for what needs none, so that the task is there
    even when all its fields are derived.
    """
    if plan.static_files:
        return tuple(RawFile(name) for name in plan.static_files)
    return (RawFile(""),) if all(map(is_derived, plan.static_paths)) or plan.files else ()


def no_file(plan: SourcePlan) -> tuple[str, ...]:
    """The four parts of the error of a frame that none of the user's files holds."""
    files = f"{len(plan.files)} files"
    return "no field of this time is in the files", plan.source.name, files, "add the files"


@lru_cache(maxsize=4)
def _plan(context: RunContext) -> Plan:
    return make_plan(context.recipe, context.contents)
