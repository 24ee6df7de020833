"""The planned frames of a run, in the form that the manifest takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from aurora_prep.manifest.ledger.records import FRAMES, SPAN, TIME

BATCH = 1 << 17
PLAN = pa.schema(
    [
        pa.field("group_id", pa.int32()),
        pa.field("init_time", TIME),
        pa.field("lead_time", SPAN),
        pa.field("member", pa.int32()),
        pa.field("split", pa.string()),
        pa.field("shard", pa.string()),
        pa.field("reason", pa.string()),
    ]
)


class PlannedFrame(NamedTuple):
    """One frame of a plan; any tuple of these values in this order will do."""

    init_time: datetime
    lead_time: timedelta = timedelta(0)
    member: int | None = None
    split: str | None = None
    shard: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFrames:
    """Frames planned alike: what they share, and which they are.

    Attributes:
        source: Name of the source.
        product: Analysis, reanalysis or forecast.
        access: Way to the provider.
        grid: Name of the grid.
        frames: The frames, as :class:`PlannedFrame` or tuples like it; read once.
        variables: Paths of the variables that were to be stored.
        levels: Pressure levels that were to be stored, hPa.
        store: Zarr store, relative to the dataset.
        recipe_digest: Digest of the recipe.
        tokens: Tokens of one frame.
        synthetic: Whether the embedded provider was to make the values up.
    """

    source: str
    product: str
    access: str
    grid: str
    frames: Iterable[PlannedFrame | tuple[Any, ...]]
    variables: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    store: str | None = None
    recipe_digest: str | None = None
    tokens: int | None = None
    synthetic: bool = False


def spill_plan(planned: Iterable[PlannedFrames], path: Path) -> pa.Table:
    """Write the planned frames to a scratch file; returns what each group shares."""
    shared: list[dict[str, Any]] = []
    constants = [name for name in PlannedFrames.__dataclass_fields__ if name != "frames"]
    with pq.ParquetWriter(path, PLAN, compression="lz4") as writer:
        for number, group in enumerate(planned):
            shared.append({"group_id": number, **{n: getattr(group, n) for n in constants}})
            rows = iter(group.frames)
            while batch := list(islice(rows, BATCH)):
                writer.write_table(_plan_rows(number, batch))
    columns = [FRAMES.field(name) for name in constants]
    return pa.Table.from_pylist(shared, schema=pa.schema([PLAN.field("group_id"), *columns]))


def _plan_rows(number: int, batch: Sequence[tuple[Any, ...]]) -> pa.Table:
    whole = [row if len(row) == len(PLAN) - 1 else PlannedFrame(*row) for row in batch]
    columns = [
        pa.array(values, PLAN.field(i).type) for i, values in enumerate(zip(*whole, strict=True), 1)
    ]
    return pa.Table.from_arrays(
        [pa.repeat(pa.scalar(number, pa.int32()), len(whole)), *columns], schema=PLAN
    )
