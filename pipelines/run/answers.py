"""Answers: bring what a request asks for into the cache, and know when not to ask."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

from aurora_prep.pipelines.estimates.answer_sizes import answer_bytes
from aurora_prep.pipelines.plan.inputs import Fetched
from aurora_prep.pipelines.plan.provider_limits import limit_of
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.pipelines.plan.units import blocks_of_request
from aurora_prep.pipelines.reading.file_index import contents_of, forget_contents
from aurora_prep.pipelines.reading.match import scan
from aurora_prep.pipelines.run import progress
from aurora_prep.pipelines.run.events import Events
from aurora_prep.pipelines.run.lanes import Answer, Key, not_delivered
from aurora_prep.pipelines.run.stale_answers import fields_lacking, forget_short
from aurora_prep.pipelines.run.work import Work
from aurora_prep.providers import credentials_bucket
from aurora_prep.providers.cache import Cache, CachedFile
from aurora_prep.providers.fetch import Fetcher
from aurora_prep.sources.spec import FetchError, Request
from aurora_prep.sources.spec.outcome import Stops

LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class Answers:
    """Fetches for the lanes of one process; safe to share between their threads.

    Attributes:
        work: What the workers are told.
        events: Where it is noted what begins and ends.
        stop: Set to give up what is on its way.
        closed: Why a dataset, or a whole provider (no dataset), is not asked any more.
    """

    work: Work
    events: Events
    stop: threading.Event = field(default_factory=threading.Event)
    closed: dict[tuple[str, str | None], FetchError] = field(default_factory=dict)

    def fetch(self, key: Key) -> Answer:
        """Bring one answer; a provider's error is an answer too.

        Raises:
            FetchError: The error ends the whole run.
        """
        plan, request = self._of(key)
        credentials_bucket.bring(self.work.context.credentials)
        error = self._is_closed(request)
        if error is not None:
            return not_delivered(error, request)
        self.forget_useless(plan, request)
        self.events("fetch begins", lane=request.access, request=request.digest[:12])
        try:
            found = self._fetcher(request).fetch(request, stop=self.stop)
        except FetchError as failure:
            if failure.stops is Stops.RUN:
                raise
            self._close(request, failure)
            self.events("fetch fails", lane=request.access, request=request.digest[:12])
            return not_delivered(failure, request)
        self.events(
            "fetch ends", lane=request.access, request=request.digest[:12], bytes=found.bytes
        )
        self._count(plan, request, found)
        cache = self.work.context.answers
        inputs = tuple(Fetched(cache.reference(m), request.digest) for m in found.members)
        return Answer(inputs, _size(found))

    def forget(self, key: Key) -> None:
        """Remove an answer, and what is known of its files, from the cache."""
        _, request = self._of(key)
        cache = self.work.context.answers
        found = cache.lookup(request)
        if found is not None:
            for member in found.members:
                forget_contents(member, self.work.context.contents)
            cache.discard(request)
            self.events("evicted", lane=request.access, request=request.digest[:12])

    def expected(self, key: Key) -> int:
        """Bytes that an answer will hold of the cache, at most."""
        plan, request = self._of(key)
        found = self.work.context.answers.lookup(request)
        return _size(found) if found is not None else answer_bytes(plan, request)

    def _of(self, key: Key) -> tuple[SourcePlan, Request]:
        plan = self.work.plan.sources[key[0]]
        return plan, self.work.requests(plan)[key[1]]

    def _fetcher(self, request: Request) -> Fetcher:
        return Fetcher(
            self.work.context.answers,
            self.work.service.towards(request.access),
            limit_of(request.access).at_once,
            check=_Check(self.work.context.contents),
            watch=progress.watch,
            run=self.work.context.job,
        )

    def _is_closed(self, request: Request) -> FetchError | None:
        return self.closed.get((request.access, None)) or self.closed.get(
            (request.access, request.dataset)
        )

    def _close(self, request: Request, error: FetchError) -> None:
        if error.stops not in (Stops.STORE, Stops.SOURCE):
            return
        dataset = request.dataset if error.stops is Stops.SOURCE else None
        if self.closed.setdefault((request.access, dataset), error) is error:
            problem, where, found, fix = error.args
            LOGGER.warning("%s: %s: %s; %s", where, problem, found, fix)

    def forget_useless(self, plan: SourcePlan, request: Request) -> None:
        """Forget an answer that was of no use to an earlier run, so that it is asked again.

        Those are answers short of fields, and all answers of a shard with damaged ones.
        """
        work = self.work
        if not work.retried:
            return
        cache, blocks = work.context.answers, blocks_of_request(request, plan)
        if blocks & work.blocks_of(work.rejected, plan):
            cache.discard(request)
        elif blocks & work.blocks_of(work.retried, plan):
            forget_short(request, plan.source, cache, work.context.contents)

    def _count(self, plan: SourcePlan, request: Request, found: CachedFile) -> None:
        """Say at once when an answer lacks fields; its shards record which."""
        lacking = fields_lacking(request, found, plan.source, self.work.context.contents)
        if lacking:
            asked = len(request.times) * len(request.lead_times) * len(request.fields)
            LOGGER.warning(
                "request %s to %s: the answer lacks %d of %d fields",
                request.digest[:12], request.dataset, lacking, asked,
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Check:
    """Refuses an answer whose contents cannot be found: damaged, or no GRIB or NetCDF."""

    contents: Path

    def __call__(self, path: Path) -> None:
        contents_of(path, self.contents, scan)


def _size(found: CachedFile) -> int:
    """Bytes of an answer in the cache: the file, and its members where it is an archive."""
    unpacked = (m.stat().st_size for m in found.members if m != found.path and m.exists())
    return found.bytes + sum(unpacked)


def forget_finished(work: Work) -> None:
    """Remove the answers that no unfinished shard needs, left by a run that was killed."""
    cache: Cache = work.context.answers
    for plan in work.plan.sources:
        left = {task.block for task in work.left(plan)}
        for request in work.requests(plan):
            if not blocks_of_request(request, plan) & left and cache.lookup(request) is not None:
                cache.discard(request)
