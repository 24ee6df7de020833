"""Fetching a file from a plain web server: one GET, resumed where it was cut."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from aurora_prep.providers.checksum import agrees, md5_of
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.credentials_http import HttpService, resolve_http
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.progress import Progress, Step, Watch, nobody
from aurora_prep.providers.retry import Patience, Policy
from aurora_prep.providers.trouble import (
    FORBIDDEN,
    NOT_FOUND,
    UNAUTHORISED,
    is_transient,
    retry_after,
    status_of,
    text_of,
)
from aurora_prep.sources.spec import CredentialsError, FetchError, Request

LOGGER = logging.getLogger(__name__)

# What a cut connection loses at most.
CHUNK_BYTES = 1 << 16
PARTIAL, UNSATISFIABLE = 206, 416


@dataclass(frozen=True, slots=True)
class _State:
    """The file as the server describes it.

    Attributes:
        size: Bytes of the whole file; ``None`` where the server does not say.
        tag: The strong ``ETag`` or ``Last-Modified``, by which a part is known
            to belong to the same file; empty where there is neither.
    """

    size: int | None
    tag: str


class _CutError(Exception):
    """A download ended before its end."""


def download(
    request: Request,
    service: Service,
    target: Path,
    *,
    policy: Policy | None = None,
    watch: Watch = nobody,
    stop: threading.Event | None = None,
) -> Delivery:
    """Download one file.

    Tried again, with back-off: statuses 408, 425, 429 (after ``Retry-After``)
    and 5xx, timeouts, refused and cut connections. A cut download goes on
    where it stopped, if the server can and the file is still the same one;
    otherwise it starts anew. Everything else ends the request at once.

    Args:
        request: Which file: ``url`` of the tree, and ``file`` in it.
        service: Whom to ask.
        target: Where the file goes; an existing one is replaced.
        policy: How long and how often to try.
        watch: Called at every step.
        stop: Set from outside to give up; seen within a read timeout.

    Raises:
        CredentialsError: The server wants to know who asks.
        FetchError: The file is not there, or the server did not deliver it whole.
    """
    body = request.body
    known = resolve_http(service, request.dataset, str(body["url"]))
    where = f"{known.url}/{body['file']}"
    patience = Patience(policy or Policy(), where, stop or threading.Event())
    with requests.Session() as session:
        session.headers.update(known.headers)
        # What is stored is what the size and the tag are about.
        session.headers["Accept-Encoding"] = "identity"
        return _Fetch(request, known, session, where, target, patience, watch).run()


@dataclass(slots=True)
class _Fetch:
    """One file on its way.

    Attributes:
        state: The file that the bytes on disk are of; ``None`` before any came.
    """

    request: Request
    known: HttpService
    session: requests.Session
    where: str
    target: Path
    patience: Patience
    watch: Watch
    state: _State | None = None

    def run(self) -> Delivery:
        """Download until the file is whole."""
        self.target.unlink(missing_ok=True)
        policy = self.patience.policy
        failures = reached = 0
        while True:
            self.patience.check()
            try:
                return self._checked(self._go_on())
            except (requests.RequestException, _CutError) as error:
                here = self._size()
                # Bytes that came are progress: patience starts anew with them.
                failures = 1 if here > reached else failures + 1
                reached = max(here, reached)
                if failures == policy.attempts or not _is_passing(error):
                    raise self._failure(error, failures) from None
                wait = max(policy.wait(failures), retry_after(error))
                text = f"{text_of(error, self.known)}; next try in {wait:.0f} s"
                LOGGER.warning("%s: %s", self.where, text)
                self._tell(Step.RETRYING, text=text)
                self.patience.pause(wait)
            except OSError as error:
                raise FetchError(
                    "a download cannot be written",
                    str(self.target),
                    str(error),
                    "free some space, or choose another cache folder",
                ) from None

    def _go_on(self) -> _State:
        """Fetch what is still missing.

        Raises:
            _CutError: Not all of it came.
            requests.RequestException: The server or the network failed.
        """
        start = self._size()
        headers = {}
        if start and self.state is not None and self.state.tag:
            headers = {"Range": f"bytes={start}-", "If-Range": self.state.tag}
        policy = self.patience.policy
        with self.session.get(
            self.where,
            headers=headers,
            stream=True,
            timeout=(policy.connect_seconds, policy.read_seconds),
        ) as response:
            if response.status_code == UNSATISFIABLE:
                # More is here than there: what is here belongs to another file.
                self.target.unlink(missing_ok=True)
                raise _CutError("the file has become shorter")
            response.raise_for_status()
            if response.status_code != PARTIAL:
                start = 0
            self.state = found = _state_of(response, start)
            self._write(response, start, found)
        if found.size is not None and self._size() != found.size:
            raise _CutError(f"{self._size()} of {found.size} bytes came")
        return found

    def _write(self, response: requests.Response, start: int, state: _State) -> None:
        with self.target.open("ab" if start else "wb") as file:
            for piece in _pieces(response):
                file.write(piece)
                self.patience.check()
                self._tell(Step.DOWNLOADING, done=file.tell(), total=state.size or 0)

    def _checked(self, state: _State) -> Delivery:
        """What came, held against the tag where that is a checksum."""
        size, tag = self._size(), state.tag.strip('"')
        confirmed = agrees(self.target, md5_of(self.target), tag) if _is_md5(tag) else None
        return Delivery(size, confirmed or None)

    def _size(self) -> int:
        return self.target.stat().st_size if self.target.exists() else 0

    def _tell(self, step: Step, *, done: int = 0, total: int = 0, text: str = "") -> None:
        self.watch(Progress(self.request, step, done, total, text))

    def _failure(self, error: Exception, tries: int) -> FetchError:
        found = text_of(error, self.known) + (f"; tries: {tries}" if tries > 1 else "")
        status = status_of(error)
        if status == NOT_FOUND:
            return FetchError(
                "the provider does not have the file",
                self.where,
                found,
                "leave the time out, or run again when the provider has it",
            )
        if status in (UNAUTHORISED, FORBIDDEN):
            return CredentialsError(
                "the server wants to know who asks, or does not let this account in",
                self.where,
                found,
                f"set {self.known.variable} to the value of the Authorization header, or write"
                " user and password for this host to ~/.netrc",
            )
        if _is_passing(error):
            return FetchError(
                "the server cannot be reached, or does not deliver the file whole",
                self.where,
                found,
                "check the address and the network, and run again: what has come is kept",
            )
        return FetchError(
            "the server rejected the request", self.where, found, "check the address of the tree"
        )


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """The body as it comes.

    Raises:
        _CutError: The connection was cut.
    """
    try:
        yield from response.iter_content(CHUNK_BYTES)
    except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError) as error:
        raise _CutError(f"the connection was cut: {error}") from None


def _state_of(response: requests.Response, start: int) -> _State:
    """Size and tag of the file, from the head of an answer with all or the rest of it."""
    length = response.headers.get("Content-Length", "")
    tag = response.headers.get("ETag", "")
    if tag.startswith("W/") or not tag:
        tag = response.headers.get("Last-Modified", "")
    return _State(start + int(length) if length.isdecimal() else None, tag)


def _is_passing(error: Exception) -> bool:
    return isinstance(error, _CutError) or is_transient(error)


def _is_md5(tag: str) -> bool:
    return len(tag) == 32 and all(digit in "0123456789abcdef" for digit in tag)  # noqa: PLR2004
