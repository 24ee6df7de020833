"""A call to the store and its reply, free of sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aurora_prep.providers.embedded.asset import Asset, Virtual
from aurora_prep.providers.embedded.selection import RefusedError


@dataclass(frozen=True, slots=True)
class Reply:
    """What the store answers: a JSON body, a file, a page for people, or nothing.

    Attributes:
        status: HTTP status.
        body: JSON body.
        headers: Further HTTP headers.
        asset: A file in place of a body.
        page: HTML in place of a body.
        lost: Whether the connection ends before the answer.
        content: Plain bytes in place of a body.
    """

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    asset: Asset | Virtual | None = None
    page: str | None = None
    lost: bool = False
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks.

    Attributes:
        method: HTTP method.
        path: Path without the query.
        query: First value of every query parameter.
        queries: All values of every query parameter.
        key: The ``PRIVATE-TOKEN`` or ``X-ECMWF-KEY`` header, if there was one.
        body: The JSON body, ``None`` without one.
        base: Address of the server, to build links from.
    """

    method: str
    path: str
    query: Mapping[str, str]
    key: str | None = field(repr=False)
    body: Any
    base: str
    queries: Mapping[str, list[str]] = field(default_factory=dict)

    def all(self, name: str) -> list[str]:
        """All values of a query parameter."""
        return list(self.queries.get(name, ()))

    @classmethod
    def of(cls, method: str, target: str, key: str | None, content: bytes, base: str) -> Call:
        """Read a call.

        Raises:
            RefusedError: The body is not JSON.
        """
        path, _, query = target.partition("?")
        try:
            body = json.loads(content) if content else None
        except ValueError:
            raise RefusedError(422, "invalid parameter", "the body is not JSON") from None
        queries = parse_qs(query)
        values = {name: items[0] for name, items in queries.items()}
        return cls(method, path, values, key, body, base, queries)
