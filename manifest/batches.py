"""Samples as ``aurora.Batch``; needs the extra ``[torch]``."""

from aurora_prep.manifest.training.batches import BatchDataset, TrainingBatch
from aurora_prep.manifest.training.names import Names

__all__ = ["BatchDataset", "Names", "TrainingBatch"]
