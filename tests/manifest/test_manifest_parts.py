"""Parts: the ledger of finished shard tasks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.parts import (
    all_parts,
    discard,
    encode,
    finished,
    part_url,
    read_part,
    write_part,
)
from aurora_prep.manifest.ledger.records import FrameRecord, Part, Status, checksum_of, sealed
from aurora_prep.sources.spec import ManifestError, WriteError


def test_a_part_comes_back_as_it_was_written(small):
    part = small.write(0)
    write_part(str(small.root), part)
    back = read_part(str(small.root), "era5", "30", "00000")
    assert back.frames == part.frames
    assert set(back.details) == set(part.details)
    assert set(back.objects) == set(part.objects)
    assert back.statistics == part.statistics


def test_static_fields_are_a_part_without_frames(small):
    part = small.write(0)
    details = tuple(replace(d, init_time=None, lead_time=None) for d in part.details)
    objects = tuple(replace(o, frames=()) for o in part.objects)
    static = replace(part, frames=(), details=details, objects=objects, statistics=b"")
    write_part(str(small.root), static)
    back = read_part(str(small.root), "era5", "30", "00000")
    assert back.frames == ()
    assert {d.init_time for d in back.details} == {None}


def test_the_order_of_records_does_not_change_the_bytes(small):
    part = small.write(0)
    mixed = replace(part, details=part.details[::-1], objects=part.objects[::-1])
    url = write_part(str(small.root), part)
    first = durable.get(url)
    write_part(str(small.root), mixed)
    assert durable.get(url) == first


def test_finished_names_only_whole_parts(small):
    small.publish(3, 1)
    folder = durable.join(str(small.root), "manifest/parts/era5-30")
    durable.put(durable.join(folder, ".00002.parquet.abc.unfinished"), b"half")
    assert finished(str(small.root), "era5", "30") == {"00001", "00003"}
    assert finished(str(small.root), "era5", "0.25") == set()
    assert all_parts(str(small.root)) == [("era5", "30", "00001"), ("era5", "30", "00003")]


def test_a_discarded_part_is_to_be_done_again(small):
    small.publish(0, 1)
    discard(str(small.root), "era5", "30", "00000")
    assert finished(str(small.root), "era5", "30") == {"00001"}


def test_a_damaged_part_is_named(small):
    small.publish(0)
    url = part_url(str(small.root), "era5", "30", "00000")
    durable.put(url, durable.get(url)[:-20])
    with pytest.raises(ManifestError, match=r"00000\.parquet"):
        read_part(str(small.root), "era5", "30", "00000")


def test_a_parquet_file_that_is_no_part_is_named(small):
    small.publish(0)
    url = part_url(str(small.root), "era5", "30", "00000")
    durable.put(url, encode(Part(source="era5", grid="30", shard="00000")))
    assert read_part(str(small.root), "era5", "30", "00000").frames == ()
    durable.put(url, b"")
    with pytest.raises(ManifestError, match="damaged"):
        read_part(str(small.root), "era5", "30", "00000")


@pytest.mark.parametrize("name", ["", "../escape", "a/b", ".hidden", "with space"])
def test_a_shard_name_must_be_a_file_name(small, name):
    with pytest.raises(ManifestError, match="cannot be a file's name"):
        write_part(str(small.root), Part(source="era5", grid="30", shard=name))


def test_a_record_of_another_task_is_refused(small):
    part = small.write(0)
    with pytest.raises(ManifestError, match="another shard task"):
        write_part(str(small.root), replace(part, shard="00009"))


@pytest.mark.parametrize("kind", ["frames", "details", "objects"])
def test_a_row_given_twice_is_refused(small, kind):
    part = small.write(0)
    rows = getattr(part, kind)
    with pytest.raises(ManifestError, match=f"twice among the {kind}"):
        write_part(str(small.root), replace(part, **{kind: rows + rows[:1]}))


def test_an_unwritable_dataset_is_a_four_part_error(small):
    blocked = small.root / "blocked"
    blocked.write_bytes(b"")
    with pytest.raises(WriteError) as caught:
        write_part(str(blocked), small.write(0))
    assert len(caught.value.args) == 4


def test_sealed_bytes_add_up_to_those_of_the_objects(small):
    part = small.write(0)
    frame = part.frames[0]
    frames = [replace(frame, init_time=frame.init_time + timedelta(hours=h)) for h in range(3)]
    keys = tuple(str(f.key) for f in frames)
    objects = [replace(o, bytes=1000 + i, frames=keys) for i, o in enumerate(part.objects)]
    found = sealed(frames, objects)
    assert sum(f.bytes for f in found) == sum(o.bytes for o in objects)
    assert {f.checksum for f in found} == {checksum_of(objects)}


def test_a_frame_that_is_not_written_needs_a_reason(small):
    frame = small.write(0).frames[0]
    with pytest.raises(ManifestError, match="needs a reason"):
        replace(frame, status=Status.MISSING)
    assert replace(frame, status="rejected", reason="all NaN").status is Status.REJECTED


def test_an_unknown_status_is_named(small):
    frame = small.write(0).frames[0]
    with pytest.raises(ManifestError, match="lost"):
        replace(frame, status="lost")


def test_valid_time_follows_from_init_and_lead(small):
    frame = replace(small.write(0).frames[0], lead_time=timedelta(hours=12))
    assert isinstance(frame, FrameRecord)
    assert frame.valid_time == frame.init_time + timedelta(hours=12)
