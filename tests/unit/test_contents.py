"""What a raw file holds: found once, kept, and found anew when the file changes."""

import os
from datetime import datetime, timedelta

import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.file_index import Contents, contents_of, sniff
from aurora_prep.pipelines.reading.grib import read_grib, read_ranges
from aurora_prep.pipelines.reading.match import holdings_of, scan
from aurora_prep.sources.spec import DecodeError

ERA5 = sources.load("era5")


class CountingScan:
    """The real scan, which also counts; a new one is a new process to the memory."""

    def __init__(self):
        self.calls = 0

    def __call__(self, path, kind):
        self.calls += 1
        return scan(path, kind)


@pytest.fixture
def raw(tmp_path, grib):
    path = tmp_path / "raw.grib"
    path.write_bytes(grib() + grib(paramId=151, values=1e5))
    return path


def test_contents_are_found_once(tmp_path, raw):
    counting = CountingScan()
    one, other = (contents_of(raw, tmp_path / "kept", counting) for _ in range(2))
    assert one == other
    assert counting.calls == 1


def test_kept_notes_serve_another_process(tmp_path, raw):
    first, second = CountingScan(), CountingScan()
    found = contents_of(raw, tmp_path / "kept", first)
    again = contents_of(raw, tmp_path / "kept", second)
    assert (first.calls, second.calls) == (1, 0)
    assert again == found
    assert isinstance(again, Contents)
    ref = again.fields[1]
    assert (ref.init_time, ref.lead_time) == (datetime(2020, 1, 1), timedelta(0))
    assert isinstance(ref.ranges, tuple)
    assert read_grib(ref, read_ranges(ref))[0] == 1e5


def test_a_changed_file_is_scanned_again(tmp_path, raw, grib):
    counting = CountingScan()
    before = contents_of(raw, tmp_path / "kept", counting)
    raw.write_bytes(grib())
    after = contents_of(raw, tmp_path / "kept", counting)
    assert counting.calls == 2
    assert (len(before.fields), len(after.fields)) == (2, 1)


def test_a_file_of_the_same_size_but_another_time_is_scanned_again(tmp_path, raw):
    counting = CountingScan()
    contents_of(raw, tmp_path / "kept", counting)
    os.utime(raw, ns=(0, 1))
    contents_of(raw, tmp_path / "kept", counting)
    assert counting.calls == 2


def test_a_damaged_note_is_made_again(tmp_path, raw):
    contents_of(raw, tmp_path / "kept", CountingScan())
    (note,) = (tmp_path / "kept").rglob("*.json")
    whole = note.read_text()
    for damage in ("", "{", "{}", "[]", '{"file": 1}', whole[:-20]):
        note.write_text(damage)
        counting = CountingScan()
        assert len(contents_of(raw, tmp_path / "kept", counting).fields) == 2
        assert counting.calls == 1
        assert note.read_text() == whole


def test_without_a_place_for_notes_the_contents_are_found_all_the_same(tmp_path, raw):
    (tmp_path / "kept").write_text("a file where the folder should be")
    counting = CountingScan()
    assert len(contents_of(raw, tmp_path / "kept", counting).fields) == 2


def test_a_damaged_file_leaves_no_note(tmp_path, raw):
    raw.write_bytes(raw.read_bytes()[:-30])
    counting = CountingScan()
    for _ in range(2):
        with pytest.raises(DecodeError):
            contents_of(raw, tmp_path / "kept", counting)
    assert counting.calls == 2
    assert not list((tmp_path / "kept").rglob("*.json"))


def test_one_file_under_two_names_is_itself_under_both(tmp_path, raw):
    """A note outlives the name under which the file was first seen."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    kept = tmp_path / "kept"
    for path in (raw, link / raw.name):
        held = holdings_of((str(path),), ERA5, kept)
        assert {ref.file for ref in held.fields.values()} == {str(path)}
        assert {held.grid_of(ref)["gridType"] for ref in held.fields.values()} == {"regular_ll"}


def test_holdings_follow_a_file_that_changes(tmp_path, raw, grib):
    kept = tmp_path / "kept"
    assert len(holdings_of((str(raw),), ERA5, kept).fields) == 2
    raw.write_bytes(grib())
    assert len(holdings_of((str(raw),), ERA5, kept).fields) == 1


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"GRIB\x00", "grib"),
        (b"\x00" * 40 + b"GRIB\x00\x00\x00\x01", "grib"),
        (b"\x89HDF\r\n\x1a\n", "netcdf"),
        (b"CDF\x01", "netcdf"),
        (b"CDF\x02", "netcdf"),
        (b"CDF\x05", "netcdf"),
    ],
)
def test_the_first_bytes_tell_the_format(tmp_path, head, kind):
    path = tmp_path / "file.whatever"
    path.write_bytes(head)
    assert sniff(path) == kind


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"", "an empty file"),
        (b"CDF\x09", "CDF"),
        (b"PK\x03\x04", "PK"),
        (b"<html>", "<html>"),
        (b"version https://git-lfs.github.com/spec/v1", "git-lfs"),
    ],
)
def test_what_is_neither_is_shown(tmp_path, head, found):
    path = tmp_path / "file.grib"
    path.write_bytes(head)
    with pytest.raises(DecodeError) as raised:
        sniff(path)
    assert found in raised.value.args[2]
    assert raised.value.args[1] == str(path)


def test_a_file_that_is_not_there(tmp_path):
    for read in (sniff, lambda path: contents_of(path, tmp_path, scan)):
        with pytest.raises(DecodeError) as raised:
            read(tmp_path / "absent.grib")
        assert "cannot be read" in raised.value.args[0]
