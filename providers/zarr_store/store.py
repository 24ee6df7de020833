"""One open Zarr store: what arrays and axes it has, and its chunks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

from aurora_prep.providers.packing import PACKING, SENTINELS, number_of, unpack
from aurora_prep.providers.zarr_store.address import StoreAddress
from aurora_prep.providers.zarr_store.chunks import Chunk, ChunkMemory, Piece
from aurora_prep.providers.zarr_store.partial import Part, Parts, Slabs
from aurora_prep.providers.zarr_store.shard_index import ShardIndex
from aurora_prep.sources.spec import AuroraPrepError, DecodeError, FetchError

METADATA = frozenset({".zmetadata", ".zgroup", ".zarray", ".zattrs", "zarr.json"})
# The attribute by which xarray names the dimensions of an array in Zarr format 2.
DIMENSIONS = "_ARRAY_DIMENSIONS"
FLOAT32_BYTES = 4
# A chunk larger than this is not decoded whole: one field of it at a time.
LARGEST = 2 * 2**30
HORIZONTAL = frozenset({"latitude", "lat", "longitude", "lon"})
AXES = 2  # rows and columns

Axis = NDArray[Any]


@dataclass(frozen=True, slots=True)
class StoreArray:
    """An array of a store.

    Attributes:
        name: Its name.
        dims: Names of its dimensions.
        shape: Its shape.
        chunks: Shape of a chunk.
        attributes: What the store says of it.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    attributes: Mapping[str, Any]


