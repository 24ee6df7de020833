"""Fetching a file from plain web servers: one GET, resumed where it was cut."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from aurora_prep.providers.checksum import agrees, md5_of
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.credentials_http import HttpService, resolve_http
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.http_hosts import Round
from aurora_prep.providers.progress import Progress, Step, Watch, nobody
from aurora_prep.providers.retry import Patience, Policy
from aurora_prep.providers.sessions import Session
from aurora_prep.providers.trouble import (
    FORBIDDEN,
    NOT_FOUND,
    UNAUTHORISED,
    is_transient,
    status_of,
    text_of,
)
from aurora_prep.sources.spec import (
    CredentialsError,
    DamagedError,
    FetchError,
    LocalError,
    NotArchivedError,
    NotAskedError,
    Request,
)

LOGGER = logging.getLogger(__name__)

# What a cut connection loses at most.
CHUNK_BYTES = 1 << 16
PARTIAL, UNSATISFIABLE = 206, 416
BEGIN, END = b"GRIB", b"7777"
SHOWN_BYTES = 60


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


class _UnsoundError(_CutError):
    """What came whole is no GRIB file: empty, a page for people, or without its end."""


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
    and 5xx, timeouts, refused and cut connections, and answers that are no
    GRIB. A cut download goes on where it stopped, if the server can and the
    file is still the same one; otherwise it starts anew.

    A tree that is at several hosts is asked at the next one when a host gives
    nothing. That a file is not there is believed of a host that has given
    files before, or of all hosts together: a tree that moved away answers 404
    to everything.

    Args:
        request: Which file: ``url`` names the tree, ``file`` is in it, and
            ``addresses`` is where it is asked for.
        service: Whom to ask.
        target: Where the file goes; an existing one is replaced.
        policy: How long and how often to try.
        watch: Called at every step.
        stop: Set from outside to give up; seen within a read timeout.

    Raises:
        CredentialsError: The server wants to know who asks.
        NotArchivedError: The file is not there.
        DamagedError: What comes is no GRIB, each time.
        NotAskedError: No host could be reached, or none delivered the file whole.
        LocalError: The certificate of no host can be verified.
        FetchError: The server rejected the request, or the file cannot be written.
    """
    body = request.body
    hosts = resolve_http(service, request.dataset, *(request.addresses or (str(body["url"]),)))
    file = str(body["file"])
    patience = Patience(policy or Policy(), f"{hosts[0].url}/{file}", stop or threading.Event())
    with Session() as session:
        # What is stored is what the size and the tag are about.
        session.headers["Accept-Encoding"] = "identity"
        return _Fetch(request, hosts, session, file, target, patience, watch).run()


