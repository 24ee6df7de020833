"""Chunks in memory: each is fetched once for all threads, and the next ones ahead of time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUDGET = 512 * 2**20
FETCHERS = 4
AHEAD = 3
# Used chunks that fetching ahead leaves alone: threads may still be busy with their fields.
IN_USE = 2
MOST_EXPECTED = 100_000

Chunk = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk that is wanted.

    Attributes:
        key: Stands for the chunk.
        size: Its bytes once decoded.
        load: Fetches and decodes it.
    """

    key: Hashable
    size: int
    load: Callable[[], Chunk] = field(compare=False)


@dataclass(slots=True)
class _Held:
    """A chunk that is here or on its way."""

    future: Future[Chunk]
    size: int
    used: bool = False


class ChunkMemory:
    """Decoded chunks, the latest used ones; safe to use from several threads.

    A chunk that is asked for is fetched whatever its size. Chunks that were
    announced are fetched ahead, as far as the budget goes.

    Args:
        budget: Bytes of decoded chunks to keep.
        fetchers: Chunks fetched at the same time.
        ahead: Announced chunks that are fetched while one is used.
    """

    def __init__(self, budget: int = BUDGET, fetchers: int = FETCHERS, ahead: int = AHEAD) -> None:
        self._budget, self._ahead = budget, ahead
        self._pool = ThreadPoolExecutor(fetchers, thread_name_prefix="chunk")
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, _Held] = OrderedDict()
        self._followers: OrderedDict[Hashable, tuple[Piece, ...]] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes held or on their way."""
        with self._lock:
            return self._size()

    def expect(self, pieces: Sequence[Piece]) -> None:
        """Announce chunks in the order in which they will be used; the first are fetched now."""
        with self._lock:
            for position, piece in enumerate(pieces):
                self._followers[piece.key] = tuple(
                    pieces[position + 1 : position + 1 + self._ahead]
                )
            while len(self._followers) > MOST_EXPECTED:
                self._followers.popitem(last=False)
            for piece in pieces[: self._ahead]:
                self._fetch_ahead(piece)

    def get(self, piece: Piece) -> Chunk:
        """The chunk, once it is here. Whoever wants one on its way waits for it.

        Raises:
            AuroraPrepError: It cannot be fetched or decoded. It is fetched anew when
                it is asked for again.
        """
        with self._lock:
            held = self._held.get(piece.key)
            if held is None:
                self._make_room(piece.size, keep=0)
                held = self._begin(piece)
            held.used = True
            self._held.move_to_end(piece.key)
            for follower in self._followers.pop(piece.key, ()):
                self._fetch_ahead(follower)
        try:
            return held.future.result()
        except BaseException:
            with self._lock:
                if self._held.get(piece.key) is held:
                    del self._held[piece.key]
            raise

    def _begin(self, piece: Piece) -> _Held:
        held = _Held(self._pool.submit(piece.load), piece.size)
        self._held[piece.key] = held
        return held

    def _fetch_ahead(self, piece: Piece) -> None:
        if piece.key not in self._held:
            self._make_room(piece.size, keep=IN_USE)
            if self._size() + piece.size <= self._budget:
                self._begin(piece)

    def _make_room(self, size: int, keep: int) -> None:
        """Let go of chunks that are done with, the longest unused first."""
        done = [(key, held) for key, held in self._held.items() if held.future.done()]
        used = [key for key, held in done if held.used]
        spare: list[Any] = used[: len(used) - keep] if keep else used
        if not keep:
            spare += [key for key, held in done if not held.used]
        for key in spare:
            if self._size() + size <= self._budget:
                return
            del self._held[key]

    def _size(self) -> int:
        return sum(held.size for held in self._held.values())
