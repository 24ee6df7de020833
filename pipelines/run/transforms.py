"""The pieces Beam needs around plain functions: keys, DoFns, a CombineFn.

Elements are keys, references to files and small bytes. No field ever is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from aurora_prep.manifest.ledger.parts import read_part
from aurora_prep.normalisation import ShardStatistics
from aurora_prep.pipelines.dataset import finish
from aurora_prep.pipelines.dataset.finish import Failure, Partial
from aurora_prep.pipelines.dataset.rereading import ChangesUnit, changes_of
from aurora_prep.pipelines.engines.choice import tune_memory
from aurora_prep.pipelines.plan.own_files import choice_of
from aurora_prep.pipelines.plan.provider_limits import Slot, limit_of, slot_of
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.pipelines.plan.store_choice import address_of
from aurora_prep.pipelines.reading.file_index import contents_of
from aurora_prep.pipelines.reading.match import holdings_of, scan
from aurora_prep.pipelines.run import progress
from aurora_prep.pipelines.run.stale_answers import forget_short
from aurora_prep.pipelines.run.work import (
    ShardKey,
    Work,
    block_of,
    blocks_at,
    blocks_of_request,
    key_of,
    no_file,
    static_files,
)
from aurora_prep.pipelines.shard.context import Absence, RawFile
from aurora_prep.pipelines.shard.shard import BegunShard, begin_shard
from aurora_prep.providers import credentials_bucket
from aurora_prep.providers.cache import Cache, CachedFile
from aurora_prep.providers.fetch import Fetcher
from aurora_prep.sources.spec import CredentialsError, Request

Keyed = tuple[ShardKey, RawFile | None]
Asked = tuple[int, int, Request]

ABSENT, FAILED = "absent", "failed"


def has_companions(element: tuple[ShardKey, Any], _: int, work: Work) -> int:
    """1 for a shard that has to wait for those of other sources, else 0."""
    (position, _key), _files = element
    return int(bool(work.plan.sources[position].recipe.companions))


def at_hand(position: int, work: Work) -> Iterator[Keyed]:
    """What is not fetched first: shards that are finished, the user's own files, Zarr stores.

    A finished shard comes without a file: its part carries its statistics. A
    file comes once for every unfinished shard that has frames in it; the
    address of a Zarr store for every unfinished shard, which looks for itself.
    """
    plan = work.plan.sources[position]
    for task in work.done(plan):
        yield key_of(plan, task.block), None
    left = {task.block for task in work.left(plan)}
    if () in left:
        yield from ((key_of(plan, ()), raw) for raw in static_files(plan))
    if (address := address_of(plan, work.service.buckets)) is not None:
        in_store = left - {()} if plan.static_files else left
        yield from ((key_of(plan, block), RawFile(str(address))) for block in sorted(in_store))
        return
    if not plan.files:
        return
    choice = choice_of(plan.recipe)
    held = holdings_of(plan.files, plan.source, work.context.contents, choice)
    moments: dict[str, set[tuple[int, ...]]] = {name: set() for name in plan.files}
    for (_, moment), ref in held.fields.items():
        moments[ref.file] |= blocks_at(moment, plan) & left
    for name, blocks in moments.items():
        for block in sorted(blocks):
            yield key_of(plan, block), RawFile(name)
    for block in sorted(left - {()} - set().union(*moments.values())):
        yield key_of(plan, block), RawFile("", failure=no_file(plan))


def pending_requests(position: int, work: Work) -> Iterator[tuple[Slot, Asked]]:
    """Requests that unfinished shards need, numbered in the plan's order, each with its slot."""
    plan = work.plan.sources[position]
    for number, request in enumerate(work.needed(plan)):
        yield slot_of(plan.recipe.access, request), (position, number, request)


def fetch(
    element: tuple[Slot, Iterable[Asked]], work: Work
) -> Iterator[Keyed | pvalue.TaggedOutput]:
    """Bring a slot's answers into the cache; hand each to every unfinished shard that needs it.

    Raises:
        CredentialsError: The provider refuses the user: no other request would fare better.
    """
    credentials_bucket.bring(work.context.credentials)
    (access, _), asked = element
    in_order = sorted(asked, key=itemgetter(0, 1))
    for position, group in groupby(in_order, key=itemgetter(0)):
        requests = (request for _, _, request in group)
        yield from _fetched(work, work.plan.sources[position], access, requests)


