"""One shard, from raw files to durable bytes and a part in the ledger.

The worker owns the shard. It goes through it field by field on a few threads:
decode, harmonise, regrid, reduce, encode; each variable is written as soon as
its last field is encoded, so memory is a few fields and one variable's
compressed chunks. A field is decoded once.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aurora_prep.manifest import storage
from aurora_prep.manifest.parts import write_part
from aurora_prep.manifest.records import (
    DetailRecord,
    FrameRecord,
    ObjectRecord,
    Part,
    Status,
    sealed,
)
from aurora_prep.manifest.tokens import tokens_of
from aurora_prep.normalisation import FieldReduction, ShardStatistics
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.source_plan import ShardTask, SourcePlan
from aurora_prep.pipelines.stages.companions import lone_frames
from aurora_prep.pipelines.stages.decode import STATIC, Holdings, Moment, decode, holdings_of
from aurora_prep.pipelines.stages.derived import derive, is_derived
from aurora_prep.pipelines.stages.harmonise import Placement, check_values, harmonise, placement_of
from aurora_prep.pipelines.stages.regrid import Regrid
from aurora_prep.pipelines.stages.statistics import reduce
from aurora_prep.pipelines.stages.write import Layout, assemble_shard, checksum, encode_field
from aurora_prep.pipelines.stages.zarr_holdings import holdings_in_store
from aurora_prep.pipelines.zarr_source import wanted_of
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.shared_cache import SharedCache
from aurora_prep.providers.zarr_store import StoreAddress
from aurora_prep.sources.spec import (
    AuroraPrepError,
    DecodeError,
    FetchError,
    FrameKey,
    HarmoniseError,
    RegridError,
    Variable,
    digest_of,
)

WRITERS = 4
LOOKAHEAD = 3  # fields under way per thread: enough to hide the writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where and as what a run works; travels to every worker.

    Attributes:
        root: The dataset.
        cache: Local folder for raw files, contents and weights.
        recipe: The recipe.
        synthetic: Whether the embedded provider made the values up.
        created: Time of the run, for the manifest.
        software_version: Version of this software.
        threads: Threads of a worker; 0 means one for each processor.
        bucket: Folder of a bucket behind the cache, for workers that share no disk.
        credentials: Folder of a private bucket with credentials, for the same workers.
    """

    root: str
    cache: Path
    recipe: Recipe
    synthetic: bool
    created: datetime
    software_version: str
    threads: int = 0
    bucket: str | None = None
    credentials: str | None = None

    def is_synthetic(self, plan: SourcePlan) -> bool:
        """Whether the embedded provider makes up the values of a source."""
        return self.synthetic and not plan.files

    @property
    def answers(self) -> Cache:
        """The cache of raw answers."""
        root = self.cache / "requests"
        if self.bucket is None:
            return Cache(root)
        return SharedCache.beside(root, storage.join(self.bucket, "requests"))

    @property
    def contents(self) -> Path:
        """Folder for the contents of raw files."""
        return self.cache / "contents"

    @property
    def weights(self) -> Path:
        """Folder for regridding weights."""
        return self.cache / "weights"


@dataclass(frozen=True, slots=True)
class RawFile:
    """A raw file on this machine, or the reason why there is none.

    Attributes:
        path: The file; empty when the provider did not deliver.
        request_digest: Digest of the request it answers; ``None`` for the user's own.
        failure: The four parts of the error, when the provider did not deliver.
    """

    path: str
    request_digest: str | None = None
    failure: tuple[str, ...] = ()


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


class _FrameRefusedError(Exception):
    """A frame must be left out of the shard; the others stay."""

    def __init__(self, frame: FrameKey, status: Status, reason: str) -> None:
        super().__init__(frame, status, reason)
        self.frame, self.status, self.reason = frame, status, reason


