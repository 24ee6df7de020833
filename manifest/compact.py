"""Compaction: many parts and the plan become the manifest's few sorted tables.

The tables are the same, byte for byte, whatever the order in which parts appeared. Rows go
through scratch files on disk and an external sort, so memory does not grow with the dataset.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from aurora_prep.manifest import engine, parts, storage
from aurora_prep.manifest.parallel import ordered
from aurora_prep.manifest.records import DETAILS, FRAMES, OBJECTS, SPAN, TIME, Status
from aurora_prep.sources.spec import ManifestError

Task = tuple[str, str, str]  # source, grid, shard
INDEX = "index.json"
NOT_DONE = "not done: its shard task has no part"
ROWS = 1 << 17
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
ARRAY = "split_part(substr(key, length(store) + 2), '/', 1) AS array"
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


def compact(root: str, planned: Iterable[PlannedFrames]) -> dict[str, Any]:
    """Merge the parts of a dataset into its tables, and account for what has no part.

    Writes ``manifest/{details,objects,parts,frames}.parquet`` and, last,
    ``manifest/index.json`` with their digests, the number of frames planned and, for each
    source and grid, all variables, levels and splits; and with the digests of the stores'
    metadata and coordinates, which must be complete by then. Nobody else may write to the
    dataset meanwhile.

    Args:
        root: The dataset.
        planned: All frames of the plan. One without a row in any part becomes a row with
            status ``missing`` and its reason.

    Returns:
        The content of ``index.json``.

    Raises:
        ManifestError: A part is damaged, or two parts claim the same frame, field or object.
        WriteError: The dataset cannot be written.
    """
    folder = storage.join(root, "manifest")
    storage.sweep(folder)
    with TemporaryDirectory() as name:
        scratch = Path(name)
        gather(root, parts.all_parts(root), scratch)
        groups = _spill_plan(planned, scratch / "planned")
        with engine.connect(scratch) as database:
            merge(database, scratch, groups)
            _refuse_doubles(database)
            files = {
                f"{table}.parquet": _publish(database, table, storage.join(folder, table))
                for table in ("details", "objects", "parts", "frames")
            }
            sources = _held(database)
            arrays = database.sql(f"SELECT DISTINCT store, {ARRAY} FROM objects").fetchall()
    metadata = metadata_files(root, arrays)
    index = {"files": files, "sources": sources, "metadata": metadata}
    storage.put(storage.join(folder, INDEX), json.dumps(index, indent=1).encode() + b"\n")
    return index


def metadata_files(root: str, arrays: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """Size and digest of every file of the stores that no shard task writes.

    Args:
        root: The dataset.
        arrays: ``(store, array)`` of the arrays that shard tasks write.

    Returns:
        ``{path relative to the dataset: {"bytes": ..., "sha256": ...}}``, sorted by path.
    """
    sharded: dict[str, set[str]] = {}
    for store, array in arrays:
        sharded.setdefault(store, set()).add(array)
    paths = []
    for store, names in sharded.items():
        for name in storage.listing(storage.join(root, store)):
            place = f"{store}/{name}"
            if name in names:
                inside = storage.listing(storage.join(root, place))
                paths += [f"{place}/{file}" for file in inside if file != "c"]
            else:
                below = storage.tree(storage.join(root, place))
                paths += [f"{place}/{file}" for file in below] or [place]
    found = {}
    for path in sorted(paths):
        data = storage.get(storage.join(root, path))
        found[path] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return found


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

    with _Spill(scratch) as spill:
        rows = (row for row in ordered(read, tasks) if row is not None)
        while batch := list(islice(rows, 256)):
            nested = pa.concat_tables([table for _, table in batch])
            for name in parts.LISTS:
                spill.write(name, parts.unnest(nested, name))
            spill.write("parts", pa.Table.from_pylist([row for row, _ in batch], schema=PARTS))


def merge(database: duckdb.DuckDBPyConnection, scratch: Path, groups: pa.Table) -> None:
    """Define the views ``frames``, ``details``, ``objects``, ``parts`` and ``plan_counts``.

    Args:
        database: Connection of :func:`aurora_prep.manifest.engine.connect`.
        scratch: Folder filled by :func:`gather`, with a file ``planned``.
        groups: What the planned frames share, one row a group.
    """
    for name in (*TABLES, "planned"):
        place = engine.quoted(scratch / name)
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


HELD = """
    WITH grouped AS (
        SELECT source, grid, split, variables, levels FROM frames GROUP BY ALL),
    held AS (
        SELECT source, grid,
               list_sort(list_distinct(flatten(list(variables)))) AS variables,
               list_sort(list_distinct(flatten(list(levels)))) AS levels,
               list_sort(list_distinct(list(split))) AS splits
        FROM grouped GROUP BY source, grid)
    SELECT held.source, held.grid, coalesce(planned, 0) AS planned, variables, levels, splits
    FROM held LEFT JOIN plan_counts USING (source, grid) ORDER BY held.source, held.grid
"""
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
    data = storage.get(url)
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


def _spill_plan(planned: Iterable[PlannedFrames], path: Path) -> pa.Table:
    """Write the planned frames to a scratch file; returns what each group shares."""
    shared: list[dict[str, Any]] = []
    constants = [name for name in PlannedFrames.__dataclass_fields__ if name != "frames"]
    with pq.ParquetWriter(path, PLAN, compression="lz4") as writer:
        for number, group in enumerate(planned):
            shared.append({"group_id": number, **{n: getattr(group, n) for n in constants}})
            rows = iter(group.frames)
            while batch := list(islice(rows, ROWS)):
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


def _refuse_doubles(database: duckdb.DuckDBPyConnection) -> None:
    for name, columns in IDENTITY.items():
        key = ", ".join(columns)
        grouped = f"FROM {name} GROUP BY {key} HAVING count(*) > 1 ORDER BY ALL LIMIT 1"
        for found in database.sql(f"SELECT {key} {grouped}").fetchall():
            raise ManifestError(
                f"two shard tasks claim the same row of {name}",
                "manifest/parts",
                ", ".join(f"{n}={v}" for n, v in zip(columns, found, strict=True)),
                "delete the parts that do not belong to this recipe, or take an empty output",
            )


def _held(database: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What the index says of each source and grid."""
    relation: Any = database.sql(HELD)
    held: list[dict[str, Any]] = relation.to_arrow_table().to_pylist()
    return held


def _publish(database: duckdb.DuckDBPyConnection, name: str, stem: str) -> dict[str, Any]:
    """Write a table in its one order; returns its rows, bytes and digest."""
    schema, url = TABLES[name], stem + ".parquet"
    order = ", ".join(f"{column} NULLS FIRST" for column in IDENTITY[name])
    columns = ", ".join(schema.names)
    rows = engine.stream(database, f"SELECT {columns} FROM {name} ORDER BY {order}", schema)  # noqa: S608
    count = 0
    with storage.writing(url) as file:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for block in _blocks(rows, schema, ROWS):
                writer.write_table(block, row_group_size=ROWS)
                count += block.num_rows
        file.flush()
        digest, size = _digest(Path(file.name))
    return {"rows": count, "bytes": size, "sha256": digest}


def _blocks(batches: Iterator[pa.RecordBatch], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """The same rows in tables of exactly ``size`` rows, the last one aside."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        while count >= size:
            table = pa.Table.from_batches(held, schema=schema)
            yield table.slice(0, size).combine_chunks()
            rest = table.slice(size).combine_chunks()
            held, count = rest.to_batches(), rest.num_rows
    if count:
        yield pa.Table.from_batches(held, schema=schema).combine_chunks()


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
