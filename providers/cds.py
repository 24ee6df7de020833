"""Fetching from a data store: submit, wait, collect, as a patient and polite user would.

The store's own client speaks to it. What is done about each of its answers is the table in
``reactions``; what the threads of a run know together is in ``desk``; the job is written
down before it is submitted, and found again after a crash (``job_notes``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ecmwf.datastores import Remote, Results

from aurora_prep.providers import collect, tariffs
from aurora_prep.providers.asking import Asker, LostError, SignError
from aurora_prep.providers.credentials import CdsService, Service
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.desk import Desk, desk_of
from aurora_prep.providers.job_notes import JobNote, JobNotes
from aurora_prep.providers.progress import Progress, Step, Watch, nobody
from aurora_prep.providers.reactions import TABLE, UNCOUNTED, Instead, Wait
from aurora_prep.providers.retry import Patience, Policy
from aurora_prep.providers.signs import Sign
from aurora_prep.providers.store_client import StoreClient, opened, withdraw
from aurora_prep.sources.spec import CredentialsError, FetchError, Request, SpecError

LOGGER = logging.getLogger(__name__)
ENDED_BADLY = ("failed", "rejected")


class InsteadError(Exception):
    """The store does not answer the request, but may answer others in its place.

    Attributes:
        instead: Which ones.
        error: What to raise where there are none.
    """

    def __init__(self, instead: Instead, error: FetchError) -> None:
        super().__init__(instead, error)
        self.instead = instead
        self.error = error


def download(
    request: Request,
    service: Service,
    target: Path,
    *,
    policy: Policy | None = None,
    watch: Watch = nobody,
    stop: threading.Event | None = None,
    notes: JobNotes | None = None,
    run: str | None = None,
) -> Delivery:
    """Submit a request, or find its job again; wait for it; download its answer.

    Call ``settle`` of the delivery when the file is kept, or refused: it deletes the job.

    Args:
        request: What to ask.
        service: Whom to ask.
        target: Where the answer goes; an existing file is replaced.
        policy: How long and how often to try.
        watch: Called at every step.
        stop: Set from outside to give up; seen within a read timeout. The job stays.
        notes: Where jobs are written down; nowhere by default.
        run: Which run this belongs to: what one of its threads learns, all know.

    Raises:
        InsteadError: Its halves, or another format, are to be asked in its place.
        CredentialsError: No credentials, or the store refuses them.
        FetchError: The store did not deliver; its class says why, and what is stopped.
    """
    known = service.resolve()
    policy = (policy or Policy()).towards(known.url)
    where = f"{known.url}, {request.dataset}, request {request.digest[:12]}"
    desk = Desk(known.url) if run is None else desk_of(known.url, run)
    desk.check_open(request.dataset)
    patience = Patience(policy, where, stop or threading.Event())
    with opened(known, policy) as client:
        fetch = _Fetch(
            request, known, client, target, patience, watch, desk, notes or JobNotes(None)
        )
        try:
            return fetch.run()
        except FetchError as error:
            desk.close(request.dataset, error)
            raise
        finally:
            fetch.leave()


def tidy(request: Request, service: Service, notes: JobNotes, policy: Policy) -> None:
    """Delete the job of a request whose answer is kept, if a crash left it behind."""
    try:
        known = service.resolve()
    except (CredentialsError, SpecError):
        return
    note = notes.read(request, known.url)
    if note is not None and (note.job is None or withdraw(known, policy, note.job)):
        notes.forget(request)


@dataclass(slots=True)
class _Fetch:
    """One request on its way.

    Attributes:
        job: Identifier of its job, while there is one.
        note: What is written down of it.
        seen: How often each sign was met.
        asker: Puts its questions.
    """

    request: Request
    known: CdsService
    client: StoreClient
    target: Path
    patience: Patience
    watch: Watch
    desk: Desk
    notes: JobNotes
    job: str | None = None
    note: JobNote | None = None
    seen: Counter[Sign] = field(default_factory=Counter)
    asker: Asker = field(init=False)

    def __post_init__(self) -> None:
        self.asker = Asker(
            self.known,
            self.desk.breaker(),
            self.patience,
            lambda step, text: self._tell(step, text=text),
        )

    @property
    def policy(self) -> Policy:
        return self.patience.policy

    def run(self) -> Delivery:
        """Ask until there is an answer, or the table says that it is over."""
        while True:
            try:
                remote = self._found() or self._submitted()
                results = self._results_of(remote)
                delivery = self._collected(results)
            except SignError as met:
                self._drop_job(met.sign)
                self._react(met)
            else:
                return replace(delivery, settle=partial(self._settle, self.job))

    def _settle(self, job: str | None) -> None:
        """The file is kept, or refused: the job is of no more use."""
        if job is None or withdraw(self.known, self.policy, job):
            self.notes.forget(self.request)

    def leave(self) -> None:
        """Nobody here waits for the job any more; it stays where it is."""
        self.desk.line(self.request.dataset).leave(self.request.digest)
        if self.job is not None:
            self.desk.board.drop(self.job)

    # What is done about a sign

    def _react(self, met: SignError) -> None:
        """Wait for the next round, or end the request.

        Raises:
            InsteadError: Others are to be asked.
            FetchError: The request is over.
        """
        reaction = TABLE[met.sign]
        self.seen[met.sign] += 1
        if reaction.instead is not Instead.SAME:
            if met.sign is Sign.TOO_LARGE:
                tariffs.lower(self.request, self.client, self.desk, self.known)
            raise InsteadError(reaction.instead, self._failure(met)) from None
        times = self.seen[met.sign]
        if reaction.again != UNCOUNTED and times > reaction.again:
            raise self._failure(met) from None
        self._tell(Step.RETRYING, text=met.text)
        if reaction.wait is Wait.QUEUE:
            self.desk.line(self.request.dataset).rejected(self.policy)
            return
        LOGGER.warning("%s: %s; asking again", self.patience.where, met.text)
        if reaction.wait is Wait.SYSTEM:
            self.patience.pause(self.policy.system_wait_seconds * 6 ** (times - 1))

    def _failure(self, met: SignError) -> FetchError:
        reaction = TABLE[met.sign]
        place = met.place or "the dataset's page on the store"
        times = self.seen[met.sign]
        return reaction.error(
            reaction.problem,
            f"{self.patience.where}" + (f", job {self.job}" if self.job else ""),
            met.text + (f"; in each of {times} jobs" if times > 1 else ""),
            reaction.fix.replace("{place}", place),
        )

    def _drop_job(self, sign: Sign) -> None:
        """Delete a job that is of no use, and forget it."""
        self.leave()
        if self.job is not None and sign is not Sign.FOREIGN:
            withdraw(self.known, self.policy, self.job)
        self.notes.forget(self.request)
        self.job = self.note = None

    # Finding and submitting

    def _found(self) -> Remote | None:
        """The job of an earlier run, if there is one."""
        note = self.notes.read(self.request, self.known.url)
        if note is None:
            return None
        remote = self._adopted() if note.job is None else self._known_job(note, note.job)
        if remote is not None:
            self.desk.line(self.request.dataset).take(self.request.digest)
            self._hold(note, remote)
            LOGGER.info("%s: found job %s again", self.patience.where, remote.request_id)
        return remote

    def _known_job(self, note: JobNote, job: str) -> Remote | None:
        while True:
            try:
                return self.asker.ask_of_job("find job", self.client.job, job)
            except SignError as met:
                if met.sign is Sign.GONE and 0 <= note.age() < self.policy.replica_seconds:
                    self.patience.pause(self.policy.first_poll_seconds)
                    continue
                if met.sign in (Sign.GONE, Sign.FOREIGN):
                    self.notes.forget(self.request)
                    return None
                raise

    def _adopted(self) -> Remote | None:
        """A job at the store that was asked exactly this, and that nobody here waits for."""
        wanted = _plain(self.request.body)
        for job in self.asker.ask("list jobs", self.client.jobs_of, self.request.dataset):
            if job in self.desk.board.jobs:
                continue
            try:
                asked = self.asker.ask_of_job("read job", self.client.asked_by, job)
                if _plain(asked) == wanted:
                    return self.asker.ask_of_job("read job", self.client.job, job)
            except SignError as met:
                if met.sign not in (Sign.GONE, Sign.FOREIGN):
                    raise
        return None

    def _submitted(self) -> Remote:
        """A new job, when the queue has room for it.

        Raises:
            InsteadError: The request costs more than the store takes.
        """
        if (
            text := tariffs.too_large(self.request, self.client, self.desk, self.known)
        ) is not None:
            self.seen[Sign.TOO_LARGE] += 1
            error = self._failure(SignError(Sign.TOO_LARGE, text))
            raise InsteadError(Instead.HALVES, error)
        dataset, line = self.request.dataset, self.desk.line(self.request.dataset)
        if time.monotonic() - line.counted_at > self.policy.longest_wait_seconds:
            unfinished = self.asker.ask("list jobs", self.client.states, dataset)
            line.others(len(unfinished.keys() - self.desk.board.jobs))
        line.enter(self.request.digest, self.patience)
        note = self.notes.intend(self.request, self.known.url)
        while True:
            process = self.asker.ask("read dataset", self.client.process, dataset)
            try:
                remote = self.asker.submit("submit", process.submit, dict(self.request.body))
                break
            except LostError as lost:
                self.seen[lost.sign] += 1
                if lost.sign is Sign.STRANGE and self.seen[lost.sign] > self.policy.attempts:
                    raise SignError(lost.sign, lost.text) from None
                if (adopted := self._adopted()) is not None:
                    remote = adopted
                    break
        self._hold(note, remote)
        self._tell(Step.SUBMITTED, text=f"job {remote.request_id}")
        return remote

    def _hold(self, note: JobNote, remote: Remote) -> None:
        self.job = remote.request_id
        self.note = self.notes.learn(note, self.job)
        self.desk.board.add(self.job)

    # Waiting and collecting

    def _results_of(self, remote: Remote) -> Results:
        """Wait until the job has ended; where its file is."""
        line, wait, told = self.desk.line(self.request.dataset), 0.0, ""
        while True:
            self.patience.pause(wait)
            wait = min(max(wait * 1.5, self.policy.first_poll_seconds), self._longest())
            state = self._state(remote, wait / 2)
            if state == "successful" or state in ENDED_BADLY:
                break
            if state not in ("accepted", "running"):
                raise SignError(Sign.GONE, f"the job is {state}")
            if state != told:
                told = state
                if state == "running":
                    line.accepted(self.policy)
                self._tell(Step.RUNNING if state == "running" else Step.ACCEPTED)
        if state == "successful":
            line.accepted(self.policy)
            self.leave()
        while True:
            try:
                return self.asker.ask_of_job("read results", self.client.results, remote)
            except SignError as met:
                if met.sign is not Sign.NOT_READY:
                    raise
                self.patience.pause(wait)

    def _longest(self) -> float:
        return self.policy.longest_wait_seconds

    def _state(self, remote: Remote, fresh: float) -> str:
        """Where the job stands: by one question for all jobs, or for it alone."""
        job, board = remote.request_id, self.desk.board
        listed = self.asker.ask("list jobs", board.state, job, self.client.states, fresh)
        if listed is not None:
            return listed
        try:
            return self.asker.ask_of_job("poll", lambda: remote.status)
        except SignError as met:
            young = self.note is not None and self.note.age() < self.policy.replica_seconds
            if met.sign is Sign.NOT_READY or (met.sign is Sign.GONE and young):
                return "accepted"
            raise

    def _collected(self, results: Results) -> Delivery:
        try:
            return collect.collected(
                results,
                self.target,
                session=self.client.session,
                known=self.known,
                breaker=self.desk.breaker(results.location),
                patience=self.patience,
                tell=self._tell,
            )
        except collect.UnusableError as error:
            raise SignError(Sign.GONE, str(error)) from None
        except OSError as error:
            raise SignError(Sign.DISK, f"{self.target}: {error}") from None

    def _tell(self, step: Step, *, done: int = 0, total: int = 0, text: str = "") -> None:
        self.watch(Progress(self.request, step, done, total, text))


def _plain(body: object) -> dict[str, list[str]]:
    """A request for comparison: the store may turn numbers into text, and texts into lists."""
    if not isinstance(body, dict):
        return {}
    return {
        str(key): sorted(str(item) for item in (value if isinstance(value, list) else [value]))
        for key, value in body.items()
    }
