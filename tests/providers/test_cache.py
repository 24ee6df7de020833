"""An answer is in the cache whole, or not at all."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from aurora_prep.providers import places
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.formats import Format
from aurora_prep.providers.locks import locked
from aurora_prep.sources.spec import DecodeError, FetchError

# A process that stores one answer, slowly enough to be killed anywhere in it:
# a trace function sleeps at each line of the cache's own code.
STORER = """
import sys, time
from datetime import datetime
from pathlib import Path
from aurora_prep.providers import cache as module, places
from aurora_prep.sources.spec import Request

request = Request(source="era5", access="cds", dataset="some-dataset", body={"day": ["01"]},
    times=(datetime(2020, 1, 1),), fields=(("surface/2t", None),), synthetic=True)
cache = module.Cache.open(sys.argv[1])
answer = Path(sys.argv[2]).read_bytes()
lines = int(sys.argv[3])
seen = 0

def trace(frame, event, argument):
    global seen
    if frame.f_code.co_filename == module.__file__:
        if event == "line":
            seen += 1
            if seen == lines:
                print("here", flush=True)
                time.sleep(60)
        return trace

temporary = cache.temporary(request)
temporary.write_bytes(answer)
sys.settrace(trace)
cache.store(request, temporary)
sys.settrace(None)
print("done", seen, flush=True)
"""


def visible(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def zip_of(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members.items():
            packed.writestr(f"folder/{name}.nc", content)
    return path


def put(cache, request, content, **options):
    temporary = cache.temporary(request)
    temporary.write_bytes(content)
    return cache.store(request, temporary, **options)


def test_what_is_stored_is_found_with_its_facts(cache, make_request, grib_bytes) -> None:
    request = make_request()
    assert cache.lookup(request) is None

    stored = put(cache, request, grib_bytes, labels={"expver": "0001"})

    assert stored == cache.lookup(request) == cache.lookup(request, verify=True)
    assert stored.path.read_bytes() == grib_bytes
    assert stored.format is Format.GRIB
    assert stored.bytes == len(grib_bytes)
    assert stored.members == (stored.path,)
    digest = request.digest
    assert visible(cache.root) == {f"{digest[:2]}/{digest}.grib", f"{digest[:2]}/{digest}.json"}
    record = json.loads(stored.path.with_suffix(".json").read_text())
    assert record["request"] == request.body
    assert record["dataset"] == "some-dataset"
    assert record["sha256"] == stored.checksum
    assert record["labels"] == {"expver": "0001"}
    assert record["synthetic"] is True
    datetime.fromisoformat(record["fetched"])


def test_only_the_time_differs_between_two_caches(tmp_path, make_request, grib_bytes) -> None:
    records = []
    for name in ("a", "b"):
        stored = put(Cache.open(tmp_path / name), make_request(), grib_bytes)
        records.append(json.loads(stored.path.with_suffix(".json").read_text()))
    for record in records:
        del record["fetched"]
    assert records[0] == records[1]


def test_damage_after_the_fact_is_not_served(cache, make_request, grib_bytes) -> None:
    request = make_request()
    stored = put(cache, request, grib_bytes)

    stored.path.write_bytes(grib_bytes[:-1])
    assert cache.lookup(request) is None

    stored.path.write_bytes(grib_bytes[:-1] + b"8")
    assert cache.lookup(request) is not None
    assert cache.lookup(request, verify=True) is None

    for sidecar in ("", "{", "[]", '{"file": "x"}', "null"):
        stored.path.with_suffix(".json").write_text(sidecar)
        assert cache.lookup(request) is None

    again = put(cache, request, grib_bytes)
    assert cache.lookup(request, verify=True) == again


def test_discard_forgets(cache, make_request, grib_bytes, tmp_path) -> None:
    request = make_request()
    cache.discard(request)
    put(cache, request, grib_bytes)
    cache.discard(request)
    assert cache.lookup(request) is None
    put(cache, request, zip_of(tmp_path / "z", a=b"CDF\x01").read_bytes())
    cache.discard(request)
    assert visible(cache.root) == set()


def test_a_zip_is_kept_and_its_members_exposed(cache, make_request, tmp_path) -> None:
    request = make_request()
    archive = zip_of(tmp_path / "two.zip", instant=b"CDF\x02one", accum=b"\x89HDF\r\n\x1a\ntwo")

    stored = put(cache, request, archive.read_bytes())

    assert stored.format is Format.ZIP
    assert [path.name for path in stored.members] == ["accum.nc", "instant.nc"]
    assert {path.parent.name for path in stored.members} == {f"{request.digest}.d"}
    assert cache.lookup(request, verify=True) == stored
    stored.members[0].write_bytes(b"CDF")
    assert cache.lookup(request) is None


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>Service unavailable", "a web page"),
        (b'{"title": "error"}', "JSON text"),
        (b"Traceback (most recent call last):", "text"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-LFS pointer"),
        (b"\x00\x01\x02\x03\x04", "an unknown format"),
    ],
)
def test_what_is_no_data_is_refused_by_its_name(cache, make_request, content, found) -> None:
    with pytest.raises(FetchError, match=found):
        put(cache, make_request(), content)
    assert visible(cache.root) == set()


def test_a_key_in_a_wrong_answer_is_not_shown(cache, make_request) -> None:
    key = "5a6e7400-1234-4abc-8def-0123456789ab"
    with pytest.raises(FetchError) as caught:
        put(cache, make_request(), f"PRIVATE-TOKEN: {key}\nand {key.replace('-', '')}".encode())
    assert "PRIVATE-TOKEN" in str(caught.value)
    assert key[:8] not in str(caught.value)


def test_a_refused_answer_leaves_nothing(cache, make_request, grib_bytes) -> None:
    def refuse(path: Path) -> None:
        assert path.read_bytes() == grib_bytes
        raise DecodeError("damaged", str(path), "nothing", "fetch again")

    with pytest.raises(DecodeError):
        put(cache, make_request(), grib_bytes, check=refuse)
    assert visible(cache.root) == set()


def test_a_file_from_elsewhere_is_taken_in(cache, make_request, grib_bytes, tmp_path) -> None:
    outside = tmp_path / "outside.bin"
    outside.write_bytes(grib_bytes)
    stored = cache.store(make_request(), outside)
    assert stored.path.read_bytes() == grib_bytes
    assert not outside.exists()


@pytest.mark.parametrize("zipped", [False, True])
def test_a_kill_at_any_line_leaves_a_usable_cache(
    tmp_path, make_request, grib_bytes, zipped
) -> None:
    request = make_request()
    answer = tmp_path / "answer"
    answer.write_bytes(grib_bytes)
    if zipped:
        zip_of(answer, a=b"CDF\x01a", b=b"CDF\x01bb")

    def start(root: Path, lines: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", STORER, str(root), str(answer), str(lines)],
            stdout=subprocess.PIPE,
            text=True,
        )

    whole = start(tmp_path / "whole", -1)
    total = int(whole.communicate()[0].split()[1])
    assert total > 40
    finished = 0
    places = [1, *range(5, total, max(1, total // 8)), total]
    running = [(place, tmp_path / f"killed-{place}") for place in places]
    for place, root in running:
        process = start(root, place)
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        cache = Cache.open(root)
        found = cache.lookup(request)
        if found is not None:
            finished += 1
            assert cache.lookup(request, verify=True) == found
            assert found.path.read_bytes() == answer.read_bytes()
        again = put(cache, request, answer.read_bytes())
        assert cache.lookup(request, verify=True) == again
        assert visible(root) == visible(tmp_path / "whole")
    assert 0 < finished < len(running)


def test_two_processes_storing_at_once_end_with_one_answer(cache, make_request, tmp_path) -> None:
    """Each brings other bytes; whoever is first, the pair on disk belongs together."""
    request = make_request()
    processes = []
    for number in range(6):
        answer = tmp_path / f"answer-{number}"
        answer.write_bytes(b"GRIB" + bytes([number]) * (1000 + number))
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", STORER, str(cache.root), str(answer), "-1"],
                stdout=subprocess.DEVNULL,
            )
        )
    assert [process.wait() for process in processes] == [0] * 6
    found = cache.lookup(request, verify=True)
    assert found is not None
    assert len(visible(cache.root)) == 2


def test_temporaries_of_the_dead_are_swept_and_others_kept(
    cache, make_request, grib_bytes, tmp_path
) -> None:
    request = make_request()
    answer = tmp_path / "answer"
    answer.write_bytes(grib_bytes)
    process = subprocess.Popen(
        [sys.executable, "-c", STORER, str(cache.root), str(answer), "3"],
        stdout=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    mine = cache.temporary(request)
    mine.write_bytes(b"in use")
    theirs = {p for p in mine.parent.iterdir() if p.name.endswith(".part")} - {mine}
    assert len(theirs) == 1
    cache.temporary(request)
    assert mine.exists()
    assert all(path.exists() for path in theirs)
    process.kill()
    process.communicate()

    cache.temporary(request)
    assert mine.exists()
    assert not any(path.exists() for path in theirs)


def test_a_lock_dies_with_its_holder(tmp_path) -> None:
    path = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from aurora_prep.providers.locks import locked"
        "\nwith locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    waits = []

    def waiting(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            os.kill(holder.pid, signal.SIGKILL)
        time.sleep(seconds)
        assert len(waits) < 100

    with locked(path, waiting=waiting):
        assert len(waits) >= 3
    holder.communicate()
    assert not path.exists()


def test_a_lock_lets_one_thread_in_at_a_time(tmp_path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with locked(tmp_path / "lock"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0002)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert list(tmp_path.iterdir()) == []


def test_the_place_is_argument_then_environment_then_the_users(tmp_path, monkeypatch) -> None:
    places.user_cache.cache_clear()
    assert Cache.open().root == user_cache_path("aurora-prep")
    places.user_cache.cache_clear()
    monkeypatch.setenv("AURORA_PREP_CACHE", str(tmp_path / "by-variable"))
    assert Cache.open().root == tmp_path / "by-variable"
    assert Cache.open(tmp_path / "by-argument").root == tmp_path / "by-argument"
    monkeypatch.chdir(tmp_path)
    assert Cache.open("relative").root == tmp_path / "relative"
