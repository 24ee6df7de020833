"""The rows of all parts and of the plan, as tables of a database."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from aurora_prep.manifest import duck, durable
from aurora_prep.manifest.ledger import parts
from aurora_prep.manifest.ledger.records import DETAILS, FRAMES, OBJECTS, Status
from aurora_prep.manifest.parallel import ordered
from aurora_prep.sources.spec import ManifestError

Task = tuple[str, str, str]  # source, grid, shard
WAITING = 16
NOT_DONE = "not done: its shard task has no part"
PARTS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("grid", pa.string(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("checksum", pa.string(), nullable=False),
        pa.field("frames", pa.int32(), nullable=False),
        pa.field("details", pa.int32(), nullable=False),
        pa.field("objects", pa.int32(), nullable=False),
    ]
)
TABLES = {"frames": FRAMES, "details": DETAILS, "objects": OBJECTS, "parts": PARTS}
FRAME_KEY = ("source", "grid", "init_time", "lead_time", "member")
IDENTITY = {
    "frames": FRAME_KEY,
    "details": (*FRAME_KEY, "path", "level"),
    "objects": ("key",),
    "parts": ("source", "grid", "shard"),
}
ARRAY = "split_part(substr(key, length(store) + 2), '/', 1) AS array_name"
ABSENT = f"""
    SELECT source, product, access, init_time, lead_time,
           init_time + to_seconds(lead_time) AS valid_time, member, grid, split,
           '{Status.MISSING}' AS status, coalesce(reason, '{NOT_DONE}') AS reason,
           variables, levels, store, shard, recipe_digest, tokens, synthetic
    FROM plan ANTI JOIN read_frames AS there
      ON plan.source = there.source AND plan.grid = there.grid
     AND plan.init_time = there.init_time AND plan.lead_time = there.lead_time
     AND coalesce(plan.member, -1) = coalesce(there.member, -1)
"""  # noqa: S608  # both are constants of this layer


def gather(
    root: str,
    tasks: Sequence[Task],
    scratch: Path,
    damaged: Callable[[Task, ManifestError], None] | None = None,
) -> None:
    """Copy the rows of parts into one scratch file a table.

    Args:
        root: The dataset.
        tasks: ``(source, grid, shard)`` of the parts to read.
        scratch: Local folder that gets ``frames``, ``details``, ``objects`` and ``parts``.
        damaged: Called with each part that cannot be read, which is then left out.

    Raises:
        ManifestError: A part is damaged, and ``damaged`` was not given.
    """

    def read(task: Task) -> tuple[dict[str, Any], pa.Table] | None:
        try:
            return _read(root, task)
        except ManifestError as error:
            if damaged is None:
                raise
            damaged(task, error)
            return None

    # On a disk reading is decoding, which processors do; a bucket makes one wait instead.
    threads = (os.cpu_count() or 1) if durable.local_path(root) is not None else WAITING
    with _Spill(scratch) as spill:
        rows = (row for row in ordered(read, tasks, threads=threads) if row is not None)
        while batch := list(islice(rows, 256)):
            nested = pa.concat_tables([table for _, table in batch])
            for name in parts.LISTS:
                spill.write(name, parts.unnest(nested, name))
            spill.write("parts", pa.Table.from_pylist([row for row, _ in batch], schema=PARTS))


def merge(database: duckdb.DuckDBPyConnection, scratch: Path, groups: pa.Table) -> None:
    """Define the views ``frames``, ``details``, ``objects``, ``parts`` and ``plan_counts``.

    Args:
        database: Connection of :func:`aurora_prep.manifest.duck.connect`.
        scratch: Folder filled by :func:`gather`, with a file ``planned``.
        groups: What the planned frames share, one row a group.
    """
    for name in (*TABLES, "planned"):
        place = duck.table(scratch / name)
        database.execute(f"CREATE VIEW read_{name} AS FROM read_parquet({place})")
        if name not in ("frames", "planned"):
            database.execute(f"CREATE VIEW {name} AS FROM read_{name}")
    database.register("planned_groups", groups)
    database.execute(
        "CREATE VIEW plan AS SELECT * FROM read_planned JOIN planned_groups USING (group_id)"
    )
    database.execute(
        "CREATE VIEW plan_counts AS SELECT source, grid, count(*) AS planned FROM plan GROUP BY ALL"
    )
    database.execute(f"CREATE VIEW frames AS FROM read_frames UNION ALL BY NAME ({ABSENT})")


class _Spill:
    """One growing scratch file a table."""

    def __init__(self, scratch: Path) -> None:
        self._writers = {
            name: pq.ParquetWriter(scratch / name, schema, compression="lz4")
            for name, schema in TABLES.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.close()

    def write(self, name: str, rows: pa.Table) -> None:
        self._writers[name].write_table(rows)


def _read(root: str, task: Task) -> tuple[dict[str, Any], pa.Table]:
    """A part's row in the table of parts, and its own one-row table."""
    source, grid, shard = task
    url = parts.part_url(root, source, grid, shard)
    data = durable.get(url)
    table = parts.decode(data, url)
    named = tuple(table.column(name)[0].as_py() for name in ("source", "grid", "shard"))
    if named != task:
        raise ManifestError(
            "a part is not where it belongs",
            url,
            f"it says it is {'/'.join(named)}",
            "delete the part and run the recipe again",
        )
    counts = {name: len(table.column(name)[0]) for name in parts.LISTS}
    checksum = hashlib.sha256(data).hexdigest()
    row = {"source": source, "grid": grid, "shard": shard, "bytes": len(data)}
    return {**row, "checksum": checksum, **counts}, table
