"""Names of the files of a dataset: those of ``manifest.layout``, which the manifest shares."""

from aurora_prep.manifest.layout import (
    CLAIM,
    COLLECTION,
    DATASET,
    INDEX,
    INPUTS,
    STATISTICS,
    ZARR_METADATA,
    pair,
    static_store,
    statistics,
    store,
    table,
)

__all__ = [
    "BEGUN",
    "COLLECTION",
    "DATASET",
    "INDEX",
    "INPUTS",
    "STATISTICS",
    "ZARR_METADATA",
    "pair",
    "static_store",
    "statistics",
    "store",
    "table",
]

BEGUN = CLAIM
