"""Verification finds whatever is done to a dataset, and repair undoes exactly that."""

import hashlib
import json
import os
import shutil
from dataclasses import replace
from datetime import timedelta

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import zarr

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.manifest.ledger.parts import read_part, write_part
from aurora_prep.manifest.verify.verification import Kind, repair, verify
from aurora_prep.sources.spec import ManifestError

SHARD = "era5/30.zarr/t/c/2/0/0/0"
OTHER = "era5/30.zarr/t/c/3/0/0/0"
TASK = ("era5", "30", "00002")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, small_of):
    """Five of six planned frames written, everything finished."""
    dataset = small_of(tmp_path_factory.mktemp("whole") / "dataset")
    dataset.create()
    dataset.publish(*range(5))
    compact(str(dataset.root), [dataset.plan()])
    dataset.close()
    return dataset


@pytest.fixture
def built(whole, tmp_path):
    """A copy of the dataset, to be harmed."""
    shutil.copytree(whole.root, tmp_path / "dataset")
    return replace(whole, root=tmp_path / "dataset")


def kinds(outcome) -> set:
    return {problem.kind for problem in outcome.problems}


def snapshot(root) -> dict:
    return {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def finish(small) -> None:
    """End a run as the pipeline does."""
    compact(str(small.root), [small.plan()])
    small.close()


def republish(small, change) -> None:
    """Let the ledger itself say something else, consistently."""
    part = read_part(str(small.root), *TASK)
    write_part(str(small.root), change(part))
    compact(str(small.root), [small.plan()])


def overwrite_object(small, data: bytes):
    """Put other bytes in the place of an object, and let the whole ledger agree with them."""
    (small.root / SHARD).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()

    def change(part):
        objects = tuple(
            replace(o, bytes=len(data), checksum=digest) if o.key == SHARD else o
            for o in part.objects
        )
        return replace(part, objects=objects)

    republish(small, change)


def test_an_untouched_dataset_has_no_problem(built):
    outcome = verify(str(built.root), deep=True, planned=[built.plan()])
    assert outcome.ok
    assert (outcome.frames_planned, outcome.frames_written) == (6, 5)
    assert outcome.objects_checked == 10
    shards = [*built.root.rglob("t/c/*/0/0/0"), *built.root.rglob("2t/c/*/0/0")]
    assert outcome.bytes_checked == sum(path.stat().st_size for path in shards)
    assert outcome.fields_checked == 15


def test_a_remote_dataset_is_verified_the_same(built, tmp_path):
    remote = f"memory://{tmp_path.name}/verified"
    for name in durable.tree(str(built.root)):
        durable.put(durable.join(remote, name), durable.get(str(built.root / name)))
    assert verify(remote, deep=True).ok
    durable.delete(durable.join(remote, SHARD))
    assert [p.where for p in verify(remote).problems] == [SHARD]


def test_progress_counts_to_the_end(built):
    seen = []
    verify(str(built.root), deep=True, progress=lambda *step: seen.append(step))
    assert ("objects", 10, 10) in seen
    assert seen[-1] == ("fields", 15, 15)


def delete(path) -> None:
    path.unlink()


def truncate(path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path) -> None:
    path.write_bytes(b"")


def flip_first(path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def flip_last(path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 128
    path.write_bytes(data)


def swap(path) -> None:
    other = path.parents[3] / "3/0/0/0"
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


def fill_with_nan(path) -> None:
    zarr.open_array(path.parents[4], mode="r+")[2] = np.nan


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (delete, Kind.ABSENT),
        (truncate, Kind.SIZE),
        (empty, Kind.SIZE),
        (flip_first, Kind.CHECKSUM),
        (flip_last, Kind.CHECKSUM),
        (swap, None),
        (fill_with_nan, None),
    ],
)
def test_harm_to_a_shard_is_found_named_and_repaired(built, harm, expected):
    before = snapshot(built.root)
    harm(built.root / SHARD)
    outcome = verify(str(built.root))
    assert SHARD in {problem.where for problem in outcome.problems}
    if expected is not None:
        assert kinds(outcome) == {expected}
    assert TASK in outcome.tasks
    assert set(outcome.tasks) <= {TASK, ("era5", "30", "00003")}
    assert all("run the recipe again" in problem.fix for problem in outcome.problems)

    assert repair(str(built.root), outcome) == outcome.tasks
    built.publish(*(int(shard) for _, _, shard in outcome.tasks))
    finish(built)
    assert snapshot(built.root) == before
    assert verify(str(built.root), deep=True).ok


def test_both_of_two_swapped_shards_are_named(built):
    swap(built.root / SHARD)
    assert {problem.where for problem in verify(str(built.root)).problems} == {SHARD, OTHER}


def test_values_that_every_record_agrees_on_but_the_details_are_found_deep(built):
    zarr.open_array(built.root / "era5/30.zarr/t", mode="r+")[2, 1] += 1
    overwrite_object(built, (built.root / SHARD).read_bytes())
    assert verify(str(built.root)).ok
    (problem,) = verify(str(built.root), deep=True).problems
    assert problem.kind is Kind.VALUES
    assert "atmospheric/t of 2020-01-01T12+000h at 850 hPa" in problem.where
    assert problem.task == TASK


def test_a_nan_field_that_every_record_agrees_on_is_found_without_decoding(built):
    zarr.open_array(built.root / "era5/30.zarr/t", mode="r+")[2, 0] = np.nan
    overwrite_object(built, (built.root / SHARD).read_bytes())
    (problem,) = verify(str(built.root)).problems
    assert problem.kind is Kind.INDEX
    assert "1 inner chunks, though the details speak of 2 fields" in problem.found


@pytest.mark.parametrize("column", ["minimum", "maximum", "mean", "missing_fraction"])
def test_every_figure_of_the_details_is_compared_deep(built, column):
    def change(part):
        first, *rest = part.details
        changed = replace(first, **{column: getattr(first, column) + 0.01})
        return replace(part, details=(changed, *rest))

    republish(built, change)
    assert verify(str(built.root)).ok
    (problem,) = verify(str(built.root), deep=True).problems
    assert problem.kind is Kind.VALUES


def broken_index(data: bytes, pairs) -> bytes:
    """A shard whose index says something else, with a right CRC."""
    index = np.asarray(pairs, "<u8").tobytes()
    crc = google_crc32c.value(index).to_bytes(4, "little")
    return data[: -len(index) - 4] + index + crc


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        ([[0, 60], [30, 60]], "overlap"),
        ([[0, 60], [10**6, 60]], "beyond"),
        ([[0, 60], [60, 2**63]], "beyond"),
        ([[0, 60], [2**64 - 1, 60]], "half absent"),
        ([[0, 60], [60, 0]], "empty"),
        ([[0, 60], [2**64 - 1, 2**64 - 1]], "1 inner chunks"),
    ],
)
def test_an_index_that_cannot_be_true_is_found(built, pairs, found):
    overwrite_object(built, broken_index((built.root / SHARD).read_bytes(), pairs))
    (problem,) = verify(str(built.root)).problems
    assert problem.kind is Kind.INDEX
    assert found in problem.found


