"""Which frames of a shard have all their fields in the files, and why others have not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from aurora_prep.manifest.ledger.records import Status
from aurora_prep.pipelines.plan.inputs import Fetched, Input, NotDelivered, OwnFile, Store
from aurora_prep.pipelines.plan.own_files import choice_of
from aurora_prep.pipelines.plan.source_plan import ShardTask, SourcePlan
from aurora_prep.pipelines.plan.store_choice import wanted_of
from aurora_prep.pipelines.reading.derived import is_derived
from aurora_prep.pipelines.reading.match import STATIC, Holdings, Moment, holdings_of
from aurora_prep.pipelines.reading.zarr_index import holdings_in_stores
from aurora_prep.pipelines.shard.context import Absence, RunContext
from aurora_prep.sources.spec import FrameKey, Variable
from aurora_prep.sources.spec.outcome import (
    DAMAGED,
    INCOMPLETE,
    NOT_ARCHIVED,
    NOT_ASKED,
    NOT_YET,
    word_of,
)

# Reanalyses are released within five days, and public stores follow within as many again.
RELEASE = timedelta(days=10)


def held_for(
    plan: SourcePlan, task: ShardTask, inputs: tuple[Input, ...], context: RunContext
) -> Holdings:
    """What the files hold; of a Zarr store, what it holds of this shard."""
    stores = [item.address for item in inputs if isinstance(item, Store)]
    if stores:
        return holdings_in_stores(stores, plan.source, wanted_of(plan, task))
    names = sorted({item.path for item in inputs if isinstance(item, (Fetched, OwnFile))})
    return holdings_of(tuple(names), plan.source, context.contents, choice_of(plan.recipe))


def absent_from(
    plan: SourcePlan,
    task: ShardTask,
    held: Holdings,
    inputs: tuple[Input, ...],
    lone: Mapping[FrameKey, str],
    context: RunContext,
) -> tuple[dict[FrameKey, tuple[Status, str]], tuple[Absence, ...]]:
    """Frames that lack a field; and, when nothing is left to write, all that is absent.

    A shard of which some request was not answered for want of the service is left to a later
    run as a whole: nothing is known of its frames.

    Args:
        plan: The plan of the source.
        task: The shard.
        held: What its files hold.
        inputs: Where they are, and what did not come.
        lone: Frames that lack one of a companion, and why.
        context: Where and when the run works.
    """
    failed = [item for item in inputs if isinstance(item, NotDelivered)]
    failures = "; ".join(dict.fromkeys(item.reason for item in failed))
    if any(word_of(item.reason) == NOT_ASKED for item in failed):
        frames = (None,) if task.is_static else tuple(map(str, task.frames))
        return {}, tuple(Absence(plan.position, frame, failures) for frame in frames)
    if task.is_static:
        fetched = tuple(v for v in plan.static_variables if not is_derived(v.path))
        lacking = _lacking(plan, fetched, STATIC, held)
        return {}, (Absence(plan.position, None, failures or lacking),) if lacking else ()
    absent = ((f, _lacking(plan, plan.variables, moment_of(f), held)) for f in task.frames)
    refused = {
        f: (Status.MISSING, failures or _worded(reason, f, inputs, context.created))
        for f, reason in absent
        if reason
    }
    refused |= {f: (Status.REJECTED, why) for f, why in _contradicted(plan, task, held)}
    refused |= {f: (Status.MISSING, why) for f, why in lone.items() if f not in refused}
    if len(refused) < len(task.frames):
        return refused, ()
    return refused, tuple(
        Absence(plan.position, str(f), reason) for f, (_, reason) in refused.items()
    )


def _worded(reason: str, frame: FrameKey, inputs: tuple[Input, ...], now: datetime) -> str:
    """The reason why a field is not there, with a stable word before it.

    An answer that is short near today is short of what is not released yet; of older times the
    provider has nothing. The user's own files are as complete as they are.
    """
    if word_of(reason):
        return reason
    if not any(isinstance(item, (Fetched, Store)) for item in inputs):
        return f"{INCOMPLETE}: {reason}"
    return f"{NOT_YET if frame.init_time > now - RELEASE else NOT_ARCHIVED}: {reason}"


def _contradicted(
    plan: SourcePlan, task: ShardTask, held: Holdings
) -> Iterator[tuple[FrameKey, str]]:
    """Frames for one of whose places two different fields were found."""
    if not held.conflicts:
        return
    wanted = [(v.path, level) for v in plan.variables for level in plan.levels_of(v)]
    for frame in task.frames:
        moment = moment_of(frame)
        parts = (held.conflicts.get((place, moment)) for place in wanted)
        found = next(filter(None, parts), None)
        if found is not None:
            yield frame, f"{DAMAGED}: {found[0]}: {found[2]}; {found[3]}"


def moment_of(frame: FrameKey) -> Moment:
    """Where the fields of a frame are kept among what files hold."""
    return frame.init_time, frame.lead_time, frame.member


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
        return held.reasons.get(moment) or "no field of this time is in the files"
    named = (f"{p} at {levels} hPa" if levels else p for p, levels in lacking.items())
    return f"not in the files: {'; '.join(named)}"
