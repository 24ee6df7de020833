"""Two builds of a dataset, frame by frame."""

import shutil
from dataclasses import replace
from datetime import datetime

import pytest

from aurora_prep.manifest import durable
from aurora_prep.manifest.diff import DIFFERENCE, Change, counts, diff
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.manifest.ledger.parts import write_part
from aurora_prep.sources.spec import ManifestError


@pytest.fixture
def builds(small, small_of, tmp_path):
    """The same dataset twice: five of six frames."""
    small.publish(*range(5))
    compact(str(small.root), [small.plan()])
    shutil.copytree(small.root, tmp_path / "after")
    return small, small_of(tmp_path / "after")


def change(build, i, **values) -> None:
    part = build.write(i)
    (frame,) = part.frames
    write_part(str(build.root), replace(part, frames=(replace(frame, **values),)))
    compact(str(build.root), [build.plan()])


def found(builds) -> list:
    table = diff(*(str(build.root) for build in builds))
    assert table.schema == DIFFERENCE
    return [
        tuple(row[name] for name in ("init_time", "change", "column", "before", "after"))
        for row in table.to_pylist()
    ]


def test_two_equal_builds_do_not_differ(builds):
    assert found(builds) == []


def test_when_and_by_what_a_frame_was_made_is_no_difference(builds):
    other = {"created": datetime(2030, 1, 1), "software_version": "9", "recipe_digest": "0" * 64}
    change(builds[1], 2, **other)
    assert found(builds) == []


def test_a_frame_written_since_is_a_change_of_status(builds):
    before, after = builds
    after.publish(5)
    compact(str(after.root), [after.plan()])
    assert found(builds) == [(before.time(5), "status", "status", "missing", "written")]


def test_other_bytes_are_other_values(builds):
    before, after = builds
    change(after, 1, checksum="0" * 64)
    ((time, kind, column, _, now),) = found(builds)
    assert (time, kind, column, now) == (before.time(1), "values", "checksum", "0" * 64)


def test_another_record_of_the_same_bytes_is_named_by_its_column(builds):
    before, after = builds
    change(after, 1, split="validation")
    assert found(builds) == [(before.time(1), "record", "split", "train", "validation")]


def test_frames_planned_by_one_build_only_are_added_or_removed(builds):
    before, after = builds
    longer = replace(after.plan(), frames=[(after.time(i),) for i in range(7)])
    compact(str(after.root), [longer])
    assert found(builds) == [(before.time(6), "added", "status", None, "missing")]
    assert found(builds[::-1]) == [(before.time(6), "removed", "status", "missing", None)]


def test_counts_name_every_kind_of_change(builds):
    after = builds[1]
    after.publish(5)
    change(after, 1, checksum="0" * 64)
    table = diff(*(str(build.root) for build in builds))
    assert counts(table) == {**dict.fromkeys(map(str, Change), 0), "status": 1, "values": 1}


def test_a_remote_build_compares_too(builds, tmp_path):
    before, after = builds
    change(after, 1, split="validation")
    remote = f"memory://{tmp_path.name}/after"
    for name in ("index.json", "frames.parquet"):
        content = durable.get(str(after.root / "manifest" / name))
        durable.put(durable.join(remote, "manifest", name), content)
    assert diff(str(before.root), remote).num_rows == 1


def test_a_dataset_without_a_manifest_is_an_error(builds, tmp_path):
    with pytest.raises(ManifestError, match="no manifest"):
        diff(str(builds[0].root), str(tmp_path / "absent"))
