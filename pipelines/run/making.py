"""Making: the shards of some units, while the answers of the next ones are on their way.

On one machine all units of a run come here together, so that providers work side by side and
shards are made of whatever is at hand. On several machines one lane, or one unit that nothing
has to be fetched for, comes here at a time.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from aurora_prep.manifest.ledger.parts import read_part
from aurora_prep.manifest.ledger.records import Part
from aurora_prep.pipelines.plan.inputs import Fetched, Store
from aurora_prep.pipelines.plan.provider_limits import limit_of
from aurora_prep.pipelines.plan.units import Block, Unit, UnitShard
from aurora_prep.pipelines.run import progress
from aurora_prep.pipelines.run.answers import Answers
from aurora_prep.pipelines.run.events import Events
from aurora_prep.pipelines.run.lanes import Answer, Key, Lane, inputs_of
from aurora_prep.pipelines.run.work import Work
from aurora_prep.pipelines.shard.pools import Pools
from aurora_prep.pipelines.shard.shard import BegunShard, begin_shard

IDLE_SECONDS = 1.0  # a worker without work looks around this often, whoever woke it


def make_units(units: Iterable[Unit], work: Work) -> Iterator[tuple[str, Any]]:
    """Make the shards of some units.

    Args:
        units: Units of any sources.
        work: What the workers are told.

    Yields:
        ``("statistics", partial)`` of each shard that is finished, ``("absent", absence)`` for
        each frame of which nothing could be written, ``("failed", parts)`` for each request
        that the provider did not answer.

    Raises:
        AuroraPrepError: What ends the run.
    """
    desk = _Desk(tuple(units), work)
    makers = [
        threading.Thread(target=_Maker(desk, kind).run, name=f"make-{kind}", daemon=True)
        for kind in sorted({_kind(unit) for unit in desk.units})
    ]
    try:
        for maker in makers:
            maker.start()
        yield from desk.results(len(makers))
    finally:
        desk.close()
        for maker in makers:
            maker.join()
        desk.close_lanes()
        desk.pools.close()


def _kind(unit: Unit) -> str:
    """Shards of stores are read over the network while others are made on the processors."""
    return "read" if any(isinstance(i, Store) for s in unit.shards for i in s.at_hand) else "made"


@dataclass(frozen=True, slots=True)
class _End:
    """A maker has ended, with its error if it failed."""

    error: BaseException | None = None


class _Desk:
    """What is to be done by the makers of a process, and what they have done."""

    def __init__(self, units: tuple[Unit, ...], work: Work) -> None:
        self.units, self.work = units, work
        self.pools = Pools(work.context.threads)
        self.events = Events(work.context.events)
        self.answers = Answers(work, self.events)
        self.changed = threading.Condition()
        self.queue: SimpleQueue[tuple[str, Any] | _End] = SimpleQueue()
        self.closed = False
        ordered = sorted(units, key=self._order)
        self.at_hand = [unit for unit in ordered if not unit.lane]
        self.unfinished: set[tuple[int, Block]] = {
            (u.position, shard.block) for u in units if not u.is_done for shard in u.shards
        }
        self.lanes = self._lanes([unit for unit in ordered if unit.lane])
        self.told: set[Key] = set()

    def _order(self, unit: Unit) -> tuple[bool, int, int]:
        """Units whose frames need frames of another source come after all others."""
        plan = self.work.plan.sources[unit.position]
        return bool(plan.recipe.companions), unit.position, unit.number

    def _lanes(self, units: list[Unit]) -> dict[str, Lane]:
        by_lane: defaultdict[str, list[Unit]] = defaultdict(list)
        for unit in units:
            by_lane[unit.lane].append(unit)
        budgets = dict(self.work.context.budgets)
        return {
            name: Lane(
                some,
                at_once=limit_of(self.work.plan.sources[some[0].position].recipe.access).at_once,
                fetch=self.answers.fetch,
                forget=self.answers.forget,
                expected=self.answers.expected,
                budget=budgets.get(name),
                wake=self._wake,
            )
            for name, some in by_lane.items()
        }

    def results(self, makers: int) -> Iterator[tuple[str, Any]]:
        """What the makers bring, until the last has ended.

        Raises:
            BaseException: The first error of a maker.
        """
        while makers:
            item = self.queue.get()
            if not isinstance(item, _End):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                makers -= 1

    def pick(self, kind: str, *, wait: bool) -> tuple[Unit, Lane | None] | None:
        """The next unit that can be made, and its lane.

        Args:
            kind: Which maker asks.
            wait: Whether to wait for one; else ``None`` when there is none just now.

        Returns:
            ``None`` also when there will be none any more.
        """
        with self.changed:
            while not self.closed:
                found = self._ready(kind)
                if found is not None or not wait or not self._is_left(kind):
                    return found
                self.changed.wait(IDLE_SECONDS)
        return None

    def finished(self, unit: Unit, shard: UnitShard) -> None:
        """Note that a shard is done: others may have waited for it."""
        with self.changed:
            self.unfinished.discard((unit.position, shard.block))
            self.changed.notify_all()

    def tell_failures(self, answers: Mapping[Key, Answer]) -> None:
        """Bring the errors of a unit's requests to the account, each once."""
        for key, answer in answers.items():
            if answer.error is not None and key not in self.told:
                self.told.add(key)
                self.queue.put(("failed", (type(answer.error).__name__, *answer.error.args)))

    def close(self) -> None:
        """Give everything up."""
        self.answers.stop.set()
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def close_lanes(self) -> None:
        """End the threads that fetch."""
        for lane in self.lanes.values():
            lane.close()

    def _ready(self, kind: str) -> tuple[Unit, Lane | None] | None:
        if kind == "made":
            for lane in self.lanes.values():
                unit = lane.head()
                if unit is not None and self._may_begin(unit):
                    return lane.take(), lane
        for place, unit in enumerate(self.at_hand):
            if _kind(unit) == kind and self._may_begin(unit):
                return self.at_hand.pop(place), None
        return None

    def _is_left(self, kind: str) -> bool:
        fetched = kind == "made" and any(lane.units for lane in self.lanes.values())
        return fetched or any(_kind(unit) == kind for unit in self.at_hand)

    def _may_begin(self, unit: Unit) -> bool:
        return unit.is_done or not self.work.waits_for(unit) & self.unfinished

    def _wake(self) -> None:
        with self.changed:
            self.changed.notify_all()


