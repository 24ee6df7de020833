"""A cache that knows the future: what is needed last goes first."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Generic, TypeVar

from aurora_prep.manifest.training.order import NEVER

V = TypeVar("V")


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V
    size: int
    next_use: int


class Cache(Generic[V]):
    """Values by number, within a budget of bytes.

    The order of samples is known, so the next use of every value is too. Whenever room is
    needed, the value whose next use is farthest away goes.

    Source:
        Belady 1966, "A study of replacement algorithms for a virtual-storage computer".
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._held = 0
        self._entries: dict[int, _Entry[V]] = {}
        self._farthest: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def use(self, key: int, next_use: int) -> V | None:
        """The value, kept until its next use; ``None`` if it is not here."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if next_use == NEVER:
            self._drop(key)
        else:
            entry.next_use = next_use
            heapq.heappush(self._farthest, (-next_use, key))
        return entry.value

    def admit(self, size: int, next_use: int) -> bool:
        """Whether a value deserves its place; makes room for it if so."""
        if next_use == NEVER or size > self._budget:
            return False
        while self._held + size > self._budget:
            last, key = self._farthest[0]
            entry = self._entries.get(key)
            if entry is None or entry.next_use != -last:
                heapq.heappop(self._farthest)
            elif entry.next_use <= next_use:
                return False
            else:
                self._drop(key)
        return True

    def put(self, key: int, value: V, size: int, next_use: int) -> None:
        """Keep a value that was admitted."""
        self._entries[key] = _Entry(value, size, next_use)
        self._held += size
        heapq.heappush(self._farthest, (-next_use, key))

    def _drop(self, key: int) -> None:
        self._held -= self._entries.pop(key).size
