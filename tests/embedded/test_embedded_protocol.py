"""The store's manners, seen by the real client: refusals, jobs, results, deletion."""

import hashlib
import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from aurora_prep.providers.embedded import EmbeddedProvider, serve
from aurora_prep.sources.spec import FetchError

WRONG_KEY = "11111111-2222-4333-8444-555555555555"
EXECUTION = "/retrieve/v1/processes/{}/execution"


def refused(client, provider, dataset, request) -> str:
    with pytest.raises(requests.HTTPError) as caught:
        client(provider).retrieve(dataset, request, "never.grib")
    return str(caught.value)


def test_the_calls_of_one_retrieval(provider, client, surface, tmp_path):
    client(provider).retrieve(*surface, str(tmp_path / "a.grib"))
    calls = [(e.method, e.path.split("/")[-1].split(".")[-1], e.status) for e in provider.requests]
    job = calls[3][1]
    assert calls == [
        ("GET", "messages", 200),
        ("GET", surface[0], 200),
        ("POST", "execution", 201),
        ("GET", job, 200),
        ("GET", job, 200),
        ("GET", "results", 200),
        ("HEAD", "grib", 200),
        ("GET", "grib", 200),
    ]
    assert (provider.submissions, provider.downloads) == (1, 1)


def test_results_tell_size_checksum_and_that_they_are_synthetic(
    provider, client, surface, tmp_path
):
    results = client(provider).retrieve(*surface)
    path = Path(results.download(str(tmp_path / "a.grib")))
    assert results.content_length == path.stat().st_size
    assert results.content_type == "application/x-grib"
    assert results.asset["file:checksum"] == hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
    assert "synthetic" in results.json["synthetic"]
    assert results.response.headers["Server"] == "aurora-prep-embedded"


def test_the_client_is_told_that_all_is_synthetic(provider, client, surface):
    said = []
    client(provider, info_callback=said.append).retrieve(*surface)
    assert any("synthetic" in line for line in said)


def test_a_wrong_key_is_refused_and_never_repeated(provider, client, surface, caplog):
    caplog.set_level(logging.DEBUG, "aurora_prep")
    with pytest.raises(requests.HTTPError, match="authentication failed\noperation not") as caught:
        client(provider, key=WRONG_KEY).retrieve(*surface, "never.grib")
    assert caught.value.response.status_code == 401
    assert WRONG_KEY not in caught.value.response.text
    assert WRONG_KEY not in repr(provider.requests)
    assert caplog.records
    assert WRONG_KEY not in caplog.text


def test_no_key_is_refused(provider):
    reply = requests.post(provider.url + EXECUTION.format("x"), json={"inputs": {}}, timeout=5)
    assert reply.status_code == 401
    assert reply.json()["detail"] == "authentication required"


def test_an_unknown_collection(provider, client):
    message = refused(client, provider, "reanalysis-of-mars", {})
    assert message.startswith("404")
    assert message.endswith("process not found\ndataset reanalysis-of-mars not found")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"variable": ["3m_temperature"]}, "3m_temperature"),
        ({"variable": []}, "Missing mandatory key: 'variable'"),
        ({"pressure_level": ["333"]}, "333"),
        ({"pressure_level": ["500", "500"]}, "Duplicate values"),
        ({"time": ["00:30"]}, "00:30"),
        ({"year": ["x"]}, "Invalid integer for year"),
        ({"month": ["02"], "day": ["30"]}, "No valid dates"),
        ({"year": ["1939"]}, "the archive starts at 1940-01-01"),
        ({"year": ["2999"]}, "future"),
        ({"date": "20200101"[:-2]}, "Date ranges must be"),
        ({"date": "2020-01-02/2020-01-01"}, "No valid dates"),
        ({"product_type": ["ensemble_mean"]}, "ensemble_mean"),
        ({"format": "grib"}, "Invalid key name(s): format"),
        ({"data_format": "netcdf_legacy"}, "netcdf_legacy"),
        ({"data_format": ["grib", "netcdf"]}, "single data_format"),
        ({"area": [10, 0, 20, 10]}, "Invalid area"),
        ({"area": [10, 0, 0]}, "list of 4 numeric"),
        ({"area": [0.9, 0.1, 0.8, 0.2]}, "no grid points"),
        ({"grid": [0, 1]}, "Invalid grid"),
        ({"area": {"north": 1}}, "Invalid type for 'area'"),
    ],
)
def test_an_impossible_request(provider, client, levels, change, words):
    dataset, request = levels
    message = refused(client, provider, dataset, {**request, **change})
    assert message.startswith("400 Client Error: Bad Request")
    assert "invalid request" in message
    assert words in message


