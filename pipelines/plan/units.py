"""Units of work: runs of neighbouring shards, with the requests that bring their fields.

A unit is the smallest piece of a run that can be fetched, made, published and evicted by
itself. A request may serve several units (a month of surface fields serves many days of
levels): its answer is kept until the last of them is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product

from aurora_prep.pipelines.plan.inputs import NotDelivered, OwnFile, Store
from aurora_prep.pipelines.plan.provider_limits import limit_of
from aurora_prep.pipelines.plan.source_plan import SourcePlan, blocks_of_moments, is_static
from aurora_prep.sources.spec import Request

Block = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UnitShard:
    """A shard of a unit, and what brings its fields.

    Attributes:
        block: Position of the shard along each leading axis; empty for static fields.
        requests: Positions of its requests among those of the source's plan.
        at_hand: Inputs that need not be fetched.
    """

    block: Block
    requests: tuple[int, ...] = ()
    at_hand: tuple[OwnFile | Store | NotDelivered, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """A run of neighbouring shards of one source.

    Attributes:
        position: Of the source's entry in the recipe.
        number: Of the unit within the source, in the order of the store.
        shards: Its shards.
        lane: The lane that fetches its answers; empty where nothing has to be fetched.
        is_done: Whether its shards are finished, so that only their statistics are read.
    """

    position: int
    number: int
    shards: tuple[UnitShard, ...]
    lane: str = ""
    is_done: bool = False

    @property
    def name(self) -> str:
        """``position/number``: tells it from the other units of a run."""
        return f"{self.position}/{self.number}"

    @property
    def requests(self) -> tuple[int, ...]:
        """Positions of the requests that it needs, increasing."""
        return tuple(sorted({number for shard in self.shards for number in shard.requests}))


def blocks_of_request(request: Request, plan: SourcePlan) -> set[Block]:
    """Blocks of the shards that the answer to a request has fields of."""
    blocks: set[Block] = set()
    if any(is_static(path) for path, _ in request.fields):
        blocks.add(())
    if any(not is_static(path) for path, _ in request.fields):
        moments = product(request.times, request.lead_times, request.members or plan.members)
        blocks |= blocks_of_moments(moments, plan)
    return blocks


def fetched_units(
    plan: SourcePlan, requests: Sequence[Request], left: Collection[Block], *, first: int = 0
) -> Iterator[Unit]:
    """Cut unfinished shards into units: neighbours that the same narrowest request serves.

    Args:
        plan: The plan of the source.
        requests: All requests of the plan, in its order.
        left: Blocks of the shards that are not finished and must be fetched.
        first: Number of the first unit.
    """
    needs, width = _needs(plan, requests, left)
    lanes = _lanes(plan.recipe.access, requests, needs)

    def narrowest(block: Block) -> tuple[int, int]:
        return min((width[number], number) for number in needs[block])

    together = groupby(sorted(needs), key=narrowest)
    for number, (_, blocks) in enumerate(together, start=first):
        shards = tuple(UnitShard(block, tuple(needs[block])) for block in blocks)
        yield Unit(plan.position, number, shards, lane=lanes[shards[0].requests[0]])


def _needs(
    plan: SourcePlan, requests: Iterable[Request], left: Collection[Block]
) -> tuple[dict[Block, list[int]], dict[int, int]]:
    """The requests of every block, and how many blocks each request serves."""
    wanted = left if isinstance(left, (set, frozenset)) else set(left)
    needs: dict[Block, list[int]] = {}
    width: dict[int, int] = {}
    for number, request in enumerate(requests):
        served = blocks_of_request(request, plan) & wanted
        width[number] = len(served)
        for block in served:
            needs.setdefault(block, []).append(number)
    return needs, width


def _lanes(
    access: str, requests: Sequence[Request], needs: Mapping[Block, Sequence[int]]
) -> dict[int, str]:
    """The lane of every request that is needed.

    Requests that serve a shard together are in one lane, so that one worker knows when the
    last shard that needs an answer is done.
    """
    slots = limit_of(access).slots
    if slots == 1:
        return dict.fromkeys({number for some in needs.values() for number in some}, access)
    joined: dict[int, int] = {}

    def root(number: int) -> int:
        while joined.setdefault(number, number) != number:
            joined[number] = joined[joined[number]]
            number = joined[number]
        return number

    for some in needs.values():
        for number in some:
            joined[root(number)] = root(some[0])
    return {
        number: f"{access}-{int(requests[root(number)].digest[:16], 16) % slots}"
        for number in joined
    }
