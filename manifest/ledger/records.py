"""What the manifest says: one row a frame, a field and a stored object.

Times are naive and mean UTC. Every record knows its Arrow schema, so a column is declared
once, in the order in which it is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

import pyarrow as pa

from aurora_prep.sources.spec import FrameKey, ManifestError

TIME = pa.timestamp("ms")  # the coarsest unit Parquet has
SPAN = pa.duration("s")
TEXTS = pa.list_(pa.field("element", pa.string()))  # Parquet's own name for what a list holds
WHOLES = pa.list_(pa.field("element", pa.int32()))
NOT_NULL = {"nullable": False}


class Status(StrEnum):
    """What became of a planned frame."""

    WRITTEN = "written"
    MISSING = "missing"
    REJECTED = "rejected"


FRAMES = pa.schema(
    [
        pa.field("source", pa.string(), **NOT_NULL),
        pa.field("product", pa.string(), **NOT_NULL),
        pa.field("access", pa.string(), **NOT_NULL),
        pa.field("init_time", TIME, **NOT_NULL),
        pa.field("lead_time", SPAN, **NOT_NULL),
        pa.field("valid_time", TIME, **NOT_NULL),
        pa.field("member", pa.int32()),
        pa.field("grid", pa.string(), **NOT_NULL),
        pa.field("split", pa.string()),
        pa.field("status", pa.string(), **NOT_NULL),
        pa.field("reason", pa.string()),
        pa.field("variables", TEXTS, **NOT_NULL),
        pa.field("levels", WHOLES, **NOT_NULL),
        pa.field("missing_fraction", pa.float64()),
        pa.field("store", pa.string()),
        pa.field("chunk_key", pa.string()),
        pa.field("shard", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("checksum", pa.string()),
        pa.field("request_digest", pa.string()),
        pa.field("recipe_digest", pa.string()),
        pa.field("product_version", pa.string()),
        pa.field("assimilation_window", pa.string()),
        pa.field("tokens", pa.int64()),
        pa.field("created", TIME),
        pa.field("software_version", pa.string()),
        pa.field("synthetic", pa.bool_(), **NOT_NULL),
    ]
)
DETAILS = pa.schema(
    [
        pa.field("source", pa.string(), **NOT_NULL),
        pa.field("grid", pa.string(), **NOT_NULL),
        pa.field("init_time", TIME),
        pa.field("lead_time", SPAN),
        pa.field("member", pa.int32()),
        pa.field("shard", pa.string(), **NOT_NULL),
        pa.field("store", pa.string(), **NOT_NULL),
        pa.field("path", pa.string(), **NOT_NULL),
        pa.field("short_name", pa.string(), **NOT_NULL),
        pa.field("level", pa.int32()),
        pa.field("minimum", pa.float64()),
        pa.field("maximum", pa.float64()),
        pa.field("mean", pa.float64()),
        pa.field("missing_fraction", pa.float64(), **NOT_NULL),
        pa.field("checksum", pa.string()),
    ]
)
OBJECTS = pa.schema(
    [
        pa.field("source", pa.string(), **NOT_NULL),
        pa.field("grid", pa.string(), **NOT_NULL),
        pa.field("shard", pa.string(), **NOT_NULL),
        pa.field("store", pa.string(), **NOT_NULL),
        pa.field("key", pa.string(), **NOT_NULL),
        pa.field("bytes", pa.int64(), **NOT_NULL),
        pa.field("checksum", pa.string(), **NOT_NULL),
        pa.field("frames", TEXTS, **NOT_NULL),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRecord:
    """One planned frame on one grid, and what became of it.

    Attributes:
        source: Name of the source.
        product: Analysis, reanalysis or forecast.
        access: Way to the provider.
        init_time: Start of the forecast, or the valid time of an analysis.
        grid: Name of the grid the frame is stored on.
        status: What became of it.
        recipe_digest: Digest of the recipe that asked for it.
        lead_time: Distance ahead of ``init_time``.
        member: Ensemble member, ``None`` where there is no ensemble.
        split: Training, validation and so on, ``None`` outside every split.
        reason: Why it was not written.
        variables: Paths of the variables stored, ``surface/2t``.
        levels: Pressure levels stored, hPa.
        missing_fraction: Share of all values of the frame that are NaN.
        store: Zarr store, relative to the dataset.
        chunk_key: Place of the frame in the store's arrays, as the writer counts it.
        shard: Name of the shard task, which is the name of its part.
        bytes: Stored bytes of the frame: its share of the objects that carry it.
        checksum: :func:`checksum_of` the objects that carry it.
        request_digest: Digest of the provider requests it came from.
        product_version: Provider's version, such as ``expver`` or the model cycle.
        assimilation_window: Window of the analysis, where there is one.
        tokens: Tokens Aurora makes of it.
        created: When it was written.
        software_version: Version that wrote it.
        synthetic: Whether the embedded provider made the values up.
    """

    SCHEMA: ClassVar[pa.Schema] = FRAMES

    source: str
    product: str
    access: str
    init_time: datetime
    grid: str
    status: Status
    recipe_digest: str | None
    lead_time: timedelta = timedelta(0)
    member: int | None = None
    split: str | None = None
    reason: str | None = None
    variables: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    missing_fraction: float | None = None
    store: str | None = None
    chunk_key: str | None = None
    shard: str | None = None
    bytes: int | None = None
    checksum: str | None = None
    request_digest: str | None = None
    product_version: str | None = None
    assimilation_window: str | None = None
    tokens: int | None = None
    created: datetime | None = None
    software_version: str | None = None
    synthetic: bool = False
    valid_time: datetime = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", _status(self.status, self.key))
        object.__setattr__(self, "valid_time", self.init_time + self.lead_time)
        if self.status is not Status.WRITTEN and not self.reason:
            raise ManifestError(
                "a frame that is not written needs a reason",
                str(self.key),
                f"status {self.status}, no reason",
                "say why, in words a user can act on",
            )

    @property
    def key(self) -> FrameKey:
        """Identity of the frame, the grid aside."""
        return FrameKey(self.source, self.init_time, self.lead_time, self.member)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailRecord:
    """One field: one variable of one frame at one level, as it was stored.

    Attributes:
        source: Name of the source.
        grid: Name of the grid.
        shard: Name of the shard task.
        store: Zarr store, relative to the dataset.
        path: ``kind/short_name`` of the variable.
        missing_fraction: Share of the values that are NaN.
        minimum: Smallest value that is not NaN, as stored in float32.
        maximum: Largest value that is not NaN, as stored in float32.
        mean: Plain mean (no area weights, float64) of the values that are not NaN.
        level: Pressure in hPa, ``None`` off pressure levels.
        init_time: Of the frame; ``None`` for static fields.
        lead_time: Of the frame; ``None`` for static fields.
        member: Of the frame.
        checksum: Digest of the field's values, where the writer took one.
    """

    SCHEMA: ClassVar[pa.Schema] = DETAILS

    source: str
    grid: str
    shard: str
    store: str
    path: str
    missing_fraction: float
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    level: int | None = None
    init_time: datetime | None = None
    lead_time: timedelta | None = None
    member: int | None = None
    checksum: str | None = None
    short_name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "short_name", self.path.rsplit("/", 1)[-1])
        for name in ("minimum", "maximum", "mean"):
            value = getattr(self, name)
            if value is not None and value != value:  # noqa: PLR0124  # NaN: nothing was valid
                object.__setattr__(self, name, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecord:
    """One stored object: a Zarr shard of one variable.

    Attributes:
        source: Name of the source.
        grid: Name of the grid.
        shard: Name of the shard task that wrote it.
        store: Zarr store, relative to the dataset.
        key: Path of the object, relative to the dataset: ``era5/0.25.zarr/2t/c/0/0/0``.
        bytes: Size.
        checksum: SHA-256 of the bytes, hexadecimal.
        frames: Text forms of the frame keys whose values it holds; empty for static fields.
    """

    SCHEMA: ClassVar[pa.Schema] = OBJECTS

    source: str
    grid: str
    shard: str
    store: str
    key: str
    bytes: int
    checksum: str
    frames: tuple[str, ...] = ()


Record = FrameRecord | DetailRecord | ObjectRecord
R = TypeVar("R", FrameRecord, DetailRecord, ObjectRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """All that one finished shard task has to say; its file is the ledger entry.

    Attributes:
        source: Name of the source.
        grid: Name of the grid.
        shard: Name of the shard task: letters, digits and ``. _ + -``.
        frames: Frames of the task; none for static fields.
        details: Fields of the task.
        objects: Objects the task wrote.
        statistics: Statistics partials of the task, as their owner encodes them.
    """

    source: str
    grid: str
    shard: str
    frames: tuple[FrameRecord, ...] = ()
    details: tuple[DetailRecord, ...] = ()
    objects: tuple[ObjectRecord, ...] = ()
    statistics: bytes = b""


def sealed(
    frames: Iterable[FrameRecord], objects: Iterable[ObjectRecord]
) -> tuple[FrameRecord, ...]:
    """Frames with ``bytes`` and ``checksum`` filled in from the objects that carry them.

    An object that carries several frames is shared out evenly, the remainder to the first
    ones, so that the bytes of all frames add up to those of all objects.
    """
    carried: dict[str, list[ObjectRecord]] = {}
    shares: dict[str, int] = {}
    for item in objects:
        whole, rest = divmod(item.bytes, max(len(item.frames), 1))
        for position, key in enumerate(item.frames):
            carried.setdefault(key, []).append(item)
            shares[key] = shares.get(key, 0) + whole + (position < rest)
    return tuple(
        replace(frame, bytes=shares[str(frame.key)], checksum=checksum_of(carried[str(frame.key)]))
        if str(frame.key) in carried
        else frame
        for frame in frames
    )


def checksum_of(objects: Iterable[ObjectRecord]) -> str:
    """SHA-256 over names and checksums of objects, whatever their order."""
    lines = sorted(f"{item.key} {item.bytes} {item.checksum}\n" for item in objects)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def to_table(records: Sequence[Record], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table with exactly the columns of ``schema``."""
    columns = [
        pa.array([getattr(record, name) for record in records], schema.field(name).type)
        for name in schema.names
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def from_rows(kind: type[R], rows: Iterable[dict[str, Any]]) -> tuple[R, ...]:
    """Records from the dictionaries Arrow makes of rows."""
    names = [item.name for item in fields(kind) if item.init]
    return tuple(kind(**{name: _frozen(row[name]) for name in names}) for row in rows)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _status(value: str, key: FrameKey) -> Status:
    try:
        return Status(value)
    except ValueError:
        raise ManifestError(
            "no such status", str(key), repr(value), f"use one of {[str(s) for s in Status]}"
        ) from None