@dataclass(frozen=True, slots=True)
class Absence:
    """A planned frame, or the static fields, of which nothing could be written.

    Attributes:
        position: Of the source's entry in the recipe.
        frame: Text form of the frame; ``None`` for the static fields.
        reason: Why, in words a user can act on.
    """

    position: int
    frame: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunShard:
    """A shard whose fields are all done, and whose bytes are on their way to the disk.

    The next shard can be computed meanwhile; ``publish`` waits for the bytes.

    Attributes:
        plan: The plan of the source.
        task: The shard.
        files: Raw files that hold its fields.
        site: Where the run works.
        held: What the files hold.
        refused: Frames left out, with status and reason.
        objects: Objects under way.
        details: A record of every field.
        statistics: Statistics of the fields that enter them.
        absences: What is absent, when nothing could be written.
    """

    plan: SourcePlan
    task: ShardTask
    files: tuple[RawFile, ...]
    site: Site
    held: Holdings
    refused: Mapping[FrameKey, tuple[Status, str]]
    objects: tuple[Future[ObjectRecord], ...] = ()
    details: tuple[DetailRecord, ...] = ()
    statistics: ShardStatistics = field(default_factory=ShardStatistics)
    absences: tuple[Absence, ...] = ()

    def publish(self) -> Part | None:
        """Wait until every object is durable, then publish the shard's part.

        Returns:
            The part; ``None`` when nothing could be written.

        Raises:
            WriteError: The output cannot be written.
        """
        if self.absences:
            return None
        objects = [written.result() for written in self.objects]
        records = [
            _frame_record(
                self.plan,
                self.task,
                frame,
                self.refused.get(frame),
                self.held,
                self.files,
                self.site,
            )
            for frame in self.task.frames
        ]
        frames = sealed(records, objects)
        for record in frames:
            if record.checksum and self.site.recipe.enters_statistics(record.valid_time):
                self.statistics.add_frame(record.key, record.checksum)
        part = Part(
            source=self.plan.source.name,
            grid=self.plan.grid.name,
            shard=self.task.name,
            frames=frames,
            details=self.details,
            objects=tuple(objects),
            statistics=self.statistics.to_bytes(),
        )
        write_part(self.site.root, part)
        return part


def begin_shard(
    plan: SourcePlan,
    task: ShardTask,
    files: tuple[RawFile, ...],
    site: Site,
    companions: Sequence[SourcePlan] = (),
) -> BegunShard:
    """Do every field of a shard; its bytes are written while the caller goes on.

    A frame of which a field is absent is recorded as missing, one of which a
    field is damaged or implausible as rejected, each with the reason; neither
    is written. A frame that lacks one of a companion beside it is missing too.
    The other frames of the shard are written. A shard of which nothing was
    there to write leaves no part, so that the next run asks again.

    Args:
        plan: The plan of the source.
        task: The shard.
        files: Raw files that hold its fields, and maybe more.
        site: Where the run works.
        companions: Plans of sources of which every frame needs one; they are done.

    Raises:
        DecodeError: A raw file is damaged.
        FetchError: A Zarr store does not answer.
        HarmoniseError: A static field is not what was declared.
        WriteError: The output cannot be written.
    """
    names = tuple(sorted(raw.path for raw in files if raw.path))
    failures = "; ".join(f"{f.failure[0]}: {f.failure[2]}" for f in files if f.failure)
    held = _held(plan, task, names, site)
    lone = dict(lone_frames(task, companions, site.root)) if companions else {}
    refused, absences = _absent(plan, task, held, failures, lone)
    begun = BegunShard(
        plan=plan, task=task, files=files, site=site, held=held, refused=refused, absences=absences
    )
    if absences:
        return begun
    while True:
        kept = tuple(frame for frame in task.frames if frame not in refused)
        worker = _Worker(plan, task, kept, held, site)
        try:
            details, statistics = worker.run()
        except _FrameRefusedError as refusal:
            worker.undo()
            refused[refusal.frame] = (refusal.status, refusal.reason)
            continue
        return replace(
            begun, objects=tuple(worker.objects), details=tuple(details), statistics=statistics
        )


def _held(plan: SourcePlan, task: ShardTask, names: tuple[str, ...], site: Site) -> Holdings:
    """What the files hold; of a Zarr store, what it holds of this shard."""
    if any(map(StoreAddress.is_address, names)):
        return holdings_in_store(names[0], plan.source, wanted_of(plan, task))
    return holdings_of(names, plan.source, site.contents)


def _absent(
    plan: SourcePlan,
    task: ShardTask,
    held: Holdings,
    failures: str,
    lone: Mapping[FrameKey, str],
) -> tuple[dict[FrameKey, tuple[Status, str]], tuple[Absence, ...]]:
    """Frames that lack a field; and, when nothing is left to write, all that is absent."""
    if task.is_static:
        fetched = tuple(v for v in plan.static_variables if not is_derived(v.path))
        lacking = _lacking(plan, fetched, STATIC, held)
        return {}, (Absence(plan.position, None, failures or lacking),) if lacking else ()
    absent = ((f, _lacking(plan, plan.variables, _moment(f), held)) for f in task.frames)
    refused = {f: (Status.MISSING, failures or reason) for f, reason in absent if reason}
    refused |= {f: (Status.MISSING, why) for f, why in lone.items() if f not in refused}
    if len(refused) < len(task.frames):
        return refused, ()
    return refused, tuple(
        Absence(plan.position, str(f), reason) for f, (_, reason) in refused.items()
    )


