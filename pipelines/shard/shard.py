"""One shard, from raw files to durable bytes and a part in the ledger.

The worker owns the shard. It goes through it field by field on a few threads:
decode, harmonise, regrid, reduce, encode; each variable is written as soon as
its last field is encoded, so memory is a few fields and one variable's
compressed chunks. A field is decoded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from aurora_prep.manifest.ledger.parts import write_part
from aurora_prep.manifest.ledger.records import (
    DetailRecord,
    FrameRecord,
    ObjectRecord,
    Part,
    Status,
    sealed,
)
from aurora_prep.manifest.ledger.tokens import tokens_of
from aurora_prep.normalisation import ShardStatistics
from aurora_prep.pipelines.plan.inputs import Fetched, Input
from aurora_prep.pipelines.plan.source_plan import ShardTask, SourcePlan
from aurora_prep.pipelines.reading.match import Holdings
from aurora_prep.pipelines.shard.companions import lone_frames
from aurora_prep.pipelines.shard.context import Absence, RunContext
from aurora_prep.pipelines.shard.missing import absent_from, held_for, moment_of
from aurora_prep.pipelines.shard.pools import Pools
from aurora_prep.pipelines.shard.worker import ShardWorker
from aurora_prep.sources.spec import DecodeError, FrameKey, digest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunShard:
    """A shard whose fields are all done, and whose bytes are on their way to the disk.

    The next shard can be computed meanwhile; ``publish`` waits for the bytes.

    Attributes:
        plan: The plan of the source.
        task: The shard.
        inputs: Where the bytes of its fields are.
        context: Where the run works.
        held: What the files hold.
        refused: Frames left out, with status and reason.
        filled: Fields of frames in which holes were filled, in words.
        objects: Objects under way.
        details: A record of every field.
        statistics: Statistics of the fields that enter them.
        absences: What is absent, when nothing could be written.
        own_pools: Threads that belong to this shard and end when it is published.
    """

    plan: SourcePlan
    task: ShardTask
    inputs: tuple[Input, ...]
    context: RunContext
    held: Holdings
    refused: Mapping[FrameKey, tuple[Status, str]]
    objects: tuple[Future[ObjectRecord], ...] = ()
    details: tuple[DetailRecord, ...] = ()
    statistics: ShardStatistics = field(default_factory=ShardStatistics)
    absences: tuple[Absence, ...] = ()
    own_pools: Pools | None = None
    filled: Mapping[FrameKey, Sequence[str]] = field(default_factory=dict)

    def _noted(self, frame: FrameKey) -> tuple[Status, str | None]:
        """A frame that is written, with the holes of its fields that were filled."""
        fields = self.filled.get(frame)
        return Status.WRITTEN, f"holes filled: {'; '.join(fields)}" if fields else None

    def publish(self) -> Part | None:
        """Wait until every object is durable, then publish the shard's part.

        Returns:
            The part; ``None`` when nothing could be written.

        Raises:
            WriteError: The output cannot be written.
        """
        if self.absences:
            return None
        try:
            objects = [written.result() for written in self.objects]
        finally:
            if self.own_pools is not None:
                self.own_pools.close()
        records = [
            _frame_record(
                self.plan,
                self.task,
                frame,
                self.refused.get(frame) or self._noted(frame),
                self.held,
                self.inputs,
                self.context,
            )
            for frame in self.task.frames
        ]
        frames = sealed(records, objects)
        for record in frames:
            if record.checksum and self.context.recipe.enters_statistics(record.valid_time):
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
        write_part(self.context.root, part)
        return part


def begin_shard(
    plan: SourcePlan,
    task: ShardTask,
    inputs: tuple[Input, ...],
    context: RunContext,
    companions: Sequence[SourcePlan] = (),
    pools: Pools | None = None,
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
        inputs: Where the bytes of its fields are; files may hold more.
        context: Where the run works.
        companions: Plans of sources of which every frame needs one; they are done.
        pools: Threads to work on, which the caller closes; without them the shard has its
            own, which end when it is published.

    Raises:
        DecodeError: A raw file is damaged, or a frame is rejected in a strict run.
        FetchError: A Zarr store does not answer.
        HarmoniseError: A static field is not what was declared.
        WriteError: The output cannot be written.
    """
    held = held_for(plan, task, inputs, context)
    lone = dict(lone_frames(task, companions, context.root)) if companions else {}
    refused, absences = absent_from(plan, task, held, inputs, lone, context)
    begun = BegunShard(
        plan=plan,
        task=task,
        inputs=inputs,
        context=context,
        held=held,
        refused=refused,
        absences=absences,
    )
    _stop_if_strict(context, refused)
    if absences:
        return begun
    kept = tuple(frame for frame in task.frames if frame not in refused)
    own_pools = None
    if pools is None:
        pools = own_pools = Pools(context.threads)
    try:
        worker = ShardWorker(plan, task, kept, held, context, pools)
        details, statistics = worker.run()
        _stop_if_strict(context, worker.refused)
    except BaseException:
        if own_pools is not None:
            own_pools.close()
        raise
    return replace(
        begun,
        refused=refused | worker.refused,
        objects=tuple(worker.objects),
        details=tuple(details),
        statistics=statistics,
        own_pools=own_pools,
        filled=worker.filled,
    )


def _stop_if_strict(context: RunContext, refused: Mapping[FrameKey, tuple[Status, str]]) -> None:
    """Raises for the first frame that is rejected, where the user wants the run to stop there."""
    for frame, (status, reason) in refused.items() if context.strict else ():
        if status is Status.REJECTED:
            raise DecodeError(
                "a frame is rejected, and the run is strict",
                str(frame),
                reason,
                "mend or leave out the data, or run without --strict: the frame alone is rejected",
            )


def _frame_record(
    plan: SourcePlan,
    task: ShardTask,
    frame: FrameKey,
    outcome: tuple[Status, str | None],
    held: Holdings,
    inputs: tuple[Input, ...],
    context: RunContext,
) -> FrameRecord:
    moment = moment_of(frame)
    refs = [ref for (_, at), ref in held.fields.items() if at == moment]
    status, reason = outcome
    used = {ref.file for ref in refs}
    digests = sorted(
        {i.request_digest for i in inputs if isinstance(i, Fetched) and i.path in used}
    )
    written = status is Status.WRITTEN
    return FrameRecord(
        source=plan.source.name,
        product=str(plan.source.product),
        access=plan.recipe.access,
        init_time=frame.init_time,
        lead_time=frame.lead_time,
        member=frame.member,
        grid=plan.grid.name,
        split=context.recipe.split_of(frame.valid_time),
        status=status,
        reason=reason,
        variables=tuple(v.path for v in plan.variables) if written else (),
        levels=tuple(plan.levels) if written else (),
        missing_fraction=None,
        store=plan.store if written else None,
        chunk_key="/".join(map(str, task.block)) if written else None,
        shard=task.name,
        request_digest=digest_of(digests) if digests else None,
        recipe_digest=context.recipe.digest,
        product_version=",".join(sorted({ref.label for ref in refs if ref.label})) or None,
        tokens=tokens_of(plan.grid) if written else None,
        created=context.created,
        software_version=context.software_version,
        synthetic=context.is_synthetic(plan),
    )
