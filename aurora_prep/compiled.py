"""Compilation with numba where it is installed; machine code is kept on disk where it can be.

What is kept only saves the time of compiling. A folder that cannot be written, a full disk
or a damaged file there costs that time again, and nothing else.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function", bound=Callable[..., object])

try:
    import numba
except ImportError:
    numba = None  # type: ignore[assignment,unused-ignore]

HAVE_NUMBA = numba is not None
LOGGER = logging.getLogger(__name__)


def compiled(function: Function, *, fastmath: set[str] | bool = False) -> Function:
    """Machine code that releases the GIL.

    Without numba the function stays what it is; callers then take the NumPy form of the
    same operation.

    Args:
        function: What to compile, at its first call for each kind of arguments.
        fastmath: The liberties with floating point that the compiler may take.
    """
    if numba is None:
        return function
    dispatcher: Any = numba.njit(nogil=True, fastmath=fastmath)(function)
    try:
        dispatcher.enable_caching()
    except (RuntimeError, OSError) as error:  # no folder that could keep it
        LOGGER.info("%s is compiled anew in each process: %s", function.__name__, error)
    else:
        dispatcher._cache = Kept(dispatcher._cache)  # noqa: SLF001  # numba has no public way
    return cast("Function", dispatcher)


class Kept:
    """numba's own cache of a function, of which no failure comes through."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Machine code that was kept; ``None`` where there is none that can be used."""
        try:
            return self._cache.load_overload(signature, target)
        except Exception as error:  # noqa: BLE001  # pickle's errors, numba's, the disk's
            LOGGER.info("kept machine code is not used: %s: %s", type(error).__name__, error)
            with suppress(Exception):
                self._cache.flush()
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep machine code, if the disk lets us."""
        try:
            self._cache.save_overload(signature, result)
        except Exception as error:  # noqa: BLE001  # the same
            LOGGER.info("machine code is not kept: %s: %s", type(error).__name__, error)
