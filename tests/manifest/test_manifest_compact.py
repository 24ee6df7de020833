"""Compaction: the same tables whatever the order of the parts, and nothing planned forgotten."""

import hashlib
import itertools
import json
import shutil
from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger import compact as compaction
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.manifest.ledger.merge import NOT_DONE, TABLES
from aurora_prep.manifest.ledger.parts import part_url, write_part
from aurora_prep.manifest.ledger.planned import PlannedFrame
from aurora_prep.manifest.ledger.records import Part
from aurora_prep.sources.spec import ManifestError, WriteError


def tables(root) -> dict:
    return {name: pq.read_table(root / f"manifest/{name}.parquet") for name in TABLES}


def contents(root) -> dict:
    return {path.name: path.read_bytes() for path in sorted((root / "manifest").glob("*.*"))}


def test_every_planned_frame_has_one_row(small):
    small.publish(0, 2)
    compact(str(small.root), [small.plan()])
    rows = tables(small.root)["frames"].to_pylist()
    assert [row["init_time"] for row in rows] == [small.time(i) for i in range(6)]
    assert [row["status"] for row in rows] == [
        *["written", "missing", "written"],
        *["missing"] * 3,
    ]
    absent = rows[1]
    assert absent["reason"] == NOT_DONE
    assert absent["variables"] == ["surface/2t", "atmospheric/t"]
    assert absent["valid_time"] == small.time(1)
    assert absent["synthetic"]


