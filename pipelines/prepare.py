"""The whole flow on one screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import apache_beam as beam
from apache_beam import pvalue

from aurora_prep.pipelines.beam_glue import (
    ABSENT,
    Keyed,
    Requests,
    StatisticsFn,
    Work,
    WorkFn,
    failure_of,
    fetch,
    finish,
    finished_shards,
    own_files,
    pending_requests,
    shard,
)


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
            | "SpreadRequests" >> beam.Reshuffle()
            | "Fetch" >> self._do(fetch).with_output_types(Keyed)
        )
        owned = sources | "OwnFiles" >> self._do(own_files).with_output_types(Keyed)
        finished = sources | "Finished" >> self._do(finished_shards).with_output_types(Keyed)
        shards = (
            (fetched, owned, finished)
            | "References" >> beam.Flatten()
            | "ByShard" >> beam.GroupByKey()
            | "Shard" >> self._do(shard).with_outputs(ABSENT, main="statistics")
        )
        statistics = shards.statistics | "Statistics" >> beam.CombinePerKey(StatisticsFn())
        failures = fetched | "Failures" >> beam.FlatMap(failure_of) | beam.Distinct()
        sides = (statistics, shards[ABSENT], failures)
        return (
            begin
            | "Once" >> beam.Create([None])
            | "Finish" >> beam.Map(finish, *map(pvalue.AsList, sides), work=self.work)
        )

    def _do(self, function: Callable[..., Iterable[object]]) -> beam.ParDo:
        return beam.ParDo(WorkFn(function, self.work))
