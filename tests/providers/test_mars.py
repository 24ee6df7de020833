"""The archive's own client against the embedded archive: all that can go wrong on the way."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.providers import mars
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.embedded import ALWAYS, EmbeddedProvider
from aurora_prep.providers.grib_count import message_count
from aurora_prep.providers.mars_signs import reaction_to
from aurora_prep.providers.planner import plan_requests
from aurora_prep.providers.progress import Step
from aurora_prep.providers.retry import Policy
from aurora_prep.sources.spec import (
    CredentialsError,
    FetchError,
    IncompleteError,
    Levels,
    NotArchivedError,
    NotAskedError,
    NotYetError,
    RequestRefusedError,
    SourceClosedError,
    Timeline,
)

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

    def get(*faults, request=None, policy=HASTY, stop=None, counts=None, watch=None, **options):
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
                watch=watch or told.append,
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
    with pytest.raises(RequestRefusedError, match="rejects the request as wrong") as caught:
        fetch("failed_job")
    assert "Invalid MARS request(s)" in caught.value.args[2]
    assert fetch.provider.submissions == 1


def test_a_rejected_request_is_told_too(fetch):
    with pytest.raises(FetchError, match="breaks a rule"):
        fetch("rejected_job")


def test_a_full_queue_is_waited_for_and_no_try_is_counted(fetch):
    """ERROR 101, seven times: more than any other trouble is asked again for."""
    _, target, told = fetch(counts={"mars_101": 7})
    assert len(messages(target)) == 2
    assert fetch.provider.submissions == 8
    assert any("USER_QUEUED_LIMIT_EXCEEDED" in progress.text for progress in told)


def test_a_full_queue_until_the_deadline_is_no_statement_about_the_data(fetch):
    with pytest.raises(FetchError, match="took too long"):
        fetch(counts={"mars_101": ALWAYS}, policy=replace(HASTY, deadline_seconds=3.0))


def test_the_archive_s_own_trouble_is_asked_again_three_times(fetch):
    _, target, _ = fetch(counts={"mars_system": 3})
    assert len(messages(target)) == 2
    assert fetch.provider.submissions == 4
    with pytest.raises(NotAskedError, match="failed by itself") as caught:
        fetch(counts={"mars_system": ALWAYS})
    assert "Connection reset by peer" in caught.value.args[2]
    assert fetch.provider.submissions == 4


def test_data_that_the_account_may_not_read_stop_the_source(fetch):
    with pytest.raises(SourceClosedError, match="does not give these data") as caught:
        fetch("mars_restricted")
    assert "MARS_RESTRICTED_ACCESS_TO_DATA" in caught.value.args[2]
    assert "service agreement" in caught.value.args[3]
    assert fetch.provider.submissions == 1


def test_what_is_not_released_is_not_yet_there(fetch):
    """The archive names the time; a later run asks again."""
    with pytest.raises(NotYetError) as caught:
        fetch(counts={"not_released": ALWAYS})
    assert "Data not yet available. Scheduled for after" in caught.value.args[2]
    assert caught.value.word == "not_yet"


def test_the_released_days_of_a_request_come_before_the_last_are(fetch):
    """One unreleased time fails a request whole: it is asked again without the last days."""
    now = datetime.now(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    today = now.replace(hour=0)
    timeline = Timeline(today - timedelta(days=3), today + timedelta(hours=18), timedelta(hours=6))
    requests = [
        request
        for request in plan_requests(
            SOURCE, SOURCE.access("mars"), timeline, ["surface/2t"], Levels(()), synthetic=True
        )
        if request.times[-1] > now and len({time.date() for time in request.times}) > 2
    ]
    for request in requests:  # none in the first days of a month
        _, target, told = fetch(request=request)
        held = [time for time in request.times if time < today]
        assert len(messages(target)) == len(held)
        assert any("not yet available" in progress.text for progress in told)


def test_an_answer_short_of_fields_is_asked_for_once_more(fetch):
    """Counted at once, message by message."""
    _, target, told = fetch("missing_message")
    assert len(messages(target)) == 2
    assert fetch.provider.submissions == 2
    assert any("1 of 2 fields came" in progress.text for progress in told)
    _, target, _ = fetch(counts={"missing_message": ALWAYS})
    assert len(messages(target)) == 1
    assert fetch.provider.submissions == 2


def test_fields_that_are_expected_and_not_there_are_asked_for_once_more(fetch):
    _, target, _ = fetch("mars_89_partial")
    assert len(messages(target)) == 2
    with pytest.raises(IncompleteError) as caught:
        fetch(counts={"mars_89_partial": ALWAYS})
    assert "ERROR 89 (MARS_EXPECTED_FIELDS): Expected 2, got 1" in caught.value.args[2]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("ERROR 6 (MARS_EXPECTED_FIELDS): Expected 24, got 0.", NotArchivedError),
        ("UserError: 0 message retrieved out of 48 expected", NotArchivedError),
        ("Data not found", NotArchivedError),
        ("ERROR 89 (MARS_EXPECTED_FIELDS): Expected 24, got 8.", IncompleteError),
        ("Data not yet available. Scheduled for after 11:45:00", NotYetError),
        ("User 'a@b.c' has no access to services/mars", SourceClosedError),
        ("Your token is an invalid key", CredentialsError),
        ("Assertion failed: handle in Field.cc", NotAskedError),
        ("Socket read failed", NotAskedError),
        ("MARS_CACHE_CORRUPTION", NotAskedError),
        ("Syntax error: line 3", RequestRefusedError),
        ("the moon is full", RequestRefusedError),
    ],
)
def test_each_text_has_its_row(text, error):
    kinds = frozenset({"APIException", "Exception"})
    assert reaction_to(kinds, f"ecmwf.API error 1: {text}", 400).error is error


def large_message(rows):
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
    eccodes.codes_set_long(handle, "Ni", 3600)
    eccodes.codes_set_long(handle, "Nj", rows)
    eccodes.codes_set_long(handle, "bitsPerValue", 16)
    eccodes.codes_set_values(handle, np.random.default_rng(1).normal(size=3600 * rows))
    content = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return content


def test_messages_are_counted_by_their_heads(fetch, tmp_path):
    """Also those above 8 MiB, whose length is told in units of 120 bytes, and past filling."""
    _, target, _ = fetch()
    small = target.read_bytes()
    large, huge = large_message(1301), large_message(2601)
    assert 1 << 23 < len(large) < 1 << 24 < len(huge)
    for content, count in (
        (small, 2), (small + large + small, 5), (large * 2, 2),
        (large + huge * 2 + small, 5), (b"", 0), (b"GRI", 0),
        (small + b"\0" * 100 + small, 4), (b"<html>" + small, 2),
    ):  # fmt: skip
        path = tmp_path / "many.grib"
        path.write_bytes(content)
        assert message_count(path) == count


def test_what_is_not_archived_is_left_out(fetch):
    _, target, _ = fetch(counts={"not_archived": ALWAYS})
    assert [m["dataTime"] for m in messages(target)] == [600]


def test_nothing_archived_is_an_error_of_the_archive(fetch):
    with pytest.raises(FetchError) as caught:
        fetch("not_archived", request=asked(0))
    assert "MARS_EXPECTED_FIELDS" in caught.value.args[2]


def test_an_account_without_the_archive_is_refused(fetch):
    with pytest.raises(SourceClosedError, match="does not let this account in") as caught:
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
    policy = replace(HASTY, deadline_seconds=6.0)
    began = time.monotonic()
    with pytest.raises(FetchError, match="took too long"):
        fetch("slow_queue", policy=policy)
    assert time.monotonic() - began < 30
    assert withdrawn(fetch.provider)
    assert not [thread for thread in threading.enumerate() if thread.name == "mars-listener"]


def withdrawn(provider):
    """Whether the client takes its request back, within some seconds."""
    for _ in range(200):
        if any(exchange.method == "DELETE" for exchange in provider.requests):
            return True
        time.sleep(0.05)
    return False


def test_a_run_that_stops_stops_the_client(fetch):
    stop = threading.Event()
    began = time.monotonic()

    def when_queued(progress):
        if progress.step is Step.ACCEPTED:
            stop.set()

    with pytest.raises(FetchError, match="given up"):
        fetch("slow_queue", stop=stop, watch=when_queued)
    assert time.monotonic() - began < 30
    assert withdrawn(fetch.provider)


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
