"""DuckDB, configured once: bounded memory, its own scratch folder, no surprises."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

MEMORY = "1GB"
BATCH = 1 << 16
SIGNS = re.compile(r"([*?[])")


def connect(scratch: Path, *, keep_order: bool = False) -> duckdb.DuckDBPyConnection:
    """An in-memory database that spills into ``scratch`` beyond its memory limit."""
    return duckdb.connect(
        config={
            "memory_limit": MEMORY,
            "temp_directory": str(scratch),
            "preserve_insertion_order": keep_order,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
    )


def locked(scratch: Path, files: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    """A database for questions: it reads ``files`` and ``scratch``, and nothing else, ever."""
    database = connect(scratch, keep_order=True)
    # Before it expands a pattern, the database asks whether the pattern itself is allowed.
    names = (name for path in files for name in (quoted(path.absolute()), table(path)))
    allowed = ", ".join(dict.fromkeys(names))
    database.execute(f"SET allowed_paths = [{allowed}]")
    database.execute(f"SET allowed_directories = [{quoted(scratch)}]")
    database.execute("SET enable_external_access = false")
    database.execute("SET lock_configuration = true")
    return database


def quoted(text: object) -> str:
    """A value as an SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def table(path: Path) -> str:
    """The path of a Parquet file as an SQL string literal that matches it, and no other file.

    ``read_parquet`` takes paths for patterns: a folder ``era5[1]`` would mean ``era51``.
    """
    return quoted(SIGNS.sub(r"[\1]", str(path.absolute())))


def stream(
    database: duckdb.DuckDBPyConnection, sql: str, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Rows of a query in batches, cast to ``schema``."""
    reader: Any = database.sql(sql).to_arrow_reader(BATCH)
    for batch in reader:
        yield from pa.Table.from_batches([batch]).cast(schema).combine_chunks().to_batches()


def answer(database: duckdb.DuckDBPyConnection, text: str) -> pa.Table:
    """The answer to a SELECT, with intervals as durations."""
    relation: Any = database.sql(text)
    spans = [n for n, t in zip(relation.columns, relation.types, strict=True) if t == "INTERVAL"]
    if spans:
        names = ['"' + name.replace('"', '""') + '"' for name in spans]
        seconds = ", ".join(f"epoch({name})::BIGINT AS {name}" for name in names)
        relation = relation.project(f"* REPLACE ({seconds})")
    table = relation.to_arrow_table()
    for name in spans:
        position = table.schema.get_field_index(name)
        table = table.set_column(position, name, table.column(position).cast(pa.duration("s")))
    return table
