"""The store's manners, seen by the real client: refusals, jobs, results, deletion."""

import hashlib
import logging
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from aurora_prep.providers.embedded import EmbeddedProvider, serve
from aurora_prep.sources.spec import FetchError

SINGLE = "reanalysis-era5-single-levels"
PRESSURE = "reanalysis-era5-pressure-levels"
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
        (
            {"pressure_level": ["500", "500"]},
            "request['pressure_level']: has repeated values in the list, e.g. '500'",
        ),
        ({"time": ["00:30"]}, "00:30"),
        ({"year": ["x"]}, "Invalid integer for year"),
        ({"month": ["02"], "day": ["30"]}, "No valid dates"),
        ({"year": ["1939"]}, "the archive starts at 1940-01-01"),
        ({"year": ["2999"]}, "None of the data you have requested is available yet, "),
        ({"date": "20200101"[:-2]}, "Date ranges must be"),
        ({"date": "2020-01-02/2020-01-01"}, "No valid dates"),
        ({"product_type": ["ensemble_mean"]}, "ensemble_mean"),
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


def cost(provider, dataset, inputs) -> dict:
    """What anybody is told without a key."""
    url = f"{provider.url}/retrieve/v1/processes/{dataset}/costing?request_origin=api"
    return requests.post(url, json={"inputs": inputs}, timeout=5).json()


@pytest.mark.parametrize(
    ("dataset", "inputs", "expected"),
    [
        # Asked of the real store in September 2026, by three people.
        (
            PRESSURE,
            {
                "variable": ["temperature"],
                "pressure_level": ["500"],
                "year": ["2020"],
                "month": ["05", "06", "07", "08", "09"],
                "day": [f"{day:02d}" for day in range(1, 32)],
                "time": ["00:00", "06:00", "12:00", "18:00"],
                "data_format": "netcdf",
            },
            3_672,
        ),
        (
            SINGLE,
            {
                "variable": ["2m_temperature", "msl", "u", "v"],
                "date": "2025-01-01/2025-07-01",
                "time": [f"{hour:02d}:00" for hour in range(24)],
                "area": [1, 0, 0, 1],
                "data_format": "netcdf",
            },
            104_832,
        ),
        (SINGLE, {"variable": ["2m_temperature"], "time": "00:00", "grid": [1, 1]}, 2),
        (SINGLE, {"variable": ["2m_temperature"], "time": "00:00", "grid": "1/1"}, 1),
        (SINGLE, {"variable": ["2m_temperature"], "no_such_key": ["a", "b", "c"]}, 3),
        (
            "cams-global-atmospheric-composition-forecasts",
            {
                "variable": [f"v{i}" for i in range(22)],
                "pressure_level": [str(i) for i in range(13)],
                "date": "2022-01-01/2022-01-31",
                "time": ["00:00", "12:00"],
                "leadtime_hour": ["0"],
                "data_format": "netcdf_zip",
            },
            17_732,
        ),
    ],
)
def test_a_cost_is_the_product_of_all_lists(provider, dataset, inputs, expected):
    answer = cost(provider, dataset, inputs)
    assert (answer["id"], answer["cost"]) == ("size", expected)


def test_the_cost_of_a_valid_request_has_no_word_about_validity(provider, levels):
    dataset, request = levels
    assert cost(provider, dataset, request) == {"id": "size", "cost": 16.0, "limit": 60_000.0}
    answer = cost(provider, dataset, {**request, "variable": ["sky"]})
    assert answer["request_is_valid"] is False
    assert "sky" in answer["invalid_reason"]
    provider.faults.switch("cost_limit", 15)
    assert "cost limits exceeded" in requests.post(
        provider.url + EXECUTION.format(dataset),
        json={"inputs": request},
        headers={"PRIVATE-TOKEN": provider.key},
        timeout=5,
    ).text  # fmt: skip


