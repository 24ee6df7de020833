"""The times a sample needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from aurora_prep.sources.spec import HOUR, ManifestError

POLLUTANT = "surface/pm2p5"
SPACING, POLLUTION_SPACING = 6 * HOUR, 12 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The times a sample needs, relative to its last input.

    Attributes:
        history: Number of inputs, the last input included.
        history_step: Distance between inputs. ``None``: Aurora's own, which is 12 h for
            frames that hold air pollution and 6 h for all others.
        lead: Distance from the last input to the first target, and between targets.
            ``None``: the same as Aurora's own spacing.
        rollout: Number of targets; 0 for inputs alone, to forecast from.
    """

    history: int = 2
    history_step: timedelta | None = None
    lead: timedelta | None = None
    rollout: int = 1

    def __post_init__(self) -> None:
        for name, count, least in (("history", self.history, 1), ("rollout", self.rollout, 0)):
            if count < least:
                raise ManifestError(
                    "a sample needs at least one input, and no fewer than no targets",
                    f"Window, {name}",
                    str(count),
                    f"give {least} or more",
                )
        for name, span in {"history_step": self.history_step, "lead": self.lead}.items():
            if span is not None and (span < HOUR or span % HOUR):
                raise ManifestError(
                    "a spacing is not a whole, positive number of hours",
                    f"Window, {name}",
                    str(span),
                    "give a spacing such as 6h",
                )

    @property
    def width(self) -> int:
        """Number of frames in a sample."""
        return self.history + self.rollout

    def offsets(self, variables: Collection[str]) -> NDArray[np.int64]:
        """Hours of every input and target from the last input, inputs first, in time order."""
        own = POLLUTION_SPACING if POLLUTANT in variables else SPACING
        step, lead = (span or own for span in (self.history_step, self.lead))
        past = -(step // HOUR) * np.arange(self.history - 1, -1, -1)
        return np.concatenate([past, (lead // HOUR) * np.arange(1, self.rollout + 1)])
