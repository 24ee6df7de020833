"""Companions: frames that are of use only beside frames of another source.

The companion's part in the ledger says whether its frame is there, so a source
is done after its companions, and nothing but the order has to be arranged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cache

from aurora_prep.manifest.ledger.parts import finished, read_part
from aurora_prep.manifest.ledger.records import Status
from aurora_prep.pipelines.plan.source_plan import ShardTask, SourcePlan, blocks_of_moments
from aurora_prep.pipelines.reading.match import Moment
from aurora_prep.sources.spec import FrameKey
from aurora_prep.sources.spec.outcome import INCOMPLETE, word_of

NOT_PLANNED = "the recipe plans none"
NOT_THERE = "nothing of its shard could be written"

Outcome = tuple[Status, str | None]


def lone_frames(
    task: ShardTask, companions: Sequence[SourcePlan], root: str
) -> Iterator[tuple[FrameKey, str]]:
    """Frames of a task that have no frame of a companion beside them, and why.

    Args:
        task: The shard.
        companions: Plans of the sources whose frames are needed, all of them done.
        root: The dataset.

    Yields:
        Each frame once, with the reason of the first companion that lacks.
    """

    @cache
    def outcomes(position: int, shard: str) -> dict[Moment, Outcome]:
        source, grid = companions[position].source.name, companions[position].grid.name
        if shard not in there(position):
            return {}
        frames = read_part(root, source, grid, shard).frames
        return {(f.init_time, f.lead_time, f.member): (f.status, f.reason) for f in frames}

    @cache
    def there(position: int) -> set[str]:
        return finished(root, companions[position].source.name, companions[position].grid.name)

    for frame in task.frames:
        for position, companion in enumerate(companions):
            moment = moment_beside(frame, companion)
            blocks = blocks_of_moments([moment], companion)
            reason: str | None = NOT_PLANNED
            for block in blocks:
                found = outcomes(position, companion.task_at(block).name)
                status, reason = found.get(moment, (Status.MISSING, NOT_THERE))
                if status is Status.WRITTEN:
                    reason = None
            if reason is not None:
                word = word_of(reason) or INCOMPLETE
                why = reason.removeprefix(f"{word}: ")
                yield frame, f"{word}: no frame of {companion.source.name} at this time: {why}"
                break


def moment_beside(frame: FrameKey, companion: SourcePlan) -> Moment:
    """The moment of the companion's frame: of two forecasts the same, else the valid time."""
    if companion.is_forecast:
        return frame.init_time, frame.lead_time, None
    return frame.valid_time, timedelta(0), None