def test_unknown_keys_pass(provider, client, surface, tmp_path):
    dataset, request = surface
    request |= {"format": "grib"}
    assert client(provider).retrieve(dataset, request, str(tmp_path / "a.grib"))


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


KEPT = ("processID", "type", "jobID", "status", "created", "updated", "links", "metadata")


def submit(provider, dataset, request) -> requests.Response:
    headers = {"PRIVATE-TOKEN": provider.key}
    url = provider.url + EXECUTION.format(dataset)
    return requests.post(url, json={"inputs": request}, headers=headers, timeout=5)


def ask(provider, path, **query) -> requests.Response:
    headers = {"PRIVATE-TOKEN": provider.key}
    url = f"{provider.url}/retrieve/v1/{path}"
    return requests.get(url, params=query, headers=headers, timeout=5)


def test_a_submission_answers_as_the_real_store_does(start, surface):
    provider = start(queue_seconds=60)
    reply = submit(provider, *surface)
    body = reply.json()
    assert reply.status_code == 201
    assert tuple(body) == KEPT
    own, monitor = body["links"]
    assert own == {"href": provider.url + EXECUTION.format(surface[0]), "rel": "self"}
    assert reply.headers["Location"] == monitor["href"]
    assert (monitor["rel"], monitor["type"]) == ("monitor", "application/json")
    assert body["metadata"] == {"datasetMetadata": {"messages": []}, "origin": "api"}
    polled = ask(provider, f"jobs/{body['jobID']}", request=True, log=True).json()
    assert tuple(polled) == KEPT
    assert [link["rel"] for link in polled["links"]] == ["self"]
    assert polled["metadata"]["request"]["ids"] == surface[1]
    assert "messages" not in polled["metadata"]["datasetMetadata"]


def test_a_rejected_job_was_accepted_first_and_has_no_link_to_results(start, surface):
    provider = start(faults={"queue_limit": 1}, queue_seconds=60)
    first, second = (submit(provider, *surface).json() for _ in range(2))
    assert [first["status"], second["status"]] == ["accepted", "accepted"]
    polled = ask(provider, f"jobs/{second['jobID']}").json()
    assert polled["status"] == "rejected"
    assert "started" not in polled
    assert [link["rel"] for link in polled["links"]] == ["self"]
    refused = ask(provider, f"jobs/{second['jobID']}/results")
    assert refused.status_code == 400
    assert refused.json()["title"] == "The job has been rejected"
    assert "temporarily limited" in refused.json()["traceback"]
    assert refused.json()["trace_id"]


def test_jobs_are_listed_in_pages_by_state_and_collection(start, surface, levels):
    provider = start(queue_seconds=60, faults={"queue_limit": 0})
    jobs = [submit(provider, *(surface if n % 2 else levels)).json()["jobID"] for n in range(7)]
    page = ask(provider, "jobs", limit=3).json()
    seen = [job["jobID"] for job in page["jobs"]]
    while more := [link["href"] for link in page["links"] if link["rel"] == "next"]:
        page = requests.get(more[0], headers={"PRIVATE-TOKEN": provider.key}, timeout=5).json()
        seen += [job["jobID"] for job in page["jobs"]]
    assert seen == jobs[::-1]
    assert page["metadata"] == {"totalCount": 7, "totalCountLimit": 1000}
    some = ask(provider, "jobs", processID=surface[0], status=["accepted", "running"]).json()
    assert [job["jobID"] for job in some["jobs"]] == jobs[1::2][::-1]
    assert some["jobs"][0]["links"][0]["rel"] == "monitor"
    assert ask(provider, "jobs", status="successful").json()["jobs"] == []
    assert ask(provider, "jobs", limit=0).status_code == 422


