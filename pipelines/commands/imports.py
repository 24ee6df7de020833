"""Importing Beam and the numerical libraries without the collector's detours."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def swiftly() -> Iterator[None]:
    """Import many modules in this block.

    Imports make hundreds of thousands of objects that live as long as the
    process; collecting among them takes a quarter of the time of importing
    Beam. They are frozen afterwards, so later collections skip them.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
