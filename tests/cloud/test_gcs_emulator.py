"""The object store on loopback does what Cloud Storage does, to its own clients."""

import base64
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import google_crc32c
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_prep.providers import remote
from aurora_prep.providers.embedded.gcs import (
    FAULTS,
    FolderObjects,
    GcsEmulator,
    GcsFaults,
    ReadOnly,
    Stat,
)
from aurora_prep.providers.embedded.gcs.bucket import Bucket
from aurora_prep.providers.embedded.gcs.objects import About
from aurora_prep.sources.spec import SpecError

CONTENT = bytes(range(100))
QUANTUM = 256 << 10


class Numbers(ReadOnly):
    """A bucket nobody could hold: an object for every number, made when it is read."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.walked = 0

    def names(self, prefix: str, start: str) -> Iterator[str]:
        first = max(start, "n/")[2:].ljust(9, "0")
        begin = int(first) if first.isdigit() else self.count
        for number in range(begin, self.count):
            name = f"n/{number:09d}"
            if not name.startswith(prefix):
                return
            self.walked += 1
            yield name

    def stat(self, name: str) -> Stat | None:
        found = name.startswith("n/") and int(name[2:]) < self.count
        return Stat(size=9, generation=1, updated=datetime(2020, 1, 1)) if found else None

    def read(self, name: str, start: int, stop: int) -> bytes:
        return name[2:].encode()[start:stop]


def put(gcs: GcsEmulator, name: str, content: bytes = CONTENT, **query: str) -> requests.Response:
    return requests.post(
        f"{gcs.url}/upload/storage/v1/b/data/o",
        params={"uploadType": "media", "name": name, **query},
        data=content,
        timeout=10,
    )


def media(gcs: GcsEmulator, name: str, span: str | None = None) -> requests.Response:
    place = f"{gcs.url}/storage/v1/b/data/o/{requests.utils.quote(name, safe='')}"
    headers = {"Range": span} if span else {}
    return requests.get(place, params={"alt": "media"}, headers=headers, timeout=10)


@pytest.mark.parametrize(
    ("span", "status", "expected"),
    [
        (None, 200, CONTENT),
        ("bytes=0-9", 206, CONTENT[:10]),
        ("bytes=90-", 206, CONTENT[90:]),
        ("bytes=90-500", 206, CONTENT[90:]),
        ("bytes=-7", 206, CONTENT[-7:]),
        ("bytes=-700", 206, CONTENT),
        ("bytes=99-99", 206, CONTENT[99:]),
        ("bytes=9-3", 200, CONTENT),
        ("bytes=0-1,5-6", 200, CONTENT),
        ("items=0-1", 200, CONTENT),
        ("bytes=100-", 416, None),
        ("bytes=-0", 416, None),
    ],
)
def test_every_form_of_range(gcs, span, status, expected):
    assert put(gcs, "a").status_code == 200
    answer = media(gcs, "a", span)
    assert answer.status_code == status
    if status == 206:
        start = CONTENT.index(expected)
        stop = start + len(expected) - 1
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop}/100"
    if status == 416:
        assert answer.headers["Content-Range"] == "bytes */100"
    else:
        assert answer.content == expected
        md5, crc = answer.headers["X-Goog-Hash"].split(",")[::-1]
        assert md5.startswith("md5=")
        stated = base64.b64decode(crc.removeprefix("crc32c="))
        assert stated == google_crc32c.value(CONTENT).to_bytes(4, "big")


def test_an_empty_object_has_no_range(gcs):
    put(gcs, "empty", b"")
    assert media(gcs, "empty").content == b""
    assert media(gcs, "empty", "bytes=0-").status_code == 416


def test_generations_grow_and_preconditions_hold(gcs):
    first = put(gcs, "a", b"1", ifGenerationMatch="0")
    assert first.status_code == 200
    assert put(gcs, "a", b"2", ifGenerationMatch="0").status_code == 412
    generation = first.json()["generation"]
    second = put(gcs, "a", b"2", ifGenerationMatch=generation)
    assert second.status_code == 200
    assert int(second.json()["generation"]) > int(generation)
    assert put(gcs, "a", b"3", ifGenerationMatch=generation).status_code == 412
    assert media(gcs, "a").content == b"2"
    place = f"{gcs.url}/storage/v1/b/data/o/a"
    assert requests.get(place, params={"generation": generation}, timeout=10).status_code == 404
    now = second.json()["generation"]
    same = requests.get(place, params={"ifGenerationNotMatch": now}, timeout=10)
    assert same.status_code == 304
    gone = requests.delete(place, params={"ifGenerationMatch": generation}, timeout=10)
    assert gone.status_code == 412
    assert requests.delete(place, timeout=10).status_code == 204
    assert requests.delete(place, timeout=10).status_code == 404


def test_a_wrong_checksum_stores_nothing(gcs):
    answer = requests.post(
        f"{gcs.url}/upload/storage/v1/b/data/o?uploadType=media&name=a",
        data=CONTENT,
        headers={"X-Goog-Hash": "crc32c=AAAAAA=="},
        timeout=10,
    )
    assert answer.status_code == 400
    assert media(gcs, "a").status_code == 404


def test_a_resumable_upload_appears_when_it_is_complete(gcs):
    content = os.urandom(2 * QUANTUM + 1234)
    begun = requests.post(
        f"{gcs.url}/upload/storage/v1/b/data/o?uploadType=resumable&name=big", timeout=10
    )
    place = begun.headers["Location"]

    def send(start: int, stop: int, total: str) -> requests.Response:
        header = {"Content-Range": f"bytes {start}-{stop - 1}/{total}"}
        return requests.put(place, data=content[start:stop], headers=header, timeout=10)

    first = send(0, QUANTUM + 100, "*")
    assert first.status_code == 308
    assert first.headers["Range"] == f"bytes=0-{QUANTUM - 1}"  # whole quanta are kept
    assert media(gcs, "big").status_code == 404
    asked = requests.put(place, headers={"Content-Range": "bytes */*"}, timeout=10)
    assert (asked.status_code, asked.headers["Range"]) == (308, f"bytes=0-{QUANTUM - 1}")
    assert send(2 * QUANTUM, len(content), str(len(content))).status_code == 503
    last = send(QUANTUM, len(content), str(len(content)))
    assert last.status_code == 200
    assert send(QUANTUM, len(content), str(len(content))).json() == last.json()  # asked again
    assert media(gcs, "big").content == content


def test_pages_prefixes_and_delimiters(gcs):
    names = ["A", "a-b", "a.c", "a/1", "a/2/x", "a/2/y", "b", "ä/z"]
    for name in names:
        put(gcs, name, b"")

    def listed(**query: str) -> tuple[list[str], list[str], int]:
        items, prefixes, pages, token = [], [], 0, None
        while True:
            params = query | ({"pageToken": token} if token else {})
            page = requests.get(f"{gcs.url}/storage/v1/b/data/o", params=params, timeout=10).json()
            items += [item["name"] for item in page.get("items", [])]
            prefixes += page.get("prefixes", [])
            pages, token = pages + 1, page.get("nextPageToken")
            if token is None:
                return items, prefixes, pages

    assert listed() == (names, [], 1)
    assert listed(maxResults="3") == (names, [], 3)
    assert listed(prefix="a/") == (["a/1", "a/2/x", "a/2/y"], [], 1)
    assert listed(delimiter="/") == (["A", "a-b", "a.c", "b"], ["a/", "ä/"], 1)
    assert listed(delimiter="/", maxResults="1") == (["A", "a-b", "a.c", "b"], ["a/", "ä/"], 6)
    assert listed(prefix="a/", delimiter="/") == (["a/1"], ["a/2/"], 1)
    assert listed(startOffset="a.c", endOffset="a/2") == (["a.c", "a/1"], [], 1)


@settings(max_examples=40, deadline=None)
@given(
    names=st.sets(
        st.text(st.sampled_from("ab./-%~ü"), min_size=1, max_size=6).filter(
            lambda name: name not in (".", "..")
        ),
        max_size=12,
    ),
    query=st.fixed_dictionaries(
        {
            "prefix": st.text(st.sampled_from("ab/"), max_size=2),
            "delimiter": st.sampled_from(["", "/"]),
        }
    ),
)
def test_a_folder_lists_as_a_bucket_does(tmp_path_factory, names, query):
    folder = tmp_path_factory.mktemp("bucket")
    objects = FolderObjects(folder / "objects")
    kept = set()
    for name in sorted(names):
        if any(name.startswith(f"{other}/") for other in kept):
            continue  # a file cannot hold files
        (folder / "new").write_bytes(name.encode())
        objects.write(name, folder / "new", About())
        kept.add(name)
    fits = sorted((n for n in kept if n.startswith(query["prefix"])), key=str.encode)
    cut = len(query["prefix"])
    deep = {n: n.find("/", cut) for n in fits} if query["delimiter"] else dict.fromkeys(fits, -1)
    page = Bucket("b", objects).page(query)
    assert page.names == [n for n in fits if deep[n] < 0]
    assert page.prefixes == sorted({n[: at + 1] for n, at in deep.items() if at >= 0})
    for name in kept:
        assert objects.read(name, 0, 100) == name.encode()


def test_copy_move_compose_and_metadata(gcs):
    put(gcs, "a", b"one")
    put(gcs, "b", b"two")
    place = f"{gcs.url}/storage/v1/b/data/o"
    copied = requests.post(f"{place}/a/rewriteTo/b/data/o/c%2Fd", timeout=10).json()
    assert (copied["done"], copied["resource"]["name"]) == (True, "c/d")
    requests.post(f"{place}/b/moveTo/o/e", timeout=10).raise_for_status()
    assert media(gcs, "b").status_code == 404
    parts = {"sourceObjects": [{"name": "c/d"}, {"name": "e"}]}
    requests.post(f"{place}/whole/compose", json=parts, timeout=10).raise_for_status()
    assert media(gcs, "whole").content == b"onetwo"
    changed = requests.patch(f"{place}/whole", json={"metadata": {"k": "v"}}, timeout=10).json()
    assert (changed["metadata"], changed["metageneration"]) == ({"k": "v"}, "2")
    assert media(gcs, "whole").content == b"onetwo"


def test_a_private_bucket_wants_credentials():
    with GcsEmulator(buckets=["open", "closed"], private=["closed"]) as gcs:
        listing = f"{gcs.url}/storage/v1/b/{{}}/o"
        assert requests.get(listing.format("open"), timeout=10).status_code == 200
        assert requests.get(listing.format("closed"), timeout=10).status_code == 401
        token = {"Authorization": "Bearer anything"}
        answer = requests.get(listing.format("closed"), headers=token, timeout=10)
        assert answer.status_code == 200
        assert [e.authorised for e in gcs.requests] == [False, False, True]


def test_a_virtual_bucket_is_read_and_never_written(monkeypatch):
    numbers = Numbers(10**8)
    with GcsEmulator(buckets={"numbers": numbers}) as gcs:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
        assert remote.read("gs://numbers/n/012345678") == b"012345678"
        files, path = remote.filesystem("gs://numbers/n/012345678")
        assert files.cat_file(path, start=-3) == b"678"
        page = requests.get(
            f"{gcs.url}/storage/v1/b/numbers/o",
            params={"startOffset": "n/099999990", "maxResults": "5"},
            timeout=10,
        ).json()
        assert [item["name"] for item in page["items"]] == [f"n/09999999{i}" for i in range(5)]
        assert numbers.walked <= 6
        with pytest.raises(OSError, match="Forbidden"):
            remote.write(b"x", "gs://numbers/n/1")


@pytest.mark.usefixtures("gcs")
def test_the_client_of_google_cloud_storage_works_too():
    storage = pytest.importorskip(
        "google.cloud.storage", reason="installed with gcsfs: reinstall the project"
    )
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415

    client = storage.Client(project="p", credentials=AnonymousCredentials())
    bucket = client.create_bucket("fresh-bucket")
    content = os.urandom(3 * QUANTUM + 5)
    small, large = bucket.blob("x y/ü"), bucket.blob("large", chunk_size=QUANTUM)
    small.upload_from_string(content[:100])
    large.upload_from_string(content)
    assert small.download_as_bytes() == content[:100]
    assert large.download_as_bytes(start=7, end=9) == content[7:10]
    assert large.download_as_bytes() == content
    with client.batch():
        small.delete()
        large.delete()
    assert list(client.list_blobs("fresh-bucket")) == []
    bucket.delete()


@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"missing", "unsatisfiable"}))
def test_every_passing_fault_is_survived(gcs, name):
    content = os.urandom(1000)
    remote.write(content, "gs://data/a")
    gcs.faults.switch(name)
    assert remote.read("gs://data/a") == content
    assert gcs.faults.struck[name] == 1


def test_a_part_that_lacks_bytes_is_read_again(gcs):
    remote.write(CONTENT, "gs://data/a")
    files, path = remote.filesystem("gs://data/a")
    gcs.faults.switch("short", 2)
    assert files.cat_file(path, start=10, end=50) == CONTENT[10:50]
    assert files.cat_file(path, start=-20) == CONTENT[-20:]
    assert [e.sent for e in gcs.requests if e.method == "GET"] == [20, 20, 40, 20]


def test_a_lasting_refusal_is_not_repeated(gcs):
    with pytest.raises(FileNotFoundError):
        remote.read("gs://data/absent")
    assert len(gcs.requests) == 1


def test_rates_strike_as_often_as_told_and_the_same_each_time():
    struck = []
    for _ in range(2):
        faults = GcsFaults(rates={"busy": 0.03, "cut": 0.02}, seed=7)
        struck.append([faults.strike(read=True) for _ in range(10_000)])
    assert struck[0] == struck[1]
    assert 250 < struck[0].count("busy") < 350
    assert 150 < struck[0].count("cut") < 250
    with pytest.raises(SpecError, match="no such fault"):
        GcsFaults(["dragons"])
    with pytest.raises(SpecError, match="not a share"):
        GcsFaults(rates={"busy": 2})


def test_what_is_in_the_folder_is_in_the_bucket(tmp_path, monkeypatch):
    place = tmp_path / "inputs" / "2020"
    place.mkdir(parents=True)
    (place / "a.grib").write_bytes(b"GRIB")
    with GcsEmulator(tmp_path) as gcs:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
        assert [found.url for found in remote.find("gs://inputs/2020/*.grib")] == [
            "gs://inputs/2020/a.grib"
        ]
        assert gcs.path_of("inputs", "2020/a.grib") == place / "a.grib"
        before = json.loads(requests.get(f"{gcs.url}/storage/v1/b/inputs/o", timeout=9).content)
        Path(place / "a.grib").write_bytes(b"GRIBs")
        after = json.loads(requests.get(f"{gcs.url}/storage/v1/b/inputs/o", timeout=9).content)
        assert before["items"][0]["md5Hash"] != after["items"][0]["md5Hash"]
