"""HTTP/1.1 on loopback: connections, ranges, and the faults of a network."""

from __future__ import annotations

import json
import logging
import re
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from aurora_prep.providers.embedded.asset import Asset, Virtual
from aurora_prep.providers.embedded.call import Reply
from aurora_prep.providers.embedded.faults import Faults

LOGGER = logging.getLogger(__name__)

SERVER = "aurora-prep-embedded"
NO_CONTENT = 204
# Where the data store, the archive and the trees keep their files.
FILES = ("/cache/", "/v1/results/", "/files/", "/hosts/")
RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call and its answer.

    Attributes:
        method: HTTP method.
        path: Path without the query.
        status: HTTP status of the answer; 0 where none was given.
        sent: Bytes of the body that were sent.
        start: First byte sent of a file: not 0 when a download was resumed.
    """

    method: str
    path: str
    status: int
    sent: int = 0
    start: int = 0

    @property
    def is_download(self) -> bool:
        """Whether a file was asked for, not just looked at."""
        return self.method == "GET" and self.path.startswith(FILES)

    @property
    def is_submission(self) -> bool:
        """Whether a job was submitted."""
        return self.method == "POST" and self.path.endswith(("/execution", "/mars/requests"))


class Answerer(Protocol):
    """Who knows the answers."""

    faults: Faults

    def hangs(self, path: str) -> bool:
        """Whether the call is to go without an answer; may take its time."""

    def answer(self, method: str, target: str, key: str | None, content: bytes) -> Reply:
        """The reply to one HTTP request."""

    def remember(self, exchange: Exchange) -> None:
        """Told about every call and its answer."""


class Listener(ThreadingHTTPServer):
    """Knows its open connections, so that closing does not wait for idle ones."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], answerer: Answerer) -> None:
        self.answerer = answerer
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """As in the base class, and note the connection."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """As in the base class, and forget the connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End every open connection."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError as error:
                    LOGGER.debug("connection already ended: %s", error)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log instead of writing to the terminal."""
        LOGGER.debug("connection %s of %s: %s", request, client_address, sys.exception())


class QuietHandler(BaseHTTPRequestHandler):
    """HTTP/1.1 for one connection, which tells the log what it does, and no secret."""

    protocol_version = "HTTP/1.1"
    server_version = SERVER
    sys_version = ""
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        """As in the base class; a client that goes away is no error."""
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def version_string(self) -> str:
        """The ``Server`` header."""
        return self.server_version

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Log the request line, never a header: keys and tokens travel in headers."""
        LOGGER.debug(format, *args)


class Handler(QuietHandler):
    """Answers one connection."""

    server: Listener

    def do_GET(self) -> None:
        """Answer any method."""
        self._serve()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  # the base class's naming

    def _serve(self) -> None:
        answerer, path = self.server.answerer, self.path.partition("?")[0]
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if answerer.hangs(path):
            answerer.remember(Exchange(self.command, path, 0))
            self.close_connection = True
            return
        key = self.headers.get("PRIVATE-TOKEN") or self.headers.get("X-ECMWF-KEY")
        key = key or self.headers.get("Authorization", "").removeprefix("Bearer ") or None
        reply = answerer.answer(self.command, self.path, key, content)
        if reply.lost:
            answerer.remember(Exchange(self.command, path, 0))
            self.close_connection = True
        elif reply.asset is None:
            media, body = _content(reply)
            # Noted first: who has the answer may look at the record at once.
            answerer.remember(Exchange(self.command, path, reply.status, len(body)))
            self._head(reply.status, media, len(body), reply.headers)
            if self.command != "HEAD":
                self.wfile.write(body)
        else:
            self._send_file(answerer, path, reply.asset)

    def _head(self, status: int, media: str, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_file(self, answerer: Answerer, path: str, asset: Asset | Virtual) -> None:
        """A file or the part of it that is asked for."""
        headers = {"Accept-Ranges": "bytes", "ETag": f'"{asset.checksum}"'}
        # A part is of use only to who holds the rest of the same file.
        same = self.headers.get("If-Range") in (None, headers["ETag"])
        span = _span(self.headers.get("Range") if same else None, asset.size)
        if span is None:
            headers["Content-Range"] = f"bytes */{asset.size}"
            answerer.remember(Exchange(self.command, path, 416))
            self._head(416, asset.media, 0, headers)
            return
        start, stop = span
        status, length = 200, stop - start
        if length != asset.size:
            status = 206
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{asset.size}"
        cut = self.command == "GET" and answerer.faults.take("cut")
        given = 0 if self.command == "HEAD" else length // 2 if cut else length
        answerer.remember(Exchange(self.command, path, status, given, start))
        if isinstance(asset, Virtual):
            content = asset.read(start, start + given)
            self._head(status, asset.media, length, headers)
            self.wfile.write(content)
            self.close_connection = self.close_connection or cut
            return
        with asset.path.open("rb") as file:
            self._head(status, asset.media, length, headers)
            if given:
                self.wfile.flush()
                self.connection.sendfile(file, start, given)
        self.close_connection = self.close_connection or cut


def _content(reply: Reply) -> tuple[str, bytes]:
    """Media type and bytes of an answer that is no file."""
    if reply.content is not None:
        return "application/octet-stream", reply.content
    if reply.page is not None:
        return "text/html", reply.page.encode()
    if reply.status == NO_CONTENT:
        return "application/json", b""
    return "application/json", json.dumps(reply.body, separators=(",", ":")).encode()


def _span(asked: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; ``None`` where the file has no such part.

    Several ranges at once, or another unit, are answered with the whole file,
    which HTTP allows.
    """
    match = RANGE.fullmatch(asked or "")
    if match is None or match[0] == "bytes=-":
        return 0, size
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    start, stop = int(first), min(size, int(last) + 1 if last else size)
    return (start, stop) if start < stop else None
