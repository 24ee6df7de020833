"""Compaction: many parts and the plan become the manifest's few sorted tables.

The tables are the same, byte for byte, whatever the order in which parts appeared. Rows go
through scratch files on disk and an external sort, so memory does not grow with the dataset.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from aurora_prep.manifest import duck, durable, layout
from aurora_prep.manifest.ledger import parts
from aurora_prep.manifest.ledger.merge import IDENTITY, TABLES, gather, merge
from aurora_prep.manifest.ledger.planned import PlannedFrame, PlannedFrames, spill_plan
from aurora_prep.manifest.ledger.records import Status
from aurora_prep.sources.spec import ManifestError, Product

__all__ = ["PlannedFrame", "PlannedFrames", "compact", "metadata_files", "stores_of"]

ROWS = 1 << 17
SAMPLES = f"""
    WITH written AS (
        SELECT source, grid, member, split, store, hash(variables, levels) AS fields,
               epoch(init_time)::BIGINT // 3600 AS init, lead_time // 3600 AS lead_hours,
               product = '{Product.FORECAST}' AS ahead,
               CASE WHEN list_contains(variables, 'surface/pm2p5') THEN 12 ELSE 6 END AS step
        FROM frames WHERE status = '{Status.WRITTEN}'),
    series AS (
        SELECT * EXCLUDE (init, lead_hours, ahead),
               CASE WHEN ahead THEN init ELSE lead_hours END AS run,
               CASE WHEN ahead THEN lead_hours ELSE init END AS hour FROM written),
    neighbours AS (
        SELECT source, grid, hour - lag(hour) OVER steps = step
               AND lead(hour) OVER steps - hour = step AS whole FROM series
        WINDOW steps AS (
            PARTITION BY source, grid, member, split, store, fields, run, step, hour % step
            ORDER BY hour))
    SELECT source, grid, count(*) FILTER (whole) AS samples FROM neighbours GROUP BY ALL
"""  # noqa: S608  # constants; what samples_of counts for the window it takes by itself
HELD = f"""
    WITH grouped AS (
        SELECT source, grid, split, variables, levels FROM frames GROUP BY ALL),
    held AS (
        SELECT source, grid,
               list_sort(list_distinct(flatten(list(variables)))) AS variables,
               list_sort(list_distinct(flatten(list(levels)))) AS levels,
               list_sort(list_distinct(list(split))) AS splits
        FROM grouped GROUP BY source, grid),
    ensembles AS (
        SELECT source, grid, list_sort(list(DISTINCT member) FILTER (member IS NOT NULL)) AS members
        FROM frames GROUP BY source, grid)
    SELECT held.source, held.grid, coalesce(planned, 0) AS planned, variables, levels, splits,
           coalesce(members, []) AS members, coalesce(samples, 0) AS samples
    FROM held LEFT JOIN plan_counts USING (source, grid) LEFT JOIN ensembles USING (source, grid)
    LEFT JOIN ({SAMPLES}) USING (source, grid) ORDER BY held.source, held.grid
"""  # noqa: S608  # constants


def compact(root: str, planned: Iterable[PlannedFrames]) -> dict[str, Any]:
    """Merge the parts of a dataset into its tables, and account for what has no part.

    Writes ``manifest/{details,objects,parts,frames}.parquet`` and, last,
    ``manifest/index.json`` with their digests, the number of frames planned and, for each
    source and grid, all variables, levels, splits and members and the number of training
    samples of Aurora's own window; and with the digests of the stores' metadata and
    coordinates, which must be complete by then. Nobody else may write to the
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
    folder = durable.join(root, layout.MANIFEST)
    durable.sweep(folder)
    with TemporaryDirectory() as name:
        scratch = Path(name)
        gather(root, parts.all_parts(root), scratch)
        groups = spill_plan(planned, scratch / "planned")
        with duck.connect(scratch) as database:
            merge(database, scratch, groups)
            _refuse_doubles(database)
            files = {
                layout.table_name(name): _publish(
                    database, name, durable.join(root, layout.table(name))
                )
                for name in ("details", "objects", "parts", "frames")
            }
            sources = _held(database)
    index = {"files": files, "sources": sources, "metadata": metadata_files(root)}
    durable.put(durable.join(root, layout.INDEX), json.dumps(index, indent=1).encode() + b"\n")
    return index


def stores_of(root: str) -> list[str]:
    """Zarr stores of a dataset, relative to it, sorted."""
    return [
        f"{folder}/{name}"
        for folder in durable.listing(root)
        for name in durable.listing(durable.join(root, folder))
        if name.endswith(".zarr")
    ]


def metadata_files(root: str) -> dict[str, dict[str, Any]]:
    """Size and digest of every file of the stores that no shard task writes.

    Args:
        root: The dataset.

    Returns:
        ``{path relative to the dataset: {"bytes": ..., "sha256": ...}}``, sorted by path.
    """
    paths = []
    for store in stores_of(root):
        for name in durable.listing(durable.join(root, store)):
            inside = durable.listing(durable.join(root, store, name))
            if not inside:
                paths.append(f"{store}/{name}")
            elif _is_coordinate(durable.join(root, store, name)):
                below = durable.tree(durable.join(root, store, name))
                paths += [f"{store}/{name}/{file}" for file in below]
            elif layout.ZARR_METADATA in inside:
                paths.append(f"{store}/{name}/{layout.ZARR_METADATA}")
    found = {}
    for path in sorted(paths):
        data = durable.get(durable.join(root, path))
        found[path] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return found


def _is_coordinate(url: str) -> bool:
    """Whether a folder of a store is an array of at most one dimension."""
    try:
        metadata = json.loads(durable.get(durable.join(url, layout.ZARR_METADATA)))
        return len(metadata["shape"]) <= 1
    except (ManifestError, ValueError, KeyError, TypeError):
        return False


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


def _publish(database: duckdb.DuckDBPyConnection, name: str, url: str) -> dict[str, Any]:
    """Write a table in its one order; returns its rows, bytes and digest."""
    schema = TABLES[name]
    order = ", ".join(f"{column} NULLS FIRST" for column in IDENTITY[name])
    columns = ", ".join(schema.names)
    rows = duck.stream(database, f"SELECT {columns} FROM {name} ORDER BY {order}", schema)  # noqa: S608
    count = 0
    with durable.writing(url) as file:
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