def test_an_index_with_a_wrong_crc_is_found(built):
    data = bytearray((built.root / SHARD).read_bytes())
    data[-1] ^= 1
    overwrite_object(built, bytes(data))
    (problem,) = verify(str(built.root)).problems
    assert "CRC-32C" in problem.found


@pytest.mark.parametrize(
    "name",
    [
        "era5/30.zarr/t/c/5/0/0/0",
        "era5/30.zarr/t/c/2/0/0/0.old",
        "era5/30.zarr/stray/c/0",
        "era5/30.zarr/notes.txt",
        "era5/0.25.zarr/zarr.json",
    ],
)
def test_orphans_are_named_and_left_alone(built, name):
    durable.put(str(built.root / name), b"{}")
    outcome = verify(str(built.root))
    assert kinds(outcome) == {Kind.ORPHAN}
    assert outcome.problems[0].where in name
    assert "delete it" in outcome.problems[0].fix
    before = snapshot(built.root)
    assert repair(str(built.root), outcome) == ()
    assert snapshot(built.root) == before


@pytest.mark.parametrize("harm", [delete, flip_first, empty])
@pytest.mark.parametrize(
    "name",
    [
        "era5/30.zarr/zarr.json",
        "era5/30.zarr/t/zarr.json",
        "era5/30.zarr/time/c/0",
        "era5/30.zarr/latitude/zarr.json",
    ],
)
def test_harm_to_metadata_and_coordinates_is_found(built, name, harm):
    harm(built.root / name)
    outcome = verify(str(built.root))
    assert (Kind.METADATA, name) in {(p.kind, p.where) for p in outcome.problems}
    assert kinds(outcome) == {Kind.METADATA}


