"""Each answer is fetched once, checked, and kept."""

import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from aurora_prep import sources
from aurora_prep.providers.cache import Cache, CachedFile
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.embedded import ALWAYS, EmbeddedProvider
from aurora_prep.providers.fetch import Fetcher
from aurora_prep.providers.formats import Format
from aurora_prep.providers.planner import plan_requests
from aurora_prep.providers.progress import Progress, Step
from aurora_prep.providers.retry import Policy
from aurora_prep.sources.spec import CredentialsError, DecodeError, FetchError, Request, Timeline

ERA5 = sources.load("era5")
QUICK = Policy(
    attempts=3,
    first_wait_seconds=0.02,
    longest_wait_seconds=0.1,
    deadline_seconds=60,
    connect_seconds=2,
    read_seconds=5,
)
FETCH = """
import pickle, sys
fetcher, request = pickle.load(sys.stdin.buffer)
print(fetcher.fetch(request).checksum)
"""


def days(count: int, data_format: str = "grib") -> list[Request]:
    """One small request a day: a single field of a pressure level."""
    first = datetime(2020, 1, 1)
    timeline = Timeline(first, first + timedelta(days=count - 1), timedelta(days=1))
    level = ERA5.levels.subset([500], "test")
    store = ERA5.access("cds")
    return list(
        plan_requests(
            ERA5,
            store,
            timeline,
            ["atmospheric/t"],
            level,
            data_format=data_format,
            synthetic=True,
        )
    )


