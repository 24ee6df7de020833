"""A bucket of virtual stores: objects are made when they are read, and soon forgotten."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from datetime import datetime
from types import MappingProxyType

import google_crc32c
import numpy as np
from numcodecs import Blosc

from aurora_prep.providers.embedded.faults import Faults
from aurora_prep.providers.embedded.gcs.objects import ReadOnly, Stat
from aurora_prep.providers.embedded.weatherbench import VirtualStore

KEPT = 2**30  # three chunks of an ensemble
WRITTEN = datetime(2024, 1, 1)
NAN_EVERY = 1009  # one point in so many is missing where the fault strikes
NOTHING: Mapping[str, str] = MappingProxyType({})

MISSING, CORRUPT, NAN = "missing_chunk", "corrupt_chunk", "nan_points"
EMPTY = "nan_chunk"


class VirtualBucket(ReadOnly):
    """The stores of one bucket, for the embedded object store.

    Args:
        stores: Virtual stores by their paths in the bucket.
        faults: Of the embedded provider: ``missing_chunk``, ``corrupt_chunk``,
            ``nan_chunk`` and ``nan_points`` strike chunks of variables as they are
            first read, ``attribute_ahead`` the description of a store.
        spoilt: The fault of single objects, by name.
        kept: Bytes of objects to keep.
    """

    def __init__(
        self,
        stores: Mapping[str, VirtualStore],
        faults: Faults | None = None,
        spoilt: Mapping[str, str] = NOTHING,
        kept: int = KEPT,
    ) -> None:
        self._stores = dict(sorted(stores.items(), key=lambda item: item[0].encode()))
        self._faults, self._kept = faults or Faults(), kept
        self._spoilt = dict(spoilt)
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Future[bytes | None]] = OrderedDict()

    def names(self, prefix: str, start: str) -> Iterator[str]:
        """Names that begin with ``prefix`` and are not less than ``start``, ascending."""
        for path, store in self._stores.items():
            if path.startswith(prefix) or prefix.startswith(f"{path}/"):
                yield from (
                    name for name in _all(path, store) if name.startswith(prefix) and name >= start
                )

    def stat(self, name: str) -> Stat | None:
        """The current version of an object, ``None`` where there is none; makes it."""
        content = self._content(name)
        if content is None:
            return None
        return Stat(
            size=len(content),
            generation=1,
            updated=WRITTEN,
            crc32c=int(google_crc32c.value(content)),
        )

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Bytes ``start`` to ``stop``, the latter excluded."""
        content = self._content(name)
        if content is None:
            raise FileNotFoundError(name)
        return content[start:stop]

    def _content(self, name: str) -> bytes | None:
        """An object, made once for all that ask at the same time."""
        with self._lock:
            future = self._held.get(name)
            is_mine = future is None
            if future is None:
                future = self._held[name] = Future()
            self._held.move_to_end(name)
        if is_mine:
            try:
                future.set_result(self._make(name))
            except BaseException as error:
                future.set_exception(error)
                with self._lock:
                    del self._held[name]
                raise
            self._forget()
        return future.result()

    def _make(self, name: str) -> bytes | None:
        for path, store in self._stores.items():
            if not name.startswith(f"{path}/"):
                continue
            inside = name.removeprefix(f"{path}/")
            make = store.find(inside)
            if make is None:
                return None
            array = store.arrays.get(inside.partition("/")[0])
            if inside in (".zattrs", ".zmetadata") and self._faults.take("attribute_ahead"):
                return store.ahead(make())
            if inside in store.metadata or array is None or array.native is None:
                return make()
            fault = self._fault(name, array.native.variable.path)
            return None if fault == MISSING else _spoil(make(), fault)
        return None

    def _fault(self, name: str, path: str) -> str | None:
        """The fault that strikes a chunk, if one does, and from then on whenever it is read."""
        with self._lock:
            if name not in self._spoilt:
                possible = (MISSING, CORRUPT, EMPTY, *((NAN,) if path == "atmospheric/z" else ()))
                struck = [fault for fault in possible if self._faults.take(fault)]
                self._spoilt |= {name: struck[0]} if struck else {}
            return self._spoilt.get(name)

    def _forget(self) -> None:
        """Keep the latest objects, so many bytes of them; the latest one whatever its size."""
        with self._lock:
            done = [(name, future.result()) for name, future in self._held.items() if future.done()]
            left = sum(len(content or b"") for _, content in done)
            for name, content in done[:-1]:
                if left <= self._kept:
                    return
                left -= len(content or b"")
                del self._held[name]


def _all(path: str, store: VirtualStore) -> Iterator[str]:
    """Every object of a store; those of an array come when the array is reached."""
    described = {name: None for name in store.metadata if "/" not in name}
    yield from (f"{path}/{name}" for name in sorted(described))
    for name in sorted(store.arrays):
        yield f"{path}/{name}/.zarray"
        yield f"{path}/{name}/.zattrs"
        yield from (f"{path}/{chunk}" for chunk in store.names(store.arrays[name]))


def _spoil(content: bytes, fault: str | None) -> bytes:
    if fault == CORRUPT:
        return content[: len(content) // 2]
    if fault in (NAN, EMPTY):
        values = np.frombuffer(Blosc().decode(content), np.float32).copy()
        values[:: NAN_EVERY if fault == NAN else 1] = np.nan
        return bytes(Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE).encode(values))
    return content
