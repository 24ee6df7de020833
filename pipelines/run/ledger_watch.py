"""How far a run is whose work is done elsewhere: from its ledger and its cache.

Counters of an engine count a shard again when its worker is lost, differ
between engines, and are often told only at the end. The parts of the ledger
and the answers in the cache are what is durable, on any engine.
"""

from __future__ import annotations

import logging

from aurora_prep.manifest.ledger.parts import finished
from aurora_prep.pipelines.run.progress import Counts
from aurora_prep.pipelines.run.work import Work
from aurora_prep.sources.spec import AuroraPrepError, Request

LOGGER = logging.getLogger(__name__)


class LedgerWatch:
    """Looks at what a run has left on durable storage so far.

    Args:
        work: What the workers are told; nothing of it is done yet.
    """

    def __init__(self, work: Work) -> None:
        plan = work.plan
        self.root, self.cache = work.context.root, work.context.answers
        self.before = sum(len(task.frames) for entry in plan.sources for task in work.done(entry))
        self.left = {
            (entry.source.name, entry.grid.name): {
                task.name: len(task.frames) for task in work.left(entry)
            }
            for entry in plan.sources
        }
        # A bucket is asked for one object at a time: too slow to be asked for every answer.
        local = work.context.bucket is None
        requests = [r for entry in plan.sources for r in work.needed(entry)] if local else []
        self.pending = [request for request in requests if self.cache.lookup(request) is None]
        self.cached = len(requests) - len(self.pending)
        self.stored = self.bytes = 0
        self.last = Counts(self.before, cached=self.cached)

    def __call__(self) -> Counts:
        """How far the run is; as at the last look where the storage does not answer."""
        try:
            self._look_for_answers()
            self.last = Counts(
                self.before + self._frames(), self.stored, self.cached, self.bytes, self._text()
            )
        except (AuroraPrepError, OSError):
            LOGGER.debug("the ledger cannot be looked at just now", exc_info=True)
        return self.last

    def _frames(self) -> int:
        return sum(
            left.get(name, 0)
            for (source, grid), left in self.left.items()
            for name in finished(self.root, source, grid)
        )

    def _look_for_answers(self) -> None:
        still: list[Request] = []
        for request in self.pending:
            found = self.cache.lookup(request)
            if found is None:
                still.append(request)
            else:
                self.stored += 1
                self.bytes += found.bytes
        self.pending = still

    def _text(self) -> str:
        return f"waiting for {len(self.pending)} requests" if self.pending else ""
