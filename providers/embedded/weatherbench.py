"""Virtual Zarr stores, laid out as WeatherBench2 and ARCO-ERA5 lay out theirs.

Zarr format 2 with consolidated metadata. A chunk holds one time, all levels,
all members and the whole globe, in float32, compressed by Blosc with LZ4. No
object exists until it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numcodecs import Blosc
from numpy.typing import NDArray

from aurora_prep.providers import marks
from aurora_prep.providers.embedded.atmosphere import truth
from aurora_prep.sources.spec import HOUR, Kind, Native, Product, Source, Zarr, ZarrStore

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
# How long after the last final day there are preliminary ones, in a store that grows.
PRELIMINARY = timedelta(days=92)
# How far the attributes of a store may run ahead of what it holds.
AHEAD = timedelta(days=10)
EPOCH = datetime(1970, 1, 1)
HALF_TURN = 180.0
# What ECMWF's own stores say of where their points lie, which is not so.
LIES = {"GRIB_latitudeOfFirstGridPoint": 90.0, "GRIB_longitudeOfFirstGridPoint": 0.0}
HORIZONTAL = ("latitude", "longitude")


@dataclass(frozen=True, slots=True)
class VirtualArray:
    """An array of a store.

    Attributes:
        name: Its name.
        dims: Names of its dimensions.
        shape: Its shape.
        chunks: Shape of a chunk.
        attributes: What the store says of it.
        native: The variable it holds; ``None`` for an axis.
        values: The values of an axis; ``None`` for a variable.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    attributes: dict[str, Any] = field(hash=False)
    native: Native | None = None
    values: NDArray[Any] | None = field(default=None, hash=False, compare=False)

    def metadata(self) -> dict[str, Any]:
        """The content of ``.zarray``."""
        is_axis = self.values is not None
        dtype = np.dtype("<f4") if self.values is None else self.values.dtype
        return {
            "chunks": list(self.chunks),
            "compressor": _codec().get_config(),
            "dtype": dtype.str,
            "fill_value": None if is_axis else "NaN",
            "filters": None,
            "order": "C",
            "shape": list(self.shape),
            "zarr_format": 2,
        }