def test_tables_have_the_declared_columns_and_all_rows(small):
    small.publish(*range(6))
    index = compact(str(small.root), [small.plan()])
    found = tables(small.root)
    assert {name: table.schema for name, table in found.items()} == TABLES
    assert {name: table.num_rows for name, table in found.items()} == {
        "frames": 6,
        "details": 18,
        "objects": 12,
        "parts": 6,
    }
    assert index["sources"] == [
        {
            "source": "era5",
            "grid": "30",
            "planned": 6,
            "variables": ["atmospheric/t", "surface/2t"],
            "levels": [500, 850],
            "splits": ["train", "validation"],
            "members": [],
            "samples": 2,
        }
    ]
    assert json.loads((small.root / "manifest/index.json").read_text()) == index
    for name, entry in index["files"].items():
        data = (small.root / "manifest" / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()
        assert entry["bytes"] == len(data)


def test_the_order_of_parts_does_not_change_a_byte(small, monkeypatch):
    monkeypatch.setattr(compaction, "ROWS", 4)
    small.publish(*range(6))
    compact(str(small.root), [small.plan()])
    first = contents(small.root)
    shutil.rmtree(small.root / "manifest")
    small.publish(*reversed(range(6)))
    shuffled = compaction.parts.all_parts(str(small.root))[::-1]
    monkeypatch.setattr(compaction.parts, "all_parts", lambda _: shuffled)
    compact(str(small.root), [small.plan()])
    assert contents(small.root) == first


def test_compaction_is_repeatable_and_grows(small):
    small.publish(0, 1)
    compact(str(small.root), [small.plan()])
    first = contents(small.root)
    compact(str(small.root), [small.plan()])
    assert contents(small.root) == first
    small.publish(2)
    compact(str(small.root), [small.plan()])
    assert contents(small.root) != first
    assert tables(small.root)["parts"].num_rows == 3


def test_blocks_are_exact_whatever_the_batches():
    schema = pa.schema([pa.field("bytes", pa.int64())])
    for sizes in itertools.product([1, 3, 7], repeat=3):
        whole = pa.table({"bytes": list(range(sum(sizes)))}, schema=schema)
        starts = [0, sizes[0], sizes[0] + sizes[1]]
        batches = [
            whole.slice(start, size).to_batches()[0]
            for start, size in zip(starts, sizes, strict=True)
        ]
        blocks = list(compaction._blocks(iter(batches), schema, 4))
        assert [b.num_rows for b in blocks[:-1]] == [4] * (len(blocks) - 1)
        assert pa.concat_tables(blocks).equals(whole)


def test_reasons_splits_and_members_of_the_plan_are_kept(small):
    frames = [
        PlannedFrame(small.time(0), timedelta(hours=6), 3, "train", "00000", "the archive has none")
    ]
    compact(str(small.root), [replace(small.plan(), frames=frames)])
    (row,) = tables(small.root)["frames"].to_pylist()
    assert row["reason"] == "the archive has none"
    assert (row["member"], row["split"], row["shard"]) == (3, "train", "00000")
    assert row["valid_time"] == small.time(1)


def test_a_frame_of_another_member_does_not_stand_in(small):
    small.publish(0)
    frames = [(small.time(0), timedelta(0), 1)]
    compact(str(small.root), [replace(small.plan(), frames=frames)])
    rows = tables(small.root)["frames"].to_pylist()
    assert [(row["member"], row["status"]) for row in rows] == [(None, "written"), (1, "missing")]


def test_an_empty_plan_and_no_parts_make_empty_tables(small):
    compact(str(small.root), [])
    assert all(table.num_rows == 0 for table in tables(small.root).values())


def test_two_tasks_that_claim_one_frame_are_refused(small):
    part = small.write(0)
    frames = tuple(replace(frame, shard="again") for frame in part.frames)
    again = Part(source=part.source, grid=part.grid, shard="again", frames=frames)
    write_part(str(small.root), part)
    write_part(str(small.root), again)
    with pytest.raises(ManifestError, match="two shard tasks claim the same row of frames"):
        compact(str(small.root), [small.plan()])


def test_a_frame_planned_twice_is_refused(small):
    frames = [(small.time(0),), (small.time(0),)]
    with pytest.raises(ManifestError, match="the same row of frames"):
        compact(str(small.root), [replace(small.plan(), frames=frames)])


def test_a_part_under_another_name_is_refused(small):
    small.publish(0)
    url = part_url(str(small.root), "era5", "30", "00000")
    durable.put(part_url(str(small.root), "era5", "30", "00001"), durable.get(url))
    with pytest.raises(ManifestError, match="not where it belongs"):
        compact(str(small.root), [small.plan()])


def test_what_killed_writers_left_is_swept(small):
    small.publish(0)
    durable.put(str(small.root / "manifest/parts/era5-30/.00001.parquet.x.unfinished"), b"half")
    compact(str(small.root), [small.plan()])
    assert durable.listing(str(small.root / "manifest/parts/era5-30")) == ["00000.parquet"]


def test_an_unwritable_dataset_is_a_four_part_error(small):
    blocked = small.root / "blocked"
    blocked.write_bytes(b"")
    with pytest.raises(WriteError) as caught:
        compact(str(blocked), [small.plan()])
    assert len(caught.value.args) == 4


def test_a_remote_dataset_is_compacted_the_same(small, tmp_path):
    small.publish(0, 1)
    compact(str(small.root), [small.plan()])
    remote = f"memory://{tmp_path.name}/remote"
    for name in durable.tree(str(small.root)):
        if name.startswith(("manifest/parts", small.source)):
            durable.put(durable.join(remote, name), durable.get(str(small.root / name)))
    compact(remote, [small.plan()])
    for name in ("frames.parquet", "details.parquet", "objects.parquet", "index.json"):
        local = (small.root / "manifest" / name).read_bytes()
        assert durable.get(durable.join(remote, "manifest", name)) == local


def test_many_planned_frames_take_seconds(small):
    frames = ((datetime(1980, 1, 1) + timedelta(hours=h),) for h in range(100_000))
    compact(str(small.root), [replace(small.plan(), frames=frames)])
    table = tables(small.root)["frames"]
    assert table.num_rows == 100_000
    assert table.column("init_time")[-1].as_py() == datetime(1991, 5, 29, 15)
