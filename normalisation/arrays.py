"""One formula for NumPy arrays, PyTorch tensors and xarray objects.

Formulas use the names that NumPy 2 and PyTorch share (the array API standard's,
mostly). PyTorch is looked up among the loaded modules, never imported.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def namespace(*arrays: Any) -> Any:
    """The module whose functions take these arrays: ``numpy``, ``torch`` or another's.

    Args:
        arrays: Arrays of one library, and Python numbers.
    """
    for array in arrays:
        if type(array).__module__.partition(".")[0] == "torch":
            return sys.modules["torch"]
        if hasattr(array, "__array_namespace__"):
            return array.__array_namespace__()
    return np


def elementwise(
    outputs: int = 1,
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Let an elementwise function of arrays take xarray objects too.

    Names, coordinates and attributes are kept, and lazy arrays stay lazy.

    Args:
        outputs: Number of arrays that the function returns.
    """

    def lift(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @functools.wraps(function)
        def lifted(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
            if not any(type(x).__module__.startswith("xarray.") for x in args):
                return function(*args, **options)
            import xarray as xr  # noqa: PLC0415  loaded already: an argument is of it

            result: Result = xr.apply_ufunc(
                function,
                *args,
                kwargs=options,
                output_core_dims=[[]] * outputs,
                keep_attrs=True,
                dask="parallelized",
            )
            return result

        return lifted

    return lift
