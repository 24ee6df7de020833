"""Compilation with numba where it is installed, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function", bound=Callable[..., object])

try:
    import numba
except ImportError:
    numba = None  # type: ignore[assignment,unused-ignore]

HAVE_NUMBA = numba is not None


def compiled(function: Function) -> Function:
    """Machine code that releases the GIL, kept on disk between runs.

    Without numba the function stays what it is; callers then take the NumPy
    form of the same operation.
    """
    if numba is None:
        return function
    return cast("Function", numba.njit(nogil=True, cache=True)(function))
