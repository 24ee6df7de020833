"""The whole flow on one screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import apache_beam as beam
from apache_beam import pvalue

from aurora_prep.pipelines.dataset.finish import Partial
from aurora_prep.pipelines.plan.provider_limits import Slot
from aurora_prep.pipelines.run.transforms import (
    ABSENT,
    FAILED,
    Asked,
    Keyed,
    ShardFn,
    StatisticsFn,
    WorkFn,
    account,
    at_hand,
    changes,
    fetch,
    has_companions,
    pending_requests,
    publish,
    reduce_changes,
)
from aurora_prep.pipelines.run.work import Work


class Prepare(beam.PTransform):
    """Nothing in; a dataset on the way; the number of frames that lack out.

    Args:
        work: What every worker is told.
    """

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work

    def expand(self, begin: pvalue.PBegin) -> pvalue.PCollection:
        """Wire the stages in the order the data flow."""
        sources = begin | "Sources" >> beam.Create(range(len(self.work.plan.sources)))
        fetched = (
            sources
            | "Requests" >> self._do(pending_requests).with_output_types(tuple[Slot, Asked])
            | "BySlot" >> beam.GroupByKey()
            | "Fetch" >> self._do(fetch).with_output_types(Keyed).with_outputs(FAILED, main="files")
        )
        known = sources | "AtHand" >> self._do(at_hand).with_output_types(Keyed)
        by_shard = (
            (fetched.files, known)
            | "References" >> beam.Flatten().with_output_types(Keyed)
            | "ByShard" >> beam.GroupByKey()
        )
        partials, absent = self._shards(by_shard)
        statistics = partials | "Statistics" >> beam.CombinePerKey(StatisticsFn())
        sides = map(pvalue.AsList, (statistics, absent, fetched[FAILED]))
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

    def _shards(self, by_shard: pvalue.PCollection) -> tuple[pvalue.PCollection, ...]:
        """Statistics of all shards, and what is absent; those with companions come after these."""
        if not any(entry.recipe.companions for entry in self.work.plan.sources):
            shards = by_shard | "Shard" >> self._shard()
            return shards.statistics, shards[ABSENT]
        alone, beside = by_shard | "HasCompanions" >> beam.Partition(
            has_companions,  # type: ignore[arg-type]  # Beam takes any function here
            2,
            self.work,
        )
        first = alone | "Shard" >> self._shard()
        waits = map(pvalue.AsList, (first.statistics, first[ABSENT]))
        then = beside | "ShardBeside" >> self._shard(*waits)
        return (
            (first.statistics, then.statistics) | "BothStatistics" >> beam.Flatten(),
            (first[ABSENT], then[ABSENT]) | "BothAbsent" >> beam.Flatten(),
        )

    def _shard(self, *waits: pvalue.AsSideInput) -> beam.ParDo:
        shard = beam.ParDo(ShardFn(self.work), *waits).with_output_types(Partial)
        return shard.with_outputs(ABSENT, main="statistics")

    def _do(self, function: Callable[..., Iterable[object]]) -> beam.ParDo:
        return beam.ParDo(WorkFn(function, self.work))
