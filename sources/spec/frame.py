"""Frames: one global state each, identified the same way everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import overload

from aurora_prep.sources.spec.errors import SpecError

HOUR = timedelta(hours=1)
TEXT = re.compile(
    r"(?P<source>\w+)/(?P<init>\d{4}-\d\d-\d\dT\d\d)\+(?P<lead>\d{3,})h(?:#(?P<member>\d+))?"
)


@dataclass(frozen=True, slots=True, order=True)
class FrameKey:
    """Identity of one frame: Beam key, manifest row, error message and argument.

    Times are naive and mean UTC.

    Attributes:
        source: Name of the source, which is its file's name.
        init_time: Start of the forecast; for an analysis or a reanalysis the
            valid time itself.
        lead_time: Distance ahead of ``init_time``, not negative.
        member: Ensemble member, ``None`` where there is no ensemble.
    """

    source: str
    init_time: datetime
    lead_time: timedelta = timedelta(0)
    member: int | None = None

    def __post_init__(self) -> None:
        where = f"FrameKey of {self.source!r}"
        if self.init_time.tzinfo is not None:
            raise SpecError(
                "init_time carries a time zone",
                where,
                self.init_time.isoformat(),
                "convert to UTC and drop the zone: naive times mean UTC here",
            )
        if self.init_time.minute or self.init_time.second or self.init_time.microsecond:
            raise SpecError(
                "init_time is not a whole hour", where, self.init_time.isoformat(), "round it"
            )
        if self.lead_time < timedelta(0) or self.lead_time % HOUR:
            raise SpecError(
                "lead_time is not a whole, non-negative number of hours",
                where,
                str(self.lead_time),
                "give lead times such as 0h or 6h",
            )

    @property
    def valid_time(self) -> datetime:
        """The moment described."""
        return self.init_time + self.lead_time

    def __str__(self) -> str:
        member = "" if self.member is None else f"#{self.member:02d}"
        hours = self.lead_time // HOUR
        return f"{self.source}/{self.init_time:%Y-%m-%dT%H}+{hours:03d}h{member}"

    @classmethod
    def parse(cls, text: str) -> FrameKey:
        """Read the text form back, for example ``era5/2020-01-01T00+000h``.

        Raises:
            SpecError: The text is not a frame key.
        """
        match = TEXT.fullmatch(text)
        try:
            init_time = datetime.strptime(match["init"] if match else "", "%Y-%m-%dT%H")
        except ValueError:
            match = None
        if match is None:
            raise SpecError(
                "not a frame key", "FrameKey.parse", repr(text), "write era5/2020-01-01T00+000h"
            )
        return cls(
            match["source"],
            init_time,
            int(match["lead"]) * HOUR,
            None if match["member"] is None else int(match["member"]),
        )


@dataclass(frozen=True, slots=True)
class Timeline(Sequence[datetime]):
    """Evenly spaced times, both ends included, counted and never accumulated.

    Attributes:
        start: First time.
        end: No time is later than this; the last one is this if steps reach it.
        step: Whole hours between times.
    """

    start: datetime
    end: datetime
    step: timedelta

    def __post_init__(self) -> None:
        where = f"period {self.start.isoformat()} to {self.end.isoformat()}"
        if self.step < HOUR or self.step % HOUR:
            raise SpecError(
                "step is not a whole number of hours", where, str(self.step), "write 1h, 6h or 1d"
            )
        if self.end < self.start:
            raise SpecError(
                "period is empty: it ends before it starts",
                where,
                f"start {self.start.isoformat()}, end {self.end.isoformat()}",
                "both ends are included: give an end that is not before the start",
            )

    def __len__(self) -> int:
        return (self.end - self.start) // self.step + 1

    @overload
    def __getitem__(self, index: int) -> datetime: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[datetime, ...]: ...
    def __getitem__(self, index: int | slice) -> datetime | tuple[datetime, ...]:
        positions = range(len(self))[index]
        if isinstance(positions, range):
            return tuple(self.start + i * self.step for i in positions)
        return self.start + positions * self.step

    def __iter__(self) -> Iterator[datetime]:
        return (self.start + i * self.step for i in range(len(self)))
