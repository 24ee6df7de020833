"""The fields of one shard: decode, harmonise, regrid, reduce, encode and write each once.

Fields go by groups (see ``groups``): one scalar, a wind, a wave height with its followers.
A frame of which a field is refused is left out; nothing of the others is done again. What
was written with such a frame in it is put together anew from its encoded chunks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.records import DetailRecord, ObjectRecord, Status
from aurora_prep.normalisation import FieldReduction, ShardStatistics
from aurora_prep.pipelines.plan.source_plan import ShardTask, SourcePlan
from aurora_prep.pipelines.reading.match import Holdings
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.pipelines.shard.encode import (
    Layout,
    assemble_shard,
    checksum,
    chunks_of,
    layout_of,
)
from aurora_prep.pipelines.shard.field_work import Done, FieldWork, Group, Job, RefusedError
from aurora_prep.pipelines.shard.pools import Pools
from aurora_prep.sources.spec import FrameKey, Variable

LOOKAHEAD = 3  # groups under way per thread: enough to hide the writing
Chunks = dict[tuple[FrameKey | None, int | None], bytes]


@dataclass(frozen=True, slots=True)
class _Written:
    """An object under way, with the variable it is of."""

    variable: Variable
    record: Future[ObjectRecord]


class ShardWorker:
    """Makes the fields of a shard, and its objects.

    Args:
        plan: The plan of the source.
        task: The shard.
        frames: Frames to do; none for static fields.
        held: What the files hold.
        context: Where the run works.
        pools: Threads to work on.

    Attributes:
        refused: Frames left out since one of their fields is damaged or implausible, with
            status and reason.
        objects: Objects under way, in the order of the plan.
    """

    def __init__(
        self,
        plan: SourcePlan,
        task: ShardTask,
        frames: tuple[FrameKey, ...],
        held: Holdings,
        context: RunContext,
        pools: Pools,
    ) -> None:
        self.plan, self.task, self.frames, self.context = plan, task, frames, context
        self.work = FieldWork(plan, held, context)
        self.pools = pools
        self.refused: dict[FrameKey, tuple[Status, str]] = {}
        self.objects: list[Future[ObjectRecord]] = []

    @property
    def store(self) -> str:
        """The Zarr store of the shard, relative to the dataset."""
        return self.plan.static_store if self.task.is_static else self.plan.store

    @property
    def kept(self) -> tuple[FrameKey, ...]:
        """Frames that are not refused."""
        return tuple(frame for frame in self.frames if frame not in self.refused)

    @property
    def filled(self) -> dict[FrameKey, list[str]]:
        """Fields in which holes were filled, in words, in the order of the plan."""
        found: dict[FrameKey, list[str]] = {}
        for variable in self._variables:
            for frame in self.kept:
                for level in self.plan.levels_of(variable):
                    points = self.work.filled.get(Job(variable, frame, level))
                    if points:
                        at = "" if level is None else f" at {level} hPa"
                        text = f"{variable.path}{at}: {points} points"
                        found.setdefault(frame, []).append(text)
        return found

    def run(self) -> tuple[list[DetailRecord], ShardStatistics]:
        """Do every field; start writing each variable when its last field is done.

        Raises:
            DecodeError: A static field is damaged.
            FetchError: A Zarr store does not answer for a static field.
            HarmoniseError: A static field is not what was declared.
            RegridError: A static field cannot be regridded.
        """
        chunks: dict[str, Chunks] = {}
        reductions: dict[Job, FieldReduction] = {}
        written: list[_Written] = []
        for group, result in self._groups_done():
            if isinstance(result, RefusedError):
                if result.frame is None:
                    raise result.error
                self.refused.setdefault(result.frame, (result.status, result.reason))
            else:
                self._keep(group, result, chunks, reductions)
            for variable in group.completes:
                made = chunks.pop(variable.path, {})
                if self.task.is_static or self.kept:
                    record = self.pools.writers.submit(self._write, variable, made, self.kept)
                    written.append(_Written(variable, record))
        self.objects = self._settled(written)
        return self._accounts(reductions)

    def _keep(
        self,
        group: Group,
        result: tuple[Done, ...],
        chunks: dict[str, Chunks],
        reductions: dict[Job, FieldReduction],
    ) -> None:
        for job, done in zip(group.jobs, result, strict=True):
            if job.frame not in self.refused:
                chunks.setdefault(job.variable.path, {})[job.frame, job.level] = done.chunk
                reductions[job] = done.reduction

    def undo(self) -> None:
        """Remove what this worker wrote, once it is written."""
        for written in self.objects:
            durable.delete(durable.join(self.context.root, written.result().key))

    def _groups_done(self) -> Iterator[tuple[Group, tuple[Done, ...] | RefusedError]]:
        """Groups done, in order, with a bounded number under way."""
        under_way: deque[tuple[Group, Future[tuple[Done, ...] | RefusedError]]] = deque()
        most = LOOKAHEAD * self.pools.threads
        frames: tuple[FrameKey | None, ...] = (None,) if self.task.is_static else self.frames
        try:
            for group in self.work.groups(self._variables, frames):
                under_way.append((group, self.pools.compute.submit(self._do, group)))
                if len(under_way) >= most:
                    first, future = under_way.popleft()
                    yield first, future.result()
            while under_way:
                first, future = under_way.popleft()
                yield first, future.result()
        finally:
            for _, future in under_way:
                future.cancel()

    def _do(self, group: Group) -> tuple[Done, ...] | RefusedError:
        """The fields of a group; nothing is done for a frame that is refused already."""
        frame = group.jobs[0].frame
        if frame is not None and (known := self.refused.get(frame)) is not None:
            return RefusedError(frame, *known)
        try:
            return self.work.do(group)
        except RefusedError as refusal:
            return refusal

    @property
    def _variables(self) -> tuple[Variable, ...]:
        return self.plan.static_variables if self.task.is_static else self.plan.variables

    def _settled(self, written: list[_Written]) -> list[Future[ObjectRecord]]:
        """Objects in the order of the plan, without the frames that were refused later."""
        order = {variable.path: place for place, variable in enumerate(self._variables)}
        written = sorted(written, key=lambda one: order[one.variable.path])
        if not self.refused or self.task.is_static:
            return [one.record for one in written]
        if not self.kept:
            for one in written:
                durable.delete(durable.join(self.context.root, one.record.result().key))
            return []
        submit, kept = self.pools.writers.submit, self.kept
        return [submit(self._rewritten, one.variable, one.record, kept) for one in written]

    def _accounts(
        self, reductions: Mapping[Job, FieldReduction]
    ) -> tuple[list[DetailRecord], ShardStatistics]:
        """Records and statistics of the fields of the frames that are kept, in the plan's order."""
        details: list[DetailRecord] = []
        statistics = ShardStatistics()
        frames: tuple[FrameKey | None, ...] = (None,) if self.task.is_static else self.kept
        for variable in self._variables:
            for frame in frames:
                for level in self.plan.levels_of(variable):
                    job = Job(variable, frame, level)
                    details.append(self._detail(job, reductions[job]))
                    if frame is None or self.context.recipe.enters_statistics(frame.valid_time):
                        statistics.add(variable.path, level, reductions[job])
        return details, statistics

    def _layout(self, variable: Variable) -> Layout:
        return layout_of(self.plan, variable, self.context.recipe.storage.codec)

    def _write(
        self, variable: Variable, chunks: Chunks, frames: tuple[FrameKey, ...]
    ) -> ObjectRecord:
        """Assemble one variable's shard and make it durable."""
        places: tuple[FrameKey | None, ...] = (None,) if self.task.is_static else self.task.frames
        keys = [(frame, level) for frame in places for level in self.plan.levels_of(variable)]
        ordered = [
            chunks.get((frame, level)) if frame is None or frame in frames else None
            for frame, level in keys
        ]
        data = assemble_shard(ordered, self._layout(variable))
        block = (*self.task.block, *((0,) if variable.has_levels else ()), 0, 0)
        key = f"{self.store}/{variable.short_name}/c/{'/'.join(map(str, block))}"
        durable.put(durable.join(self.context.root, key), data)
        return ObjectRecord(
            source=self.plan.source.name,
            grid=self.plan.grid.name,
            shard=self.task.name,
            store=self.store,
            key=key,
            bytes=len(data),
            checksum=checksum(data),
            frames=tuple(str(frame) for frame in frames),
        )

    def _rewritten(
        self, variable: Variable, record: Future[ObjectRecord], kept: tuple[FrameKey, ...]
    ) -> ObjectRecord:
        """An object without the frames that were refused after it was written."""
        before = record.result()
        if before.frames == tuple(str(frame) for frame in kept):
            return before
        data = durable.get(durable.join(self.context.root, before.key))
        levels = self.plan.levels_of(variable)
        keys = [(frame, level) for frame in self.task.frames for level in levels]
        pieces = zip(keys, chunks_of(data, self._layout(variable)), strict=False)
        return self._write(variable, {key: piece for key, piece in pieces if piece}, kept)

    def _detail(self, job: Job, reduction: FieldReduction) -> DetailRecord:
        return DetailRecord(
            source=self.plan.source.name,
            grid=self.plan.grid.name,
            shard=self.task.name,
            store=self.store,
            path=job.variable.path,
            level=job.level,
            init_time=job.frame.init_time if job.frame else None,
            lead_time=job.frame.lead_time if job.frame else None,
            member=job.frame.member if job.frame else None,
            minimum=reduction.minimum,
            maximum=reduction.maximum,
            mean=reduction.mean,
            missing_fraction=reduction.missing_fraction,
        )