class _Worker:
    """One attempt at a shard with a given set of frames."""

    def __init__(
        self,
        plan: SourcePlan,
        task: ShardTask,
        frames: tuple[FrameKey, ...],
        held: Holdings,
        site: Site,
    ) -> None:
        self.plan, self.task, self.frames, self.held, self.site = plan, task, frames, held, site
        self.regrid = Regrid(plan.grid, site.weights)
        self.placements: dict[tuple[str, int], Placement] = {}
        self.objects: list[Future[ObjectRecord]] = []

    @property
    def store(self) -> str:
        return self.plan.static_store if self.task.is_static else self.plan.store

    def run(self) -> tuple[list[DetailRecord], ShardStatistics]:
        """Do every field, in the order of the plan; start writing each variable when it is done."""
        details: list[DetailRecord] = []
        statistics = ShardStatistics()
        pool = _pool(self.site.threads or _processors())
        if not self.frames and not self.task.is_static:
            return details, statistics
        chunks: dict[tuple[FrameKey | None, int | None], bytes] = {}
        for job, done in self._fields(pool):
            chunks[job.frame, job.level] = done.chunk
            details.append(self._detail(job, done.reduction))
            if job.frame is None or self.site.recipe.enters_statistics(job.frame.valid_time):
                statistics.add(job.variable.path, job.level, done.reduction)
            if len(chunks) == max(1, len(self.frames)) * len(self.plan.levels_of(job.variable)):
                self.objects.append(_writers().submit(self._write, job.variable, chunks))
                chunks = {}
        return details, statistics

    def undo(self) -> None:
        """Remove what this attempt wrote, once it is written."""
        for written in self.objects:
            storage.delete(storage.join(self.site.root, written.result().key))

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
        most = LOOKAHEAD * (self.site.threads or _processors())
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
        moment = STATIC if job.frame is None else _moment(job.frame)
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
            raise _FrameRefusedError(job.frame, status, _one_line(error)) from error
        return _Done(encode_field(field, self._layout(variable).compressor()), reduction)

    def _placement(self, file: str, grid: int) -> Placement:
        placement = self.placements.get((file, grid))
        if placement is None:
            placement = placement_of(self.held.grids[file][grid], file)
            self.placements[file, grid] = placement
        return placement

    def _layout(self, variable: Variable) -> Layout:
        return layout_of(self.plan, variable, self.site.recipe.storage.codec)

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
        storage.put(storage.join(self.site.root, key), data)
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


def layout_of(plan: SourcePlan, variable: Variable, codec: str) -> Layout:
    """How one variable of a plan is stored."""
    return Layout(plan.array_shape(variable), plan.shard_shape(variable), codec)


def _lacking(
    plan: SourcePlan, variables: tuple[Variable, ...], moment: Moment, held: Holdings
) -> str | None:
    """What is not in the files, in words; ``None`` when every expected field is there."""
    lacking: dict[str, list[int]] = {}
    expected = lacked = 0
    for variable in variables:
        for level in plan.levels_of(variable):
            expected += 1
            if ((variable.path, level), moment) not in held.fields:
                lacked += 1
                lacking.setdefault(variable.path, []).extend([] if level is None else [level])
    if not lacking:
        return None
    if lacked == expected:
        return "no field of this time is in the files"
    named = (f"{p} at {levels} hPa" if levels else p for p, levels in lacking.items())
    return f"not in the files: {'; '.join(named)}"


def _moment(frame: FrameKey) -> Moment:
    return frame.init_time, frame.lead_time, frame.member


def _frame_record(
    plan: SourcePlan,
    task: ShardTask,
    frame: FrameKey,
    outcome: tuple[Status, str] | None,
    held: Holdings,
    files: tuple[RawFile, ...],
    site: Site,
) -> FrameRecord:
    moment = _moment(frame)
    refs = [ref for (_, at), ref in held.fields.items() if at == moment]
    status, reason = outcome or (Status.WRITTEN, None)
    used = {ref.file for ref in refs}
    digests = sorted({f.request_digest for f in files if f.path in used and f.request_digest})
    written = status is Status.WRITTEN
    return FrameRecord(
        source=plan.source.name,
        product=str(plan.source.product),
        access=plan.recipe.access,
        init_time=frame.init_time,
        lead_time=frame.lead_time,
        member=frame.member,
        grid=plan.grid.name,
        split=site.recipe.split_of(frame.valid_time),
        status=status,
        reason=reason,
        variables=tuple(v.path for v in plan.variables) if written else (),
        levels=tuple(plan.levels) if written else (),
        missing_fraction=None,
        store=plan.store if written else None,
        chunk_key="/".join(map(str, task.block)) if written else None,
        shard=task.name,
        request_digest=digest_of(digests) if digests else None,
        recipe_digest=site.recipe.digest,
        product_version=",".join(sorted({ref.label for ref in refs if ref.label})) or None,
        tokens=tokens_of(plan.grid) if written else None,
        created=site.created,
        software_version=site.software_version,
        synthetic=site.is_synthetic(plan),
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
