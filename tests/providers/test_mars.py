"""The archive's own client against the embedded archive: all that can go wrong on the way."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from aurora_prep import sources
from aurora_prep.providers import mars
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.embedded import ALWAYS, EmbeddedProvider
from aurora_prep.providers.planner import plan_requests
from aurora_prep.providers.progress import Step
from aurora_prep.providers.retry import Policy
from aurora_prep.sources.spec import CredentialsError, FetchError, Levels, Timeline

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first

HASTY = Policy(
    attempts=3,
    first_wait_seconds=0.01,
    longest_wait_seconds=0.05,
    deadline_seconds=60.0,
    read_seconds=10.0,
)
SOURCE = sources.load("hres_analysis")
PARTS = 4


def asked(*hours, paths=("surface/2t",), levels=(500,)):
    """One request for fields of one day on a coarse Gaussian grid."""
    start = datetime(2020, 3, 1, hours[0])
    timeline = Timeline(start, datetime(2020, 3, 1, hours[-1]), timedelta(hours=6))
    (request,) = plan_requests(
        SOURCE, SOURCE.access("mars"), timeline, paths, Levels(levels), synthetic=True
    )
    return request


@pytest.fixture
def fetch(tmp_path):
    """Fetch from a provider with faults; what came, what was told, and what was asked."""

    def get(*faults, request=None, policy=HASTY, stop=None, counts=None, **options):
        told = []
        with EmbeddedProvider(
            gaussian_lines=8, faults=counts or list(faults), **options
        ) as provider:
            get.provider = provider
            target = tmp_path / "answer.grib"
            delivery = mars.download(
                request or asked(0, 6),
                Service.embedded(provider.url, provider.key).towards("mars"),
                target,
                policy=policy,
                watch=told.append,
                stop=stop,
            )
            return delivery, target, told

    return get


def messages(path):
    with path.open("rb") as file:
        found = []
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            found.append(
                {
                    key: eccodes.codes_get(handle, key)
                    for key in ("paramId", "dataTime", "stream", "type", "class", "gridType", "N")
                }
            )
            eccodes.codes_release(handle)
        return found


def steps(told):
    return [progress.step for progress in told]


def test_what_is_asked_comes(fetch):
    delivery, target, told = fetch()
    assert delivery == Delivery(target.stat().st_size, None)
    found = messages(target)
    assert [(m["dataTime"], m["paramId"]) for m in found] == [(0, 167), (600, 167)]
    assert {(m["class"], m["stream"], m["type"]) for m in found} == {("od", "oper", "an")}
    assert {(m["gridType"], m["N"]) for m in found} == {("reduced_gg", 8)}
    assert steps(told)[0] is Step.SUBMITTED
    assert Step.DOWNLOADING in steps(told)
    assert told[1].text.startswith("job ")


def test_the_calls_are_those_of_the_client_and_the_job_is_cleared_away(fetch):
    fetch()
    calls = [(e.method, e.path.split("/")[-1][:9], e.status) for e in fetch.provider.requests]
    job = next(e.path for e in fetch.provider.requests if e.method == "DELETE").split("/")[-1]
    assert calls[:5] == [
        ("GET", "who-am-i", 200),
        ("GET", "info", 200),
        ("GET", "info", 200),
        ("GET", "news", 200),
        ("POST", "requests", 202),
    ]
    assert calls[-1] == ("DELETE", job[:9], 204)
    assert (fetch.provider.submissions, fetch.provider.downloads) == (1, 1)


def test_a_queue_is_waited_for(fetch):
    _, target, told = fetch(queue_seconds=0.5)
    assert len(messages(target)) == 2
    assert Step.ACCEPTED in steps(told)
    polls = [e for e in fetch.provider.requests if e.status == 202 and e.method == "GET"]
    assert polls


@pytest.mark.parametrize("fault", ["busy", "too_many_requests", "cut"])
def test_passing_trouble_is_outlasted_by_the_client(fault, fetch):
    _, target, told = fetch(fault)
    assert len(messages(target)) == 2
    assert fetch.provider.submissions == (2 if fault == "too_many_requests" else 1)
    assert Step.RETRYING in steps(told)


def test_a_cut_download_goes_on_where_it_stopped(fetch):
    delivery, _, _ = fetch(counts={"cut": 2})
    downloads = [e for e in fetch.provider.requests if e.is_download]
    assert [e.start > 0 for e in downloads] == [False, True, True]
    assert sum(e.sent for e in downloads) == delivery.bytes


@pytest.mark.parametrize("fault", ["expired", "asset_gone"])
def test_a_result_that_is_gone_is_asked_for_once_more(fault, fetch):
    _, target, _ = fetch(fault)
    assert len(messages(target)) == 2
    assert fetch.provider.submissions == 2


def test_results_that_are_always_gone_end_it(fetch):
    with pytest.raises(FetchError, match="does not deliver") as caught:
        fetch(counts={"asset_gone": ALWAYS})
    assert "requests: 2" in caught.value.args[2]


def test_a_failed_job_is_told_in_the_archive_s_words(fetch):
    with pytest.raises(FetchError, match="ended the request with an error") as caught:
        fetch("failed_job")
    assert "MARS_TAPE" in caught.value.args[2]
    assert fetch.provider.submissions == 1


def test_a_rejected_request_is_told_too(fetch):
    with pytest.raises(FetchError, match="breaks a rule"):
        fetch("rejected_job")


def test_what_is_not_archived_is_left_out(fetch):
    _, target, _ = fetch("not_archived")
    assert [m["dataTime"] for m in messages(target)] == [600]


def test_nothing_archived_is_an_error_of_the_archive(fetch):
    with pytest.raises(FetchError) as caught:
        fetch("not_archived", request=asked(0))
    assert "MARS_EXPECTED_FIELDS" in caught.value.args[2]


def test_an_account_without_the_archive_is_refused(fetch):
    with pytest.raises(CredentialsError, match="does not let this account in") as caught:
        fetch("licence")
    assert "no access to services/mars" in caught.value.args[2]
    assert len(caught.value.args) == PARTS


def test_a_wrong_key_is_refused_and_shown_nowhere(tmp_path):
    key = "00000000-dead-beef-0000-000000000000"
    with EmbeddedProvider() as provider, pytest.raises(CredentialsError) as caught:
        mars.download(
            asked(0),
            Service.embedded(provider.url, key).towards("mars"),
            tmp_path / "a.grib",
            policy=HASTY,
        )
    assert "not valid" in str(caught.value)
    assert "403" in caught.value.args[2]
    assert key not in str(caught.value)


def test_nobody_there_is_told_with_the_address(tmp_path):
    with pytest.raises(FetchError, match="cannot be reached") as caught:
        mars.download(
            asked(0), Service.embedded("http://127.0.0.1:9/api", "x"), tmp_path / "a", policy=HASTY
        )
    assert "127.0.0.1:9" in caught.value.args[1]
    assert "refused" in caught.value.args[2]


def test_a_service_that_hangs_is_given_up(fetch):
    """A first answer that never comes ends the client, which is then started once more."""
    policy = replace(HASTY, read_seconds=0.5)
    began = time.monotonic()
    _, target, _ = fetch("hang", hang_seconds=20.0, policy=policy)
    assert len(messages(target)) == 2
    assert time.monotonic() - began < 15


def test_the_deadline_holds_in_the_queue_and_the_job_is_withdrawn(fetch):
    policy = replace(HASTY, deadline_seconds=1.5)
    began = time.monotonic()
    with pytest.raises(FetchError, match="took too long"):
        fetch("slow_queue", policy=policy)
    assert time.monotonic() - began < 10
    assert fetch.provider.requests[-1].method == "DELETE"
    assert not [thread for thread in threading.enumerate() if thread.name == "mars-listener"]


def test_a_run_that_stops_stops_the_client(fetch):
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    began = time.monotonic()
    with pytest.raises(FetchError, match="given up"):
        fetch("slow_queue", stop=stop)
    assert time.monotonic() - began < 10
    assert fetch.provider.requests[-1].method == "DELETE"


def test_words_that_are_not_the_archive_s_are_refused(fetch):
    request = asked(0)
    request.body["pressure_level"] = "500"
    with pytest.raises(FetchError, match="Undefined keyword: pressure_level"):
        fetch(request=request)


def test_a_client_that_cannot_start_says_why(tmp_path, monkeypatch):
    broken = tmp_path / "client.py"
    broken.write_text("import a_module_nobody_has\n")
    monkeypatch.setattr(mars, "CLIENT", broken)
    with pytest.raises(FetchError, match="client of ECMWF's archive failed") as caught:
        mars.download(
            asked(0), Service.embedded("http://127.0.0.1:9/api", "x"), tmp_path / "a", policy=HASTY
        )
    assert "a_module_nobody_has" in caught.value.args[2]


def test_a_client_whose_parent_is_gone_ends_and_withdraws_its_request(tmp_path):
    with EmbeddedProvider(faults=["slow_queue"]) as provider:
        order = {
            "url": f"{provider.base}/v1",
            "key": provider.key,
            "email": "somebody@example.org",
            "request": asked(0).body,
            "target": str(tmp_path / "a.grib"),
            "read_seconds": 10.0,
            "longest_wait_seconds": 0.05,
        }
        with subprocess.Popen(
            [sys.executable, "-P", str(mars.CLIENT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            process.stdin.write(json.dumps(order))
            process.stdin.close()
            while "Request submitted" not in process.stdout.readline():
                assert process.poll() is None
            process.stdout.close()
            assert process.wait(timeout=20) == 1
            process.stdin = process.stdout = io.StringIO()
        assert provider.requests[-1].method == "DELETE"


def test_the_key_is_on_no_command_line(fetch):
    """Other users of the machine see command lines and never standard input."""
    stop, seen = threading.Event(), []

    def look():
        mine = os.getpid()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes()
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == mine and b"mars_client" in words:
                seen.append(words)
        stop.set()

    if sys.platform != "linux":
        pytest.skip("reads /proc: run it on Linux")
    threading.Timer(1.0, look).start()
    with pytest.raises(FetchError, match="given up"):
        fetch("slow_queue", stop=stop)
    assert seen
    assert not any(EmbeddedProvider.key.encode() in words for words in seen)
