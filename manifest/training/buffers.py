"""Arrays whose memory is used again when they are released: fresh pages are slow to get."""

from __future__ import annotations

import ctypes
import math
import weakref
from collections import defaultdict, deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


class Buffers:
    """Hands out float32 arrays, and takes their memory back when they are gone.

    An array may be kept as long as wanted, by views or by tensors that share its memory.
    At most what was out at one time is kept for use again, for each size.
    """

    def __init__(self) -> None:
        self._free: defaultdict[int, deque[NDArray[np.float32]]] = defaultdict(deque)

    def take(self, shape: tuple[int, ...]) -> Field:
        """An array whose values are whatever was there."""
        size = math.prod(shape)
        free = self._free[size]
        try:
            memory = free.pop()
        except IndexError:
            memory = np.empty(size, np.float32)
        # All views of this object lead back to it: it ends when the last of them does.
        lease: Any = (ctypes.c_char * memory.nbytes).from_buffer(memory.data)
        weakref.finalize(lease, free.append, memory).atexit = False
        values: Field = np.frombuffer(lease, np.float32, size).reshape(shape)
        return values
