"""Every fault, seen by the real client or in the file it downloads."""

import hashlib
import time
import zipfile
from pathlib import Path

import eccodes
import netCDF4
import numpy as np
import pytest
import requests
from ecmwf.datastores.processing import DownloadError

from aurora_prep.providers.embedded import ALWAYS, FAULTS, Faults
from aurora_prep.sources.spec import SpecError


@pytest.fixture
def labels(read_grib):
    """Order of the messages in a file."""

    def read(path):
        return [(m.valid_time.hour, m.keys["level"], m.keys["paramId"]) for m in read_grib(path)]

    return read


@pytest.fixture
def fetch(client, levels, tmp_path):
    """Download the same four fields at two times, whatever goes wrong."""

    def get(provider, name="a.grib", **more) -> Path:
        options = more.pop("options", {})
        dataset, request = levels
        target = str(tmp_path / name)
        return Path(client(provider, **options).retrieve(dataset, {**request, **more}, target))

    return get


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324


def test_busy_is_survived(start, fetch):
    provider = start(faults={"busy": 2})
    fetch(provider)
    assert [e.status for e in provider.requests].count(503) == 2
    assert provider.faults.left("busy") == 0


def test_busy_without_end(start, fetch):
    provider = start(faults={"busy": ALWAYS})
    with pytest.raises(requests.HTTPError, match="503"):
        fetch(provider)
    assert provider.submissions == 4


def test_too_many_requests_say_when_to_come_back(start, fetch):
    provider = start(faults="too_many_requests")
    fetch(provider)
    assert [e.status for e in provider.requests if e.is_submission] == [429, 201]
    provider.faults.switch("too_many_requests")
    url = f"{provider.url}/retrieve/v1/processes/reanalysis-era5-single-levels/execution"
    headers = {"PRIVATE-TOKEN": provider.key}
    reply = requests.post(url, json={"inputs": {}}, headers=headers, timeout=5)
    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "1")


def test_a_cut_download_is_resumed_where_it_stopped(start, client, levels, tmp_path):
    """The client writes whole mebibytes: only what is larger can be resumed."""
    dataset, request = levels
    request |= {"area": [90, 0, -90, 360], "grid": [0.25, 0.25], "time": "00:00"}
    request["variable"] = "temperature"
    provider = start(faults={"cut": 2})
    whole = Path(client(start()).retrieve(dataset, request, str(tmp_path / "whole.grib")))
    path = Path(client(provider).retrieve(dataset, request, str(tmp_path / "cut.grib")))
    assert path.read_bytes() == whole.read_bytes()
    first, second, third = (e for e in provider.requests if e.is_download)
    assert (first.status, second.status, third.status) == (200, 206, 206)
    assert first.start == 0 < second.start < third.start
    size = whole.stat().st_size
    assert [first.sent, second.sent] == [size // 2, (size - second.start) // 2]
    assert third.start + third.sent == size
    assert provider.downloads == 1


def test_a_truncated_file_agrees_with_its_size_and_checksum(
    start, client, levels, read_grib, tmp_path
):
    results = client(start(faults="truncated")).retrieve(*levels)
    path = Path(results.download(str(tmp_path / "a.grib")))
    assert path.stat().st_size == results.content_length
    assert md5(path) == results.asset["file:checksum"]
    with pytest.raises(eccodes.CodesInternalError):
        read_grib(path)


def test_a_truncated_netcdf_does_not_open(start, fetch):
    path = fetch(start(faults="truncated"), "a.nc", data_format="netcdf")
    with pytest.raises(OSError, match="HDF error"):
        netCDF4.Dataset(path)


def test_a_corrupt_message_is_damaged_alone(start, fetch, labels, read_grib):
    path = fetch(start(faults="corrupt_message"))
    with pytest.raises(eccodes.CodesInternalError):
        read_grib(path)
    sound = fetch(start(), "sound.grib")
    differing = np.frombuffer(path.read_bytes(), "u1") != np.frombuffer(sound.read_bytes(), "u1")
    assert 0 < differing.sum() <= 16
    assert len(labels(sound)) == 8


def test_missing_duplicate_and_shuffled_messages(start, fetch, labels):
    sound = labels(fetch(start(), "sound.grib"))
    missing = labels(fetch(start(faults="missing_message"), "missing.grib"))
    duplicate = labels(fetch(start(faults="duplicate_message"), "duplicate.grib"))
    shuffled = labels(fetch(start(faults="shuffled_messages"), "shuffled.grib"))
    assert missing == sound[:4] + sound[5:]
    assert duplicate == [*sound[:5], *sound[4:]]
    assert shuffled != sound
    assert sorted(shuffled) == sorted(sound)


def test_a_fault_of_grib_waits_for_grib(start, fetch):
    provider = start(faults="missing_message")
    fetch(provider, "a.nc", data_format="netcdf")
    assert provider.faults.left("missing_message") == 1


def test_a_wrong_checksum(start, client, levels, tmp_path):
    results = client(start(faults="wrong_checksum")).retrieve(*levels)
    path = Path(results.download(str(tmp_path / "a.grib")))
    assert path.stat().st_size == results.content_length
    assert md5(path) != results.asset["file:checksum"]


def test_a_zip_nobody_asked_for(start, fetch):
    path = fetch(start(faults="zip_for_netcdf"), "a.nc", data_format="netcdf")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["data_stream-oper_stepType-instant.nc"]


def test_a_failed_job_says_why_and_the_next_one_succeeds(start, fetch):
    provider = start(faults="failed_job")
    with pytest.raises(requests.HTTPError, match=r"400.*\nThe job has failed\nMARS has returned"):
        fetch(provider)
    assert fetch(provider).stat().st_size


def test_a_rejected_job(start, fetch):
    with pytest.raises(requests.HTTPError, match="The job has been rejected"):
        fetch(start(faults="rejected_job"))


def test_a_licence_not_accepted_until_it_is(start, client, fetch):
    provider = start(faults={"licence": ALWAYS})
    with pytest.raises(requests.HTTPError, match=r"403.*\nrequired licences not accepted"):
        fetch(provider)
    client(provider).client.accept_licence("synthetic-licence", 1)
    assert fetch(provider).stat().st_size


def test_expired_results(start, fetch):
    provider = start(faults="expired")
    with pytest.raises(requests.HTTPError, match="results expired"):
        fetch(provider)
    assert fetch(provider).stat().st_size


def test_a_file_that_is_gone(start, fetch):
    provider = start(faults="asset_gone")
    with pytest.raises(DownloadError, match="downloaded 0 byte"):
        fetch(provider)
    assert fetch(provider).stat().st_size


def test_a_service_that_hangs(start, fetch):
    provider = start(faults="hang", hang_seconds=30.0)
    begun = time.monotonic()
    assert fetch(provider, options={"timeout": 2}).stat().st_size
    assert 2.0 <= time.monotonic() - begun < 15.0


def test_a_queue_that_does_not_move(start, client, levels):
    remote = client(start(faults="slow_queue"), wait_until_complete=False).retrieve(*levels)
    assert [remote.status for _ in range(2)] == ["accepted", "accepted"]


def test_faults_are_counted_and_can_be_switched(start, fetch):
    provider = start(faults=["failed_job", "rejected_job"])
    provider.faults.switch("failed_job", 0)
    with pytest.raises(requests.HTTPError, match="rejected"):
        fetch(provider)
    assert fetch(provider).stat().st_size


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("no_data", "The job failed with: MarsNoDataError"),
        ("mars_system", "mars - ERROR - Connection reset by peer"),
        ("memory_killed", "Worker has been killed due to memory usage."),
        ("unknown_failure", "The job failed with: KeyError"),
    ],
)
def test_a_failed_job_tells_its_kind_in_the_last_line(start, fetch, fault, line):
    with pytest.raises(requests.HTTPError) as caught:
        fetch(start(faults=fault))
    traceback = caught.value.response.json()["traceback"]
    assert line in traceback.splitlines()
    assert traceback.splitlines()[-1].startswith("The job failed with: ")


