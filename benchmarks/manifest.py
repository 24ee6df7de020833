"""How fast the manifest answers with ten million frames, and how fast it is made of parts.

Run: python benchmarks/manifest.py [--rows 10000000] [--keep FOLDER]
     python benchmarks/manifest.py --parts 4000 [--keep FOLDER]

The first writes a manifest of four sources (one of them a 50-member ensemble forecast), then
times opening, the summary and filtered queries in fresh processes, with their peak memory.
The second writes parts of one frame of 69 fields each, and times their compaction; beside it
the same parts compressed as other codecs do, read by the same reader.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aurora_prep.manifest.ledger.compact import INDEX, ROWS, compact
from aurora_prep.manifest.ledger.merge import TABLES
from aurora_prep.manifest.ledger.parts import decode, encode, ordered, part_url
from aurora_prep.manifest.ledger.records import (
    FRAMES,
    DetailRecord,
    FrameRecord,
    ObjectRecord,
    Part,
    Status,
    sealed,
)
from aurora_prep.manifest.query import Manifest
from aurora_prep.sources.spec import FrameKey

QUERIES = {
    "open": "pass",
    "summary": "m.summary()",
    "query source, status": "m.query(source='hres_t0', status='missing')",
    "query valid time, lead time": (
        "m.query(source='ifs_ensemble', valid_from=datetime(2023, 3, 1),"
        " valid_until=datetime(2023, 3, 2), lead_time=timedelta(hours=24))"
    ),
    "query variable, split": "m.query(source='cams_analysis', variable='2t', split='train')",
    "missing": "m.missing()",
    "sql": "m.sql('SELECT status, count(*) FROM frames GROUP BY ALL')",
}
VARIABLES = ["surface/2t", "surface/10u", "surface/10v", "surface/msl"] + [
    f"atmospheric/{name}" for name in "zuvtq"
]
LEVELS = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]
SMALL = {"cams_analysis": ("0.4", 12, 200), "era5": ("0.25", 1, 27), "hres_t0": ("0.25", 6, 300)}


def main() -> None:
    """Write the manifest, ask it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--keep", type=Path, help="folder to write the manifest to, and keep")
    parser.add_argument("--parts", type=int, help="time the compaction of this many parts")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.parts:
        compaction(arguments.keep, arguments.parts)
        return
    if arguments.ask:
        ask(str(arguments.keep), arguments.ask)
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.keep or Path(scratch)
        if not (root / "manifest/frames.parquet").exists():
            write(root, arguments.rows)
        size = (root / "manifest/frames.parquet").stat().st_size
        print(f"{arguments.rows:,} frames, {size / 1e6:.0f} MB, {platform.machine()}")
        print(f"{'':32}{'first s':>10}{'best s':>10}{'CPU s':>10}{'rows':>12}{'peak MiB':>10}")
        for name in QUERIES:
            command = [sys.executable, __file__, "--keep", str(root), "--ask", name]
            found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            print(
                f"{name:32}{found['first']:10.3f}{found['best']:10.3f}{found['cpu']:10.3f}"
                f"{found['rows']:12,}{found['peak'] / 1024:10.0f}"
            )


def compaction(keep: Path | None, count: int) -> None:
    """Compact parts, and read some of them in other codecs."""
    with tempfile.TemporaryDirectory() as scratch:
        root = keep or Path(scratch)
        if not (root / "manifest/parts").exists():
            for position in range(count):
                part = ordered(part_of(position))
                url = Path(part_url(str(root), part.source, part.grid, part.shard))
                url.parent.mkdir(parents=True, exist_ok=True)
                url.write_bytes(encode(part))  # as write_part does, but for waiting for the disk
        wall, cpu = time.perf_counter(), time.process_time()
        index = compact(str(root), [])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rows = sum(entry["rows"] for entry in index["files"].values())
        print(f"{count:,} parts, {rows:,} rows, {platform.machine()}")
        print(f"compaction {wall:.1f} s, {1e3 * wall / count:.2f} ms a part, CPU {cpu:.1f} s")
        places = sorted((root / "manifest/parts").rglob("*.parquet"))[:500]
        tables = [decode(place.read_bytes(), str(place)) for place in places]
    print(f"{'codec':10}{'bytes a part':>14}{'CPU ms to read':>16}")
    for codec in ("lz4", "zstd", "none"):
        files = [compressed(table, codec) for table in tables]
        best = min(cpu_to_read(files) for _ in range(3))
        size = sum(map(len, files)) / len(files)
        print(f"{codec:10}{size:14,.0f}{1e3 * best / len(files):16.2f}")


