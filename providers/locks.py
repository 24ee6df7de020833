"""Locks between threads and processes that a crash cannot leave behind."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FIRST_WAIT_SECONDS = 0.01
LONGEST_WAIT_SECONDS = 0.5
HELD: set[Path] = set()


@contextmanager
def locked(path: Path, *, waiting: Callable[[float], object] = time.sleep) -> Iterator[None]:
    """Hold an exclusive lock on a file for the length of a ``with`` block.

    The kernel owns the lock (``flock``): when its holder dies, however it
    dies, the next waiter gets it. The file is removed at the end; a waiter
    that locked a removed file notices and tries again.

    Args:
        path: The lock file, in an existing folder.
        waiting: Called with seconds between attempts; it may raise to give up.
    """
    descriptor = _acquire(path, waiting)
    HELD.add(path)
    try:
        yield
    finally:
        HELD.discard(path)
        path.unlink(missing_ok=True)
        os.close(descriptor)


def forget() -> None:
    """Remove the files of all locks that this process holds: it is about to end."""
    for path in tuple(HELD):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _acquire(path: Path, waiting: Callable[[float], object]) -> int:
    wait = FIRST_WAIT_SECONDS
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            waiting(wait)
            wait = min(wait * 1.5, LONGEST_WAIT_SECONDS)
            continue
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the path still names the open file."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))