def ends_as_grib_should(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(-4, 2)
        if file.read() != b"7777":
            raise DecodeError("a GRIB file ends early", str(path), "no 7777", "fetch it again")


@pytest.fixture
def provider() -> Iterator[EmbeddedProvider]:
    with EmbeddedProvider() as running:
        yield running


@pytest.fixture
def fetcher(cache, provider) -> Fetcher:
    return Fetcher(cache, Service.embedded(provider.url, provider.key), policy=QUICK)


def with_check(fetcher: Fetcher) -> Fetcher:
    return Fetcher(fetcher.cache, fetcher.service, check=ends_as_grib_should, policy=QUICK)


def test_a_warm_cache_asks_nobody(fetcher, provider) -> None:
    requests = days(3)
    first = dict(zip_of(fetcher.fetch_all(requests)))
    asked = provider.requests
    assert asked
    steps: list[Progress] = []
    again = Fetcher(fetcher.cache, Service(), watch=steps.append)

    second = dict(zip_of(again.fetch_all(requests)))

    assert second == first
    assert provider.requests == asked
    assert {step.step for step in steps} == {Step.CACHED}


def zip_of(outcomes) -> list[tuple[str, CachedFile | FetchError]]:
    return [(request.digest, outcome) for request, outcome in outcomes]


def test_one_failure_does_not_stop_the_others(fetcher, provider) -> None:
    provider.faults.switch("failed_job", 1)
    outcomes = zip_of(fetcher.fetch_all(days(6)))
    assert len(outcomes) == 6
    failures = [outcome for _, outcome in outcomes if isinstance(outcome, FetchError)]
    assert len(failures) == 1
    assert "MARS has returned an error" in str(failures[0])
    assert provider.submissions == 6

    outcomes = zip_of(fetcher.fetch_all(days(6)))
    assert all(isinstance(outcome, CachedFile) for _, outcome in outcomes)
    assert provider.submissions == 7


def test_requests_are_drawn_as_needed_and_kept_to_a_few_at_once(cache) -> None:
    drawn = 0

    def draw() -> Iterator[Request]:
        nonlocal drawn
        for request in days(20):
            drawn += 1
            yield request

    inside, most = 0, 0
    guard = threading.Lock()

    def watch(progress: Progress) -> None:
        nonlocal inside, most
        with guard:
            if progress.step is Step.SUBMITTED:
                inside += 1
                most = max(most, inside)
            if progress.step is Step.STORED:
                inside -= 1

    with EmbeddedProvider(queue_seconds=0.2) as provider:
        service = Service.embedded(provider.url, provider.key)
        outcomes = Fetcher(cache, service, 3, watch=watch, policy=QUICK).fetch_all(draw())
        next(outcomes)
        assert drawn <= 2 * 3
        outcomes.close()
        assert drawn <= 2 * 3
        assert 1 < most <= 3


def test_leaving_early_gives_up_what_waits(fetcher, provider) -> None:
    requests = days(6)
    fetcher.fetch(requests[0])
    provider.faults.switch("slow_queue", ALWAYS)
    outcomes = fetcher.fetch_all(requests)
    assert next(outcomes)[0] is requests[0]
    while provider.submissions < 1 + QUICK.jobs_at_once:
        time.sleep(0.01)

    began = time.monotonic()
    outcomes.close()

    assert time.monotonic() - began < QUICK.deadline_seconds / 4
    assert provider.submissions <= len(requests)
    assert [p for p in fetcher.cache.root.rglob("*") if p.suffix in (".part", ".lock")] == []


def test_a_broken_answer_is_fetched_again_and_only_the_good_one_kept(fetcher, provider) -> None:
    (request,) = days(1)
    provider.faults.switch("truncated", 1)
    found = with_check(fetcher).fetch(request)
    ends_as_grib_should(found.path)
    assert provider.submissions == 2
    assert fetcher.cache.lookup(request, verify=True) == found


def test_an_answer_broken_twice_is_an_error_that_leaves_nothing(fetcher, provider) -> None:
    (request,) = days(1)
    provider.faults.switch("truncated", ALWAYS)
    with pytest.raises(FetchError, match="refused 2 times: a GRIB file ends early") as caught:
        with_check(fetcher).fetch(request)
    assert "no 7777" in str(caught.value)
    assert fetcher.cache.lookup(request) is None
    assert [path for path in fetcher.cache.root.rglob("*") if path.is_file()] == []


def test_netcdf_that_comes_as_a_zip_is_opened(fetcher, provider) -> None:
    (request,) = days(1, "netcdf")
    provider.faults.switch("zip_for_netcdf", 1)
    found = fetcher.fetch(request)
    assert found.format is Format.ZIP
    assert found.members
    assert all(path.read_bytes().startswith(b"\x89HDF") for path in found.members)
    assert fetcher.fetch(request) == found


def test_a_wrong_key_comes_back_as_such(fetcher, provider) -> None:
    wrong = Fetcher(fetcher.cache, Service.embedded(provider.url, "no-such-key"), policy=QUICK)
    (outcome,) = [outcome for _, outcome in wrong.fetch_all(days(1))]
    assert isinstance(outcome, CredentialsError)


def test_a_mistake_of_the_caller_is_raised(fetcher) -> None:
    def wrong(_: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(Fetcher(fetcher.cache, fetcher.service, check=wrong, policy=QUICK).fetch_all(days(2)))
    left = [path for path in fetcher.cache.root.rglob("*") if path.is_file()]
    assert [path for path in left if path.suffix != ".job"] == []


def test_a_cache_that_cannot_be_written_is_an_error_in_four_parts(provider, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    service = Service.embedded(provider.url, provider.key)
    fetcher = Fetcher(Cache.open(tmp_path / "file" / "cache"), service, policy=QUICK)
    with pytest.raises(FetchError, match="cache cannot be"):
        fetcher.fetch(days(1)[0])
    assert provider.submissions == 0


def test_threads_that_want_the_same_fetch_it_once(fetcher, provider) -> None:
    request = days(1)[0]
    outcomes = zip_of(fetcher.fetch_all([request] * 8))
    assert len({outcome.checksum for _, outcome in outcomes}) == 1
    assert provider.submissions == provider.downloads == 1


def start(fetcher: Fetcher, request: Request) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", FETCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdin.write(pickle.dumps((fetcher, request)))
    process.stdin.close()
    return process


def test_processes_that_want_the_same_fetch_it_once(cache) -> None:
    request = days(1)[0]
    with EmbeddedProvider(queue_seconds=1.5) as provider:
        fetcher = Fetcher(cache, Service.embedded(provider.url, provider.key), policy=QUICK)
        processes = [start(fetcher, request) for _ in range(3)]
        checksums = set()
        for process in processes:
            with process:
                checksums.add(process.stdout.read().strip().decode())
            assert process.returncode == 0
        assert checksums == {cache.lookup(request, verify=True).checksum}
        assert provider.submissions == provider.downloads == 1


def test_a_killed_fetch_is_taken_over_with_its_job(cache) -> None:
    request = days(1)[0]
    with EmbeddedProvider(queue_seconds=2.0) as provider:
        fetcher = Fetcher(cache, Service.embedded(provider.url, provider.key), policy=QUICK)
        process = start(fetcher, request)
        while not provider.submissions:
            assert process.poll() is None
            time.sleep(0.02)
        assert cache.lock_path(request).exists()
        with process:
            process.kill()
        assert cache.lookup(request) is None

        found = fetcher.fetch(request)

        assert provider.submissions == 1
        assert cache.lookup(request, verify=True) == found
        left = {path.name for path in found.path.parent.iterdir()}
        assert left == {f"{request.digest}.grib", f"{request.digest}.json"}
        assert jobs_at(provider) == []


def jobs_at(provider: EmbeddedProvider) -> list[str]:
    """Jobs that the store still has."""
    headers = {"PRIVATE-TOKEN": provider.key}
    reply = requests.get(f"{provider.url}/retrieve/v1/jobs", headers=headers, timeout=5)
    return [job["jobID"] for job in reply.json()["jobs"]]
