"""Quirks: what is known to be odd about a source, kept as data and shown with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aurora_prep.sources.spec.errors import SpecError


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """One oddity of a source that a user should know of before training on it.

    Attributes:
        what: One sentence: what is odd and what follows from it.
        known_from: Where the knowledge comes from.
        start: First time concerned, as the source counts its times; ``None`` for all before.
        end: Last time concerned; ``None`` for all after.
        variables: Short names of what is concerned; empty for everything.
    """

    what: str
    known_from: str
    start: datetime | None = None
    end: datetime | None = None
    variables: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"Quirk {self.what[:40]!r}"
        if not self.what or not self.known_from:
            raise SpecError(
                "a quirk says nothing, or not how it is known",
                where,
                f"what {self.what!r}, known_from {self.known_from!r}",
                "write one sentence, and name the place it is known from",
            )
        if self.start is not None and self.end is not None and self.end < self.start:
            raise SpecError(
                "a quirk ends before it starts",
                where,
                f"{self.start.isoformat()} to {self.end.isoformat()}",
                "swap the times",
            )

    def concerns(self, first: datetime, last: datetime, short_names: frozenset[str]) -> bool:
        """Whether it touches these times, both ends included, and one of these variables."""
        if self.variables and not short_names.intersection(self.variables):
            return False
        begins = self.start is None or self.start <= last
        return begins and (self.end is None or self.end >= first)

    @property
    def when(self) -> str:
        """The times in words."""
        if self.start is None and self.end is None:
            return "always"
        if self.start == self.end:
            return f"{self.start:%Y-%m-%dT%H}"
        first = "" if self.start is None else f"from {self.start:%Y-%m-%d} "
        return f"{first}{'' if self.end is None else f'until {self.end:%Y-%m-%d}'}".strip()

    def __str__(self) -> str:
        named = f" ({', '.join(self.variables)})" if self.variables else ""
        return f"{self.when}{named}: {self.what} [{self.known_from}]"
