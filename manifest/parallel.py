"""A thread pool that keeps order and bounds how far it runs ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 8
In = TypeVar("In")
Out = TypeVar("Out")


def ordered(
    work: Callable[[In], Out], items: Iterable[In], *, threads: int = THREADS, ahead: int = 64
) -> Iterator[Out]:
    """Results of ``work`` in the order of ``items``, at most ``ahead`` of them in memory."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Out]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
