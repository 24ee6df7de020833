"""A call to the object store and its reply, free of sockets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aurora_prep.providers.embedded.gcs.objects import Objects

RANGE = re.compile(r"bytes=(\d*)-(\d*)")
PIECE = 64 << 20
JSON = "application/json; charset=UTF-8"
REASONS = {
    304: "notModified",
    308: "resumeIncomplete",
    400: "invalid",
    401: "required",
    403: "forbidden",
    404: "notFound",
    405: "methodNotAllowed",
    409: "conflict",
    410: "gone",
    412: "conditionNotMet",
    416: "requestedRangeNotSatisfiable",
    429: "rateLimitExceeded",
    500: "backendError",
    503: "backendError",
}


class RefusedError(Exception):
    """The store refuses a call: an HTTP status and a text."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, text)
        self.status, self.text, self.headers = status, text, dict(headers or {})


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks.

    Attributes:
        method: HTTP method.
        path: Path without the query, still percent-encoded.
        query: First value of every query parameter.
        headers: Headers, names in lower case.
        content: The body.
        base: Address of the server, to build links from.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes
    base: str

    @classmethod
    def of(
        cls, method: str, target: str, headers: Mapping[str, str], content: bytes, base: str
    ) -> Call:
        """Read a call."""
        parts = urlsplit(target)
        query: dict[str, str] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            query.setdefault(name, value)
        lower = {name.lower(): value for name, value in headers.items()}
        return cls(method, parts.path, query, lower, content, base)

    @property
    def reads(self) -> bool:
        """Whether the bytes of an object are asked for."""
        if self.method != "GET":
            return False
        own = self.path.startswith(("/storage/", "/upload/", "/batch/"))
        return self.query.get("alt") == "media" or not own

    def json(self) -> dict[str, Any]:
        """The JSON body; empty without one.

        Raises:
            RefusedError: The body is no JSON object.
        """
        try:
            found = json.loads(self.content) if self.content.strip() else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise RefusedError(400, "Parse Error")
        return found


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of an object to send."""

    objects: Objects
    name: str
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def pieces(self) -> Iterator[bytes]:
        """The bytes, not too many at once."""
        for start in range(self.start, self.stop, PIECE):
            yield self.objects.read(self.name, start, min(start + PIECE, self.stop))


@dataclass(frozen=True, slots=True)
class Reply:
    """What the store answers: bytes, or the bytes of an object."""

    status: int
    body: bytes | Span = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def told(content: Mapping[str, Any], status: int = 200, **headers: str) -> Reply:
    """A JSON reply."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(content).encode(), {"Content-Type": JSON, **named})


def refused(error: RefusedError) -> Reply:
    """The reply to a refused call, in the words of the JSON API."""
    reason = REASONS.get(error.status, "invalid")
    what = {"message": error.text, "domain": "global", "reason": reason}
    body = {"error": {"code": error.status, "message": error.text, "errors": [what]}}
    content = b"" if error.status in (304, 308) else json.dumps(body).encode()
    return Reply(error.status, content, {"Content-Type": JSON, **error.headers})


def span_of(asked: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last that a ``Range`` header means.

    Returns:
        ``None`` where the whole object is to be sent: no header, or one that
        HTTP tells to ignore.

    Raises:
        RefusedError: No byte of the object is meant: 416.
    """
    match = RANGE.fullmatch((asked or "").strip())
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    if first:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
    else:
        start, stop = max(0, size - int(last)), size
    if start >= stop:
        raise RefusedError(
            416, "Requested range not satisfiable", {"Content-Range": f"bytes */{size}"}
        )
    return start, stop
