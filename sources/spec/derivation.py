"""Variables that are computed from others where a provider does not deliver them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """How a variable on a pressure level follows from others on the same level.

    Attributes:
        formula: Name of the formula, one of ``pipelines.reading.formulas``.
        inputs: Parameter numbers of what goes into it, in the formula's order.
        reference: Where the formula comes from.
        end: First init time that it no longer holds for; ``None`` for no end.
    """

    formula: str
    inputs: tuple[int, ...]
    reference: str
    end: datetime | None = None

    def holds(self, init_time: datetime) -> bool:
        """Whether it holds for a run."""
        return self.end is None or init_time < self.end