def cpu_to_read(files: list[bytes]) -> float:
    """Seconds of processor time to read parts, one after the other."""
    start = time.process_time()
    for data in files:
        decode(data, "")
    return time.process_time() - start


def compressed(table: pa.Table, codec: str) -> bytes:
    """A part with another codec."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression=codec, use_dictionary=False, write_statistics=False)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def part_of(position: int) -> Part:
    """The part of one hourly frame of 69 fields in nine objects."""
    time_of = datetime(1979, 1, 1) + position * timedelta(hours=1)
    shard = f"{time_of:%Y%m%dT%H}+000h"
    names = {"source": "era5", "grid": "0.25", "store": "era5/0.25.zarr", "shard": shard}
    key = FrameKey("era5", time_of)
    fields = [
        (path, level)
        for path in VARIABLES
        for level in (LEVELS if path.startswith("atmospheric") else [None])
    ]
    details = [
        DetailRecord(
            **names, init_time=time_of, lead_time=key.lead_time, path=path, level=level,
            minimum=float(position), maximum=position + 2.0, mean=position + 1.0,
            missing_fraction=0.0,
        )
        for path, level in fields
    ]  # fmt: skip
    objects = [
        ObjectRecord(
            **names, key=f"era5/0.25.zarr/{path.rsplit('/')[-1]}/c/{position}/0/0/0",
            bytes=10_000_000 + position, checksum=f"{position:064x}", frames=(str(key),),
        )
        for path in VARIABLES
    ]  # fmt: skip
    frame = FrameRecord(
        **names, product="reanalysis", access="cds", init_time=time_of, status=Status.WRITTEN,
        recipe_digest="ab" * 32, split="train", variables=tuple(VARIABLES),
        levels=tuple(LEVELS), chunk_key=str(position), tokens=259_200, created=time_of,
        software_version="0.1.0",
    )  # fmt: skip
    return Part(
        source="era5", grid="0.25", shard=shard, frames=sealed([frame], objects),
        details=tuple(details), objects=tuple(objects), statistics=bytes(4000),
    )  # fmt: skip


def ask(root: str, name: str) -> None:
    """Run one question three times in this process and print its figures as JSON."""
    seconds, processor = [], []
    answer = None
    for _ in range(3):
        start, begun = time.perf_counter(), time.process_time()
        with Manifest.open(root) as manifest:
            names = {"m": manifest, "datetime": datetime, "timedelta": timedelta}
            question = QUERIES[name]
            answer = None if question == "pass" else eval(question, names)  # noqa: S307
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = 0 if answer is None else answer.num_rows
    times = {"first": seconds[0], "best": min(seconds), "cpu": min(processor)}
    print(json.dumps({**times, "rows": rows, "peak": peak}))


def write(root: Path, rows: int) -> None:
    """Write the four tables; only that of the frames has rows."""
    (root / "manifest").mkdir(parents=True)
    for name, schema in TABLES.items():
        if name != "frames":
            pq.write_table(schema.empty_table(), root / f"manifest/{name}.parquet")
    with pq.ParquetWriter(root / "manifest/frames.parquet", FRAMES, compression="zstd") as writer:
        for table in frames(rows):
            writer.write_table(table, row_group_size=ROWS)
    held = {
        "variables": VARIABLES,
        "levels": LEVELS,
        "splits": ["train", "validation"],
        "members": list(range(50)),
        "samples": 0,
    }
    pairs = [*((name, grid) for name, (grid, _, _) in SMALL.items()), ("ifs_ensemble", "0.25")]
    index = {
        "files": {
            path.name: {"bytes": path.stat().st_size} for path in (root / "manifest").iterdir()
        },
        "sources": [{"source": source, "grid": grid, **held} for source, grid in pairs],
    }
    (root / "manifest" / INDEX).write_text(json.dumps(index))


def frames(rows: int) -> Iterator[pa.Table]:
    """Frames of the four sources in the manifest's order, in row groups."""
    small = 0
    for source, (grid, hours, share) in SMALL.items():
        count = rows // share
        small += count
        for start in range(0, count, ROWS):
            positions = np.arange(start, min(start + ROWS, count))
            yield block(source, grid, positions * hours, positions * 0, None)
    members, leads = 50, 41
    count = rows - small
    for start in range(0, count, ROWS):
        positions = np.arange(start, min(start + ROWS, count))
        init, rest = np.divmod(positions, members * leads)
        lead, member = np.divmod(rest, members)
        yield block("ifs_ensemble", "0.25", init * 12, lead * 6, member)


