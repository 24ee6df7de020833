"""Small files appear whole or not at all."""

import os
import signal
import subprocess
import sys
import time

import pytest

from aurora_prep.manifest import durable
from aurora_prep.sources.spec import ManifestError, WriteError

WRITER = """
import sys
from aurora_prep.manifest import durable
data = sys.argv[2].encode() * (1 << 16)
with durable.writing(sys.argv[1]) as file:
    print("writing", flush=True)
    while True:
        file.write(data)
        file.flush()
"""


@pytest.fixture(params=["local", "memory"])
def place(request, tmp_path):
    if request.param == "local":
        return str(tmp_path / "new" / "folder")
    return f"memory://{tmp_path.name}/new/folder"


def test_put_then_get_gives_the_same_bytes(place):
    url = durable.join(place, "a", "b.bin")
    durable.put(url, b"first")
    durable.put(url, b"second")
    assert durable.get(url) == b"second"
    assert durable.exists(url)
    assert b"".join(durable.blocks(url, 2)) == b"second"


def test_put_of_more_than_a_block_gives_the_same_bytes(place):
    data = os.urandom(durable.BLOCK + 17)
    url = durable.join(place, "large.bin")
    durable.put(url, data)
    assert durable.get(url) == data


def test_listing_and_tree_name_what_is_there(place):
    for name in ("b.txt", "a.txt", "sub/c.txt"):
        durable.put(durable.join(place, name), name.encode())
    assert durable.listing(place) == ["a.txt", "b.txt", "sub"]
    assert durable.tree(place) == {"a.txt": 5, "b.txt": 5, "sub/c.txt": 9}


def test_an_absent_folder_is_empty(place):
    assert durable.listing(durable.join(place, "absent")) == []
    assert durable.tree(durable.join(place, "absent")) == {}
    assert not durable.exists(durable.join(place, "absent"))


def test_a_file_holds_no_names(place):
    url = durable.join(place, "a.txt")
    durable.put(url, b"x")
    assert durable.listing(url) == []
    assert durable.tree(url) == {}


def test_delete_removes_and_forgives(place):
    url = durable.join(place, "a.txt")
    durable.put(url, b"x")
    durable.delete(url)
    durable.delete(url)
    assert not durable.exists(url)


def test_reading_what_is_absent_says_where(place):
    with pytest.raises(ManifestError, match=r"absent\.bin"):
        durable.get(durable.join(place, "absent.bin"))
    with pytest.raises(ManifestError, match=r"absent\.bin"):
        list(durable.blocks(durable.join(place, "absent.bin")))


def test_an_error_in_the_middle_leaves_the_old_content(place):
    url = durable.join(place, "a.txt")
    durable.put(url, b"old")

    def fail() -> None:
        with durable.writing(url) as file:
            file.write(b"new")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert durable.get(url) == b"old"
    assert durable.listing(place) == ["a.txt"]


def test_an_unwritable_place_is_a_four_part_error(tmp_path):
    (tmp_path / "file").write_bytes(b"not a folder")
    with pytest.raises(WriteError) as caught:
        durable.put(str(tmp_path / "file" / "below" / "a.txt"), b"x")
    problem, where, found, fix = caught.value.args
    assert problem == "the output cannot be written"
    assert where.endswith("file/below/a.txt")
    assert "Error" in found
    assert "GB free" in fix


def test_a_writer_killed_in_the_middle_leaves_no_half_file(tmp_path):
    url = tmp_path / "part.parquet"
    url.write_bytes(b"old")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(url), "x"], stdout=subprocess.PIPE
    ) as writer:
        writer.stdout.readline()
        time.sleep(0.3)
        writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL
    assert url.read_bytes() == b"old"
    assert len(durable.listing(str(tmp_path))) == 2
    assert durable.sweep(str(tmp_path)) == 1
    assert durable.listing(str(tmp_path)) == [url.name]


def test_files_are_readable_by_whom_the_umask_allows(tmp_path):
    before = os.umask(0o022)
    try:
        durable.put(str(tmp_path / "a.txt"), b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644
