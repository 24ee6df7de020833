"""Each row of the table of reactions, against the embedded store with the real text."""

import pickle
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import requests

from aurora_prep import sources
from aurora_prep.providers import desk, signs
from aurora_prep.providers.cache import Cache, CachedFile
from aurora_prep.providers.costs import product_of
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.embedded import ALWAYS, EmbeddedProvider
from aurora_prep.providers.fetch import Fetcher
from aurora_prep.providers.planner import plan_requests
from aurora_prep.providers.reactions import TABLE
from aurora_prep.providers.retry import Policy, deadline_of
from aurora_prep.providers.signs import Sign
from aurora_prep.providers.splitting import halves
from aurora_prep.sources.spec import (
    FetchError,
    LicenceError,
    NotAskedError,
    NotYetError,
    Request,
    SourceClosedError,
    SpecError,
    Stops,
    Timeline,
)

ERA5 = sources.load("era5")
QUICK = Policy(
    attempts=3,
    first_wait_seconds=0.02,
    longest_wait_seconds=0.1,
    deadline_seconds=60,
    connect_seconds=2,
    read_seconds=5,
    queue_wait_seconds=0.1,
    longest_queue_wait_seconds=0.3,
    system_wait_seconds=0.05,
)
FETCH_ALL = """
import pickle, sys
fetcher, requests = pickle.load(sys.stdin.buffer)
for request, answer in fetcher.fetch_all(requests):
    print(request.digest, type(answer).__name__, flush=True)
"""


def asked(days: int = 1, hours: int = 24, paths: tuple[str, ...] = ("surface/2t",)) -> Request:
    """One request to ERA5: days x hours x paths, on two levels where they have levels."""
    first = datetime(2020, 1, 1)
    last = first + timedelta(days=days - 1, hours=24 - hours)
    line = Timeline(first, last, timedelta(hours=hours))
    level = ERA5.levels.subset([500, 850], "test")
    (request,) = plan_requests(
        ERA5, ERA5.access("cds"), line, paths, level, data_format="grib", synthetic=True
    )
    return request


def by_ranges(request: Request) -> Request:
    """The same request with days as the Atmosphere Data Store asks for them."""
    body = {k: v for k, v in request.body.items() if k not in ("year", "month", "day")}
    body["date"] = [f"{request.times[0]:%Y-%m-%d}/{request.times[-1]:%Y-%m-%d}"]
    return replace(request, body=body)


