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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from aurora_prep.providers.credentials import Service
from aurora_prep.providers.credentials_mars import FIX, MarsService, resolve_mars
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.progress import Progress, Step, Watch, nobody
from aurora_prep.providers.retry import Patience, Policy
from aurora_prep.providers.trouble import FORBIDDEN, NOT_FOUND, TRANSIENT_STATUS, UNAUTHORISED
from aurora_prep.sources.spec import CredentialsError, FetchError, Request

LOGGER = logging.getLogger(__name__)

CLIENT = Path(__file__).with_name("mars_client.py")
SUBMISSIONS = 2
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
NO_ACCESS = ("no access to", "terms and conditions", "not authorised", "not authorized")
# Kinds of error by which a connection, or an answer over it, was lost.
LOST = frozenset({"OSError", "HTTPException", "AssertionError"})


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
    def is_refusal(self) -> bool:
        """Whether the user may not have this."""
        said = self.text.lower()
        refused = self.status in (UNAUTHORISED, FORBIDDEN)
        return refused or any(words in said for words in NO_ACCESS)

    @property
    def is_passing(self) -> bool:
        """Whether the same request may work a little later."""
        if "HTTPError" in self.kinds or "RetryError" in self.kinds:
            # A result that is gone is made again for a new request.
            return self.status in TRANSIENT_STATUS or self.status == NOT_FOUND
        return bool(self.kinds & LOST)


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
    connections, and goes on with a download that was cut. A result that has
    expired or never arrives whole is asked for once more. Everything else
    ends the request at once.

    Args:
        request: What to ask.
        service: Whom to ask.
        target: Where the answer goes; an existing file is replaced.
        policy: How long and how often to try.
        watch: Called at every step.
        stop: Set from outside to give up.

    Raises:
        CredentialsError: No credentials, or the archive refuses them.
        FetchError: The archive did not deliver.
    """
    known = resolve_mars(service)
    where = f"{known.url}, {request.dataset}, request {request.digest[:12]}"
    patience = Patience(policy or Policy(), where, stop or threading.Event())
    attempt = _Attempt(request, known, target, patience, watch)
    tries = 1
    while (trouble := attempt.run()) is not None:
        if tries == SUBMISSIONS or not trouble.is_passing:
            raise _failure(trouble, where, tries)
        LOGGER.warning("%s: %s; asking again", where, trouble.text)
        watch(Progress(request, Step.RETRYING, text=trouble.text))
        patience.pause(patience.policy.wait(tries))
        tries += 1
    return Delivery(target.stat().st_size, None)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One run of the client."""

    request: Request
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
            "request": self.request.body,
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


def _failure(trouble: _Trouble, where: str, tries: int) -> FetchError:
    status = f", status {trouble.status}" if trouble.status else ""
    found = f"{trouble.text}{status}" + (f"; requests: {tries}" if tries > 1 else "")
    if trouble.is_refusal:
        return CredentialsError(
            "ECMWF's archive does not let this account in",
            where,
            found,
            f"check that the account may read the archive; {FIX}",
        )
    if trouble.is_passing:
        return FetchError(
            "ECMWF's archive cannot be reached, or does not deliver",
            where,
            found,
            "check the address and the network, and run again: what has come is kept",
        )
    if "APIException" in trouble.kinds:
        return FetchError(
            "ECMWF's archive ended the request with an error",
            where,
            found,
            "read the archive's reason; what it does not hold needs other times or variables",
        )
    return FetchError(
        "the client of ECMWF's archive failed",
        where,
        found,
        "check that ecmwf-api-client is installed and the address is that of ECMWF's web API",
    )