def test_a_dismissed_job_is_gone_and_unknown_ones_are_skipped(start, surface):
    provider = start(queue_seconds=60)
    job = submit(provider, *surface).json()["jobID"]
    headers = {"PRIVATE-TOKEN": provider.key}
    url = f"{provider.url}/retrieve/v1/jobs"
    both = {"job_ids": [job, "00000000-0000-4000-8000-000000000000"]}
    deleted = requests.post(f"{url}/delete", json=both, headers=headers, timeout=5).json()
    assert [job["status"] for job in deleted["jobs"]] == ["dismissed"]
    assert ask(provider, f"jobs/{job}").json()["detail"] == f"job {job} dismissed"
    assert ask(provider, "jobs/x").json()["detail"] == "invalid job id x"


def test_what_is_not_released_is_left_out_in_silence(
    provider, surface, client, read_grib, tmp_path
):
    dataset, request = surface
    for key in ("year", "month", "day"):
        del request[key]
    today = datetime.now(UTC).date()
    begin = today - timedelta(days=7)
    request |= {"date": f"{begin}/{today}", "time": ["00:00"], "variable": ["2m_temperature"]}
    messages = read_grib(client(provider).retrieve(dataset, request, str(tmp_path / "a.grib")))
    last = max(message.keys["dataDate"] for message in messages)
    assert last == int(f"{today - timedelta(days=5):%Y%m%d}")
    message = refused(client, provider, dataset, {**request, "date": str(today)})
    assert "The latest date available for this dataset is: " in message


def test_a_licence_is_looked_at_after_the_cost(start, surface):
    provider = start(faults={"licence": -1, "cost_limit": 1})
    assert submit(provider, *surface).json()["title"] == "cost limits exceeded"
    provider.faults.switch("cost_limit", 0)
    assert submit(provider, *surface).json()["title"] == "required licences not accepted"
    assert ask(provider, "../../profiles/v1/account/licences").json() == {"licences": []}


def test_too_many_calls_are_told_how_long_to_wait(start):
    provider = start(faults={"rate_limit": 2})
    replies = [ask(provider, "jobs") for _ in range(6)]
    refusals = [reply for reply in replies if reply.status_code == 429]
    assert refusals
    assert refusals[0].headers["Retry-After"] == "1"
    assert refusals[0].json()["detail"] == "Rate limit exceeded. Please wait 1 seconds."


def test_what_anybody_may_ask(provider, surface):
    base = f"{provider.url}/catalogue/v1"
    record = requests.get(f"{base}/collections/{surface[0]}", timeout=5).json()
    assert record["cads:disabled_reason"] is None
    assert record["cads:sanity_check"]["status"] == "available"
    licence = next(link for link in record["links"] if link["rel"] == "license")
    form = requests.get(f"{base}/collections/{surface[0]}/form.json", timeout=5)
    assert form.history[0].status_code == 307
    widgets = {widget["type"]: widget for widget in form.json()}
    assert widgets["LicenceWidget"]["details"]["licences"][0]["id"] == licence["id"]
    url = f"{provider.url}/retrieve/v1/processes/{surface[0]}/constraints"
    held = requests.post(url, json={"inputs": surface[1]}, timeout=5).json()
    assert set(surface[1]["variable"]) < set(held["variable"])
    later = {**surface[1], "year": ["2999"]}
    assert requests.post(url, json={"inputs": later}, timeout=5).json()["time"] == []
    wrong = requests.post(url, json={"inputs": {"foo": "1"}}, timeout=5)
    assert (wrong.status_code, wrong.json()["detail"]) == (422, "invalid param 'foo'")
    licences = requests.get(f"{base}/vocabularies/licences", timeout=5).json()["licences"]
    assert licences[0]["id"] == licence["id"]
    provider.faults.switch("disabled", -1)
    record = requests.get(f"{base}/collections/{surface[0]}", timeout=5).json()
    assert "maintenance" in record["cads:disabled_reason"]


def test_a_job_that_is_done_has_a_receipt(provider, client, surface):
    results = client(provider, wait_until_complete=False).retrieve(*surface)
    reply = ask(provider, f"jobs/{results.request_id}/receipt")
    assert reply.headers["Content-Disposition"].startswith('attachment; filename="receipt-')
    assert reply.json()["request"] == surface[1]


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