def each_day(count: int) -> list[Request]:
    """One field of one day each: 40 requests and more from different months."""
    level = ERA5.levels.subset([500], "test")
    found = []
    for month in range(count):
        moment = datetime(2000 + month // 12, month % 12 + 1, 1)
        line = Timeline(moment, moment, timedelta(days=1))
        found += plan_requests(
            ERA5, ERA5.access("cds"), line, ["atmospheric/t"], level,
            data_format="grib", synthetic=True,
        )  # fmt: skip
    return found


@pytest.fixture
def provider() -> Iterator[EmbeddedProvider]:
    with EmbeddedProvider() as running:
        yield running


def fetcher_of(cache: Cache, provider: EmbeddedProvider, **more: object) -> Fetcher:
    service = Service.embedded(provider.url, provider.key)
    return Fetcher(cache, service, **{"policy": QUICK, **more})


def jobs_at(provider: EmbeddedProvider) -> list[str]:
    headers = {"PRIVATE-TOKEN": provider.key}
    query = {"limit": 1000}
    reply = requests.get(
        f"{provider.url}/retrieve/v1/jobs", params=query, headers=headers, timeout=5
    )
    return [job["jobID"] for job in reply.json()["jobs"]]


def accepted(provider: EmbeddedProvider) -> int:
    """Submissions that the store took."""
    return sum(e.is_submission and e.status in (0, 201) for e in provider.requests)


def test_every_sign_has_a_row_and_only_401_is_the_key():
    assert set(TABLE) == set(Sign)
    stops = {sign: reaction.error.stops for sign, reaction in TABLE.items()}
    assert [sign for sign, stop in stops.items() if stop is Stops.STORE] == [Sign.KEY]
    assert {sign for sign, stop in stops.items() if stop is Stops.SOURCE} == {
        Sign.LICENCE, Sign.CLOSED, Sign.UNKNOWN_DATASET, Sign.ADDRESS,
    }  # fmt: skip
    assert {sign for sign, stop in stops.items() if stop is Stops.RUN} == {
        Sign.DISK, Sign.CERTIFICATE,
    }  # fmt: skip


@pytest.mark.parametrize("fault", ["rate_limited", "too_many_requests", "lost_post", "requeued"])
def test_what_is_nobodys_fault_is_waited_out_and_doubles_no_job(cache, provider, fault):
    provider.faults.switch(fault, 1)
    assert isinstance(fetcher_of(cache, provider).fetch(asked()), CachedFile)
    assert provider.faults.left(fault) == 0
    assert accepted(provider) == 1
    assert jobs_at(provider) == []


def test_a_new_job_that_a_copy_of_the_store_does_not_know_is_asked_for_again(cache, provider):
    provider.faults.switch("replica_404", 2)
    fetcher_of(cache, provider).fetch(asked())
    assert provider.faults.left("replica_404") == 0
    assert accepted(provider) == 1


def test_a_queue_without_room_loses_nothing_in_forty_requests(cache):
    """More at once than the queue takes, and jobs that somebody else left there."""
    wanted = each_day(40)
    with EmbeddedProvider(queue_seconds=0.05) as provider:
        provider.faults.switch("slow_queue", 1)
        hasty = replace(QUICK, deadline_seconds=1.0)
        stray = fetcher_of(Cache(cache.root / "other"), provider, policy=hasty)
        with pytest.raises(NotAskedError):
            stray.fetch(each_day(1)[0])
        policy = replace(QUICK, jobs_at_once=4)
        fetcher = fetcher_of(cache, provider, policy=policy)
        outcomes = {request.digest: answer for request, answer in fetcher.fetch_all(wanted)}
        assert [type(answer) for answer in outcomes.values()] == [CachedFile] * 40
        assert provider.submissions > 41  # some were rejected, and asked again
        assert len(jobs_at(provider)) == 1


def test_a_cost_limit_lowered_in_mid_run_splits_what_is_left(cache, provider):
    fetcher = fetcher_of(cache, provider, run="lowered")
    whole = fetcher.fetch(asked(days=4))
    assert len(whole.members) == 1
    provider.faults.switch("cost_limit", 3)

    before = provider.submissions
    found = fetcher.fetch(asked(days=8))

    assert len(found.members) == 3  # the first half is what was fetched before
    refused = [e for e in provider.requests if e.is_submission and e.status == 403]
    assert len(refused) == 1
    assert provider.submissions - before == 1 + 2
    assert "larger ones are split" in " ".join(desk.remarks("lowered"))
    count = provider.submissions
    again = fetcher_of(Cache(cache.root), provider).fetch(asked(days=8))
    assert again == found
    assert provider.submissions == count
    assert cache.lookup(asked(days=8)).members == found.members
    fetcher.fetch(asked(days=5))
    assert len([e for e in provider.requests if e.is_submission and e.status == 403]) == 1


def test_a_limit_that_is_known_is_kept_without_being_refused(cache, provider):
    provider.faults.switch("cost_limit", 2)
    found = fetcher_of(cache, provider).fetch(asked(days=4))
    assert len(found.members) == 2
    assert 403 not in [e.status for e in provider.requests]


def test_a_part_that_was_lost_is_fetched_again_alone(cache, provider):
    provider.faults.switch("cost_limit", 2)
    found = fetcher_of(cache, provider).fetch(asked(days=4))
    found.members[1].unlink()
    assert cache.lookup(asked(days=4)) is None
    before = provider.submissions
    assert fetcher_of(cache, provider).fetch(asked(days=4)) == found
    assert provider.submissions - before == 1
    cache.discard(asked(days=4))
    assert not [p for p in cache.root.rglob("*") if p.is_file()]


def test_a_worker_killed_for_its_memory_halves_the_request(cache, provider):
    provider.faults.switch("memory_killed", 1)
    assert len(fetcher_of(cache, provider).fetch(asked(days=2)).members) == 2
    assert jobs_at(provider) == []


def test_what_cannot_become_netcdf_is_asked_as_grib(cache, provider):
    provider.faults.switch("conversion_failed", 1)
    request = asked()
    request = replace(request, body={**request.body, "data_format": "netcdf"})
    found = fetcher_of(cache, provider).fetch(request)
    assert found.path.read_bytes().startswith(b"GRIB")


@pytest.mark.parametrize(
    ("fault", "kind"), [("licence", LicenceError), ("disabled", SourceClosedError)]
)
def test_what_ends_every_request_to_a_dataset_is_asked_once(cache, provider, fault, kind):
    provider.faults.switch(fault, ALWAYS)
    answers = list(fetcher_of(cache, provider, max_in_flight=1).fetch_all(each_day(6)))
    assert [type(answer) for _, answer in answers] == [kind] * 6
    assert provider.submissions == 1
    assert kind.stops is Stops.SOURCE


def test_what_is_not_released_is_not_yet_there(cache, provider):
    provider.faults.switch("embargo_days", 20_000)
    with pytest.raises(NotYetError, match="latest date available"):
        fetcher_of(cache, provider).fetch(asked())


@pytest.mark.parametrize("fault", ["expired", "asset_gone", "unknown_failure", "foreign_job"])
def test_what_may_pass_is_submitted_anew_once(cache, provider, fault):
    provider.faults.switch(fault, 1)
    fetcher_of(cache, provider).fetch(asked())
    assert accepted(provider) == 2


def test_a_fault_of_the_archive_is_asked_again_twice(cache, provider):
    provider.faults.switch("mars_system", 2)
    fetcher_of(cache, provider).fetch(asked())
    assert accepted(provider) == 3
    assert jobs_at(provider) == []


def test_one_question_for_all_open_jobs(cache):
    with EmbeddedProvider(queue_seconds=1.0) as provider:
        list(fetcher_of(cache, provider, max_in_flight=2).fetch_all(each_day(2)))
        calls = Counter(
            (e.method, e.path.rpartition("/retrieve/v1/")[2]) for e in provider.requests
        )
    assert calls["GET", "jobs"] >= 3


def test_in_an_outage_one_asks_and_all_others_wait(cache, provider, caplog):
    policy = replace(QUICK, first_wait_seconds=0.2, longest_wait_seconds=0.2)
    provider.faults.switch("bad_gateway", ALWAYS)
    fetcher = fetcher_of(cache, provider, max_in_flight=8, policy=policy)
    threading.Timer(1.5, provider.faults.switch, ("bad_gateway", 0)).start()
    answers = list(fetcher.fetch_all(each_day(8)))
    assert [type(answer) for _, answer in answers] == [CachedFile] * 8
    refused = [e for e in provider.requests if e.status == 502]
    assert len(refused) <= 8 * 2 + 20
    told = [r for r in caplog.records if "does not answer as it should" in r.getMessage()]
    assert len(told) == 1


def test_killed_twice_while_jobs_run_then_finished(cache):
    wanted = each_day(6)
    # Without the queue's own rule: a job that it rejects is rightly submitted again.
    with EmbeddedProvider(queue_seconds=1.5, faults={"queue_limit": 0}) as provider:
        fetcher = fetcher_of(cache, provider)
        for already in (0, 2):
            process = subprocess.Popen(
                [sys.executable, "-c", FETCH_ALL], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            process.stdin.write(pickle.dumps((fetcher, wanted)))
            process.stdin.close()
            with process:
                while provider.submissions < already + 2:
                    assert process.poll() is None
                    time.sleep(0.02)
                process.kill()

        answers = list(fetcher.fetch_all(wanted))

        assert [type(answer) for _, answer in answers] == [CachedFile] * 6
        assert provider.submissions == 6
        assert jobs_at(provider) == []
        assert not list(cache.root.rglob("*.job"))


def test_a_job_whose_answer_is_kept_already_is_deleted_by_the_next_run(cache, provider):
    fetcher = fetcher_of(cache, provider)
    request = asked()
    headers = {"PRIVATE-TOKEN": provider.key}
    url = f"{provider.url}/retrieve/v1/processes/{request.dataset}/execution"
    fetcher.fetch(request)
    job = requests.post(url, json={"inputs": request.body}, headers=headers, timeout=5).json()
    notes = fetcher.notes
    notes.learn(notes.intend(request, provider.url), job["jobID"])
    assert jobs_at(provider) == [job["jobID"]]
    fetcher.fetch(request)
    assert jobs_at(provider) == []
    assert not notes.exists(request)


@pytest.mark.parametrize(
    "request_",
    [
        asked(days=9),
        asked(hours=6),
        asked(paths=("atmospheric/t", "atmospheric/z", "atmospheric/q")),
        by_ranges(asked(days=5, paths=("surface/2t", "surface/msl"))),
    ],
)
def test_halves_ask_exactly_what_the_whole_asks(request_):
    parts = [request_]
    for _ in range(12):
        parts = [half for part in parts for half in (halves(part) or (part,))]
    wanted = {(t, lead, f) for t in request_.times for lead in request_.lead_times
              for f in request_.fields}  # fmt: skip
    found = [(t, lead, f) for p in parts for t in p.times for lead in p.lead_times
             for f in p.fields]  # fmt: skip
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert sum(product_of(part.body) for part in parts) == product_of(request_.body)


def test_a_cut_of_tls_is_an_outage_and_a_certificate_is_not():
    cut = requests.exceptions.SSLError(ssl.SSLEOFError(8, "UNEXPECTED_EOF_WHILE_READING"))
    assert signs.sign_of(cut) is Sign.AWAY
    bad = requests.exceptions.SSLError(
        ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
    )
    assert signs.sign_of(bad) is Sign.CERTIFICATE


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        (
            "Number queued requests for this dataset is temporarily limited. Please configure",
            Sign.QUEUE_FULL,
        ),
        (
            "The number of queued requests per user for ECDS datasets is limited",
            Sign.QUEUE_FULL,
        ),
        (
            "Number of queued requests using the API is limited to 200. Please wait",
            Sign.QUEUE_FULL,
        ),
        ("Maximum number of daily requests reached", Sign.QUEUE_FULL),
        ("the selection is limited to land points", Sign.FAILED),
        ("Worker has been killed due to memory usage.", Sign.KILLED),
        ("The job failed with: MarsSystemError", Sign.SYSTEM),
        ("mars - ERROR - Assertion failed\nThe job failed with: MarsRuntimeError", Sign.SYSTEM),
    ],
)
def test_the_text_decides_not_the_state(text, sign):
    assert signs.sign_of_traceback(text, rejected=False) is sign


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("36h", 129_600), ("7d", 604_800)])
def test_a_deadline_is_read(text, seconds, monkeypatch):
    assert deadline_of(text) == seconds
    monkeypatch.setenv("AURORA_PREP_DEADLINE", text)
    assert Policy().deadline_seconds == seconds


