"""Which frames may be compared: pairs one step apart, within one split."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from aurora_prep.sources.spec import HOUR, FrameKey, StatisticsError

LISTED = 5
"""Frames named in an error; the rest are counted."""


def earlier(key: FrameKey, step: timedelta, *, forecast: bool) -> FrameKey | None:
    """The frame one step before, of the same source and member.

    Args:
        key: The later frame.
        step: Time between the two.
        forecast: Whether frames are steps of forecasts: then the earlier one has
            the same init time, and there is none before the forecast's start.
            Else a frame is an analysis, and the earlier one is another analysis.
    """
    if not forecast:
        return replace(key, init_time=key.init_time - step)
    lead_time = key.lead_time - step
    return None if lead_time < timedelta(0) else replace(key, lead_time=lead_time)


def pairs(
    frames: Iterable[FrameKey], step: timedelta, *, forecast: bool
) -> Iterator[tuple[FrameKey, FrameKey]]:
    """Every ``(later, earlier)`` exactly one step apart, in the order of the later.

    A frame without its partner, because of a gap, a change of source or member, or
    the start of a forecast, is left out.

    Args:
        frames: Frames of one split.
        step: Time between the two, whole hours.
        forecast: As for ``earlier``.

    Raises:
        StatisticsError: The step is not a positive, whole number of hours.
    """
    if step < HOUR or step % HOUR:
        raise StatisticsError(
            "the step of a difference is not a positive, whole number of hours",
            "pairs",
            str(step),
            "write 6h, 12h or 24h",
        )
    present = set(frames)
    for later in sorted(present, key=_order):
        before = earlier(later, step, forecast=forecast)
        if before in present and before is not None:
            yield later, before


def _order(key: FrameKey) -> tuple[str, int, FrameKey]:
    """Members may be absent or numbered, which do not compare."""
    member = -1 if key.member is None else key.member
    return key.source, member, replace(key, member=None)


def require_separate(
    split: str,
    entering: Iterable[FrameKey],
    others: Mapping[str, Sequence[FrameKey]],
    *,
    history: Sequence[timedelta] = (),
    forecast: bool = False,
) -> None:
    """Refuse frames that another split uses, as a frame or as a history step.

    Args:
        split: Name of the split whose statistics are asked for.
        entering: Frames that would go into its statistics.
        others: Frames of every other split, by its name.
        history: How long before a frame its samples' other inputs lie, where
            samples may reach back out of their own split.
        forecast: As for ``earlier``.

    Raises:
        StatisticsError: Some frames are shared.
    """
    own = set(entering)
    for name, frames in others.items():
        reach = set(frames)
        for step in history:
            reach |= {before for key in frames if (before := earlier(key, step, forecast=forecast))}
        if shared := sorted(own & reach, key=_order):
            listed = ", ".join(map(str, shared[:LISTED]))
            raise StatisticsError(
                "statistics would mix splits",
                f"statistics of split {split!r}",
                f"{len(shared)} frames that split {name!r} uses too: {listed}"
                + (", ..." if len(shared) > LISTED else ""),
                f"end the period of {split!r} earlier, history steps included",
            )
