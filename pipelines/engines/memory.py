"""Memory: how the C library treats what a process frees."""

from __future__ import annotations

import ctypes
import logging

LOGGER = logging.getLogger(__name__)

# From malloc.h of glibc.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8
KEPT_BYTES = 256 * 2**20
LARGEST_MMAP_THRESHOLD = 32 * 2**20


def tune_memory() -> None:
    """Keep freed memory in the process, where the C library is glibc.

    Fields of a few megabytes are allocated and freed all the time. By default
    each goes back to the kernel and returns as fresh pages, which costs more
    than the arithmetic on them.
    """
    try:
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
        library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        library.mallopt(M_TOP_PAD, KEPT_BYTES // 4)
        library.mallopt(M_ARENA_MAX, 1)  # the arenas of threads give memory back at 64 MB
    except (OSError, AttributeError):
        LOGGER.debug("the C library is not glibc: its allocator stays as it is")
