"""Parts: one small Parquet file a finished shard task, which is the ledger of a run.

A part exists only after the bytes it speaks of are durable, so what has no part is what is
left to do. A file holds one row whose lists are the task's frames, fields and objects.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aurora_prep.manifest import durable, layout
from aurora_prep.manifest.ledger.records import (
    DETAILS,
    FRAMES,
    OBJECTS,
    DetailRecord,
    FrameRecord,
    ObjectRecord,
    Part,
    Record,
    from_rows,
    to_table,
)
from aurora_prep.sources.spec import ManifestError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
LISTS = {"frames": FRAMES, "details": DETAILS, "objects": OBJECTS}
PART = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("grid", pa.string(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        *(
            pa.field(name, pa.list_(pa.field("element", pa.struct(list(schema)))), nullable=False)
            for name, schema in LISTS.items()
        ),
        pa.field("statistics", pa.binary(), nullable=False),
    ]
)


def part_url(root: str, source: str, grid: str, shard: str) -> str:
    """Where the part of a shard task is.

    Raises:
        ManifestError: A name cannot be a file's name.
    """
    for name in (source, grid, shard):
        if not NAME.fullmatch(name):
            raise ManifestError(
                "a name cannot be a file's name",
                f"part of source {source!r}, grid {grid!r}, shard {shard!r}",
                repr(name),
                "use letters, digits and . _ + - and begin with a letter or digit",
            )
    return durable.join(root, layout.part(source, grid, shard))


def write_part(root: str, part: Part) -> str:
    """Publish a part; call it last, when the shard's bytes are durable.

    The same content gives the same bytes, whatever the order of the records.

    Args:
        root: The dataset.
        part: What the task did.

    Returns:
        URL of the part.

    Raises:
        ManifestError: A record belongs to another task, or is there twice.
        WriteError: The place cannot be written.
    """
    part = ordered(part)
    url = part_url(root, part.source, part.grid, part.shard)
    durable.put(url, encode(part))
    return url


def read_part(root: str, source: str, grid: str, shard: str) -> Part:
    """Read a part back.

    Raises:
        ManifestError: There is no such part, or it is damaged.
    """
    url = part_url(root, source, grid, shard)
    row = decode(durable.get(url), url).to_pylist()[0]
    return Part(
        source=row["source"],
        grid=row["grid"],
        shard=row["shard"],
        frames=from_rows(FrameRecord, row["frames"]),
        details=from_rows(DetailRecord, row["details"]),
        objects=from_rows(ObjectRecord, row["objects"]),
        statistics=row["statistics"],
    )


def finished(root: str, source: str, grid: str) -> set[str]:
    """Shard tasks of a source on a grid that have a part, from one listing."""
    names = durable.listing(durable.join(root, layout.parts_folder(source, grid)))
    return {name.removesuffix(layout.PARQUET) for name in names if _is_part(name)}


def all_parts(root: str) -> list[tuple[str, str, str]]:
    """``(source, grid, shard)`` of every part, sorted."""
    folders = durable.listing(durable.join(root, layout.PARTS))
    pairs = [folder.partition("-")[::2] for folder in folders if "-" in folder]
    return sorted((s, g, shard) for s, g in pairs for shard in finished(root, s, g))


def discard(root: str, source: str, grid: str, shard: str) -> None:
    """Remove a part, so that the next run does its task again."""
    durable.delete(part_url(root, source, grid, shard))


def encode(part: Part) -> bytes:
    """A part as the bytes of its Parquet file.

    Every column is a page of its own, so reading is quick where opening a decompressor is:
    LZ4 takes little more than half of the time Zstandard takes.
    """
    rows: dict[str, tuple[Record, ...]] = {
        "frames": part.frames,
        "details": part.details,
        "objects": part.objects,
    }
    columns: list[Any] = [pa.array([text]) for text in (part.source, part.grid, part.shard)]
    for name, schema in LISTS.items():
        structs = to_table(rows[name], schema).to_struct_array().combine_chunks()
        columns.append(
            pa.ListArray.from_arrays(
                pa.array([0, len(structs)], pa.int32()), structs, type=PART.field(name).type
            )
        )
    columns.append(pa.array([part.statistics], pa.binary()))
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays(columns, schema=PART),
        sink,
        compression="lz4",
        use_dictionary=False,
        write_statistics=False,
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode(data: bytes, url: str) -> pa.Table:
    """The one-row table of a part's bytes.

    Raises:
        ManifestError: The bytes are not those of a part.
    """
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(url, f"{type(error).__name__}: {error}") from error
    if table.num_rows != 1 or not table.schema.equals(PART):
        raise _damaged(url, f"{table.num_rows} rows of {table.schema.names}")
    return table


def unnest(table: pa.Table, name: str) -> pa.Table:
    """The frames, details or objects of one or more parts, as a flat table."""
    structs = table.column(name).combine_chunks().flatten()
    return pa.Table.from_arrays(structs.flatten(), schema=LISTS[name])


def _is_part(name: str) -> bool:
    return name.endswith(layout.PARQUET) and not name.startswith(".")


def ordered(part: Part) -> Part:
    """The part with its records in their one order, checked for strays and doubles."""
    where = f"part {part.source}-{part.grid}/{part.shard}"
    frames = tuple(sorted(part.frames, key=_frame_order))
    details = tuple(sorted(part.details, key=_detail_order))
    objects = tuple(sorted(part.objects, key=lambda item: item.key))
    records: tuple[Record, ...] = (*frames, *details, *objects)
    for record in records:
        owner = (record.source, record.grid, record.shard)
        if owner != (part.source, part.grid, part.shard):
            raise ManifestError(
                "a record belongs to another shard task", where, repr(owner), "mend the writer"
            )
    identities: dict[str, list[Any]] = {
        "frames": [_frame_order(item) for item in frames],
        "details": [_detail_order(item) for item in details],
        "objects": [item.key for item in objects],
    }
    for kind, keys in identities.items():
        doubles = [key for before, key in pairwise(keys) if before == key]
        if doubles:
            raise ManifestError(
                f"the same row twice among the {kind}", where, repr(doubles[0]), "mend the writer"
            )
    return replace(part, frames=frames, details=details, objects=objects)


def _frame_order(record: FrameRecord) -> tuple[Any, ...]:
    return record.init_time, record.lead_time, _member(record.member)


def _detail_order(record: DetailRecord) -> tuple[Any, ...]:
    time = () if record.init_time is None else (record.init_time, record.lead_time)
    return time, _member(record.member), record.path, record.level or 0


def _member(member: int | None) -> int:
    return -1 if member is None else member


def _damaged(url: str, found: str) -> ManifestError:
    return ManifestError(
        "a part of the manifest is damaged", url, found, "delete the part and run the recipe again"
    )
