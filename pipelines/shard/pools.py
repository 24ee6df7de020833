"""Thread pools of a worker; the code that starts one also ends it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

WRITERS = 4


class Pools:
    """Threads that compute fields, and threads that wait for the disk or the network.

    Whoever makes one closes it, after the last shard is published.

    Args:
        threads: Threads that compute; 0 means one for each processor.

    Attributes:
        threads: Threads that compute.
        compute: They.
        writers: Threads that write, so that those that compute do not wait.
    """

    def __init__(self, threads: int = 0) -> None:
        self.threads = threads or _processors()
        self.compute = ThreadPoolExecutor(self.threads, thread_name_prefix="shard")
        self.writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="write")

    def close(self) -> None:
        """End the threads, once they have done what they were given; twice does no harm."""
        self.compute.shutdown()
        self.writers.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