def test_a_conversion_that_fails_is_one_to_netcdf(start, fetch):
    provider = start(faults="conversion_failed")
    fetch(provider)
    with pytest.raises(requests.HTTPError, match="CdsFormatConversionError"):
        fetch(provider, "a.nc", data_format="netcdf")


def test_a_short_answer_lacks_its_last_time(start, fetch, labels):
    sound = labels(fetch(start(), "sound.grib"))
    short = labels(fetch(start(faults="short_answer"), "short.grib"))
    assert short == [label for label in sound if label[0] == 0] != sound


def test_a_job_goes_back_to_the_queue(start, client, levels):
    remote = client(start(faults="requeued"), wait_until_complete=False).retrieve(*levels)
    seen = []
    while not seen or seen[-1] != "successful":
        seen.append(remote.session.get(remote.url, headers=remote.headers).json()["status"])
    assert "successful" in seen
    log = remote.json["metadata"]["log"]
    told = [text.split()[-1].rstrip(".") for _, text in log if "updated" in text]
    assert told == ["running", "accepted", "running", "successful"]


def test_a_lost_answer_leaves_a_job(start, client, levels):
    provider = start(faults="lost_post")
    with pytest.raises(requests.ConnectionError):
        client(provider, retry_max=1).retrieve(*levels)
    assert len(client(provider).client.get_jobs().request_ids) == 1


@pytest.mark.parametrize(
    ("fault", "status"), [("html_502", 502), ("internal_error", 500), ("html_page", 200)]
)
def test_pages_for_people(start, fault, status):
    provider = start(faults=fault)
    reply = requests.get(f"{provider.url}/retrieve/v1/processes", timeout=5)
    assert reply.status_code == status
    assert reply.headers["Content-Type"] == (
        "application/json" if fault == "internal_error" else "text/html"
    )
    assert fetch_json(provider)["processes"]


def fetch_json(provider):
    return requests.get(f"{provider.url}/retrieve/v1/processes", timeout=5).json()


def test_an_unknown_fault_is_an_error():
    with pytest.raises(SpecError, match="no such fault") as caught:
        Faults("earthquake")
    assert "too_many_requests" in str(caught.value)


def test_every_fault_has_a_line_for_people():
    assert list(FAULTS) == sorted(FAULTS)
    assert all(len(line) > 20 for line in FAULTS.values())
