"""The whole flow on one screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import apache_beam as beam
from apache_beam import pvalue

from aurora_prep.pipelines.beam_glue import (
    ABSENT,
    FAILED,
    Keyed,
    Requests,
    ShardFn,
    StatisticsFn,
    Work,
    WorkFn,
    account,
    at_hand,
    changes,
    fetch,
    pending_requests,
    publish,
    reduce_changes,
)
from aurora_prep.pipelines.finish import Partial


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
            | "Requests" >> self._do(pending_requests).with_output_types(Requests)
            | "Spread" >> beam.Reshuffle()
            | "Fetch" >> self._do(fetch).with_outputs(FAILED, main="files")
        )
        known = sources | "AtHand" >> self._do(at_hand).with_output_types(Keyed)
        shards = (
            (fetched.files, known)
            | "References" >> beam.Flatten().with_output_types(Keyed)
            | "ByShard" >> beam.GroupByKey()
            | "Shard" >> beam.ParDo(ShardFn(self.work)).with_outputs(ABSENT, main="statistics")
        )
        statistics = shards.statistics | "Statistics" >> beam.CombinePerKey(StatisticsFn())
        sides = map(pvalue.AsList, (statistics, shards[ABSENT], fetched[FAILED]))
        once = begin | "Once" >> beam.Create([None])
        accounted = once | "Account" >> beam.Map(account, *sides, work=self.work)
        if self.work.site.recipe.statistics.differences:
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

    def _do(self, function: Callable[..., Iterable[object]]) -> beam.ParDo:
        return beam.ParDo(WorkFn(function, self.work))