def block(
    source: str, grid: str, init: np.ndarray, lead: np.ndarray, member: np.ndarray | None
) -> pa.Table:
    """One row group: a frame in a hundred is missing."""
    count = len(init)
    rng = np.random.default_rng(int(init[0]) + count)
    start = np.datetime64("1979-01-01T00" if source == "era5" else "2018-01-01T00", "ms")
    inits = start + init.astype("timedelta64[h]")
    missing = rng.random(count) < 0.01
    digests = rng.bytes(32 * count).hex()
    checksums = np.array([digests[64 * i : 64 * i + 64] for i in range(count)], dtype=object)
    shards = np.array([f"{source}-{int(i):09d}" for i in init], dtype=object)
    columns = {
        "source": pa.array([source] * count),
        "product": pa.array(["reanalysis" if member is None else "forecast"] * count),
        "access": pa.array(["cds"] * count),
        "init_time": pa.array(inits),
        "lead_time": pa.array(lead.astype("timedelta64[h]").astype("timedelta64[s]")),
        "valid_time": pa.array(inits + lead.astype("timedelta64[h]")),
        "member": pa.nulls(count, pa.int32()) if member is None else pa.array(member, pa.int32()),
        "grid": pa.array([grid] * count),
        "split": pa.array(np.where(init % 10 < 9, "train", "validation").astype(object)),
        "status": pa.array(np.where(missing, "missing", "written").astype(object)),
        "reason": pa.array(np.where(missing, "the archive has none", None)),
        "variables": pa.array([VARIABLES] * count),
        "levels": pa.array([LEVELS] * count, FRAMES.field("levels").type),
        "missing_fraction": pa.array(np.zeros(count)),
        "store": pa.array([f"{source}/{grid}.zarr"] * count),
        "chunk_key": pa.array(shards),
        "shard": pa.array(shards),
        "bytes": pa.array(rng.integers(100_000_000, 200_000_000, count)),
        "checksum": pa.array(checksums),
        "request_digest": pa.array(["ab" * 32] * count),
        "recipe_digest": pa.array(["cd" * 32] * count),
        "tokens": pa.array(np.full(count, 259_200)),
        "created": pa.array(inits),
        "software_version": pa.array(["0.1.0"] * count),
        "synthetic": pa.array(np.ones(count, dtype=bool)),
    }
    arrays = [
        columns[field.name].cast(field.type)
        if field.name in columns
        else pa.nulls(count, field.type)
        for field in FRAMES
    ]
    return pa.Table.from_arrays(arrays, schema=FRAMES)


if __name__ == "__main__":
    main()
