"""Training samples: which complete (history, target) tuples a dataset holds."""

from aurora_prep.manifest.training.find import samples_of
from aurora_prep.manifest.training.order import share
from aurora_prep.manifest.training.samples import Sample, Samples
from aurora_prep.manifest.training.window import Window

__all__ = ["Sample", "Samples", "Window", "samples_of", "share"]
