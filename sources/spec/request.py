"""What is asked of a provider: a plain body with a stable digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Body = dict[str, str | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to a provider, and the part of the frames it brings.

    Attributes:
        source: Name of the source.
        access: Name of the access, which names the client.
        dataset: The provider's collection.
        body: Request keys and values, exactly as the client sends them.
        times: Valid times the answer must hold, increasing; for forecasts,
            init times.
        fields: ``(path, level)`` of every field the answer must hold at each
            time; the level is ``None`` where there is none.
        lead_times: Lead times the answer must hold of each init time.
        members: Members the answer must hold; empty where it holds all that were planned.
        mirrors: Addresses that have the same, tried in this order; they do not decide the
            answer, so they may change.
        synthetic: Whether the embedded provider answers, so that its files
            never meet those of a real one in a cache.
        addresses: Where a file of a tree is asked for, the best first; it does not
            decide the answer.
        server: Address of who is asked, where that is not the well-known one.
        digest: SHA-256 of what decides the answer, in hexadecimal.
    """

    source: str
    access: str
    dataset: str
    body: Body
    times: tuple[datetime, ...]
    fields: tuple[tuple[str, int | None], ...]
    lead_times: tuple[timedelta, ...] = (timedelta(0),)
    members: tuple[int, ...] = ()
    mirrors: tuple[str, ...] = ()
    synthetic: bool = False
    addresses: tuple[str, ...] = ()
    server: str = ""
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        decisive: list[Any] = [self.access, self.dataset, self.body, self.synthetic]
        if self.server:  # left out, so that answers of the well-known servers keep their names
            decisive.append(self.server)
        object.__setattr__(self, "digest", digest_of(decisive))


def digest_of(value: Any) -> str:
    """SHA-256 of a JSON value, the same on every machine and for any key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
