"""Statistics alone, over fields that exist: the same bits as in the pass that wrote them."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from aurora_prep.normalisation.reduction import FieldReduction, reduce_difference, reduce_field
from aurora_prep.normalisation.shard import ShardStatistics
from aurora_prep.normalisation.splits import pairs
from aurora_prep.sources.spec import FrameKey

Field = NDArray[np.float32]
Weights = NDArray[np.float64] | None


def reduce_fields(
    fields: Iterable[tuple[FrameKey | None, str, int | None, Field]],
    digests: Mapping[FrameKey, str],
    row_weights: Weights = None,
) -> ShardStatistics:
    """Reduce fields in any order; frames are noted once each.

    Args:
        fields: ``(frame, path, level, values)``; the frame is ``None`` for a
            static field, the values have shape ``(rows, columns)``.
        digests: Digest of the content of every frame among them.
        row_weights: Weight of every row, shape ``(rows,)``.
    """
    found = ShardStatistics()
    seen: set[FrameKey] = set()
    for key, path, level, values in fields:
        found.add(path, level, reduce_field(values, row_weights))
        if key is not None and key not in seen:
            seen.add(key)
            found.add_frame(key, digests[key])
    return found


def reduce_changes(
    read: Callable[[FrameKey], Field],
    frames: Iterable[FrameKey],
    step: timedelta,
    *,
    forecast: bool,
    row_weights: Weights = None,
) -> FieldReduction:
    """Reduce the changes of one variable and level over a step.

    Every field is read once, and held only while a later frame may need it.

    Args:
        read: Gives the field of a frame, shape ``(rows, columns)``, float32.
        frames: Frames of one split, in any order.
        step: Time between the two fields of a change, whole hours.
        forecast: Whether the frames are steps of forecasts.
        row_weights: Weight of every row, shape ``(rows,)``.
    """
    couples = list(pairs(frames, step, forecast=forecast))
    last_use = {key: index for index, couple in enumerate(couples) for key in couple}
    held: dict[FrameKey, Field] = {}
    total = FieldReduction()
    for index, (later, before) in enumerate(couples):
        for key in (before, later):
            if key not in held:
                held[key] = read(key)
        total += reduce_difference(held[later], held[before], row_weights)
        for key in (before, later):
            if last_use[key] == index:
                del held[key]
    return total