@dataclass(slots=True)
class _Fetch:
    """One file on its way.

    Attributes:
        state: The file that the bytes on disk are of; ``None`` before any came.
    """

    request: Request
    hosts: tuple[HttpService, ...]
    session: requests.Session
    file: str
    target: Path
    patience: Patience
    watch: Watch
    state: _State | None = None

    def run(self) -> Delivery:
        """Download until the file is whole."""
        self.target.unlink(missing_ok=True)
        round_ = Round(self.hosts, self.patience.policy)
        reached = 0
        while True:
            self.patience.check()
            host = round_.host
            try:
                state = self._go_on(host)
            except (requests.RequestException, _CutError) as error:
                here = self._size()
                # Bytes that came are progress: patience starts anew with them.
                wait = round_.failed(error, passing=_is_passing(error), progress=here > reached)
                reached = max(here, reached)
                if wait is None:
                    raise self._failure(round_) from None
                text = f"{text_of(error, host)}; next try in {wait:.0f} s"
                LOGGER.warning("%s/%s: %s", host.url, self.file, text)
                self._tell(Step.RETRYING, text=text)
                self.patience.pause(wait)
            except OSError as error:
                raise FetchError(
                    "a download cannot be written",
                    str(self.target),
                    str(error),
                    "free some space, or choose another cache folder",
                ) from None
            else:
                round_.delivered()
                return self._checked(state)

    def _go_on(self, host: HttpService) -> _State:
        """Fetch what is still missing.

        Raises:
            _CutError: Not all of it came.
            requests.RequestException: The server or the network failed.
        """
        start = self._size()
        headers = dict(host.headers)
        if start and self.state is not None and self.state.tag:
            headers |= {"Range": f"bytes={start}-", "If-Range": self.state.tag}
        policy = self.patience.policy
        with self.session.get(
            f"{host.url}/{self.file}",
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
        if flaw := _flaw(self.target):
            self.target.unlink(missing_ok=True)
            raise _UnsoundError(flaw)
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

    def _failure(self, round_: Round) -> FetchError:
        """The four-part error for what ended the download at every host."""
        where = f"{self.hosts[0].url}/{self.file}"
        found = "; ".join(
            f"{host.url}: {text_of(error, host)}" if len(self.hosts) > 1 else text_of(error, host)
            for host, error in round_.errors
        )
        found += f"; tries: {round_.tries}" if round_.tries > 1 else ""
        statuses = [status_of(error) for _, error in round_.errors]
        last = round_.errors[-1][1]
        if round_.is_believed or set(statuses) == {NOT_FOUND}:
            return NotArchivedError(
                "the provider does not have the file",
                where,
                found,
                "leave the time out, or run again when the provider has it",
            )
        if statuses[0] in (UNAUTHORISED, FORBIDDEN):
            return CredentialsError(
                "the server wants to know who asks, or does not let this account in",
                where,
                found,
                f"set {self.hosts[0].variable} to the value of the Authorization header, or write"
                " user and password for this host to ~/.netrc",
            )
        if all(_is_certificate(error) for _, error in round_.errors):
            return LocalError(
                "the certificate of the server cannot be verified",
                where,
                found,
                "give the file with the certificates your network needs in REQUESTS_CA_BUNDLE",
            )
        if isinstance(last, _UnsoundError):
            return DamagedError(
                "what the server sends is no GRIB file, each time",
                where,
                found,
                "run again later; if it stays so, leave the time out",
            )
        if any(_is_passing(error) for _, error in round_.errors):
            return NotAskedError(
                "the server cannot be reached, or does not deliver the file whole",
                where,
                found,
                "check the address and the network, and run again: what has come is kept",
            )
        return FetchError(
            "the server rejected the request", where, found, "check the address of the tree"
        )


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """The body as it comes.

    Raises:
        _CutError: The connection was cut.
    """
    try:
        yield from response.iter_content(CHUNK_BYTES)
    except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError) as error:
        if _is_certificate(error):
            raise
        raise _CutError(f"the connection was cut: {error}") from None


def _state_of(response: requests.Response, start: int) -> _State:
    """Size and tag of the file, from the head of an answer with all or the rest of it."""
    length = response.headers.get("Content-Length", "")
    tag = response.headers.get("ETag", "")
    if tag.startswith("W/") or not tag:
        tag = response.headers.get("Last-Modified", "")
    return _State(start + int(length) if length.isdecimal() else None, tag)


def _flaw(path: Path) -> str:
    """Why a file cannot be GRIB, by its first and last bytes; empty where it may be."""
    size = path.stat().st_size
    if size < len(BEGIN) + len(END):
        return f"the answer is empty, or no more than {size} bytes"
    with path.open("rb") as file:
        head = file.read(SHOWN_BYTES)
        file.seek(-len(END), os.SEEK_END)
        tail = file.read()
    if not head.startswith(BEGIN):
        return f"the answer begins with {head.decode('latin-1')!r}, not with GRIB"
    return "" if tail == END else "the file does not end with the end of a GRIB message"


def _is_certificate(error: Exception) -> bool:
    """Whether nobody vouches for a server."""
    return isinstance(error, requests.exceptions.SSLError) and not _is_passing(error)


def _is_passing(error: Exception) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        return "EOF" in str(error)
    return isinstance(error, _CutError) or is_transient(error)


def _is_md5(tag: str) -> bool:
    return len(tag) == 32 and all(digit in "0123456789abcdef" for digit in tag)  # noqa: PLR2004
