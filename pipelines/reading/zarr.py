"""Fields of Zarr stores: found by arithmetic on their axes, read a chunk at a time.

A store is never indexed as a whole: it may hold hundreds of millions of
fields. What is wanted of it is looked up, no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurora_prep.pipelines.reading.fields import NO_TIME, PRESSURE, SURFACE, Headers, ZarrField
from aurora_prep.pipelines.reading.grid_description import GridDescription
from aurora_prep.pipelines.reading.netcdf_axes import HECTOPASCALS, PASCALS
from aurora_prep.pipelines.reading.netcdf_headers import headers_of
from aurora_prep.pipelines.reading.product import Choice, described, strange
from aurora_prep.providers.zarr_store import Axis, OpenStore, StoreArray, open_store
from aurora_prep.sources.spec import DecodeError, Kind, Native, Source, Zarr
from aurora_prep.sources.spec.outcome import NOT_YET

ROLES = {
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon"),
    "time": ("time", "valid_time", "init_time"),
    "lead_time": ("prediction_timedelta", "lead_time", "step", "forecast_period"),
    "member": ("number", "member", "realization"),
    "level": ("level", "pressure_level", "isobaricInhPa", "pressureLevel"),
}
ROLE = {name: role for role, names in ROLES.items() for name in names}
# What axes of times and of distances in time are once decoded.
KINDS = {"time": "M", "lead_time": "m"}
# ARCO-ERA5 names the days its time axis, much longer, has values of.
FIRST_DAY, LAST_DAY, LAST_PRELIMINARY_DAY = (
    "valid_time_start", "valid_time_stop", "valid_time_stop_era5t",
)  # fmt: skip
FINAL, PRELIMINARY = "0001", "0005"
DAY = timedelta(days=1)
# The store's pipeline fails at times while its attributes move on: the last days are not taken.
UNSAFE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Span:
    """The times a store says it has values of; ``None`` where it does not say.

    Attributes:
        first: First time.
        final: First time that is preliminary.
        end: First time that is not taken: some days before the store ends, where it says so.
        said: First time that it has not, by its own word.
    """

    first: datetime | None
    final: datetime | None
    end: datetime | None
    said: datetime | None = None

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Span:
        """What the attributes of a store say; both of its last days are included."""
        first, final, last = (
            datetime.fromisoformat(str(attributes[key])) if key in attributes else None
            for key in (FIRST_DAY, LAST_DAY, LAST_PRELIMINARY_DAY)
        )
        end = max(filter(None, (final, last)), default=None)
        said = end and end + DAY
        return cls(first, final and final + DAY, said and said - UNSAFE_DAYS * DAY, said)

    def why_not(self, time: datetime) -> str | None:
        """Why there are no values of a time that may come; ``None`` where they are there."""
        if self.end is None or self.said is None or time < self.end:
            return None
        last = self.said - DAY
        return (
            f"{NOT_YET}: the store says that it ends {last:%Y-%m-%d}; its last {UNSAFE_DAYS} days"
            " are not taken, since they are empty at times"
        )

    def holds(self, time: datetime) -> bool:
        """Whether there are values of a time."""
        return not (self.first and time < self.first) and not (self.end and time >= self.end)

    def label(self, time: datetime) -> str:
        """Version of the product at a time, as ERA5 names it; empty where the store says none."""
        if self.final is None:
            return ""
        return FINAL if time < self.final else PRELIMINARY


class Shelf:
    """A store as one source sees it: where its fields are.

    Args:
        store: The store.
        source: The source whose access it is.
    """

    def __init__(self, store: OpenStore, source: Source) -> None:
        self.store, self.source = store, source
        self.file = str(store.address)
        self.span = Span.of(store.attributes)
        self._axes = store.axes()
        accesses = [access for access in source.accesses if isinstance(access, Zarr)]
        self._named = dict(pair for access in accesses for pair in access.names)
        self._lookups: dict[str, Callable[[Any], int | None]] = {}
        self._said: dict[str, Headers] = {}

    @cached_property
    def grid(self) -> GridDescription:
        """The axes of the fields, as :func:`placement_of` wants them."""
        found: dict[str, Any] = {"gridType": "axes"}
        for role in ("latitude", "longitude"):
            names = [name for name in self._axes if ROLE.get(name) == role]
            if len(names) != 1:
                raise DecodeError(
                    f"the Zarr store has no {role} axis, or several",
                    self.file,
                    f"axes: {sorted(self._axes)}",
                    "look at the store; it cannot be used as it is",
                )
            found[role] = self._axes[names[0]].astype(np.float64).tolist()
        return GridDescription(found)

    def array_of(self, native: Native) -> StoreArray | None:
        """The array of a variable: by its name on the shelf, in requests or in files."""
        variable = native.variable
        named = self._named.get(variable.path)
        names = (named,) if named else (native.request, *native.fields, variable.short_name)
        for name in dict.fromkeys(filter(None, names)):
            array = self.store.arrays.get(name)
            if array is None or not {"latitude", "longitude"} <= set(_roles(array)):
                continue
            if ("level" in _roles(array)) is variable.has_levels:
                return array
        return None

    def field(
        self,
        native: Native,
        level: int | None,
        init_time: datetime,
        lead_time: timedelta,
        member: int | None,
    ) -> ZarrField | None:
        """One field; ``None`` where the store has not got it.

        Args:
            native: The variable.
            level: hPa, or ``None`` where the variable has no levels.
            init_time: Start of the forecast, or the valid time; of a static
                field any time.
            lead_time: Distance ahead of it.
            member: Ensemble member, or ``None``.

        Raises:
            DecodeError: The array has an axis that nobody knows.
        """
        array = self.array_of(native)
        if array is None:
            return None
        static = native.variable.kind is Kind.STATIC
        if not static and not self.span.holds(init_time):
            return None
        at = {"time": init_time, "lead_time": lead_time, "member": member, "level": level}
        index = []
        for dim, length in zip(array.dims, array.shape, strict=True):
            role = ROLE.get(dim, "")
            if role in ("latitude", "longitude"):
                continue
            if role not in at and length > 1:
                raise DecodeError(
                    "the Zarr store has an axis that nobody knows",
                    f"{self.file}, {array.name}",
                    f"{dim} of length {length}",
                    f"known axes: {sorted(ROLE)}",
                )
            found = self._first(dim) if static and role != "level" else self._at(dim, at.get(role))
            if found is None:
                return None
            index.append(found)
        if static:
            init_time, lead_time = NO_TIME, timedelta(0)
        elif not self._has(array, "lead_time") and lead_time:
            return None
        found_field = ZarrField(
            file=self.file,
            name=array.name,
            array=array.name,
            index=tuple(index),
            units=str(array.attributes.get("units", "")),
            level_kind=SURFACE if level is None else PRESSURE,
            level=level,
            init_time=init_time,
            lead_time=lead_time,
            member=member if self._has(array, "member") else None,
            label="" if static else self.span.label(init_time),
            grid=0,
            headers=self._headers(array),
        )
        self._refuse_foreign(found_field, native)
        return found_field

    def _headers(self, array: StoreArray) -> Headers:
        """What the attributes of an array, and of the store, say of its making."""
        if array.name not in self._said:
            roles = [role for role in _roles(array) if role in ROLES]
            if repeated := {role for role in roles if roles.count(role) > 1}:
                raise DecodeError(
                    "two axes of the Zarr store have one role",
                    f"{self.file}, {array.name}",
                    f"{', '.join(sorted(repeated))}: dimensions {', '.join(array.dims)}",
                    "look at the store; it cannot be used as it is",
                )
            self._said[array.name] = headers_of(self.store.attributes, array.attributes)
        return self._said[array.name]

    def _refuse_foreign(self, field: ZarrField, native: Native) -> None:
        """Refuse an array of another product, such as a mean over days or a spread.

        Raises:
            DecodeError: It is one.
        """
        if why := strange(self.source, field, native, Choice()):
            raise DecodeError(
                "the Zarr store holds another product than the source's",
                f"{self.file}, {field.array}",
                f"{why}; its attributes say: {described(field.headers)}",
                f"name a store of {self.source.name}, or another source",
            )

    @staticmethod
    def _has(array: StoreArray, role: str) -> bool:
        return role in _roles(array)

    def _first(self, dim: str) -> int | None:
        """Where a field that does not change is read, of an array that repeats it in time."""
        if ROLE.get(dim) == "time" and self.span.first:
            return self._at(dim, self.span.first)
        return 0

    def _at(self, dim: str, value: Any) -> int | None:
        """Position of a value along an axis; 0 along one without coordinates."""
        if dim not in self._axes or ROLE.get(dim) is None:
            return 0
        if value is None:
            return None
        if dim not in self._lookups:
            axis = self._axes[dim]
            if axis.dtype.kind != KINDS.get(ROLE[dim], axis.dtype.kind):
                raise DecodeError(
                    "an axis of the Zarr store is not what its name says",
                    f"{self.file}, {dim}",
                    f"{axis.dtype} in {self.store.arrays[dim].attributes.get('units')!r},"
                    f" such as {axis[:1].tolist()}",
                    "give the axis units that CF knows, such as hours since 1900-01-01, or hours",
                )
            units = self.store.arrays[dim].attributes.get("units")
            if ROLE[dim] == "level" and units not in (None, "", *PASCALS, *HECTOPASCALS):
                raise DecodeError(
                    "the levels of the Zarr store are not in hPa or Pa",
                    f"{self.file}, {dim}",
                    f"{units!r}, such as {axis[:1].tolist()}",
                    "take a store on pressure levels",
                )
            if axis.dtype.kind in "mM":  # hours that were written as floats are a little off
                axis = _whole_seconds(axis)
            self._lookups[dim] = _lookup(axis / 100.0 if units in PASCALS else axis)
        return self._lookups[dim](value)


def shelf_of(text: str, source: Source) -> Shelf:
    """The store of an address as a source sees it, opened once in each process.

    Raises:
        FetchError: There is no store, or it does not answer.
        DecodeError: Its axes cannot be read.
    """
    return _shelf_of(text, source)


def announce(shelf: Shelf, refs: Sequence[ZarrField]) -> None:
    """Tell the store which fields will be read, in order, so that they come in time."""
    shelf.store.expect([(ref.array, ref.index) for ref in refs])


def read_zarr(ref: ZarrField) -> NDArray[np.float32]:
    """Decode one field, rows and columns in the order of the store.

    Returns:
        Shape ``(rows, columns)``: latitude first.

    Raises:
        FetchError: Its chunk is not in the store, or the store does not answer.
        DecodeError: Its chunk is damaged.
    """
    store = open_store(ref.file)
    field = store.read(ref.array, ref.index)
    horizontal = [r for r in _roles(store.arrays[ref.array]) if r in ("latitude", "longitude")]
    return field if horizontal[0] == "latitude" else field.T


@lru_cache(maxsize=16)
def _shelf_of(text: str, source: Source) -> Shelf:
    return Shelf(open_store(text), source)


def _roles(array: StoreArray) -> tuple[str, ...]:
    return tuple(ROLE.get(dim, dim) for dim in array.dims)


def _lookup(axis: Axis) -> Callable[[Any], int | None]:
    """Finds the position of a value; a million times are no dictionary."""
    order = np.argsort(axis, kind="stable")
    ordered = axis[order]

    def find(value: Any) -> int | None:
        wanted = _comparable(value, ordered.dtype)
        place = int(np.searchsorted(ordered, wanted))
        return int(order[place]) if place < ordered.size and ordered[place] == wanted else None

    return find


def _whole_seconds(axis: Axis) -> Axis:
    """Times or distances in time, rounded to seconds."""
    kind = axis.dtype.kind
    micro = axis.astype(f"{kind}8[us]").astype(np.int64)
    rounded: Axis = ((micro + 500_000) // 1_000_000).astype(f"{kind}8[s]")
    return rounded


def _comparable(value: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "M":
        return np.datetime64(value, "s").astype(dtype)
    if dtype.kind == "m":
        return np.timedelta64(value).astype(dtype)
    return value
