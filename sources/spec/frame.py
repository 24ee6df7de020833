"""Frames: one global state each, identified the same way everywhere.

A frame and a shard have text forms, and this is the one place that writes and reads them:

- a frame: ``ifs_ens/2020-01-01T00+006h#07``, in messages, tables and arguments;
- a moment, which is a frame without its source: ``2020-01-01T00+006h#07``;
- a shard: ``20200101T00+006h-m07``, after its first frame, as the name of its part in the
  ledger; ``static`` for the static fields of a grid.
"""

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
SHARD = re.compile(r"(?P<init>\d{8}T\d\d)\+(?P<lead>\d{3,})h(?:-m(?P<member>\d{2,}))?")
STATIC_SHARD = "static"


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
        return f"{self.source}/{moment_text(self.init_time, self.lead_time, self.member)}"

    @property
    def shard_name(self) -> str:
        """Name of the shard whose first frame this is, for example ``20200101T00+000h``."""
        member = "" if self.member is None else f"-m{self.member:02d}"
        return f"{self.init_time:%Y%m%dT%H}+{self.lead_time // HOUR:03d}h{member}"

    @classmethod
    def parse(cls, text: str) -> FrameKey:
        """Read the text form back, for example ``era5/2020-01-01T00+000h``.

        Raises:
            SpecError: The text is not a frame key.
        """
        match = TEXT.fullmatch(text)
        key = cls._of_match(match["source"], match, "%Y-%m-%dT%H") if match else None
        if key is None:
            raise SpecError(
                "not a frame key", "FrameKey.parse", repr(text), "write era5/2020-01-01T00+000h"
            )
        return key

    @classmethod
    def first_of_shard(cls, source: str, shard: str) -> FrameKey | None:
        """The first frame of a shard, from the shard's name.

        Args:
            source: The source of the shard.
            shard: Its name, as ``shard_name`` writes it.

        Returns:
            The frame; ``None`` for the shard of the static fields and for any other text.
        """
        match = SHARD.fullmatch(shard)
        return cls._of_match(source, match, "%Y%m%dT%H") if match else None

    @classmethod
    def _of_match(cls, source: str, match: re.Match[str], pattern: str) -> FrameKey | None:
        """The frame of a matched text; ``None`` where there is no such day or hour."""
        try:
            init_time = datetime.strptime(match["init"], pattern)
            lead_time = int(match["lead"]) * HOUR
        except (ValueError, OverflowError):
            return None
        return cls(
            source, init_time, lead_time, None if match["member"] is None else int(match["member"])
        )


def moment_text(init_time: datetime, lead_time: timedelta, member: int | None = None) -> str:
    """The text form of a frame without its source: ``2020-01-01T00+006h``, ``...+006h#07``.

    Args:
        init_time: Init time; for an analysis the valid time.
        lead_time: Lead time, whole hours.
        member: Ensemble member, or ``None``.
    """
    told = "" if member is None else f"#{member:02d}"
    return f"{init_time:%Y-%m-%dT%H}+{lead_time // HOUR:03d}h{told}"


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