@pytest.mark.parametrize("key", ["variable", "pressure_level", "year", "month", "day", "time"])
def test_a_missing_key(provider, client, levels, key):
    dataset, request = levels
    del request[key]
    assert f"Missing mandatory key: {key!r}" in refused(client, provider, dataset, request)


def test_days_a_month_does_not_have_are_left_out(provider, client, surface, read_grib, tmp_path):
    dataset, request = surface
    request |= {"month": ["02", "03"], "day": ["30"], "time": "00:00"}
    messages = read_grib(client(provider).retrieve(dataset, request, str(tmp_path / "a.grib")))
    assert {m.keys["dataDate"] for m in messages} == {20200330}


def test_a_request_that_is_too_large(provider, client, levels):
    dataset, request = levels
    month = {"date": "2020-01-01/2020-12-31", "time": [f"{hour:02d}:00" for hour in range(24)]}
    for key in ("year", "month", "day"):
        del request[key]
    message = refused(client, provider, dataset, {**request, **month})
    assert message.startswith("403")
    assert "cost limits exceeded" in message
    costs = client(provider).client.estimate_costs(dataset, {**request, **month})
    assert costs["request_is_valid"] is False
    costs = client(provider).client.estimate_costs(dataset, {**request, "date": "2020-01-01"})
    assert (costs["cost"], costs["request_is_valid"]) == (8, True)


def test_a_job_waits_its_turn(start, client, surface):
    provider = start(queue_seconds=1.0)
    remote = client(provider, wait_until_complete=False).retrieve(*surface)
    assert remote.status == "accepted"
    assert remote.started_at is None
    time.sleep(1.1)
    remote._wait_on_results()
    assert remote.status == "successful"
    assert remote.created_at < remote.started_at <= remote.finished_at
    assert remote.collection_id == surface[0]
    assert remote.request == surface[1]


def test_jobs_are_listed_and_deleted(provider, client, surface):
    api = client(provider).client
    first, second = (client(provider).client.submit(*surface) for _ in range(2))
    assert api.get_jobs().request_ids == [second.request_id, first.request_id]
    assert first.delete()["status"] == "dismissed"
    api.delete(second.request_id)
    assert api.get_jobs().request_ids == []
    with pytest.raises(requests.HTTPError, match="job not found"):
        api.get_remote(first.request_id)


def test_deleting_a_job_leaves_its_file(provider, client, surface, tmp_path):
    """With ``delete=True`` the client deletes the job before it downloads the file."""
    path = client(provider, delete=True).retrieve(*surface, str(tmp_path / "a.grib"))
    order = [e.method for e in provider.requests if e.method == "DELETE" or e.is_download]
    assert order == ["DELETE", "GET"]
    assert Path(path).stat().st_size


def test_results_expire(start, client, surface, tmp_path):
    provider = start(keep_seconds=1.0)
    api = client(provider, wait_until_complete=False)
    remote = api.retrieve(*surface)
    results = remote.get_results()
    time.sleep(1.2)
    with pytest.raises(requests.HTTPError, match=r"404.*\nresults expired"):
        remote.get_results()
    assert requests.get(results.location, timeout=5).status_code == 404
    api.retrieve(*surface).download(str(tmp_path / "again.grib"))


def test_results_that_are_not_ready(start, client, surface):
    provider = start(queue_seconds=60.0)
    remote = client(provider, wait_until_complete=False).retrieve(*surface)
    with pytest.raises(requests.HTTPError, match="job results not ready"):
        remote._make_results(wait=False)


def test_the_catalogue_and_the_account(provider, client, surface):
    api = client(provider).client
    assert set(api.get_processes().collection_ids) >= {surface[0]}
    collection = api.get_collection(surface[0])
    assert collection.begin_datetime.year == 1940
    assert collection.bbox == (0.0, -90.0, 359.75, 90.0)
    assert collection.submit(surface[1]).collection_id == surface[0]
    assert api.check_authentication()["sub"] == "synthetic"
    assert api.get_accepted_licences()[0]["id"] == "synthetic-licence"


