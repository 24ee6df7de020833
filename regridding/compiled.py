"""Compilation of this layer's kernels."""

from aurora_prep.compiled import HAVE_NUMBA, compiled

__all__ = ["HAVE_NUMBA", "compiled"]
