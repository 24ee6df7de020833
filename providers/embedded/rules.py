"""Rules of the store that depend on who else asks, and on the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from aurora_prep.providers.embedded.archive import Holding
from aurora_prep.providers.embedded.costing import limit_of
from aurora_prep.providers.embedded.faults import Faults
from aurora_prep.providers.embedded.jobs import ENDED, Queue
from aurora_prep.providers.embedded.selection import RefusedError

QUEUE_LIMIT = 2
QUEUE_TEXT = (
    "Number queued requests for this dataset is temporarily limited. Please configure your"
    " scripts accordingly"
)
EMBARGO_DAYS: Mapping[str, int] = MappingProxyType(
    {"reanalysis-era5-single-levels": 5, "reanalysis-era5-pressure-levels": 5}
)


class Rules:
    """Limits of the store; each can be set, see ``faults.SETTINGS``.

    Args:
        faults: Where they are set.
        queue: The jobs.
    """

    def __init__(self, faults: Faults, queue: Queue) -> None:
        self._faults = faults
        self._queue = queue
        self._lock = threading.Lock()
        self._window = 0
        self._calls: dict[str, int] = {}

    def released(self, holding: Holding) -> datetime:
        """The last time of a collection that may be had."""
        usual = EMBARGO_DAYS.get(holding.collection.dataset, 0)
        now = datetime.now(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0)
        return now - timedelta(days=self._faults.setting("embargo_days", usual))

    def cost_limit(self, holding: Holding) -> float:
        """The largest cost of a request to a collection."""
        return self._faults.setting("cost_limit", limit_of(holding)) or float("inf")

    def crowded(self, dataset: str) -> bool:
        """Whether one more job of a collection is one too many."""
        limit = self._faults.setting("queue_limit", QUEUE_LIMIT)
        waiting = sum(j.dataset == dataset and j.status not in ENDED for j in self._queue.all())
        return bool(limit) and waiting >= limit

    def count(self, route: str) -> None:
        """Count a call.

        Raises:
            RefusedError: There were too many in this second.
        """
        if self._faults.take("rate_limited"):
            raise too_many(1)
        limit = self._faults.setting("rate_limit", 0)
        with self._lock:
            second = int(time.monotonic())
            if second != self._window:
                self._window, self._calls = second, {}
            self._calls[route] = self._calls.get(route, 0) + 1
            over = limit and self._calls[route] > limit
        if over:
            raise too_many(1)


def too_many(seconds: int) -> RefusedError:
    """The refusal of a call that comes too soon."""
    return RefusedError(
        429,
        "rate limit exceeded",
        f"Rate limit exceeded. Please wait {seconds} seconds.",
        {"Retry-After": str(seconds)},
    )