@pytest.mark.parametrize(
    ("asked", "status", "begin", "length"),
    [
        ("bytes=0-99", 206, 0, 100),
        ("bytes=100-", 206, 100, None),
        ("bytes=-16", 206, -16, 16),
        ("bytes=0-", 200, 0, None),
        ("bytes=0-1,5-6", 200, 0, None),
        ("lines=1-2", 200, 0, None),
    ],
)
def test_ranges(provider, client, surface, asked, status, begin, length):
    url = client(provider).retrieve(*surface).location
    whole = requests.get(url, timeout=5).content
    part = requests.get(url, headers={"Range": asked}, timeout=5)
    stop = None if length is None else (begin % len(whole)) + length
    assert part.status_code == status
    assert part.content == whole[begin:stop]
    if status == 206:
        first = begin % len(whole)
        last = first + len(part.content) - 1
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"


def test_a_range_beyond_the_end(provider, client, surface):
    url = client(provider).retrieve(*surface).location
    size = int(requests.head(url, timeout=5).headers["Content-Length"])
    reply = requests.get(url, headers={"Range": f"bytes={size}-"}, timeout=5)
    assert reply.status_code == 416
    assert reply.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/nothing/here", b"", 404),
        ("GET", "/retrieve/v1/jobs/no-such-job", b"", 404),
        ("GET", "/retrieve/v1/jobs/no-such-job/results", b"", 404),
        ("POST", EXECUTION.format("reanalysis-era5-single-levels"), b"{", 422),
        ("POST", EXECUTION.format("reanalysis-era5-single-levels"), b"[1]", 400),
        ("POST", EXECUTION.format("reanalysis-era5-single-levels"), b"", 400),
        ("PUT", "/profiles/v1/account/licences/another", b"{}", 404),
    ],
)
def test_calls_no_client_makes(provider, method, path, content, status):
    headers = {"PRIVATE-TOKEN": provider.key}
    reply = requests.request(method, provider.url + path, data=content, headers=headers, timeout=5)
    assert reply.status_code == status
    assert reply.json()["title"]


def test_closing_removes_the_files_and_frees_the_port(client, surface, tmp_path):
    with EmbeddedProvider(folder=tmp_path) as provider:
        client(provider).retrieve(*surface)
        port = int(provider.base.rpartition(":")[2])
        (folder,) = tmp_path.iterdir()
        assert list(folder.iterdir())
    provider.close()
    assert not list(tmp_path.iterdir())
    with EmbeddedProvider(port=port) as second:
        assert second.url == provider.url


def test_closing_does_not_wait_for_a_large_job(client, levels):
    dataset, request = levels
    for key in ("area", "grid"):
        del request[key]
    hours = [f"{hour:02d}:00" for hour in range(24)]
    days = [f"{day:02d}" for day in range(1, 32)]
    with EmbeddedProvider() as provider:
        api = client(provider, wait_until_complete=False)
        remote = api.retrieve(dataset, {**request, "time": hours, "day": days})
        assert remote.status == "running"
        begun = time.monotonic()
    assert time.monotonic() - begun < 5.0


def test_a_port_that_is_taken(provider, tmp_path):
    port = int(provider.base.rpartition(":")[2])
    with pytest.raises(FetchError, match="cannot listen"):
        EmbeddedProvider(port=port, folder=tmp_path).start()
    assert not list(tmp_path.iterdir())


def test_serve_tells_where_it_listens(client, surface):
    """``serve`` blocks until somebody closes the provider."""
    seen = []

    def ready(provider: EmbeddedProvider) -> None:
        seen.append(client(provider).retrieve(*surface).content_length)
        provider.close()

    serve(0, ready=ready)
    assert seen[0] > 0


@pytest.mark.parametrize(
    "module",
    ["aurora_prep.providers.embedded", "aurora_prep.providers.embedded.grib"],
)
def test_pyproj_comes_before_eccodes(module):
    """The other order brings the interpreter down as soon as pyproj is used."""
    code = (
        f"import {module}, pyproj; print(pyproj.Transformer.from_crs(4326, 3857).transform(0, 0))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(")