@pytest.mark.parametrize("text", ["", "7", "week", "-1d", "nand", "0h"])
def test_a_deadline_that_is_none_is_refused(text):
    with pytest.raises(SpecError, match="deadline"):
        deadline_of(text)


def test_a_wrong_proxy_does_not_keep_the_client_from_this_machine(cache, provider, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert fetcher_of(cache, provider).fetch(asked()).bytes


def test_errors_of_parts_that_cannot_be_had_leave_the_rest(cache, provider):
    provider.faults.switch("cost_limit", 1)
    provider.faults.switch("no_data", 1)
    found = fetcher_of(cache, provider).fetch(asked(days=2))
    assert len(found.members) == 1
    assert cache.lookup(asked(days=2)) is None
    assert len(fetcher_of(cache, provider).fetch(asked(days=2)).members) == 2


def test_all_parts_that_cannot_be_had_are_the_request(cache, provider):
    provider.faults.switch("cost_limit", 1)
    provider.faults.switch("no_data", 2)
    with pytest.raises(FetchError, match="does not have it"):
        fetcher_of(cache, provider).fetch(asked(days=2))


def test_every_access_keeps_this_machine_from_the_proxy(tmp_path, monkeypatch):
    """One field from the archive and one file of a tree, with a proxy that is not there."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    source = sources.load("hres_analysis")
    moment = datetime(2020, 3, 1)
    line = Timeline(moment, moment, source.cadence)
    with EmbeddedProvider(gaussian_lines=8) as provider:
        service = Service.embedded(provider.url, provider.key)
        for access in ("http", "mars"):
            (request,) = plan_requests(
                source, source.access(access), line, ["surface/2t"], source.levels, synthetic=True
            )
            fetcher = Fetcher(Cache.open(tmp_path), service.towards(access), policy=QUICK)
            assert fetcher.fetch(request).bytes
