"""The pieces Beam needs around plain functions: keys, DoFns, a CombineFn.

Elements are keys, references to files and small bytes. No field ever is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, product
from operator import itemgetter
from pathlib import Path
from typing import Any

import apache_beam as beam
import xarray_beam as xbeam
from apache_beam import pvalue
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from aurora_prep.manifest import storage
from aurora_prep.manifest.parts import finished, part_url, read_part
from aurora_prep.normalisation import ShardStatistics
from aurora_prep.pipelines import finish, progress
from aurora_prep.pipelines.answers import forget_short
from aurora_prep.pipelines.engine import tune_memory
from aurora_prep.pipelines.finish import Failure, Partial
from aurora_prep.pipelines.plan import Plan, make_plan
from aurora_prep.pipelines.source_plan import ShardTask, SourcePlan, blocks_of_moments
from aurora_prep.pipelines.stages.contents import contents_of
from aurora_prep.pipelines.stages.decode import STATIC, Moment, holdings_of, scan
from aurora_prep.pipelines.stages.derived import is_derived
from aurora_prep.pipelines.stages.shard import BegunShard, begin_shard
from aurora_prep.pipelines.stages.site import Absence, RawFile, Site
from aurora_prep.pipelines.stages.stored import ChangesUnit, changes_of
from aurora_prep.pipelines.throttle import Slot, limit_of, slot_of
from aurora_prep.pipelines.zarr_source import address_of
from aurora_prep.providers import credentials_bucket
from aurora_prep.providers.cache import Cache, CachedFile
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.fetch import Fetcher
from aurora_prep.sources.spec import CredentialsError, Kind, Request

ShardKey = tuple[int, xbeam.Key]
Keyed = tuple[ShardKey, RawFile | None]
Asked = tuple[int, int, Request]

ABSENT, FAILED = "absent", "failed"


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker is told: where the run works, and what is left to do.

    Attributes:
        site: Where the run works.
        service: Who answers requests; resolved to credentials where it is used.
        retried: ``source/grid/shard`` of finished shards that lack frames and
            are done again.
        rejected: Those of them of which a field was damaged or implausible.
    """

    site: Site
    service: Service
    retried: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()

    @property
    def plan(self) -> Plan:
        """The plan, made once in each process."""
        return _plan(self.site)

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
        return "/".join(name) not in self.retried and storage.exists(
            part_url(self.site.root, *name)
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
        requests = plan.requests(synthetic=self.site.synthetic)
        return (request for request in requests if _blocks(request, plan) & left)

    def _done(self, plan: SourcePlan) -> set[str]:
        names = finished(self.site.root, plan.source.name, plan.grid.name)
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
        yield from ((key_of(plan, ()), raw) for raw in _static_files(plan))
    if (address := address_of(plan, work.service.buckets)) is not None:
        in_store = left - {()} if plan.static_files else left
        yield from ((key_of(plan, block), RawFile(str(address))) for block in sorted(in_store))
        return
    if not plan.files:
        return
    held = holdings_of(plan.files, plan.source, work.site.contents)
    moments: dict[str, set[tuple[int, ...]]] = {name: set() for name in plan.files}
    for (_, moment), ref in held.fields.items():
        moments[ref.file] |= _blocks_at(moment, plan) & left
    for name, blocks in moments.items():
        for block in sorted(blocks):
            yield key_of(plan, block), RawFile(name)
    for block in sorted(left - {()} - set().union(*moments.values())):
        yield key_of(plan, block), RawFile("", failure=_no_file(plan))


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
    credentials_bucket.bring(work.site.credentials)
    (access, _), asked = element
    in_order = sorted(asked, key=itemgetter(0, 1))
    for position, group in groupby(in_order, key=itemgetter(0)):
        requests = (request for _, _, request in group)
        yield from _fetched(work, work.plan.sources[position], access, requests)


def _fetched(
    work: Work, plan: SourcePlan, access: str, requests: Iterable[Request]
) -> Iterator[Keyed | pvalue.TaggedOutput]:
    left = {task.block for task in work.left(plan)}
    cache, check = work.site.answers, _Check(work.site.contents)
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
        for block in sorted(_blocks(request, plan) & left):
            yield from ((key_of(plan, block), raw) for raw in files)


def mending(requests: Iterable[Request], work: Work, plan: SourcePlan) -> Iterator[Request]:
    """The requests, after answers that were of no use to an earlier run are forgotten.

    Those are answers short of fields, and all answers of a shard with damaged ones.
    """
    cache = work.site.answers
    lacking, damaged = (work.blocks_of(s, plan) for s in (work.retried, work.rejected))
    for request in requests:
        if lacking and isinstance(cache, Cache):
            blocks = _blocks(request, plan)
            if blocks & damaged:
                cache.discard(request)
            elif blocks & lacking:
                forget_short(request, plan.source, cache, work.site.contents)
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
    finish.account(work.plan, work.site, absences, sorted(failures))


def changes(_: None, work: Work) -> Iterator[ChangesUnit]:
    """The work on changes over the recipe's steps."""
    return finish.changes(work.plan, work.site)


def reduce_changes(unit: ChangesUnit) -> Partial:
    """Statistics of one piece of that work."""
    return unit.held.name, changes_of(unit).to_bytes()


def publish(_: None, statistics: list[Partial], *, work: Work) -> None:
    """Publish the dataset."""
    finish.publish(work.plan, work.site, statistics)


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
            part = read_part(self.work.site.root, plan.source.name, plan.grid.name, task.name)
            progress.shard_done(len(task.frames))
            yield f"{plan.source.name}-{plan.grid.name}", part.statistics
            return
        before, self.begun = self.begun, None
        try:
            with self.work.site.answers.holding([file.path for file in raw]) as paths:
                here = tuple(replace(f, path=path) for f, path in zip(raw, paths, strict=True))
                companions = self.work.companions(plan)
                self.begun = begin_shard(plan, task, here, self.work.site, companions)
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


def _blocks(request: Request, plan: SourcePlan) -> set[tuple[int, ...]]:
    blocks: set[tuple[int, ...]] = set()
    if any(path.startswith(f"{Kind.STATIC}/") for path, _ in request.fields):
        blocks.add(())
    if any(not path.startswith(f"{Kind.STATIC}/") for path, _ in request.fields):
        moments = product(request.times, request.lead_times, plan.members)
        blocks |= blocks_of_moments(moments, plan)
    return blocks


def _blocks_at(moment: Moment, plan: SourcePlan) -> set[tuple[int, ...]]:
    """Shard tasks that a field of the user's own files belongs to."""
    if moment == STATIC:
        return set() if plan.static_files else {()}
    return blocks_of_moments([moment], plan)


def _static_files(plan: SourcePlan) -> tuple[RawFile, ...]:
    """What the static task starts with: the user's files of static fields.

    A reference without a file stands for what needs none, so that the task is there
    even when all its fields are derived.
    """
    if plan.static_files:
        return tuple(RawFile(name) for name in plan.static_files)
    return (RawFile(""),) if all(map(is_derived, plan.static_paths)) or plan.files else ()


def _no_file(plan: SourcePlan) -> tuple[str, ...]:
    files = f"{len(plan.files)} files"
    return "no field of this time is in the files", plan.source.name, files, "add the files"


@lru_cache(maxsize=4)
def _plan(site: Site) -> Plan:
    return make_plan(site.recipe, site.contents)