class _StrictStore(WrapperStore[Store]):
    """A store in which a chunk that is not there is an error, not a chunk of fill values.

    Attributes:
        may_lack: Names of arrays of which a chunk of fill values need not be stored.
    """

    may_lack: frozenset[str] = frozenset()

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The bytes of an object.

        Raises:
            FetchError: It is not there, or cannot be had.
        """
        try:
            found: Buffer | None = await self._store.get(key, prototype, byte_range)
        except Exception as error:
            raise FetchError(
                "the Zarr store does not answer",
                f"{self._store}, {key}",
                f"{type(error).__name__}: {error}",
                "try again later; look whether the bucket can be reached from this machine",
            ) from error
        is_needed = key.rsplit("/", 1)[-1] not in METADATA
        if found is None and is_needed and key.split("/", 1)[0] not in self.may_lack:
            raise FetchError(
                "a chunk is not in the Zarr store",
                f"{self._store}",
                key,
                "take another access for these times, or leave them out",
            )
        return found


class OpenStore:
    """A Zarr store with its metadata read; safe to use from several threads.

    Attributes:
        address: Where it is.
        attributes: What the store says of itself.
        arrays: Its arrays by name, axes included.
    """

    def __init__(self, address: StoreAddress, memory: ChunkMemory | None = None) -> None:
        self.address = address
        self._memory = memory or _memory()
        try:
            self._group = zarr.open_group(_StrictStore(address.open()), mode="r")
            members = dict(self._group.arrays())
        except AuroraPrepError:
            raise
        except Exception as error:
            raise FetchError(
                "there is no Zarr store",
                address.url,
                f"{type(error).__name__}: {error}",
                "look at the address, and whether it can be read without an account"
                if address.is_anonymous
                else "look at the address and at your rights to it",
            ) from error
        self.attributes: Mapping[str, Any] = MappingProxyType(dict(self._group.attrs))
        self.arrays: Mapping[str, StoreArray] = MappingProxyType(
            {name: _described(name, array) for name, array in members.items()}
        )
        self._members = members
        found = {
            name: ShardIndex.of(array, f"{address.url}, {name}") for name, array in members.items()
        }
        self._indices = {name: index for name, index in found.items() if index is not None}
        self._parts = Parts({name: self._slabs(name) for name in members})

    def axes(self) -> dict[str, Axis]:
        """Decoded coordinates of every dimension that has some: times, lead times, numbers.

        Raises:
            FetchError: One of them cannot be read.
            DecodeError: Its times make no sense.
        """
        import xarray as xr  # noqa: PLC0415  # slow to import, and plans need no axes

        named = [name for name, array in self.arrays.items() if array.dims == (name,)]
        # An axis that holds nothing but its fill value, such as one time of 0, is not stored.
        strict: Any = self._group.store
        strict.may_lack = frozenset(named)
        try:
            raw = {
                name: xr.Variable((name,), self._members[name][...], _plain(self.arrays[name]))
                for name in named
            }
            decoded = xr.decode_cf(xr.Dataset(coords=raw), decode_timedelta=True)
            return {name: _distinct(name, decoded[name].to_numpy()) for name in named}
        except AuroraPrepError:
            raise
        except Exception as error:
            raise DecodeError(
                "the axes of the Zarr store cannot be read",
                self.address.url,
                f"{type(error).__name__}: {error}",
                "look at the store; it cannot be used as it is",
            ) from error

    def piece(self, name: str, index: Sequence[int]) -> Piece:
        """The chunk, or the part of it, that is read for a field.

        Args:
            name: Name of the array.
            index: Position along every dimension but the horizontal ones.
        """
        return self._piece(name, index, self._parts.of(name, index))

    def _piece(self, name: str, index: Sequence[int], part: Part | None) -> Piece:
        if part is not None:
            return Piece(
                (str(self.address), name, part.chunk, part.positions),
                part.size,
                lambda: self._load_part(name, part),
            )
        window = self._window(self.arrays[name], index)
        shape = tuple(part.stop - part.start for part in window)
        starts = tuple(part.start for part in window)
        return Piece(
            (str(self.address), name, starts, shape),
            math.prod(shape) * FLOAT32_BYTES,
            lambda: self._load(name, window),
        )

    def expect(self, fields: Sequence[tuple[str, Sequence[int]]]) -> None:
        """Announce fields in the order in which they will be read.

        Of a large chunk of which only a few are announced, no others will be read.
        """
        self._parts.note(fields)
        pieces = {piece.key: piece for piece in (self.piece(*field) for field in fields)}
        self._memory.expect(tuple(pieces.values()))

    def read(self, name: str, index: Sequence[int]) -> Chunk:
        """One field, its dimensions in the order of the store.

        Args:
            name: Name of the array.
            index: Position along every dimension but the horizontal ones.

        Returns:
            Float32 of two dimensions, not to be written to; NaN where the store says missing.

        Raises:
            FetchError: Its chunk is not there, or cannot be had.
            DecodeError: Its chunk is damaged.
        """
        part = self._parts.of(name, index)
        chunk = self._memory.get(self._piece(name, index, part))
        if part is not None:
            return np.asarray(chunk[part.rank(index)])
        array, others = self.arrays[name], iter(index)
        inside = tuple(
            slice(None) if dim in HORIZONTAL else next(others) - along.start
            for dim, along in zip(array.dims, self._window(array, index), strict=True)
        )
        return np.asarray(chunk[inside])

    def _slabs(self, name: str) -> Slabs | None:
        """How to read an array in part, where that is possible."""
        array = self.arrays[name]
        horizontal = [dim in HORIZONTAL for dim in array.dims]
        is_last = all(horizontal[-AXES:]) and sum(horizontal) == AXES
        if not is_last:
            return None
        return Slabs.of(self._group.store, self._members[name])

    def _load_part(self, name: str, part: Part) -> Chunk:
        fields = part.slabs.load(part.chunk, part.positions)
        if fields is None:  # there are no blocks to choose from
            whole = self._load(name, self._window(self.arrays[name], part.start))
            return whole[part.slabs.within(part.positions)]
        values = _decoded(fields, self.arrays[name].attributes)
        values.flags.writeable = False
        return values

    @staticmethod
    def _window(array: StoreArray, index: Sequence[int]) -> tuple[slice, ...]:
        """What is read at once: the chunk along the outer dimensions, all of the globe."""
        whole, field = [], []
        others = iter(index)
        for dim, length, chunk in zip(array.dims, array.shape, array.chunks, strict=True):
            if dim in HORIZONTAL:
                whole.append(slice(0, length))
                field.append(slice(0, length))
                continue
            at = next(others)
            start = at // chunk * chunk
            whole.append(slice(start, min(start + chunk, length)))
            field.append(slice(at, at + 1))
        size = math.prod(part.stop - part.start for part in whole) * FLOAT32_BYTES
        return tuple(whole if size <= LARGEST else field)

    def _load(self, name: str, window: tuple[slice, ...]) -> Chunk:
        try:
            if (index := self._indices.get(name)) is not None:
                index.require(window)
            raw = np.asarray(self._members[name][window])
            values = _decoded(raw, self.arrays[name].attributes)
        except AuroraPrepError:
            raise
        except Exception as error:
            at = ".".join(str(part.start) for part in window)
            raise DecodeError(
                "a chunk of the Zarr store is damaged",
                f"{self.address.url}, {name} at {at}",
                f"{type(error).__name__}: {error}",
                "tell the store's owner; leave the frame out meanwhile",
            ) from error
        values.flags.writeable = False
        return values


@lru_cache(maxsize=16)
def open_store(text: str) -> OpenStore:
    """The store of an address, opened once in each process.

    Raises:
        FetchError: There is no store, or it does not answer.
    """
    return OpenStore(StoreAddress.parse(text))


@lru_cache(maxsize=1)
def _memory() -> ChunkMemory:
    """One memory for all stores of a process."""
    return ChunkMemory()


def _described(name: str, array: Any) -> StoreArray:
    attributes = dict(array.attrs)
    fill = array.fill_value
    if array.metadata.zarr_format == 2 and fill is not None and fill == fill:  # noqa: PLR0124, PLR2004  NaN is missing as it is
        # Where xarray keeps the value of what is missing in this format.
        attributes["_FillValue"] = fill
    for key in SENTINELS:
        if isinstance(attributes.get(key), str) and array.dtype.kind in "iuf":
            attributes[key] = _sentinel(name, attributes[key], key)
    dims = getattr(array.metadata, "dimension_names", None) or attributes.pop(DIMENSIONS, ())
    return StoreArray(
        name, tuple(map(str, dims)), array.shape, array.chunks, MappingProxyType(attributes)
    )


def _distinct(name: str, axis: Axis) -> Axis:
    """An axis, of which no value is there twice: what is not stored reads as fill values."""
    if np.unique(axis).size < axis.size:
        raise ValueError(f"axis {name} has a value twice: part of it may not be in the store")
    return axis


def _sentinel(name: str, text: str, key: str) -> float:
    try:
        return number_of(text, key)
    except ValueError as error:
        raise DecodeError(
            "an attribute of the Zarr store cannot be read",
            name,
            str(error),
            f"tell the store's owner: {key} must be a number, or one in base64 as xarray writes it",
        ) from error


def _plain(array: StoreArray) -> dict[str, Any]:
    return dict(array.attributes)


def _decoded(raw: NDArray[Any], attributes: Mapping[str, Any]) -> Chunk:
    """Values in float32: packed ones scaled in float64 and rounded once, missing ones NaN."""
    if raw.dtype == np.float32 and not PACKING & set(attributes):
        return raw
    return unpack(raw, attributes).astype(np.float32)