def _fetched(
    work: Work, plan: SourcePlan, access: str, requests: Iterable[Request]
) -> Iterator[Keyed | pvalue.TaggedOutput]:
    left = {task.block for task in work.left(plan)}
    cache, check = work.context.answers, _Check(work.context.contents)
    service = work.service.towards(access)
    requests = mending(requests, work, plan)
    fetcher = Fetcher(cache, service, limit_of(access).at_once, check=check, watch=progress.watch)
    for request, answer in fetcher.fetch_all(requests):
        if isinstance(answer, CredentialsError):
            raise answer
        if isinstance(answer, CachedFile):
            files = [RawFile(cache.reference(m), request.digest) for m in answer.members]
        else:
            files = [RawFile("", request.digest, answer.args)]
            yield pvalue.TaggedOutput(FAILED, answer.args)
        for block in sorted(blocks_of_request(request, plan) & left):
            yield from ((key_of(plan, block), raw) for raw in files)


def mending(requests: Iterable[Request], work: Work, plan: SourcePlan) -> Iterator[Request]:
    """The requests, after answers that were of no use to an earlier run are forgotten.

    Those are answers short of fields, and all answers of a shard with damaged ones.
    """
    cache = work.context.answers
    lacking, damaged = (work.blocks_of(s, plan) for s in (work.retried, work.rejected))
    for request in requests:
        if lacking and isinstance(cache, Cache):
            blocks = blocks_of_request(request, plan)
            if blocks & damaged:
                cache.discard(request)
            elif blocks & lacking:
                forget_short(request, plan.source, cache, work.context.contents)
        yield request


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


class ShardFn(beam.DoFn):
    """Makes shards one after the other; yields the statistics of each, and what is absent.

    While the bytes of a shard go to the disk, the fields of the next are
    computed: its part is published one step later, at the latest when the
    bundle ends.
    """

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work
        self.begun: BegunShard | None = None

    def setup(self) -> None:
        """Prepare the process."""
        tune_memory()

    def process(
        self,
        element: tuple[ShardKey, Iterable[RawFile | None]],
        statistics: Any = None,  # noqa: ARG002  a side input: it is only waited for
        absent: Any = None,  # noqa: ARG002  a side input too
    ) -> Iterator[Partial | pvalue.TaggedOutput]:
        """Begin this shard, then publish the one before; of a finished shard, read the part."""
        (position, key), files = element
        plan = self.work.plan.sources[position]
        task = plan.task_at(block_of(plan, key))
        raw = tuple(sorted((f for f in files if f is not None), key=lambda f: f.path))
        if not raw or self.work.is_done_meanwhile(plan, task):
            part = read_part(self.work.context.root, plan.source.name, plan.grid.name, task.name)
            progress.shard_done(len(task.frames))
            yield f"{plan.source.name}-{plan.grid.name}", part.statistics
            return
        before, self.begun = self.begun, None
        try:
            with self.work.context.answers.holding([file.path for file in raw]) as paths:
                here = tuple(replace(f, path=path) for f, path in zip(raw, paths, strict=True))
                companions = self.work.companions(plan)
                self.begun = begin_shard(plan, task, here, self.work.context, companions)
        finally:
            yield from self._publish(before)

    def finish_bundle(self) -> Iterator[WindowedValue | pvalue.TaggedOutput]:
        """Publish the last shard of the bundle."""
        last, self.begun = self.begun, None
        for value in self._publish(last):
            if isinstance(value, pvalue.TaggedOutput):
                yield pvalue.TaggedOutput(value.tag, _in_global_window(value.value))
            else:
                yield _in_global_window(value)

    def _publish(self, begun: BegunShard | None) -> Iterator[Partial | pvalue.TaggedOutput]:
        if begun is None:
            return
        part = begun.publish()
        progress.shard_done(len(begun.task.frames))
        if part is not None:
            yield f"{part.source}-{part.grid}", part.statistics
        for absence in begun.absences:
            yield pvalue.TaggedOutput(ABSENT, absence)


def _in_global_window(value: object) -> WindowedValue:
    return WindowedValue(value, MIN_TIMESTAMP, (GlobalWindow(),))


@dataclass(frozen=True, slots=True)
class _Check:
    """Refuses an answer whose contents cannot be found: damaged, or no GRIB or NetCDF."""

    contents: Path

    def __call__(self, path: Path) -> None:
        contents_of(path, self.contents, scan)
