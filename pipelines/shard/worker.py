"""The fields of one shard: decode, harmonise, regrid, reduce, encode and write each once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.records import DetailRecord, ObjectRecord, Status
from aurora_prep.normalisation import FieldReduction, ShardStatistics
from aurora_prep.pipelines.plan.source_plan import ShardTask, SourcePlan
from aurora_prep.pipelines.reading.derived import derive, is_derived
from aurora_prep.pipelines.reading.harmonise import Placement, check_values, harmonise, placement_of
from aurora_prep.pipelines.reading.match import STATIC, Holdings, decode
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.pipelines.shard.encode import (
    Layout,
    assemble_shard,
    checksum,
    encode_field,
    layout_of,
)
from aurora_prep.pipelines.shard.missing import moment_of
from aurora_prep.pipelines.shard.reduce import reduce
from aurora_prep.pipelines.shard.regrid import Regrid
from aurora_prep.sources.spec import (
    AuroraPrepError,
    DecodeError,
    FetchError,
    FrameKey,
    HarmoniseError,
    RegridError,
    Variable,
)

WRITERS = 4
LOOKAHEAD = 3  # fields under way per thread: enough to hide the writing


@dataclass(frozen=True, slots=True)
class _Job:
    """One field to do: which variable, which frame of the task, which level."""

    variable: Variable
    frame: FrameKey | None
    level: int | None


@dataclass(frozen=True, slots=True)
class _Done:
    """A field done: its encoded chunk and what it was reduced to."""

    chunk: bytes
    reduction: FieldReduction


class FrameRefusedError(Exception):
    """A frame must be left out of the shard; the others stay."""

    def __init__(self, frame: FrameKey, status: Status, reason: str) -> None:
        super().__init__(frame, status, reason)
        self.frame, self.status, self.reason = frame, status, reason


class ShardWorker:
    """One attempt at a shard with a given set of frames."""

    def __init__(
        self,
        plan: SourcePlan,
        task: ShardTask,
        frames: tuple[FrameKey, ...],
        held: Holdings,
        context: RunContext,
    ) -> None:
        self.plan, self.task, self.frames, self.held, self.context = (
            plan,
            task,
            frames,
            held,
            context,
        )
        self.regrid = Regrid(plan.grid, context.weights)
        self.placements: dict[tuple[str, int], Placement] = {}
        self.objects: list[Future[ObjectRecord]] = []

    @property
    def store(self) -> str:
        """The Zarr store of the shard, relative to the dataset."""
        return self.plan.static_store if self.task.is_static else self.plan.store

    def run(self) -> tuple[list[DetailRecord], ShardStatistics]:
        """Do every field, in the order of the plan; start writing each variable when it is done."""
        details: list[DetailRecord] = []
        statistics = ShardStatistics()
        pool = _pool(self.context.threads or _processors())
        if not self.frames and not self.task.is_static:
            return details, statistics
        chunks: dict[tuple[FrameKey | None, int | None], bytes] = {}
        for job, done in self._fields(pool):
            chunks[job.frame, job.level] = done.chunk
            details.append(self._detail(job, done.reduction))
            if job.frame is None or self.context.recipe.enters_statistics(job.frame.valid_time):
                statistics.add(job.variable.path, job.level, done.reduction)
            if len(chunks) == max(1, len(self.frames)) * len(self.plan.levels_of(job.variable)):
                self.objects.append(_writers().submit(self._write, job.variable, chunks))
                chunks = {}
        return details, statistics

    def undo(self) -> None:
        """Remove what this attempt wrote, once it is written."""
        for written in self.objects:
            durable.delete(durable.join(self.context.root, written.result().key))

    def _jobs(self) -> Iterator[_Job]:
        static = self.task.is_static
        frames: tuple[FrameKey | None, ...] = (None,) if static else self.frames
        for variable in self.plan.static_variables if static else self.plan.variables:
            for frame in frames:
                for level in self.plan.levels_of(variable):
                    yield _Job(variable, frame, level)

    def _fields(self, pool: ThreadPoolExecutor) -> Iterator[tuple[_Job, _Done]]:
        """Fields done, in order, with a bounded number under way."""
        under_way: deque[tuple[_Job, Future[_Done]]] = deque()
        most = LOOKAHEAD * (self.context.threads or _processors())
        try:
            for job in self._jobs():
                under_way.append((job, pool.submit(self._field, job)))
                if len(under_way) >= most:
                    first, future = under_way.popleft()
                    yield first, future.result()
            while under_way:
                first, future = under_way.popleft()
                yield first, future.result()
        finally:
            for _, future in under_way:
                future.cancel()

    def _field(self, job: _Job) -> _Done:
        """Decode, harmonise, regrid, reduce and encode one field."""
        variable = job.variable
        if is_derived(variable.path):
            field = derive(variable.path, self.plan.grid)
            encoded = encode_field(field, self._layout(variable).compressor())
            return _Done(encoded, reduce(field, self.plan.grid))
        moment = STATIC if job.frame is None else moment_of(job.frame)
        ref = self.held.fields[(variable.path, job.level), moment]
        where = f"{self.plan.source.name}:{variable.path} @ {job.frame or 'static'}, {ref}"
        native = self.plan.source.native(variable.path)
        try:
            placement = self._placement(ref.file, ref.grid)
            field = harmonise(decode(ref), ref.units, native, placement, where)
            if placement.grid == self.plan.grid:
                reduction = reduce(field, self.plan.grid)
                extremes = reduction.minimum, reduction.maximum, reduction.missing
                check_values(variable, *extremes, where)
            else:
                check_values(variable, *_extremes(field), where)
                description = self.held.grid_of(ref)
                method = self.plan.recipe.method_of(variable.short_name)
                field = self.regrid(field, placement, description, variable, method)
                reduction = reduce(field, self.plan.grid)
        except (DecodeError, FetchError, HarmoniseError, RegridError) as error:
            if job.frame is None:
                raise
            status = Status.MISSING if isinstance(error, FetchError) else Status.REJECTED
            raise FrameRefusedError(job.frame, status, _one_line(error)) from error
        return _Done(encode_field(field, self._layout(variable).compressor()), reduction)

    def _placement(self, file: str, grid: int) -> Placement:
        placement = self.placements.get((file, grid))
        if placement is None:
            placement = placement_of(self.held.grids[file][grid], file)
            self.placements[file, grid] = placement
        return placement

    def _layout(self, variable: Variable) -> Layout:
        return layout_of(self.plan, variable, self.context.recipe.storage.codec)

    def _write(
        self, variable: Variable, chunks: Mapping[tuple[FrameKey | None, int | None], bytes]
    ) -> ObjectRecord:
        """Assemble one variable's shard and make it durable."""
        frames: tuple[FrameKey | None, ...] = (None,) if self.task.is_static else self.task.frames
        levels = self.plan.levels_of(variable)
        ordered = [chunks.get((frame, level)) for frame in frames for level in levels]
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
            frames=tuple(str(frame) for frame in self.frames),
        )

    def _detail(self, job: _Job, reduction: FieldReduction) -> DetailRecord:
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


def _extremes(field: NDArray[np.float32]) -> tuple[float, float, int]:
    missing = int(np.count_nonzero(np.isnan(field)))
    if missing == field.size:
        return float("nan"), float("nan"), missing
    if missing:
        return float(np.nanmin(field)), float(np.nanmax(field)), missing
    return float(field.min()), float(field.max()), 0


def _one_line(error: AuroraPrepError) -> str:
    problem, _, found, _ = error.args
    return f"{problem}: {found}"


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache(maxsize=1)
def _writers() -> ThreadPoolExecutor:
    """Threads that wait for the disk or the network, so that those that compute do not."""
    return ThreadPoolExecutor(WRITERS, thread_name_prefix="write")


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="shard")
