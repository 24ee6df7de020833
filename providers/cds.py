"""Fetching from a Climate Data Store, by its own client and nothing else.

``cdsapi`` submits, asks and downloads. Added to it here: one deadline over
everything, back-off, which errors are worth another try, four-part errors
without keys, and a look at the checksum, which the client leaves alone.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import cdsapi
import requests
from ecmwf.datastores import Remote, Results
from ecmwf.datastores.processing import DownloadError

from aurora_prep.providers.checksum import agrees, md5_of
from aurora_prep.providers.credentials import CdsService, Service
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.progress import Progress, Step, Watch, nobody
from aurora_prep.providers.retry import Patience, Policy
from aurora_prep.providers.trouble import (
    NOT_FOUND,
    failure,
    is_transient,
    retry_after,
    status_of,
    text_of,
)
from aurora_prep.sources.spec import FetchError, Request

LOGGER = logging.getLogger(__name__)
Answer = TypeVar("Answer")

ENDED_BADLY = ("failed", "rejected", "dismissed", "deleted")
SUBMISSIONS = 2
DOWNLOADS = 3
FIRST_POLL_SECONDS = 0.1
# What a cut connection loses; the client's own mebibyte is a small answer's half.
CHUNK_BYTES = 1 << 18


class _UnusableError(Exception):
    """The results of a job cannot be had any more, or not whole."""


def download(
    request: Request,
    service: Service,
    target: Path,
    *,
    policy: Policy | None = None,
    watch: Watch = nobody,
    stop: threading.Event | None = None,
) -> Delivery:
    """Submit a request, wait for it, and download its answer.

    Tried again, with back-off: statuses 408, 425, 429 (after ``Retry-After``)
    and 5xx, timeouts, refused and cut connections (a cut download goes on
    where it stopped). Results that have expired or never arrive whole are
    asked for once more. Everything else ends the request at once.

    Args:
        request: What to ask.
        service: Whom to ask.
        target: Where the answer goes; an existing file is replaced.
        policy: How long and how often to try.
        watch: Called at every step.
        stop: Set from outside to give up; seen within a read timeout.

    Raises:
        CredentialsError: No credentials, or the store refuses them.
        FetchError: The store did not deliver.
    """
    known = service.resolve()
    where = f"{known.url}, {request.dataset}, request {request.digest[:12]}"
    patience = Patience(policy or Policy(), where, stop or threading.Event())
    with _client(known, patience.policy) as client:
        fetch = _Fetch(request, known, client, target, patience, watch)
        return fetch.run()


@contextmanager
def _client(known: CdsService, policy: Policy) -> Iterator[Any]:
    """A client whose connections end with the block, downloads given up included."""
    opened: WeakSet[requests.Response] = WeakSet()

    def remember(response: requests.Response, **_: object) -> None:
        opened.add(response)

    with requests.Session() as session:
        session.hooks["response"].append(remember)
        try:
            yield _made(known, policy, session)
        finally:
            for response in opened:
                response.close()


def _made(known: CdsService, policy: Policy, session: requests.Session) -> Any:
    """A client that says nothing by itself and leaves trying again to us."""

    def tell(level: int) -> Callable[..., None]:
        def say(message: object, *args: object) -> None:
            if LOGGER.isEnabledFor(level):
                text = str(message) % args if args else str(message)
                LOGGER.log(level, "%s", known.hide(text))

        return say

    # The constructor reads the store's announcements and only warns when it
    # cannot; the first real call then fails with more to say.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"ecmwf\.datastores\.client")
    return cdsapi.Client(
        url=known.url,
        key=known.key,
        verify=known.verify,
        quiet=True,
        progress=False,
        timeout=(policy.connect_seconds, policy.read_seconds),
        delete=False,
        retry_max=1,
        sleep_max=policy.longest_wait_seconds,
        wait_until_complete=False,
        # INFO of the client is chatter of a single job: ours is DEBUG.
        info_callback=tell(logging.DEBUG),
        debug_callback=tell(logging.DEBUG),
        warning_callback=tell(logging.WARNING),
        error_callback=tell(logging.WARNING),
        session=session,
    )


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One request on its way."""

    request: Request
    known: CdsService
    client: Any
    target: Path
    patience: Patience
    watch: Watch

    def run(self) -> Delivery:
        """Submit, wait, download; all of it again where results are unusable."""
        for round_ in range(1, SUBMISSIONS + 1):
            remote = self._patiently("submit", self._submit)
            self._tell(Step.SUBMITTED, text=f"job {remote.request_id}")
            try:
                self._wait(remote)
                results = self._patiently("read results", remote.get_results, expiring=True)
                return self._collect(results)
            except _UnusableError as error:
                reason = str(error)
                if round_ < SUBMISSIONS:
                    LOGGER.warning("%s: %s; asking again", self.patience.where, reason)
                    self._tell(Step.RETRYING, text=reason)
        raise FetchError(
            "the store prepared an answer but did not deliver it whole",
            self.patience.where,
            f"{reason}, in each of {SUBMISSIONS} jobs",
            "run again later; if it stays so, report the job to the store's support",
        )

    def _submit(self) -> Remote:
        remote: Remote = self.client.retrieve(self.request.dataset, dict(self.request.body))
        return remote

    def _wait(self, remote: Remote) -> None:
        wait = FIRST_POLL_SECONDS
        told = None
        while not self._patiently("poll", lambda: remote.results_ready, job=remote, expiring=True):
            if remote.last_status != told:
                told = remote.last_status
                self._tell(Step.RUNNING if told == "running" else Step.ACCEPTED)
            self.patience.pause(wait)
            wait = min(wait * 1.5, self.patience.policy.longest_wait_seconds)

    def _collect(self, results: Results) -> Delivery:
        """Download until size and checksum, or two downloads, agree."""
        try:
            asset = results.asset
            size, stated = int(asset["file:size"]), asset.get("file:checksum")
        except (KeyError, TypeError, ValueError) as error:
            raise self._failure(error, "read results") from None
        policy = self.patience.policy
        results.retry_options = {
            "maximum_tries": policy.attempts,
            "retry_after": (policy.first_wait_seconds, policy.longest_wait_seconds * 1.001, 2),
        }
        results.download_options = {
            **results.download_options,
            "observer": self._observer(size),
            "chunk_size": CHUNK_BYTES,
            "session": self.client.session,
        }
        before: set[str] = set()
        for attempt in range(1, DOWNLOADS + 1):
            self._tell(Step.DOWNLOADING, total=size)
            self._download(results)
            self._tell(Step.DOWNLOADING, done=size, total=size)
            if stated is None:
                return Delivery(size, None)
            md5 = md5_of(self.target)
            if agrees(self.target, md5, str(stated)):
                return Delivery(size, confirmed=True)
            text = f"the store states checksum {stated}, the file has MD5 {md5}"
            if md5 in before and not self.known.promises_md5:
                # An object store's tag is no MD5 when the file went up in parts.
                LOGGER.info("%s: %s, twice the same; taken as it is", self.patience.where, text)
                return Delivery(size, confirmed=False)
            before.add(md5)
            if attempt < DOWNLOADS:
                LOGGER.warning("%s: %s; downloading again", self.patience.where, text)
                self._tell(Step.RETRYING, text=text)
                self.patience.pause(policy.wait(attempt))
        raise _UnusableError(text)

    def _download(self, results: Results) -> None:
        attempts = self.patience.policy.attempts
        try:
            results.download(str(self.target))
        except FetchError:
            raise
        except requests.RequestException as error:
            raise self._failure(error, "download", attempts) from None
        except (DownloadError, FileNotFoundError, AssertionError) as error:
            # Size wrong, nothing delivered, or more on disk than announced.
            found = self.target.stat().st_size if self.target.exists() else 0
            raise _UnusableError(
                f"{found} of {results.content_length} bytes came ({type(error).__name__})"
            ) from None
        except OSError as error:
            raise FetchError(
                "a download cannot be written",
                str(self.target),
                str(error),
                "free some space, or choose another cache folder",
            ) from None

    def _observer(self, size: int) -> Callable[[], None]:
        """Called by the client for every piece: the deadline holds in a trickle too."""

        def observe() -> None:
            self.patience.check()
            done = self.target.stat().st_size if self.target.exists() else 0
            self._tell(Step.DOWNLOADING, done=done, total=size)

        return observe

    def _patiently(
        self,
        doing: str,
        call: Callable[[], Answer],
        *,
        job: Remote | None = None,
        expiring: bool = False,
    ) -> Answer:
        """Call until it works, stops being worth it, or time is up."""
        policy = self.patience.policy
        failures = 0
        while True:
            self.patience.check()
            try:
                return call()
            except Exception as error:  # noqa: BLE001  # the client raises many kinds
                failures += 1
                if job is not None and job.last_status in ENDED_BADLY:
                    raise FetchError(
                        f"the store ended the job as {job.last_status}",
                        f"{self.patience.where}, job {job.request_id}",
                        text_of(error, self.known),
                        "read the store's reason; what it cannot serve needs other variables or"
                        " times",
                    ) from None
                if expiring and status_of(error) == NOT_FOUND:
                    raise _UnusableError(text_of(error, self.known)) from None
                if failures == policy.attempts or not is_transient(error):
                    raise self._failure(error, doing, failures) from None
                wait = max(policy.wait(failures), retry_after(error))
                text = f"{doing}: {text_of(error, self.known)}; next try in {wait:.0f} s"
                LOGGER.warning("%s: %s", self.patience.where, text)
                self._tell(Step.RETRYING, text=text)
                self.patience.pause(wait)

    def _tell(self, step: Step, *, done: int = 0, total: int = 0, text: str = "") -> None:
        self.watch(Progress(self.request, step, done, total, text))

    def _failure(self, error: Exception, doing: str, tries: int = 1) -> FetchError:
        return failure(error, self.known, f"{self.patience.where}, {doing}", tries=tries)
