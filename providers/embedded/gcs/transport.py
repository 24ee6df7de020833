"""HTTP/1.1 on loopback for the object store, and the faults of a network."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from aurora_prep.providers.embedded.gcs.faults import GcsFaults
from aurora_prep.providers.embedded.gcs.wire import Call, RefusedError, Reply, Span, refused
from aurora_prep.providers.embedded.transport import Listener, QuietHandler

WHOLE, PARTIAL = 200, 206


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call and its answer.

    Attributes:
        method: HTTP method.
        path: Path without the query, percent-encoded.
        query: The query.
        status: HTTP status of the answer; 0 where none was given.
        sent: Bytes of the body that were sent.
        fault: The fault that struck, if one did.
        authorised: Whether the call carried credentials.
    """

    method: str
    path: str
    query: str
    status: int
    sent: int
    fault: str | None
    authorised: bool


class Store(Protocol):
    """Who knows the answers."""

    faults: GcsFaults

    def answer(self, call: Call) -> Reply:
        """The reply to a call."""

    def remember(self, exchange: Exchange) -> None:
        """Told about every call and its answer."""


class GcsListener(Listener):
    """Listens for a store."""

    def __init__(self, address: tuple[str, int], store: Store) -> None:
        self.store = store
        super().__init__(address, store)  # type: ignore[arg-type]  # the handler below asks store
        self.RequestHandlerClass = GcsHandler


class GcsHandler(QuietHandler):
    """Answers one connection."""

    server: GcsListener

    def do_GET(self) -> None:  # noqa: N802  # the base class looks for this name
        """Answer any method."""
        base = f"http://{self.headers.get('Host') or 'localhost'}"
        call = Call.of(self.command, self.path, dict(self.headers), self._content(), base)
        store = self.server.store
        fault = store.faults.strike(read=call.reads)
        reply = None if fault == "reset" else _instead(fault) or store.answer(call)
        if reply is None or fault == "lost_reply":
            self._remember(0, 0, fault)
            self._hang_up()
        else:
            self._send(reply, fault)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  # the base class's naming

    def _content(self) -> bytes:
        """The body, whether its length is told or it comes in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _send(self, reply: Reply, fault: str | None) -> None:
        body, headers = reply.body, dict(reply.headers)
        pieces = body.pieces() if isinstance(body, Span) else iter((body,))
        length = len(body)
        if fault == "short" and length > 1 and reply.status in (WHOLE, PARTIAL):
            length = len(body) // 2
            if isinstance(body, Span) and reply.status == PARTIAL:
                total = headers["Content-Range"].rpartition("/")[2]
                stop = body.start + length - 1
                headers["Content-Range"] = f"bytes {body.start}-{stop}/{total}"
        told = length
        if fault == "cut":
            length //= 2
        if self.command == "HEAD":
            length = 0
        self._remember(reply.status, length, fault)
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(told))
        self.end_headers()
        left = length
        while left:
            piece = next(pieces)[:left]
            if fault == "corrupt" and left == length:
                piece = piece[:-1] + bytes([piece[-1] ^ 1])
            self.wfile.write(piece)
            left -= len(piece)
        if fault == "cut":
            self._hang_up()

    def _hang_up(self) -> None:
        """End the connection without a word."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _remember(self, status: int, sent: int, fault: str | None) -> None:
        path, _, query = self.path.partition("?")
        authorised = "Authorization" in self.headers
        self.server.store.remember(
            Exchange(self.command, path, query, status, sent, fault, authorised)
        )


def _instead(fault: str | None) -> Reply | None:
    """What a fault answers before the store is asked."""
    if fault == "busy":
        return refused(RefusedError(503, "We encountered an internal error. Please try again."))
    if fault == "too_many_requests":
        text = "The rate of requests is too high. Please reduce it."
        return refused(RefusedError(429, text, {"Retry-After": "1"}))
    if fault == "missing":
        return refused(RefusedError(404, "No such object"))
    if fault == "unsatisfiable":
        return refused(RefusedError(416, "Requested range not satisfiable"))
    return None
