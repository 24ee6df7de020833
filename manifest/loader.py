"""Samples as NumPy arrays."""

from aurora_prep.manifest.training.loader import Example, Loader
from aurora_prep.manifest.training.order import share

__all__ = ["Example", "Loader", "share"]
