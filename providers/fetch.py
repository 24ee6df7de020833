"""Getting answers into the cache: once each, a few at a time."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from aurora_prep.providers import cds, http, marks, mars
from aurora_prep.providers.cache import Cache, CachedFile, joined
from aurora_prep.providers.cds import InsteadError, tidy
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.desk import desk_of
from aurora_prep.providers.indexed import client as indexed
from aurora_prep.providers.job_notes import JobNotes
from aurora_prep.providers.locks import locked
from aurora_prep.providers.outage import outlasting
from aurora_prep.providers.progress import Progress, Step, Watch, nobody
from aurora_prep.providers.reactions import Instead
from aurora_prep.providers.retry import Patience, Policy
from aurora_prep.providers.splitting import as_grib, halves
from aurora_prep.sources.spec import (
    AuroraPrepError,
    DamagedError,
    FetchError,
    IncompleteError,
    LocalError,
    NotAskedError,
    Request,
    Stops,
)
from aurora_prep.sources.spec import outcome as outcomes

LOGGER = logging.getLogger(__name__)
ROUNDS = 2
STORES = ("cds", "ads")
DOWNLOADS = {
    "mars": mars.download,
    "http": http.download,
    "index": indexed.download,
}
VERDICT = {True: "confirmed", False: "of another kind", None: "none"}

Outcome = tuple[Request, CachedFile | FetchError]


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches requests from a service into a cache.

    It holds no connection and no lock, so it may be sent to other processes;
    threads and processes that share the cache fetch each request once.

    Attributes:
        cache: Where answers are kept.
        service: Who answers what the cache does not hold.
        max_in_flight: Most requests at the service at once, of this fetcher.
        check: Called with each file of an answer before the cache takes it;
            raises an ``AuroraPrepError`` to refuse it. A refused answer is
            fetched once more, since stores keep broken results too.
        watch: Called at every step, from the thread that makes it.
        policy: How long and how often to try.
        run: Which run this belongs to: what one of its fetchers learns of a service, such
            as a limit or a licence that is not accepted, all of them in a process know.
    """

    cache: Cache
    service: Service
    max_in_flight: int = 4
    check: Callable[[Path], object] | None = None
    watch: Watch = nobody
    policy: Policy = field(default_factory=Policy)
    run: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def notes(self) -> JobNotes:
        """Where jobs are written down."""
        return JobNotes(self.cache.root)

    def fetch(self, request: Request, *, stop: threading.Event | None = None) -> CachedFile:
        """The answer to a request, from the cache or from the service.

        Args:
            request: What to ask.
            stop: Set from outside to give up.

        Raises:
            CredentialsError: The service refuses the user's credentials.
            FetchError: It did not deliver, delivered twice what ``check``
                refuses, or the cache cannot be written.
        """
        stop = stop or threading.Event()
        try:
            found = self._cached(request)
            if found is None:
                with locked(self.cache.lock_path(request), waiting=_until(stop)):
                    found = self._cached(request) or self._deliver(request, stop)
        except FetchError as error:
            self.watch(Progress(request, Step.FAILED, text=error.args[0]))
            raise
        except OSError as error:
            self.watch(Progress(request, Step.FAILED, text=str(error)))
            raise LocalError(
                "the cache cannot be read or written",
                str(self.cache.root),
                str(error),
                "free some space, mend the permissions, or choose another cache folder",
            ) from error
        return found

    def fetch_all(self, requests: Iterable[Request]) -> Iterator[Outcome]:
        """Fetch many requests, and hand each over as it finishes.

        A request that fails comes back with its error; the others go on.
        Requests are drawn from the iterable as they are needed. Leaving the
        iteration early gives up what is still on its way.

        Args:
            requests: What to ask, in the order to ask it.

        Yields:
            Each request with its file, or with the reason why there is none.
        """
        queue = iter(requests)
        stop = threading.Event()
        pool = ThreadPoolExecutor(self.max_in_flight, thread_name_prefix="fetch")
        pending: dict[Future[CachedFile], Request] = {}
        try:
            while True:
                for request in islice(queue, 2 * self.max_in_flight - len(pending)):
                    pending[pool.submit(self.fetch, request, stop=stop)] = request
                if not pending:
                    return
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    yield pending.pop(future), _outcome(future)
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _checked(self, path: Path, request: Request) -> None:
        """Refuse a file of the other kind, synthetic or real, and what ``check`` refuses."""
        marks.require(path, request)
        if self.check is not None:
            self.check(path)

    def _cached(self, request: Request) -> CachedFile | None:
        found = self.cache.lookup(request)
        if found is not None and not all(marks.agrees(path, request) for path in found.members):
            LOGGER.warning("request %s: the cached answer is of the other kind", request.digest)
            self.cache.discard(request)
            return None
        if found is not None:
            if request.access in STORES and self.notes.exists(request):
                tidy(request, self.service, self.notes, self.policy)
            self.watch(Progress(request, Step.CACHED, found.bytes, found.bytes))
        return found

    def _deliver(self, request: Request, stop: threading.Event) -> CachedFile:
        """Fetch; once more where the first answer is refused; in parts where it must be."""
        if (how := self.cache.split_as(request)) is not None:
            return self._in_parts(request, Instead(how), stop)
        for _ in range(ROUNDS):
            try:
                outcome = self._attempt(request, stop)
            except InsteadError as other:
                parts = parts_of(request, other.instead)
                if not parts:
                    raise other.error from None
                self.watch(Progress(request, Step.RETRYING, text=f"asking {other.instead}"))
                return self._in_parts(request, other.instead, stop)
            if isinstance(outcome, CachedFile):
                return outcome
            if isinstance(outcome, FetchError) and outcome.word in outcomes.ASK_AGAIN:
                raise outcome
            problem, where, found, _fix = outcome.args
            LOGGER.warning("request %s: answer refused: %s: %s", request.digest, problem, found)
            self.watch(Progress(request, Step.RETRYING, text=problem))
        kind = IncompleteError if isinstance(outcome, IncompleteError) else DamagedError
        raise kind(
            f"the store's answer was refused {ROUNDS} times: {problem}",
            f"{request.dataset}, request {request.digest[:12]}, {where}",
            found,
            "run again later, when the store no longer keeps the broken answer; if it stays so,"
            " leave the period out",
        )

    def _in_parts(self, request: Request, how: Instead, stop: threading.Event) -> CachedFile:
        """The answer as the answers to others, which the cache holds together.

        Where some of them cannot be had for good, the rest is the answer of this run, and
        a later one asks for them again.
        """
        parts = parts_of(request, how)
        found, failed = [], []
        for part in parts:
            try:
                found.append(self.fetch(part, stop=stop))
            except FetchError as error:
                if error.stops is not Stops.REQUEST or error.word in outcomes.ASK_AGAIN:
                    raise
                failed.append(error)
        if not found:
            raise failed[0]
        for one in failed:
            LOGGER.warning("a part of request %s is not there: %s", request.digest, one.args[0])
        whole = joined(request.digest, found)
        if not failed:
            self.cache.join(request, str(how), parts)
        self.watch(Progress(request, Step.STORED, whole.bytes, whole.bytes))
        return whole

    def _attempt(self, request: Request, stop: threading.Event) -> CachedFile | AuroraPrepError:
        """Download and store, or say why the answer was refused."""
        temporary = self.cache.temporary(request)
        try:
            delivery = self._download(request, temporary, stop)
            labels = {"store_checksum": VERDICT[delivery.confirmed]}
            try:
                check = partial(self._checked, request=request)
                found = self.cache.store(request, temporary, check=check, labels=labels)
            except AuroraPrepError as refusal:
                delivery.settle()
                return refusal
        finally:
            temporary.unlink(missing_ok=True)
        delivery.settle()
        self.watch(Progress(request, Step.STORED, found.bytes, found.bytes))
        return found

    def _download(self, request: Request, target: Path, stop: threading.Event) -> Delivery:
        """Ask who answers requests of this access."""
        service, policy, watch = self.service, self.policy, self.watch
        if request.access not in STORES:
            download = partial(
                DOWNLOADS[request.access],
                request,
                service,
                target,
                policy=policy,
                watch=watch,
                stop=stop,
            )
            name = f"{request.access}, {request.dataset}"
            patience = Patience(policy.towards(service.url or ""), name, stop)
            return outlasting(download, desk_of(name, self.run).breaker(), patience)
        return cds.download(
            request,
            service,
            target,
            policy=policy,
            watch=watch,
            stop=stop,
            notes=self.notes,
            run=self.run,
        )


def parts_of(request: Request, how: Instead) -> tuple[Request, ...]:
    """What is asked in the place of a request; nothing where it cannot be."""
    if how is Instead.GRIB:
        same = as_grib(request)
        return () if same is None else (same,)
    return halves(request) or ()


def _until(stop: threading.Event) -> Callable[[float], None]:
    """Wait for somebody else's fetch, unless stopped."""

    def waiting(seconds: float) -> None:
        if stop.wait(seconds):
            raise NotAskedError(
                "the request was given up",
                "waiting for another process that fetches it",
                "the run was stopped",
                "run again",
            )

    return waiting


def _outcome(future: Future[CachedFile]) -> CachedFile | FetchError:
    """The result or the failure; errors that are not the provider's are raised."""
    try:
        return future.result()
    except FetchError as error:
        return error