@dataclass(slots=True)
class _Begun:
    """A shard whose bytes are on their way to the disk."""

    unit: Unit
    shard: UnitShard
    begun: BegunShard
    is_last: bool
    lane: Lane | None


@dataclass(slots=True)
class _Maker:
    """Makes one shard after the other.

    While the bytes of a shard go to the disk, the fields of the next are computed: its part is
    published one step later, at the latest when there is nothing else to do.
    """

    desk: _Desk
    kind: str
    before: _Begun | None = field(default=None)

    def run(self) -> None:
        """Make units until none is left; the error that ends it is told."""
        try:
            while True:
                picked = self.desk.pick(self.kind, wait=self.before is None)
                if picked is not None:
                    self._make(*picked)
                elif self.before is not None:
                    self._publish()
                else:
                    break
        except BaseException as error:  # noqa: BLE001  it is raised again by who waits
            with suppress(Exception):
                self._publish()
            self.desk.queue.put(_End(error))
        else:
            self.desk.queue.put(_End())

    def _make(self, unit: Unit, lane: Lane | None) -> None:
        work = self.desk.work
        answers = lane.answers(unit) if lane else {}
        self.desk.tell_failures(answers)
        plan = work.plan.sources[unit.position]
        for shard in unit.shards:
            is_last = shard is unit.shards[-1]
            task = plan.task_at(shard.block)
            if self.desk.closed:
                return
            if unit.is_done or work.is_done_meanwhile(plan, task):
                part = read_part(work.context.root, plan.source.name, plan.grid.name, task.name)
                progress.shard_done(len(task.frames))
                self.desk.queue.put(("statistics", (_name(part), part.statistics)))
                self.desk.finished(unit, shard)
                if is_last and lane:
                    self._publish()
                    lane.release(unit)
                continue
            inputs = inputs_of(unit, shard, answers)
            fetched = [item for item in inputs if isinstance(item, Fetched)]
            self.desk.events("make begins", source=plan.source.name, shard=task.name)
            with work.context.answers.holding([item.path for item in fetched]) as paths:
                here = dict(zip((item.path for item in fetched), paths, strict=True))
                local = tuple(
                    Fetched(here[i.path], i.request_digest) if isinstance(i, Fetched) else i
                    for i in inputs
                )
                companions, pools = work.companions(plan), self.desk.pools
                begun = begin_shard(plan, task, local, work.context, companions, pools)
            self.desk.events("make ends", source=plan.source.name, shard=task.name)
            before, self.before = self.before, _Begun(unit, shard, begun, is_last, lane)
            self._finish(before)

    def _publish(self) -> None:
        before, self.before = self.before, None
        self._finish(before)

    def _finish(self, done: _Begun | None) -> None:
        """Make a shard's bytes durable, publish its part, and let go of what it was made of."""
        if done is None:
            return
        desk, begun = self.desk, done.begun
        part = begun.publish()
        progress.shard_done(len(begun.task.frames))
        desk.events("published", source=begun.plan.source.name, shard=begun.task.name)
        if part is not None:
            desk.queue.put(("statistics", (_name(part), part.statistics)))
        for absence in begun.absences:
            desk.queue.put(("absent", absence))
        desk.finished(done.unit, done.shard)
        if done.is_last and done.lane:
            done.lane.release(done.unit)


def _name(part: Part) -> str:
    return f"{part.source}-{part.grid}"
