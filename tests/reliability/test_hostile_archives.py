"""ZIP archives that mean harm: outside the folder, bombs, shared bytes, members that lie."""

import io
import struct
import time
import zipfile

import pytest

from aurora_prep.providers import formats
from aurora_prep.sources.spec import FetchError

GRIB = b"GRIB" + b"\0" * 60 + b"7777"


def archive(path, *members: tuple[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members:
            packed.writestr(name, data)


@pytest.mark.parametrize(
    "name",
    ["../../outside.grib", "/etc/outside.grib", "a/../../outside.grib", "..\\outside.grib",
     "C:\\outside.grib", "a\x00b/outside.grib"],
)  # fmt: skip
def test_no_member_lands_outside_the_folder(tmp_path, name):
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    archive(tmp_path / "x.zip", (name, GRIB))
    try:
        members = formats.unpack(tmp_path / "x.zip", folder)
    except FetchError:
        members = ()
    assert all(member.parent == folder for member in members)
    there = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert there == {tmp_path / "x.zip", *members}


def test_names_that_stand_for_folders_are_refused_or_kept_inside(tmp_path):
    for number, name in enumerate(("..", ".", "a/..", "a/.")):
        folder = tmp_path / str(number)
        folder.mkdir()
        archive(tmp_path / "x.zip", (name, GRIB), ("good.grib", GRIB))
        try:
            members = formats.unpack(tmp_path / "x.zip", folder)
        except (FetchError, OSError):
            continue
        assert {member.parent for member in members} == {folder}


def test_a_bomb_is_refused_by_its_list_of_members(tmp_path):
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("x.grib", "w", force_zip64=True) as member,
    ):
        block = b"GRIB" + b"\0" * (1 << 24)
        for _ in range(20):
            member.write(block)
    started = time.monotonic()
    with pytest.raises(FetchError, match="more than fields can be packed"):
        formats.unpack(path, tmp_path)
    assert time.monotonic() - started < 2
    assert [p.name for p in tmp_path.iterdir()] == ["bomb.zip"]


def test_sizes_that_lie_are_refused(tmp_path):
    """The list says 3 GB, or less than there is; what is unpacked is never more than it says."""
    path = tmp_path / "x.zip"
    archive(path, ("x.grib", GRIB * 1000))
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    for size in (3 << 30, 10):
        struct.pack_into("<I", data, place + 24, size)
        path.write_bytes(data)
        folder = tmp_path / str(size)
        folder.mkdir()
        with pytest.raises(FetchError):
            formats.unpack(path, folder)
        assert sum(p.stat().st_size for p in folder.iterdir()) <= len(GRIB) * 1000


def test_members_that_share_their_bytes_are_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("a.grib", GRIB * 100)
        (entry,) = packed.infolist()
        for number in range(50):  # fifty names for one piece of bytes
            other = zipfile.ZipInfo(f"{number}.grib")
            for name in ("header_offset", "CRC", "compress_size", "file_size"):
                setattr(other, name, getattr(entry, name))
            packed.filelist.append(other)
            packed.NameToInfo[other.filename] = other
        packed._didModify = True
    (tmp_path / "x.zip").write_bytes(buffer.getvalue())
    with pytest.raises(FetchError):
        formats.unpack(tmp_path / "x.zip", tmp_path)


def test_more_than_there_is_room_for_is_said_before_it_is_written(tmp_path, monkeypatch):
    class Usage:
        free = 10

    monkeypatch.setattr(formats.shutil, "disk_usage", lambda _: Usage)
    archive(tmp_path / "x.zip", ("x.grib", GRIB))
    with pytest.raises(FetchError, match="no room") as raised:
        formats.unpack(tmp_path / "x.zip", tmp_path)
    assert f"{len(GRIB)} bytes" in raised.value.args[2]


def test_members_that_are_no_data_are_never_written(tmp_path):
    archive(tmp_path / "x.zip", ("readme.txt", b"x" * 100), ("nested.zip", b"PK\x03\x04"),
            ("x.grib", GRIB))  # fmt: skip
    folder = tmp_path / "in"
    folder.mkdir()
    assert [m.name for m in formats.unpack(tmp_path / "x.zip", folder)] == ["x.grib"]
    assert [p.name for p in folder.iterdir()] == ["x.grib"]
