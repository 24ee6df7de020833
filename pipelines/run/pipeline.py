"""The whole flow on one screen: units of work, made lane by lane, then statistics and finish."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import apache_beam as beam
from apache_beam import pvalue

from aurora_prep.pipelines.dataset.finish import Partial
from aurora_prep.pipelines.run.transforms import (
    ABSENT,
    FAILED,
    Keyed,
    StatisticsFn,
    UnitsFn,
    WorkFn,
    account,
    changes,
    has_companions,
    publish,
    reduce_changes,
    units_by_worker,
)
from aurora_prep.pipelines.run.work import Work

Made = tuple[pvalue.PCollection, pvalue.PCollection, pvalue.PCollection]


class Prepare(beam.PTransform):
    """Plans the units that are left of a run, makes them, and finishes the dataset.

    Args:
        work: What every worker is told.
    """

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work

    def expand(self, begin: pvalue.PBegin) -> pvalue.PCollection:
        """Wire the steps in the order in which a run happens."""
        units = (
            begin
            | "Sources" >> beam.Create(range(len(self.work.plan.sources)))
            | "Units" >> self._do(units_by_worker).with_output_types(Keyed)
            | "ByLane" >> beam.GroupByKey()
        )
        partials, absent, failed = self._make(units)
        statistics = partials | "Statistics" >> beam.CombinePerKey(StatisticsFn())
        sides = map(pvalue.AsList, (statistics, absent, failed))
        once = begin | "Once" >> beam.Create([None])
        accounted = once | "Account" >> beam.Map(account, *sides, work=self.work)
        if self.work.context.recipe.statistics.differences:
            changed = (
                accounted
                | "Changes" >> self._do(changes)
                | "SpreadChanges" >> beam.Reshuffle()
                | "ReduceChanges" >> beam.Map(reduce_changes).with_output_types(Partial)
            )
            statistics = (
                (statistics, changed)
                | "AllStatistics" >> beam.Flatten()
                | "WithChanges" >> beam.CombinePerKey(StatisticsFn())
            )
        return accounted | "Publish" >> beam.Map(publish, pvalue.AsList(statistics), work=self.work)

    def _make(self, units: pvalue.PCollection) -> Made:
        """Statistics of all shards, frames of which nothing came, and failed requests.

        Frames that need frames of another source come after those. In one process the worker
        itself keeps that order; between workers the engine has to.
        """
        has_some = any(entry.recipe.companions for entry in self.work.plan.sources)
        if self.work.context.is_one_process or not has_some:
            made = units | "Make" >> self._units()
            return made.statistics, made[ABSENT], made[FAILED]
        alone, beside = units | "HasCompanions" >> beam.Partition(
            has_companions,  # type: ignore[arg-type]  # Beam takes any function here
            2,
            self.work,
        )
        first = alone | "Make" >> self._units()
        waits = map(pvalue.AsList, (first.statistics, first[ABSENT]))
        then = beside | "MakeBeside" >> self._units(*waits)
        return tuple(
            (first[tag], then[tag]) | f"Both {tag}" >> beam.Flatten()
            for tag in ("statistics", ABSENT, FAILED)
        )

    def _units(self, *waits: pvalue.AsSideInput) -> beam.ParDo:
        make = beam.ParDo(UnitsFn(self.work), *waits).with_output_types(Partial)
        return make.with_outputs(ABSENT, FAILED, main="statistics")

    def _do(self, function: Callable[..., Iterable[object]]) -> beam.ParDo:
        return beam.ParDo(WorkFn(function, self.work))