def test_a_store_that_cannot_be_opened_is_a_problem_of_a_deep_verification(built):
    (built.root / "era5/30.zarr/zarr.json").write_bytes(b"{")
    found = [p for p in verify(str(built.root), deep=True).problems if "opened" in p.found]
    assert [p.where for p in found] == ["era5/30.zarr"]


def rewrite(built, name: str, change) -> None:
    """Edit a table as somebody with pyarrow at hand would."""
    path = built.root / f"manifest/{name}.parquet"
    table = pq.read_table(path)
    pq.write_table(change(table).cast(table.schema), path)


def set_value(column: str, row: int, value):
    def change(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        assert values[row] != value
        values[row] = value
        position = table.schema.get_field_index(column)
        field = table.schema.field(column)
        return table.set_column(position, field, pa.array(values, field.type))

    return change


EDITS = {
    "frames": [
        set_value("status", 2, "missing"),
        set_value("status", 5, "written"),
        set_value("split", 0, "test"),
        set_value("bytes", 1, 1),
        set_value("checksum", 1, "0" * 64),
        set_value("lead_time", 0, timedelta(hours=6)),
        set_value("variables", 0, ["surface/2t"]),
        set_value("synthetic", 0, value=False),
        lambda table: table.slice(1),
        lambda table: table.slice(0, 5),
        lambda table: pa.concat_tables([table, table.slice(0, 1)]),
        lambda table: table.filter(pc.field("status") == "written"),
    ],
    "details": [
        set_value("minimum", 0, -1.0),
        set_value("mean", 3, 0.0),
        set_value("missing_fraction", 3, 0.5),
        set_value("level", 1, 1000),
        lambda table: table.slice(0, 14),
    ],
    "objects": [
        set_value("bytes", 0, 7),
        set_value("checksum", 0, "0" * 64),
        set_value("key", 0, "era5/30.zarr/2t/c/9/0/0"),
        set_value("frames", 0, []),
        lambda table: table.slice(2),
    ],
    "parts": [
        set_value("checksum", 0, "0" * 64),
        set_value("shard", 0, "x"),
        lambda table: table.slice(2),
    ],
}
CASES = [(name, i) for name, changes in EDITS.items() for i in range(len(changes))]


@pytest.mark.parametrize(("name", "number"), CASES)
def test_an_edited_table_is_found_and_rebuilt(built, name, number):
    before = snapshot(built.root)
    rewrite(built, name, EDITS[name][number])
    outcome = verify(str(built.root))
    assert f"manifest/{name}.parquet" in {problem.where for problem in outcome.problems}
    assert kinds(outcome) <= {Kind.MANIFEST, Kind.PLAN}
    assert outcome.tasks == ()
    if number == 0:
        repair(str(built.root), outcome)
        assert not (built.root / "manifest/index.json").exists()
        assert not (built.root / "dataset.json").exists()
        finish(built)
        assert snapshot(built.root) == before


@pytest.mark.parametrize(("name", "number"), [case for case in CASES if case[0] != "parts"])
def test_an_edit_whose_digest_was_edited_too_is_found(built, name, number):
    rewrite(built, name, EDITS[name][number])
    data = (built.root / f"manifest/{name}.parquet").read_bytes()
    place = built.root / "manifest/index.json"
    index = json.loads(place.read_text())
    entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    index["files"][f"{name}.parquet"].update(entry)
    place.write_text(json.dumps(index))
    outcome = verify(str(built.root))
    assert not outcome.ok
    assert all(f"manifest/{name}.parquet: " in problem.where for problem in outcome.problems)


def test_an_edited_row_is_named(built):
    rewrite(built, "frames", set_value("bytes", 1, 1))
    wheres = {problem.where for problem in verify(str(built.root)).problems}
    assert any("source=era5, grid=30, init_time=2020-01-01 06:00:00" in where for where in wheres)


@pytest.mark.parametrize("harm", [delete, truncate, empty])
@pytest.mark.parametrize("name", ["frames", "details", "objects", "parts"])
def test_a_table_that_is_gone_or_unreadable_is_a_problem_and_no_crash(built, name, harm):
    harm(built.root / f"manifest/{name}.parquet")
    outcome = verify(str(built.root))
    assert {p.where for p in outcome.problems} == {f"manifest/{name}.parquet"}
    assert kinds(outcome) == {Kind.MANIFEST}
    assert outcome.objects_checked == 10


@pytest.mark.parametrize("harm", [delete, truncate, empty, flip_first])
def test_harm_to_a_part_is_found_and_its_task_done_again(built, harm):
    before = snapshot(built.root)
    harm(built.root / "manifest/parts/era5-30/00002.parquet")
    outcome = verify(str(built.root))
    assert Kind.PART in kinds(outcome)
    assert outcome.tasks == (TASK,)
    repair(str(built.root), outcome)
    built.publish(2)
    finish(built)
    assert snapshot(built.root) == before


def test_objects_of_an_unreadable_part_are_still_checked(built):
    truncate(built.root / "manifest/parts/era5-30/00002.parquet")
    delete(built.root / SHARD)
    outcome = verify(str(built.root))
    assert {Kind.PART, Kind.ABSENT} <= kinds(outcome)
    assert Kind.ORPHAN not in kinds(outcome)


def test_a_part_rewritten_after_compaction_is_found(built):
    part = read_part(str(built.root), *TASK)
    write_part(str(built.root), replace(part, statistics=b"other"))
    (problem,) = verify(str(built.root)).problems
    assert problem.kind is Kind.PART
    assert problem.task == TASK


def test_a_part_that_is_not_compacted_yet_asks_for_another_run(built):
    built.publish(5)
    outcome = verify(str(built.root))
    assert Kind.MANIFEST in kinds(outcome)
    assert outcome.tasks == ()


def test_a_written_frame_without_its_details_is_found(built):
    republish(built, lambda part: replace(part, details=part.details[1:]))
    (problem,) = verify(str(built.root)).problems
    assert problem.kind is Kind.PART
    assert "atmospheric/t of 2020-01-01T12" in problem.where


def test_a_written_field_without_its_object_is_found(built):
    delete(built.root / SHARD)
    republish(
        built,
        lambda part: replace(part, objects=tuple(o for o in part.objects if o.key != SHARD)),
    )
    (problem,) = verify(str(built.root)).problems
    assert "atmospheric/t" in problem.where
    assert "no object" in problem.found


def test_frames_of_the_plan_that_nobody_recorded_are_found(built):
    longer = replace(built.plan(), frames=[(built.time(i),) for i in range(8)])
    outcome = verify(str(built.root), planned=[longer])
    assert outcome.frames_planned == 8
    assert sum("the row is gone from the table" in p.found for p in outcome.problems) == 2


def test_a_reason_that_only_the_run_knew_is_no_problem(built):
    reasons = [(built.time(i), timedelta(0), None, None, None, "no such data") for i in range(6)]
    compact(str(built.root), [replace(built.plan(), frames=reasons)])
    assert verify(str(built.root), planned=[built.plan()]).ok


def test_a_part_that_the_plan_does_not_know_is_found(built):
    shorter = replace(built.plan(), frames=[(built.time(i),) for i in range(4)])
    found = [p for p in verify(str(built.root), planned=[shorter]).problems if p.task]
    assert [problem.task for problem in found] == [("era5", "30", "00004")]
    assert found[0].kind is Kind.PLAN


def test_the_frames_to_rebuild_are_those_of_the_failed_tasks(built):
    delete(built.root / SHARD)
    truncate(built.root / "manifest/parts/era5-30/00004.parquet")
    wanted = ("era5/2020-01-01T12+000h", "era5/2020-01-02T00+000h")
    assert verify(str(built.root)).frames_to_rebuild == wanted
    assert verify(str(built.root), planned=[built.plan()]).frames_to_rebuild == wanted


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_orphans_are_deleted_on_request_with_the_folders_they_leave_empty(built, tmp_path, scheme):
    strays = ["era5/30.zarr/stray/c/0/1", "era5/30.zarr/t/c/9/0/0/0", "era5/0.25.zarr/zarr.json"]
    root = str(built.root)
    if scheme:
        root = f"{scheme}{tmp_path.name}/orphans"
        for name in durable.tree(str(built.root)):
            durable.put(durable.join(root, name), durable.get(str(built.root / name)))
    before = durable.tree(root)
    for name in strays:
        durable.put(durable.join(root, name), b"{}")
    outcome = verify(root)
    assert len(outcome.orphans) == 3
    assert repair(root, outcome, delete_orphans=True) == ()
    assert durable.tree(root) == before
    assert verify(root).ok
    if not scheme:
        assert not (built.root / "era5/30.zarr/stray").exists()


def test_a_dataset_json_that_promises_more_is_found(built):
    plan = {"source": "era5", "grid": "30", "frames": {"frames": 7, "written": 5}}
    (built.root / "dataset.json").write_text(json.dumps({"sources": [plan]}))
    (problem,) = verify(str(built.root)).problems
    assert problem.kind is Kind.PLAN
    assert "7 frames, the manifest 6" in problem.found


def test_a_dataset_json_with_other_digests_is_found(built):
    content = json.loads((built.root / "dataset.json").read_text())
    index = json.loads((built.root / "manifest/index.json").read_text())
    place = built.root / "dataset.json"
    place.write_text(json.dumps({**content, "manifest": index["files"]}))
    assert verify(str(built.root)).ok
    index["files"]["frames.parquet"]["sha256"] = "0" * 64
    place.write_text(json.dumps({**content, "manifest": index["files"]}))
    assert kinds(verify(str(built.root))) == {Kind.MANIFEST}


@pytest.mark.parametrize("content", [None, "{", "[]", '{"sources": [{}]}'])
def test_an_unfinished_dataset_says_so(built, content):
    (built.root / "dataset.json").unlink()
    if content is not None:
        (built.root / "dataset.json").write_text(content)
    (problem,) = verify(str(built.root)).problems
    assert problem.where == "dataset.json"


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_an_index_that_is_gone_or_damaged_is_a_problem_and_no_crash(built, content):
    (built.root / "manifest/index.json").unlink()
    if content is not None:
        (built.root / "manifest/index.json").write_text(content)
    outcome = verify(str(built.root))
    assert "manifest/index.json" in {problem.where for problem in outcome.problems}
    assert outcome.objects_checked == 10


def test_a_static_store_without_values_is_found(built):
    group = zarr.open_group(built.root / "static/30.zarr", mode="w", zarr_format=3)
    group.create_array("lsm", shape=(7, 12), dtype="f4")
    compact(str(built.root), [built.plan()])
    (problem,) = verify(str(built.root)).problems
    assert problem.where == "static/30.zarr/lsm"


def test_no_dataset_at_all_is_an_error(tmp_path):
    with pytest.raises(ManifestError, match="no dataset"):
        verify(str(tmp_path / "absent"))


def test_a_dataset_without_its_stores_names_every_object(built):
    shutil.rmtree(built.root / "era5")
    outcome = verify(str(built.root))
    assert sum(problem.kind is Kind.ABSENT for problem in outcome.problems) == 10
    assert len(outcome.tasks) == 5
