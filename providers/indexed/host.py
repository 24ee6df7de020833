"""One host of a tree of files: text, ranges and whole files, each over kept connections."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

from aurora_prep.providers.credentials_http import HttpService
from aurora_prep.providers.indexed.messages import (
    END,
    LONGEST_INDICATOR,
    MARK,
    MessageFaultError,
    length_of,
)
from aurora_prep.providers.indexed.ranges import Range
from aurora_prep.providers.retry import Patience
from aurora_prep.providers.sessions import Session
from aurora_prep.providers.trouble import (
    FORBIDDEN,
    NOT_FOUND,
    TRANSIENT_STATUS,
    UNAUTHORISED,
    is_transient,
    text_of,
)

# Ranges under way at once: measured, see benchmarks/index_ranges.py.
AT_ONCE = 6
OK, PARTIAL, GONE, UNSATISFIABLE = 200, 206, 410, 416
PIECE = 1 << 18
# Longer than any message, so that a damaged length does not take the memory.
LONGEST_MESSAGE = 1 << 30
SPAN = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
PAGE = (b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML")


class AbsentError(Exception):
    """The host does not have the file."""


class ShutError(Exception):
    """The host asks for credentials."""


class HostFaultError(Exception):
    """The host does not answer as it should.

    Attributes:
        may_pass: Whether it may do better a little later.
    """

    def __init__(self, text: str, *, may_pass: bool) -> None:
        super().__init__(text)
        self.may_pass = may_pass


class Host:
    """One host; safe to use from several threads.

    Args:
        known: Address of the tree, and what to show at its door.
        patience: How long to wait for an answer.
    """

    def __init__(self, known: HttpService, patience: Patience) -> None:
        self.known, self.patience = known, patience
        self.session = Session()
        self.session.headers.update(known.headers)
        # Sizes and ranges are those of what is stored.
        self.session.headers["Accept-Encoding"] = "identity"
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=AT_ONCE)
        self.session.mount("http://", adapter)
        self.session.mount("https://", adapter)

    @property
    def url(self) -> str:
        """Address of the tree."""
        return self.known.url

    def close(self) -> None:
        """End the connections."""
        self.session.close()

    def text(self, path: str) -> str:
        """A small file of text.

        Raises:
            AbsentError: It is not there.
            ShutError: The host asks for credentials.
            HostFaultError: The host sends something else, or nothing.
        """
        with self._get(path) as response:
            content = self._content(response)
        return content.decode("utf-8", errors="replace")

    def ranges(self, path: str, parts: Sequence[Range]) -> Iterator[tuple[Range, bytes]]:
        """Parts of a file in their order, several under way at once.

        Raises:
            AbsentError: The file is not there.
            ShutError: The host asks for credentials.
            HostFaultError: The host does not send one of them.
        """
        ahead: deque[tuple[Range, Future[bytes]]] = deque()
        pool = ThreadPoolExecutor(min(AT_ONCE, max(1, len(parts))), "ranges")
        try:
            for part in parts:
                ahead.append((part, pool.submit(self._range, path, part)))
                if len(ahead) > AT_ONCE:
                    first, future = ahead.popleft()
                    yield first, future.result()
            while ahead:
                first, future = ahead.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def messages(self, path: str) -> Iterator[bytes]:
        """The messages of a file, as it comes; what lies between them is skipped.

        A message may lack its end mark: then it is damaged.

        Raises:
            AbsentError: The file is not there.
            ShutError: The host asks for credentials.
            HostFaultError: The file does not come whole.
        """
        with self._get(path) as response:
            _check_media(response)
            size = response.headers.get("Content-Length", "")
            came, buffer = 0, bytearray()
            for piece in self._pieces(response):
                came += len(piece)
                buffer += piece
                yield from _taken(buffer)
                self.patience.check()
            if size.isdecimal() and came != int(size):
                raise HostFaultError(f"{came} of {size} bytes came", may_pass=True)
            yield from _taken(buffer, is_last=True)

    def _range(self, path: str, part: Range) -> bytes:
        """One part; the rest of the file where it has no end."""
        last = "" if part.end is None else str(part.end - 1)
        with self._get(path, {"Range": f"bytes={part.start}-{last}"}) as response:
            if response.status_code != PARTIAL:
                _check_media(response)
                length = response.headers.get("Content-Length", "")
                if part.start == 0 and (part.end is None or length == str(part.end)):
                    return self._content(response)  # the part is the whole file
                raise HostFaultError("the host does not send parts of a file", may_pass=False)
            match = SPAN.fullmatch(response.headers.get("Content-Range", ""))
            if match is None or int(match[1]) != part.start:
                raise HostFaultError("the host sends another part of the file", may_pass=True)
            raw = self._content(response)
        if len(raw) != int(match[2]) + 1 - part.start:
            raise HostFaultError(f"{len(raw)} bytes of a part came", may_pass=True)
        return raw

    def _get(self, path: str, headers: dict[str, str] | None = None) -> requests.Response:
        policy = self.patience.policy
        self.patience.check()
        try:
            response = self.session.get(
                f"{self.url}/{quote(path)}",
                headers=headers,
                stream=True,
                timeout=(policy.connect_seconds, policy.read_seconds),
            )
        except requests.RequestException as error:
            text = text_of(error, self.known)
            raise HostFaultError(text, may_pass=is_transient(error)) from None
        status = response.status_code
        if status in (OK, PARTIAL):
            return response
        response.close()
        if status in (NOT_FOUND, GONE):
            raise AbsentError(f"HTTP status {status}")
        if status in (UNAUTHORISED, FORBIDDEN):
            raise ShutError(f"HTTP status {status}")
        if status == UNSATISFIABLE:
            raise HostFaultError("the file is shorter than its index says", may_pass=False)
        text = f"HTTP status {status}"
        raise HostFaultError(text, may_pass=status in TRANSIENT_STATUS)

    def _content(self, response: requests.Response) -> bytes:
        _check_media(response)
        content = b"".join(self._pieces(response))
        size = response.headers.get("Content-Length", "")
        if size.isdecimal() and len(content) != int(size):
            raise HostFaultError(f"{len(content)} of {size} bytes came", may_pass=True)
        if content.lstrip()[:9].startswith(PAGE):
            raise HostFaultError(f"a web page came from {response.url}", may_pass=True)
        return content

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_content(PIECE)
        except requests.RequestException as error:
            raise HostFaultError(text_of(error, self.known), may_pass=True) from None


def _check_media(response: requests.Response) -> None:
    """Hosts that take a client for a robot redirect it to a web page."""
    if "html" in response.headers.get("Content-Type", ""):
        via = " after a redirect" if response.history else ""
        raise HostFaultError(f"a web page came from {response.url}{via}", may_pass=True)


def _taken(buffer: bytearray, *, is_last: bool = False) -> Iterator[bytes]:
    """Whole messages at the start of a buffer, which are taken off it.

    A message without its end mark is one if another begins after it, or nothing does.
    """
    at = 0
    while True:
        at = buffer.find(MARK, at)
        if at < 0:
            del buffer[: max(0, len(buffer) - len(MARK) + 1)]
            return
        if len(buffer) - at < LONGEST_INDICATOR:
            del buffer[:at]
            return
        try:
            length = length_of(bytes(buffer[at : at + LONGEST_INDICATOR]))
        except MessageFaultError:
            at += 1
            continue
        if not LONGEST_INDICATOR <= length <= LONGEST_MESSAGE:
            at += 1
            continue
        if len(buffer) - at < length + len(MARK) and not is_last:
            del buffer[:at]
            return
        message = bytes(buffer[at : at + length])
        beyond = bytes(buffer[at + length : at + length + len(MARK)])
        if message.endswith(END) or (len(message) == length and beyond in (b"", MARK)):
            yield message
            at += length
        else:
            at += 1