class VirtualStore:
    """The Zarr store that a source's access names, holding the analytic atmosphere.

    Args:
        source: The source.
        access: Its access.
        declared: One of the access's stores.
        preliminary_from: From this valid time on a store that grows is preliminary.
    """

    def __init__(
        self, source: Source, access: Zarr, declared: ZarrStore, preliminary_from: datetime
    ) -> None:
        self.source, self.declared = source, declared
        self.is_forecast = source.product is Product.FORECAST
        self._names = dict(access.names)
        self._levels = declared.levels or source.levels.hpa
        self.end = declared.last or preliminary_from + PRELIMINARY - declared.step
        self._preliminary_from = preliminary_from
        first, last = declared.padded or (declared.first, self.end)
        self._start = first
        self._times = (last - first) // declared.step + 1

    @cached_property
    def arrays(self) -> dict[str, VirtualArray]:
        """All arrays by name."""
        axes = list(self._axes())
        sizes = {axis.name: axis.shape[0] for axis in axes}
        held = (n for n in self.source.natives if n.variable.path not in self.declared.lacks)
        own = self.declared.is_of_ecmwf
        named = (
            (n, n.fields[0] if own else self._names.get(n.variable.path, n.request)) for n in held
        )
        variables = (self._variable(n, name, sizes) for n, name in named if name)
        return {array.name: array for array in (*axes, *variables)}

    @cached_property
    def metadata(self) -> dict[str, bytes]:
        """The objects that describe the store, by name."""
        documents: dict[str, Any] = {".zattrs": self._attributes(), ".zgroup": {"zarr_format": 2}}
        for name, array in self.arrays.items():
            documents[f"{name}/.zarray"] = array.metadata()
            documents[f"{name}/.zattrs"] = {
                "_ARRAY_DIMENSIONS": list(array.dims),
                **array.attributes,
            }
        whole = {"metadata": documents, "zarr_consolidated_format": 1}
        return {
            name: json.dumps(document, indent=4).encode()
            for name, document in {**documents, ".zmetadata": whole}.items()
        }

    def ahead(self, document: bytes) -> bytes:
        """A description of the store that says it ends later than it does."""
        for key in ("valid_time_stop", "valid_time_stop_era5t"):
            if key in self._attributes():
                said = self._attributes()[key]
                document = document.replace(
                    f'"{key}": "{said}"'.encode(), f'"{key}": "{_later(said)}"'.encode()
                )
        return document

    def find(self, name: str) -> Callable[[], bytes] | None:
        """What makes an object; ``None`` where there is none of this name."""
        if name in self.metadata:
            return lambda: self.metadata[name]
        array_name, _, key = name.partition("/")
        array = self.arrays.get(array_name)
        parts = key.split(".")
        if array is None or len(parts) != len(array.shape) or not all(map(str.isdecimal, parts)):
            return None
        chunk = tuple(map(int, parts))
        if ".".join(map(str, chunk)) != key or not self._is_there(array, chunk):
            return None
        return lambda: self._made(array, chunk)

    def names(self, array: VirtualArray) -> Iterator[str]:
        """Names of an array's chunks, in the order of their bytes."""
        counts = [-(-n // c) for n, c in zip(array.shape, array.chunks, strict=True)]
        for chunk in _in_order(counts):
            if self._is_there(array, chunk):
                yield f"{array.name}/{'.'.join(map(str, chunk))}"

    def values(self, array: VirtualArray, chunk: tuple[int, ...]) -> NDArray[Any]:
        """The values of a chunk, in the shape that the array's metadata say."""
        if array.values is not None:
            return array.values
        native, at = array.native, dict(zip(array.dims, chunk, strict=True))
        if native is None:
            raise ValueError(array.name)
        latitude, longitude = (self.arrays[name].values for name in HORIZONTAL)
        if latitude is None or longitude is None:
            raise ValueError(array.name)
        init = self._start + at.get("time", 0) * self.declared.step
        lead = self.source.lead_times[at.get("prediction_timedelta", 0)]
        filled = np.empty(array.chunks, np.float32)
        rows, columns = latitude.astype(np.float64), longitude.astype(np.float64)
        fields = filled.reshape(-1, rows.size, columns.size)
        own = sorted(self._levels, reverse=True) if self.declared.is_of_ecmwf else self._levels
        levels = tuple(own) if native.variable.has_levels else (None,)
        members = self.source.members if "number" in array.dims else (None,)
        places = [(member, level) for member in members for level in levels]
        for place, (member, level) in zip(fields, places, strict=True):
            valid = valid_of_member(init + lead, member)
            place[:] = truth(native.variable, level, valid, rows, columns)
        return filled

    def _made(self, array: VirtualArray, chunk: tuple[int, ...]) -> bytes:
        return bytes(_codec().encode(np.ascontiguousarray(self.values(array, chunk))))

    def _is_there(self, array: VirtualArray, chunk: tuple[int, ...]) -> bool:
        """Whether the store has a chunk: within the array, and within the times it holds."""
        counts = (-(-n // c) for n, c in zip(array.shape, array.chunks, strict=True))
        if not all(at < count for at, count in zip(chunk, counts, strict=True)):
            return False
        if array.native is None or "time" not in array.dims:
            return True
        time = self._start + chunk[array.dims.index("time")] * self.declared.step
        return self.declared.first <= time <= self.end

    def _axes(self) -> Iterator[VirtualArray]:
        grid = self.source.grid
        latitude = grid.latitude[::-1] if self.declared.is_south_first else grid.latitude
        if self.declared.is_of_ecmwf:
            yield from self._axes_of_ecmwf(latitude, grid.longitude)
            return
        yield _axis("latitude", latitude.astype(np.float32), units="degrees_north")
        yield _axis("longitude", grid.longitude.astype(np.float32), units="degrees_east")
        if self._levels:
            yield _axis("level", np.array(self._levels, np.int32))
        hours = np.arange(self._times, dtype=np.int64) * (self.declared.step // HOUR)
        since = f"hours since {self._start:%Y-%m-%d %H:%M:%S}"
        yield _axis("time", hours, units=since, calendar="proleptic_gregorian")
        if self.is_forecast:
            leads = np.array([lead // HOUR for lead in self.source.lead_times], np.int64)
            yield _axis(
                "prediction_timedelta", leads, units="hours", standard_name="forecast_period"
            )
        if self.source.members:
            yield _axis("number", np.array(self.source.members, np.int32))

    def _axes_of_ecmwf(
        self, latitude: NDArray[np.float64], longitude: NDArray[np.float64]
    ) -> Iterator[VirtualArray]:
        """Rows from the south and columns from 180 west, whatever their attributes say."""
        lies = {"stored_direction": "decreasing"}
        west = np.roll(np.where(longitude >= HALF_TURN, longitude - 360.0, longitude), self._half)
        yield _axis("latitude", latitude.astype(np.float64), units="degrees_north", **lies)
        yield _axis("longitude", west.astype(np.float64), units="degrees_east")
        held = (n.variable for n in self.source.natives)
        if any(v.has_levels and v.path not in self.declared.lacks for v in held):
            falling = np.array(sorted(self._levels, reverse=True), np.float64)
            yield _axis("pressureLevel", falling, units="hPa")
        since = (self._start - EPOCH) // HOUR
        hours = since + np.arange(self._times, dtype=np.int64) * (self.declared.step // HOUR)
        yield _axis("time", hours, units="hours since 1970-01-01", calendar="proleptic_gregorian")

    @property
    def _half(self) -> int:
        return self.source.grid.columns // 2

    @property
    def _level_name(self) -> str:
        return "pressureLevel" if self.declared.is_of_ecmwf else "level"

    def _variable(self, native: Native, name: str, sizes: dict[str, int]) -> VirtualArray:
        variable = native.variable
        dims: tuple[str, ...] = ()
        if variable.kind is not Kind.STATIC:
            members = ("number",) if self.source.members else ()
            leads = ("prediction_timedelta",) if self.is_forecast else ()
            dims = ("time", *members, *leads)
        dims += (*((self._level_name,) if variable.has_levels else ()), *HORIZONTAL)
        one = ("time", "prediction_timedelta")
        return VirtualArray(
            name=name,
            dims=dims,
            shape=tuple(sizes[dim] for dim in dims),
            chunks=tuple(1 if dim in one else sizes[dim] for dim in dims),
            attributes={
                "long_name": variable.long_name,
                "short_name": native.fields[0],
                "units": native.units,
                **(LIES if self.declared.is_of_ecmwf else {}),
            },
            native=native,
        )

    def _attributes(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "title": "SYNTHETIC: analytic fields, not weather",
            marks.ATTRIBUTE: marks.TEXT,
        }
        if self.declared.last is None and not self.declared.is_of_ecmwf:
            said |= {
                "valid_time_start": f"{self.declared.first:%Y-%m-%d}",
                "valid_time_stop": f"{self._preliminary_from - DAY:%Y-%m-%d}",
                "valid_time_stop_era5t": f"{self.end:%Y-%m-%d}",
            }
        return said


def _later(text: str) -> str:
    return f"{datetime.fromisoformat(text) + AHEAD:%Y-%m-%d}"


def valid_of_member(valid_time: datetime, member: int | None) -> datetime:
    """The moment whose atmosphere a member of an ensemble has: a minute later for each."""
    return valid_time if member is None else valid_time + member * MINUTE


def stores_of(
    declared: tuple[Source, ...], preliminary_from: datetime
) -> dict[str, dict[str, VirtualStore]]:
    """Every store that the sources name: ``{bucket: {path in the bucket: store}}``."""
    buckets: dict[str, dict[str, VirtualStore]] = {}
    for source in declared:
        for access in (access for access in source.accesses if isinstance(access, Zarr)):
            for store in () if access.key_of else access.stores:
                bucket, _, path = store.url.removeprefix("gs://").partition("/")
                virtual = VirtualStore(source, access, store, preliminary_from)
                buckets.setdefault(bucket, {})[path] = virtual
    return buckets


def _axis(name: str, values: NDArray[Any], **attributes: str) -> VirtualArray:
    return VirtualArray(name, (name,), values.shape, values.shape, attributes, values=values)


def _codec() -> Blosc:
    return Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE)


def _in_order(counts: list[int]) -> Iterator[tuple[int, ...]]:
    """Positions of chunks in the order of their names, which are decimal text."""
    if not counts:
        yield ()
        return
    for first in sorted(range(counts[0]), key=str):
        for rest in _in_order(counts[1:]):
            yield (first, *rest)
