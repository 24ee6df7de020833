"""Work: the settings that every worker gets, and the units that a run still has to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.parts import finished, part_url
from aurora_prep.pipelines.plan.inputs import NotDelivered, OwnFile, Store
from aurora_prep.pipelines.plan.own_files import choice_of
from aurora_prep.pipelines.plan.recipe_plan import Plan, make_plan
from aurora_prep.pipelines.plan.source_plan import ShardTask, SourcePlan, blocks_of_moments
from aurora_prep.pipelines.plan.store_choice import addresses_of
from aurora_prep.pipelines.plan.units import (
    Block,
    Unit,
    UnitShard,
    blocks_of_request,
    fetched_units,
)
from aurora_prep.pipelines.reading.derived import is_derived
from aurora_prep.pipelines.reading.match import STATIC, holdings_of
from aurora_prep.pipelines.shard.companions import moment_beside
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.providers.credentials import Service
from aurora_prep.sources.spec import Request
from aurora_prep.sources.spec.outcome import NOT_ARCHIVED

DONE_AT_ONCE = 64  # finished shards whose statistics are read as one unit
SOURCES_KEPT = 32  # sources whose requests a process remembers


@dataclass(frozen=True, slots=True)
class Work:
    """The settings that every worker gets: where the run works, and what is still to do.

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

    def requests(self, plan: SourcePlan) -> tuple[Request, ...]:
        """All requests of a source in the plan's order, made once in each process."""
        return _requests(self.context, plan.position)

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

    def blocks_of(self, shards: frozenset[str], plan: SourcePlan) -> set[Block]:
        """Blocks of the shards of a source among some named ``source/grid/shard``."""
        prefix = f"{plan.source.name}/{plan.grid.name}/"
        if not any(name.startswith(prefix) for name in shards):
            return set()
        return {task.block for task in plan.tasks() if prefix + task.name in shards}

    def needed(self, plan: SourcePlan) -> Iterator[Request]:
        """Requests of a source that unfinished shards need, in the plan's order."""
        left = {task.block for task in self.left(plan)}
        return (r for r in self.requests(plan) if blocks_of_request(r, plan) & left)

    def units(self, plan: SourcePlan) -> Iterator[Unit]:
        """The units of a source: finished shards first, then what is left, in the store's order."""
        done = [UnitShard(task.block) for task in self.done(plan)]
        number = 0
        for start in range(0, len(done), DONE_AT_ONCE):
            shards = tuple(done[start : start + DONE_AT_ONCE])
            yield Unit(plan.position, number, shards, is_done=True)
            number += 1
        left = {task.block for task in self.left(plan)}
        at_hand = self._at_hand(plan, left)
        for shard in at_hand:
            yield Unit(plan.position, number, (shard,))
            number += 1
        fetched = left - {shard.block for shard in at_hand}
        yield from fetched_units(plan, self.requests(plan), fetched, first=number)

    def waits_for(self, unit: Unit) -> frozenset[tuple[int, Block]]:
        """Position and block of every shard of a companion that a unit's frames need."""
        plan = self.plan.sources[unit.position]
        frames = [frame for s in unit.shards for frame in plan.task_at(s.block).frames]
        return frozenset(
            (companion.position, block)
            for companion in self.companions(plan)
            for block in blocks_of_moments(
                [moment_beside(frame, companion) for frame in frames], companion
            )
        )

    def _at_hand(self, plan: SourcePlan, left: set[Block]) -> list[UnitShard]:
        """Unfinished shards for which nothing is asked of a provider, with their inputs.

        Those are shards of the user's own files, of Zarr stores, which are read in place, and
        static fields that come from a file or need none.
        """
        found: dict[Block, list[OwnFile | Store | NotDelivered]] = {}
        borrowed = bool(plan.recipe.statics_from)
        if () in left and plan.static_files:
            found[()] = [OwnFile(name) for name in plan.static_files]
        elif () in left and (
            all(map(is_derived, plan.static_paths)) or (plan.files and not borrowed)
        ):
            found[()] = []
        if addresses := addresses_of(plan, self.service):
            in_store = left - {()} if plan.static_files or borrowed else left
            stores = [Store(str(address)) for address in addresses]
            found.update({block: list(stores) for block in in_store})
        elif plan.files:
            found.update({block: [] for block in left - {()}})
            for name, blocks in blocks_of_files(plan, self.context).items():
                for block in blocks & found.keys():
                    found[block].append(OwnFile(name))
            for block in left - {()}:
                found[block] = found[block] or [NotDelivered(_no_file(plan), NOT_ARCHIVED)]
        return [UnitShard(block, at_hand=tuple(found[block])) for block in sorted(found)]

    def _done(self, plan: SourcePlan) -> set[str]:
        names = finished(self.context.root, plan.source.name, plan.grid.name)
        prefix = f"{plan.source.name}/{plan.grid.name}/"
        return {name for name in names if prefix + name not in self.retried}


def blocks_of_files(plan: SourcePlan, context: RunContext) -> dict[str, set[Block]]:
    """The shards that each of the user's own files has fields of."""
    held = holdings_of(plan.files, plan.source, context.contents, choice_of(plan.recipe))
    found: dict[str, set[Block]] = {name: set() for name in plan.files}
    for (_, moment), ref in held.fields.items():
        if moment != STATIC:
            found[ref.file] |= blocks_of_moments([moment], plan)
        elif not plan.static_files and not plan.recipe.statics_from:
            found[ref.file].add(())
    disputed = blocks_of_moments((moment for _, moment in held.conflicts), plan)
    # Whichever file the other field is in, its frame is rejected.
    return {name: blocks | disputed for name, blocks in found.items()}


def _no_file(plan: SourcePlan) -> tuple[str, ...]:
    """The four parts of the error of a frame that none of the user's files holds."""
    files = f"{len(plan.files)} files"
    return "no field of this time is in the files", plan.source.name, files, "add the files"


@lru_cache(maxsize=4)
def _plan(context: RunContext) -> Plan:
    return make_plan(context.recipe, context.contents)


@lru_cache(maxsize=SOURCES_KEPT)
def _requests(context: RunContext, position: int) -> tuple[Request, ...]:
    return tuple(context.requests(_plan(context).sources[position]))
