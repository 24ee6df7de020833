"""Tables for people and for programs: plain text, and rows that JSON can hold."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

HOUR = timedelta(hours=1)
TOTALS = ("frames", "written", "missing", "rejected", "bytes", "tokens", "samples")
WIDEST = 44


def text_table(table: pa.Table, columns: list[str] | None = None) -> str:
    """A table as aligned text, numbers to the right; no line for each row beyond it.

    Args:
        table: Any table of the manifest.
        columns: Which columns to show, in order; all of them by default.
    """
    shown = table.select(columns) if columns else table
    cells = [[name.replace("_", " ") for name in shown.column_names]]
    cells += [[_cell(name, row[name]) for name in shown.column_names] for row in shown.to_pylist()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [_is_number(field.type) for field in shown.schema]
    lines = [
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]])


def summary_text(summary: pa.Table) -> str:
    """The answer to "frames per source": one line a source and grid, and the total."""
    members = ["members"] if any(summary.column("members").to_pylist()) else []
    columns = ["source", "grid", "frames", "written", "missing", "rejected", "first", "last"]
    columns += ["cadence", *members, "variables", "levels"]
    columns += ["bytes", "tokens_per_frame", "tokens", "samples"]
    counted = _with_counts(summary.select(columns))
    if summary.num_rows < 2:  # noqa: PLR2004  # one source is its own total
        return text_table(counted)
    total = {"source": "total", **_totals(summary)}
    row = [{name: total.get(name) for name in columns}]
    return text_table(pa.concat_tables([counted, pa.Table.from_pylist(row, schema=counted.schema)]))


def summary_rows(summary: pa.Table) -> dict[str, Any]:
    """The summary as JSON values: ``{"sources": [...], "totals": {...}}``."""
    return {"sources": rows(summary), "totals": _totals(summary)}


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as JSON values: times in ISO 8601 without a zone (UTC), spans such as ``6h``."""
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()]


def span(value: timedelta) -> str:
    """A time span as a recipe writes it: ``6h``, ``10d``; seconds where hours do not divide."""
    if value % (24 * HOUR) == timedelta(0) and value:
        return f"{value // (24 * HOUR)}d"
    return f"{value // HOUR}h" if value % HOUR == timedelta(0) else f"{value.total_seconds():g}s"


def size(count: float) -> str:
    """Bytes with a decimal prefix: ``1.5 GB``."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000:  # noqa: PLR2004  # decimal prefixes
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} PB"


def _totals(summary: pa.Table) -> dict[str, Any]:
    return {name: pc.sum(summary.column(name)).as_py() or 0 for name in TOTALS}


def _with_counts(table: pa.Table) -> pa.Table:
    """Lists replaced by how many things they hold."""
    for name in ("variables", "levels"):
        position = table.schema.get_field_index(name)
        table = table.set_column(position, name, pc.list_value_length(table.column(name)))
    schema = pa.schema([field.with_nullable(nullable=True) for field in table.schema])
    return table.cast(schema)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name == "bytes":
        return size(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        value = ",".join(map(str, value))
    text = str(_plain(value))
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else _written_out(value)


def _written_out(value: Any) -> str:
    if isinstance(value, datetime):
        whole = value.minute == value.second == value.microsecond == 0
        return value.strftime("%Y-%m-%dT%H") if whole else value.isoformat()
    if isinstance(value, timedelta):
        return span(value)
    return value.hex() if isinstance(value, bytes) else str(value)
