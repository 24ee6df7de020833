"""Fetching from ECMWF's archive, by its own client in a process of its own.

``ecmwf-api-client`` submits, waits, downloads and resumes. Added to it here:
one deadline over everything, an end when the run stops, progress, which
errors are worth another request, and four-part errors without keys.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from aurora_prep.providers.credentials import Service
from aurora_prep.providers.credentials_mars import MarsService, resolve_mars
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.grib_count import message_count
from aurora_prep.providers.mars_signs import SHORT, UNCOUNTED, Reaction, reaction_to
from aurora_prep.providers.planning.mars import before
from aurora_prep.providers.progress import Progress, Step, Watch, nobody
from aurora_prep.providers.retry import Patience, Policy
from aurora_prep.providers.sessions import environment_for
from aurora_prep.sources.spec import FetchError, Request
from aurora_prep.sources.spec.request import Body

LOGGER = logging.getLogger(__name__)

CLIENT = Path(__file__).with_name("mars_client.py")
LOOK_SECONDS = 0.2
FAREWELL_SECONDS = 5.0
MOST_CHARACTERS = 600

# What the client says as a request goes on; other words change nothing but the log.
STEPS = {
    "Request is queued": Step.ACCEPTED,
    "Request is active": Step.RUNNING,
    "Request is complete": Step.DOWNLOADING,
    "Error contacting the WebAPI": Step.RETRYING,
    "Transfer interrupted": Step.RETRYING,
}
REQUEST_ID = "Request id: "
# How old days must be that are asked for without those that are not released yet.
FRESH = (timedelta(hours=6), timedelta(days=2))
# Days for which the archive may still be filled.
RECENT = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """How the client ended, when it did not end well.

    Attributes:
        kinds: The class of its error, and those above it.
        text: What it said, without secrets, on one line.
        status: The last HTTP status.
    """

    kinds: frozenset[str]
    text: str
    status: int | None

    @property
    def found(self) -> str:
        """What was said, for a message."""
        return f"{self.text}, status {self.status}" if self.status else self.text


def download(
    request: Request,
    service: Service,
    target: Path,
    *,
    policy: Policy | None = None,
    watch: Watch = nobody,
    stop: threading.Event | None = None,
) -> Delivery:
    """Submit a request to the archive, wait for it, and download its answer.

    The client itself tries again after statuses 429 and 5xx and lost
    connections, and goes on with a download that was cut. What else is waited
    for, asked again or given up, and how far a refusal reaches, is in the
    table of ``mars_signs``. Where the last days of a request are not released
    yet, the others are asked for. An answer that is short of fields is asked
    for once more, unless it reaches into the last days.

    Args:
        request: What to ask.
        service: Whom to ask.
        target: Where the answer goes; an existing file is replaced.
        policy: How long and how often to try.
        watch: Called at every step.
        stop: Set from outside to give up.

    Raises:
        CredentialsError: No credentials, or the archive refuses them.
        SourceClosedError: The account has no right to this part of the archive.
        NotYetError: Nothing of it is released yet.
        NotArchivedError: The archive holds nothing of it.
        NotAskedError: It could not be reached, or its queue had no room until the deadline.
        FetchError: It did not deliver for another reason.
    """
    known = resolve_mars(service)
    where = f"{known.url}, {request.dataset}, request {request.digest[:12]}"
    patience = Patience(policy or Policy(), where, stop or threading.Event())
    return _Asking(request, known, target, patience, watch).run()


@dataclass(slots=True)
class _Asking:
    """A request, asked until its answer is there or nothing more can be done.

    Attributes:
        asked: What is asked now: the request, or what of it is released.
        tries: How often each sign was met.
    """

    request: Request
    known: MarsService
    target: Path
    patience: Patience
    watch: Watch
    asked: Request = field(init=False)
    tries: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.asked = self.request

    def run(self) -> Delivery:
        """Ask until the answer is on disk."""
        submissions = 1
        while True:
            trouble = self._attempt().run()
            if trouble is None:
                if not self._is_short():
                    return Delivery(self.target.stat().st_size, None)
                submissions += 1
                continue
            reaction = reaction_to(trouble.kinds, trouble.text, trouble.status)
            self.tries[reaction.problem] += 1
            if not self._goes_on(reaction):
                raise _failure(reaction, trouble, self.patience.where, submissions)
            wait = reaction.wait * self.patience.policy.longest_wait_seconds
            text = f"{trouble.text}; asking again" + (f" in {wait:.0f} s" if wait else "")
            LOGGER.warning("%s: %s", self.patience.where, text)
            self.watch(Progress(self.request, Step.RETRYING, text=text))
            self.patience.pause(wait)
            submissions += 1

    def _attempt(self) -> _Attempt:
        known, patience, watch = self.known, self.patience, self.watch
        return _Attempt(self.request, self.asked.body, known, self.target, patience, watch)

    def _goes_on(self, reaction: Reaction) -> bool:
        """Whether it is asked again, and make ready what is."""
        if reaction.trims:
            fewer = before(self.asked, _now() - FRESH[min(self.tries[reaction.problem], 2) - 1])
            if fewer is None:
                return False
            self.asked = fewer
        elif reaction is SHORT:
            body = {**self.asked.body, "expect": "any"}
            self.asked = replace(self.asked, body=body)
        return reaction.again == UNCOUNTED or self.tries[reaction.problem] <= reaction.again

    def _is_short(self) -> bool:
        """Whether fields are missing from the answer that a second request may bring."""
        asked = self.asked
        wanted = len(asked.times) * len(asked.lead_times) * len(asked.fields)
        came = message_count(self.target)
        if came >= wanted:
            return False
        text = f"{came} of {wanted} fields came"
        self.tries["short"] += 1
        again = self.tries["short"] == 1 and asked.times[-1] < _now() - RECENT
        LOGGER.warning("%s: %s%s", self.patience.where, text, "; asking again" if again else "")
        if again:
            self.watch(Progress(self.request, Step.RETRYING, text=text))
        return again


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One run of the client, which asks ``body``, keywords or a text, for a request."""

    request: Request
    body: Body | str
    known: MarsService
    target: Path
    patience: Patience
    watch: Watch

    def run(self) -> _Trouble | None:
        """Run the client to its end.

        Returns:
            What went wrong, or ``None``.

        Raises:
            FetchError: Time is up or the run was stopped.
        """
        self._tell(Step.SUBMITTED)
        last = "it said nothing"
        with self._client() as lines:
            for line in self._heard(lines):
                event = _event(line)
                if "failed" in event:
                    failed = event["failed"]
                    kinds = frozenset(failed["type"])
                    return _Trouble(kinds, self._shown(failed["text"]), failed["status"])
                if "done" in event:
                    return None
                last = self._shown(event["said"])
                self._heed(last)
        return _Trouble(frozenset({"the client ended without a word"}), last, None)

    @contextmanager
    def _client(self) -> Iterator[SimpleQueue[str | None]]:
        """The client at work, and what it says; it ends with the block."""
        policy = self.patience.policy
        order = {
            "url": self.known.url,
            "key": self.known.key,
            "email": self.known.email,
            "request": self.body,
            "target": str(self.target),
            "read_seconds": policy.read_seconds,
            "longest_wait_seconds": policy.longest_wait_seconds,
        }
        process = subprocess.Popen(  # noqa: S603  # this interpreter and a file of ours
            [sys.executable, "-P", str(CLIENT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment_for(self.known.url),
        )
        lines: SimpleQueue[str | None] = SimpleQueue()
        listener = threading.Thread(target=_listen, args=(process, lines), name="mars-listener")
        listener.start()
        try:
            _order(process, json.dumps(order))
            yield lines
        finally:
            _end(process)
            listener.join()

    def _heard(self, lines: SimpleQueue[str | None]) -> Iterator[str]:
        """Lines as they come, while there is time."""
        while True:
            try:
                line = lines.get(timeout=LOOK_SECONDS)
            except Empty:
                self.patience.check()
                if self.target.exists() and (done := self.target.stat().st_size):
                    self._tell(Step.DOWNLOADING, done=done)
                continue
            if line is None:
                return
            self.patience.check()
            yield line

    def _heed(self, text: str) -> None:
        """Log what the client says, and tell those who watch."""
        LOGGER.debug("%s: %s", self.patience.where, text)
        if text.startswith(REQUEST_ID):
            self._tell(Step.SUBMITTED, text=f"job {text.removeprefix(REQUEST_ID)}")
        for words, step in STEPS.items():
            if text.startswith(words):
                self._tell(step, text=text if step is Step.RETRYING else "")

    def _shown(self, text: str) -> str:
        return " ".join(self.known.hide(text).split())[:MOST_CHARACTERS]

    def _tell(self, step: Step, *, done: int = 0, text: str = "") -> None:
        self.watch(Progress(self.request, step, done, text=text))


def _order(process: subprocess.Popen[str], text: str) -> None:
    """Tell the client what to do; one that has ended already says why by itself."""
    if process.stdin is not None:
        try:
            with process.stdin:
                process.stdin.write(text)
        except BrokenPipeError:
            LOGGER.debug("the client of ECMWF's archive ended before it was told anything")


def _listen(process: subprocess.Popen[str], lines: SimpleQueue[str | None]) -> None:
    """Pass on lines until the client ends; then nothing more comes."""
    if process.stdout is not None:
        with process.stdout:
            for line in process.stdout:
                lines.put(line)
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    """End the client; it gets a little time to withdraw its request."""
    try:
        if process.poll() is None:
            process.terminate()
        process.wait(FAREWELL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _event(line: str) -> Mapping[str, Any]:
    """A line of the client; what it did not mean to say, such as a traceback, is said too."""
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    return event if isinstance(event, dict) else {"said": line}


def _failure(reaction: Reaction, trouble: _Trouble, where: str, tries: int) -> FetchError:
    found = trouble.found + (f"; requests: {tries}" if tries > 1 else "")
    return reaction.error(reaction.problem, where, found, reaction.fix)
