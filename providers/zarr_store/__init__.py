"""Zarr stores on buckets and in folders: opened once, read a chunk at a time, remembered."""

from aurora_prep.providers.zarr_store.address import StoreAddress
from aurora_prep.providers.zarr_store.chunks import ChunkMemory, Piece
from aurora_prep.providers.zarr_store.store import Axis, OpenStore, StoreArray, open_store

__all__ = [
    "Axis",
    "ChunkMemory",
    "OpenStore",
    "Piece",
    "StoreAddress",
    "StoreArray",
    "open_store",
]
