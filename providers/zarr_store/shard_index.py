"""Which chunks a shard of Zarr 3 has: the library reads one that is not there as fill values.

Source of the layout: the Zarr 3 sharding codec, binary shard format.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarr.abc.store import RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from aurora_prep.sources.spec import DecodeError, FetchError

ABSENT = 2**64 - 1
ENTRY = 16  # bytes: where a chunk begins and how long it is
CHECKSUM = 4
MOST_KEPT = 1024
SHARDING = "sharding_indexed"


class ShardIndex:
    """The indices of an array's shards; safe to use from several threads.

    Args:
        array: An array whose chunks lie in shards.
        where: The place to name in errors.
    """

    def __init__(self, array: Any, where: str) -> None:
        self._array, self._where = array, where
        self._codec = array.metadata.codecs[0]
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, ...], NDArray[np.bool_]] = OrderedDict()
        self._per_shard = tuple(
            outer // inner for outer, inner in zip(array.shards, array.chunks, strict=True)
        )

    @classmethod
    def of(cls, array: Any, where: str) -> ShardIndex | None:
        """The indices of an array; ``None`` of one that has no shards.

        Raises:
            DecodeError: Its shards are laid out so that it cannot be told what they lack.
        """
        if array.metadata.zarr_format == 2:  # noqa: PLR2004  the format's number
            return None
        codecs = [codec.to_dict() for codec in array.metadata.codecs]
        named = [codec.get("name") for codec in codecs]
        if SHARDING not in named:
            return None
        configuration = codecs[0].get("configuration", {}) if named == [SHARDING] else {}
        inner = [_name(codec) for codec in configuration.get("codecs", ())]
        index = [_name(codec) for codec in configuration.get("index_codecs", ())]
        if (
            named != [SHARDING]
            or SHARDING in inner
            or index not in (["bytes"], ["bytes", "crc32c"])
        ):
            raise DecodeError(
                "shards of the Zarr store are laid out in a way that is not read",
                where,
                f"codecs {named}, in a shard {inner}, of its index {index}",
                "write the array anew with one sharding codec and its usual index",
            )
        return cls(array, where)

    def require(self, window: Sequence[slice]) -> None:
        """Every chunk of a window must be there.

        Raises:
            FetchError: A chunk is not in its shard, or the shard is not there.
        """
        ranges = [
            range(part.start // size, -(-part.stop // size))
            for part, size in zip(window, self._array.chunks, strict=True)
        ]
        for chunk in itertools.product(*ranges):
            shard = tuple(at // n for at, n in zip(chunk, self._per_shard, strict=True))
            inside = tuple(at % n for at, n in zip(chunk, self._per_shard, strict=True))
            if not self._present(shard)[inside]:
                raise FetchError(
                    "a chunk is not in the Zarr store",
                    self._where,
                    f"chunk {'.'.join(map(str, chunk))}, of shard {self._key(shard)}",
                    "take another access for these times, or leave them out",
                )

    def _key(self, shard: tuple[int, ...]) -> str:
        return f"{self._array.path}/{self._array.metadata.encode_chunk_key(shard)}".lstrip("/")

    def _present(self, shard: tuple[int, ...]) -> NDArray[np.bool_]:
        with self._lock:
            if shard in self._kept:
                self._kept.move_to_end(shard)
                return self._kept[shard]
        found = self._read(shard)
        with self._lock:
            self._kept[shard] = found
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found

    def _read(self, shard: tuple[int, ...]) -> NDArray[np.bool_]:
        codecs = self._codec.to_dict()["configuration"]
        has_checksum = len(list(codecs["index_codecs"])) > 1
        size = ENTRY * math.prod(self._per_shard) + CHECKSUM * has_checksum
        is_first = str(getattr(self._codec.index_location, "value", "")) == "start"
        part = RangeByteRequest(0, size) if is_first else SuffixByteRequest(size)
        store, key = self._array.store, self._key(shard)
        content = sync(store.get(key, default_buffer_prototype(), part))
        data = b"" if content is None else content.to_bytes()
        if len(data) != size:
            raise DecodeError(
                "a shard of the Zarr store is damaged",
                self._where,
                f"{key}: {len(data)} bytes of an index of {size}",
                "tell the store's owner; leave the frames of the shard out meanwhile",
            )
        order = ">" if "big" in str(_endian(codecs["index_codecs"])) else "<"
        table = np.frombuffer(data, f"{order}u8", 2 * math.prod(self._per_shard))
        offsets = table.reshape(*self._per_shard, 2)
        found: NDArray[np.bool_] = (offsets != ABSENT).any(axis=-1)
        return found


def _name(codec: Any) -> str:
    return str((codec if isinstance(codec, dict) else codec.to_dict()).get("name"))


def _endian(codecs: Any) -> Any:
    first = next(iter(codecs))
    plain = first if isinstance(first, dict) else first.to_dict()
    return plain.get("configuration", {}).get("endian", "little")
