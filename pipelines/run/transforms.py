"""The pieces Beam needs around plain functions: a DoFn, a CombineFn, and functions for Map.

Elements are units of work, statistics partials and small records. No field ever is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam import pvalue

from aurora_prep.normalisation import ShardStatistics
from aurora_prep.pipelines.dataset import finish
from aurora_prep.pipelines.dataset.finish import Failure, Partial
from aurora_prep.pipelines.dataset.rereading import ChangesUnit, changes_of
from aurora_prep.pipelines.engines.memory import tune_memory
from aurora_prep.pipelines.plan.units import Unit
from aurora_prep.pipelines.run.making import make_units
from aurora_prep.pipelines.run.work import Work
from aurora_prep.pipelines.shard.context import Absence

STATISTICS, ABSENT, FAILED = "statistics", "absent", "failed"

Keyed = tuple[str, Unit]


def units_by_worker(position: int, work: Work) -> Iterator[Keyed]:
    """The units of a source, each with the key of the worker that takes it.

    In one process all units go to one worker, which fetches in all lanes side by side. Else a
    lane is one worker's, and a unit that needs no lane is anybody's.
    """
    for unit in work.units(work.plan.sources[position]):
        key = "" if work.context.is_one_process else unit.lane or unit.name
        yield key, unit


def has_companions(element: tuple[str, Iterable[Unit]], _: int, work: Work) -> int:
    """1 for units of a source that has to wait for those of other sources, else 0."""
    unit = next(iter(element[1]))
    return int(bool(work.plan.sources[unit.position].recipe.companions))


def account(
    _: None,
    statistics: list[Partial],  # noqa: ARG001  it is waited for: every shard is done
    absences: list[Absence],
    failures: list[Failure],
    *,
    work: Work,
) -> None:
    """Account for every planned frame, once every shard is done."""
    finish.account(work.plan, work.context, absences, sorted(failures))


def changes(_: None, work: Work) -> Iterator[ChangesUnit]:
    """The work on changes over the recipe's steps."""
    return finish.changes(work.plan, work.context)


def reduce_changes(unit: ChangesUnit) -> Partial:
    """Statistics of one piece of that work."""
    return unit.held.name, changes_of(unit).to_bytes()


def publish(_: None, statistics: list[Partial], *, work: Work) -> None:
    """Publish the dataset."""
    finish.publish(work.plan, work.context, statistics)


@beam.typehints.with_input_types(bytes)
@beam.typehints.with_output_types(bytes)
class StatisticsFn(beam.CombineFn):
    """Adds statistics up; exact, so any order and grouping gives the same bytes."""

    def create_accumulator(self) -> ShardStatistics:
        """Nothing yet."""
        return ShardStatistics()

    def add_input(self, accumulator: ShardStatistics, element: bytes) -> ShardStatistics:
        """Take in one shard."""
        return accumulator + ShardStatistics.from_bytes(element)

    def merge_accumulators(self, accumulators: Iterable[ShardStatistics]) -> ShardStatistics:
        """Merge what several workers added up."""
        return ShardStatistics.merge(accumulators)

    def extract_output(self, accumulator: ShardStatistics) -> bytes:
        """The canonical bytes."""
        return accumulator.to_bytes()


class WorkFn(beam.DoFn):
    """Runs one of the functions above on every element, in a prepared process."""

    def __init__(self, function: Callable[..., Iterable[object]], work: Work) -> None:
        super().__init__()
        self.function, self.work = function, work

    def setup(self) -> None:
        """Prepare the process."""
        tune_memory()

    def process(self, element: object) -> Iterable[object]:
        """Run the function."""
        return self.function(element, self.work)


class UnitsFn(beam.DoFn):
    """Makes the shards of a worker's units; yields their statistics, and what is absent."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work

    def setup(self) -> None:
        """Prepare the process."""
        tune_memory()

    def process(
        self,
        element: tuple[str, Iterable[Unit]],
        statistics: Any = None,  # noqa: ARG002  a side input: it is only waited for
        absent: Any = None,  # noqa: ARG002  a side input too
    ) -> Iterator[Partial | pvalue.TaggedOutput]:
        """Make every unit of the worker."""
        for tag, made in make_units(element[1], self.work):
            yield made if tag == STATISTICS else pvalue.TaggedOutput(tag, made)
