"""Files of a tree over plain HTTP: whole, resumed, refused or not there."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from aurora_prep import sources
from aurora_prep.providers import http
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.credentials import Service, ServiceKind
from aurora_prep.providers.embedded import ALWAYS, EmbeddedProvider
from aurora_prep.providers.fetch import Fetcher
from aurora_prep.providers.planner import plan_requests
from aurora_prep.providers.progress import Step
from aurora_prep.providers.retry import Policy
from aurora_prep.sources.spec import (
    CredentialsError,
    DamagedError,
    FetchError,
    NotArchivedError,
    NotAskedError,
    Timeline,
)

HASTY = Policy(
    attempts=3,
    first_wait_seconds=0.01,
    longest_wait_seconds=0.05,
    deadline_seconds=30.0,
    connect_seconds=2.0,
    read_seconds=5.0,
)
SOURCE = sources.load("hres_analysis")
TREE = Service(ServiceKind.HTTP)
VARIABLE = "AURORA_PREP_D113001"


def asked(path="surface/2t", hour=0):
    start = datetime(2020, 3, 1, hour)
    timeline = Timeline(start, start, SOURCE.cadence)
    (request,) = plan_requests(
        SOURCE, SOURCE.access("http"), timeline, [path], SOURCE.levels, synthetic=True
    )
    return request


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in ("URL", "AUTHORIZATION"):
        monkeypatch.delenv(f"{VARIABLE}_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def fetch(tmp_path):
    """Fetch from a provider with faults; what came, and what was told."""

    def get(*faults, counts=None, policy=HASTY, stop=None, **options):
        told = []
        with EmbeddedProvider(
            gaussian_lines=128, faults=counts or list(faults), **options
        ) as provider:
            get.provider = provider
            target = tmp_path / "answer.grib"
            target.write_bytes(b"left over")
            delivery = http.download(
                asked(),
                Service.embedded(provider.url, provider.key).towards("http"),
                target,
                policy=policy,
                watch=told.append,
                stop=stop,
            )
            return delivery, target.read_bytes(), told

    return get


def downloads(provider):
    return [exchange for exchange in provider.requests if exchange.is_download]


def test_a_file_comes_whole_and_its_tag_is_checked(fetch):
    delivery, content, told = fetch()
    assert content.startswith(b"GRIB")
    assert content.endswith(b"7777")
    assert delivery.bytes == len(content)
    assert delivery.confirmed
    assert told[-1].done == told[-1].total == len(content)
    assert [(e.status, e.start) for e in downloads(fetch.provider)] == [(200, 0)]


def test_a_cut_download_goes_on_where_it_stopped(fetch):
    _, whole, _ = fetch()
    delivery, content, told = fetch(counts={"cut": 2})
    assert content == whole
    assert delivery.confirmed
    found = downloads(fetch.provider)
    assert [e.start > 0 for e in found] == [False, True, True]
    assert sum(e.sent for e in found) < len(whole) + 2 * http.CHUNK_BYTES
    assert [progress.step for progress in told].count(Step.RETRYING) == 2


@pytest.mark.parametrize("fault", ["busy", "too_many_requests"])
def test_passing_trouble_is_outlasted(fault, fetch):
    _, whole, _ = fetch()
    _, content, _ = fetch(fault)
    assert content == whole


def test_a_connection_that_is_always_cut_still_arrives(fetch):
    """Every piece that comes is progress: half of what is left, until nothing is."""
    _, whole, _ = fetch()
    _, content, _ = fetch(counts={"cut": 5})
    assert content == whole


def test_a_server_that_never_recovers_ends_it(fetch):
    with pytest.raises(FetchError, match="cannot be reached, or does not deliver") as caught:
        fetch(counts={"busy": ALWAYS})
    assert "503" in caught.value.args[2]
    assert "tries: 3" in caught.value.args[2]


def test_an_outage_is_outlasted_by_the_fetcher_and_ends_at_the_deadline(tmp_path):
    """One call gives up after its tries; the fetcher goes on until the deadline."""
    with EmbeddedProvider(gaussian_lines=8, faults={"busy": 4 * HASTY.attempts}) as provider:
        service = Service.embedded(provider.url, provider.key).towards("http")
        fetcher = Fetcher(Cache.open(tmp_path / "cache"), service, policy=HASTY)
        assert fetcher.fetch(asked()).bytes
        assert provider.faults.left("busy") == 0
        provider.faults.switch("busy", ALWAYS)
        soon = replace(HASTY, deadline_seconds=0.7)
        with pytest.raises(NotAskedError):
            Fetcher(Cache.open(tmp_path / "other"), service, policy=soon).fetch(asked())


def test_a_file_that_is_not_there_is_told_by_its_address(fetch):
    """No host has given anything yet, so all three are asked before it is believed."""
    with pytest.raises(NotArchivedError, match="does not have the file") as caught:
        fetch(counts={"not_archived": ALWAYS})
    assert caught.value.args[1].endswith("ec.oper.an.sfc.128_167_2t.regn1280sc.20200301.grb")
    assert caught.value.args[2].count("404") >= 3
    assert len(fetch.provider.requests) == 3


def hosts_of(provider):
    return [exchange.path.split("/")[2] for exchange in provider.requests]


def test_a_host_that_gave_files_is_believed_when_it_has_one_not(tmp_path):
    with EmbeddedProvider(gaussian_lines=8) as provider:
        service = Service.embedded(provider.url, provider.key)
        http.download(asked(), service, tmp_path / "a", policy=HASTY)
        provider.faults.switch("not_archived", ALWAYS)
        with pytest.raises(NotArchivedError):
            http.download(asked(), service, tmp_path / "a", policy=HASTY)
        assert hosts_of(provider) == ["data.gdex.ucar.edu"] * 2


def test_a_tree_that_moved_again_is_found_at_its_other_hosts(fetch):
    """The first host answers 404 to everything; the second leads to the third by redirections."""
    _, content, _ = fetch(counts={"moved_host": ALWAYS})
    assert content.endswith(b"7777")
    hosts = hosts_of(fetch.provider)
    assert hosts[0] == "data.gdex.ucar.edu"
    assert hosts[1:] == ["osdf-director.osg-htc.org"] * 3 + ["osdf-data.gdex.ucar.edu"]


def test_a_first_host_that_is_down_costs_no_file(fetch):
    _, content, _ = fetch("busy")
    assert content.endswith(b"7777")
    assert hosts_of(fetch.provider)[:2] == ["data.gdex.ucar.edu", "osdf-director.osg-htc.org"]


def test_the_old_address_has_nothing(fetch):
    fetch()
    old = "/files/data.rda.ucar.edu/d113001/ec.oper.an.sfc/202003/x.grb"
    with EmbeddedProvider() as provider:
        assert requests.get(f"{provider.base}{old}", timeout=10).status_code == 404


def test_an_empty_answer_is_no_file(fetch):
    """Status 200 and nothing: asked again, at the next host."""
    _, content, told = fetch(counts={"empty_200": 2})
    assert content.startswith(b"GRIB")
    assert "empty" in " ".join(progress.text for progress in told)
    with pytest.raises(DamagedError, match="no GRIB file"):
        fetch(counts={"empty_200": ALWAYS})


def test_a_file_missing_at_one_host_while_the_others_are_down_is_not_called_missing(tmp_path):
    """It may have moved again: a later run asks again."""
    with scripted((404, {}, b"", None), (503, {}, b"", None), (503, {}, b"", None)) as server:
        base = f"http://127.0.0.1:{server.server_port}"
        request = replace(asked(), addresses=(f"{base}/a", f"{base}/b", f"{base}/c"))
        with pytest.raises(NotAskedError):
            http.download(request, TREE, tmp_path / "a", policy=HASTY)
    assert len(server.seen) == 3


def test_cached_answers_of_the_old_address_stay_valid():
    """The digest names the tree as it was called when it was at the old host (2026-11)."""
    start = datetime(2020, 3, 1)
    plan = plan_requests(
        SOURCE, SOURCE.access("http"), Timeline(start, start, SOURCE.cadence),
        ["surface/2t", "atmospheric/u"], SOURCE.levels,
    )  # fmt: skip
    assert [request.digest[:16] for request in plan] == ["9d05beabf5a40b16", "2631f9f2158e4b94"]


@pytest.mark.parametrize("year", ["2015", "2999"])
def test_the_tree_ends_where_the_archive_does(year, tmp_path):
    request = asked()
    request.body["file"] = str(request.body["file"]).replace("2020", year)
    with EmbeddedProvider() as provider, pytest.raises(FetchError, match="does not have the file"):
        http.download(
            request, Service.embedded(provider.url, provider.key), tmp_path / "a", policy=HASTY
        )


def test_who_is_not_let_in_learns_where_to_write_the_token(fetch):
    with pytest.raises(CredentialsError) as caught:
        fetch(counts={"licence": ALWAYS})
    assert f"{VARIABLE}_AUTHORIZATION" in caught.value.args[3]


def test_a_server_that_hangs_is_given_up_and_asked_again(fetch):
    began = time.monotonic()
    _, content, _ = fetch("hang", hang_seconds=20.0, policy=replace(HASTY, read_seconds=0.3))
    assert content.startswith(b"GRIB")
    assert time.monotonic() - began < 15


def test_a_run_that_stops_stops_the_download(fetch):
    stop = threading.Event()
    stop.set()
    with pytest.raises(FetchError, match="given up"):
        fetch(stop=stop)


def test_a_damaged_file_is_fetched_again_and_then_refused(tmp_path):
    """What the checksum cannot show, the last bytes do."""

    def check(path):
        if path.read_bytes()[-4:] != b"7777":
            raise FetchError("truncated", str(path), "no end mark", "fetch again")

    with EmbeddedProvider(gaussian_lines=8, faults={"truncated": 1}) as provider:
        service = Service.embedded(provider.url, provider.key).towards("http")
        fetcher = Fetcher(Cache.open(tmp_path / "cache"), service, check=check, policy=HASTY)
        with pytest.raises(DamagedError, match="each time"):
            fetcher.fetch(asked())


class Page(BaseHTTPRequestHandler):
    """A server of two versions of a file, as the test's script has it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        status, headers, body, cut = self.server.script.pop(0)
        self.server.seen.append(dict(self.headers))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: cut or len(body)])
        self.close_connection = True


@contextmanager
def scripted(*script) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.script, server.seen = list(script), []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def download(server, target, monkeypatch, **options):
    monkeypatch.setenv(f"{VARIABLE}_URL", f"http://127.0.0.1:{server.server_port}/tree")
    return http.download(asked(), TREE, target, policy=HASTY, **options)


OLD = b"GRIB" + b"old " * 100_000 + b"7777"
NEW = b"GRIB" + b"new!" * 120_000 + b"7777"


def test_a_file_that_changed_meanwhile_is_fetched_anew(tmp_path, monkeypatch):
    target = tmp_path / "a"
    with scripted(
        (200, {"ETag": '"1"'}, OLD, 300_000),
        (200, {"ETag": '"2"'}, NEW, None),
    ) as server:
        delivery = download(server, target, monkeypatch)
    assert target.read_bytes() == NEW
    assert delivery.bytes == len(NEW)
    assert delivery.confirmed is None
    assert server.seen[1]["If-Range"] == '"1"'
    assert server.seen[1]["Range"].startswith("bytes=")


def test_a_file_without_any_tag_is_never_put_together_from_parts(tmp_path, monkeypatch):
    target = tmp_path / "a"
    with scripted((200, {}, OLD, 300_000), (200, {}, OLD, None)) as server:
        download(server, target, monkeypatch)
    assert target.read_bytes() == OLD
    assert "Range" not in server.seen[1]


def test_a_file_that_became_shorter_is_fetched_anew(tmp_path, monkeypatch):
    target = tmp_path / "a"
    short = OLD[:200_000] + b"7777"
    with scripted(
        (200, {"Last-Modified": "Sun, 01 Mar 2020 00:00:00 GMT"}, OLD, 300_000),
        (416, {}, b"", None),
        (200, {}, short, None),
    ) as server:
        download(server, target, monkeypatch)
    assert target.read_bytes() == short


def test_the_token_is_sent_and_shown_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv(f"{VARIABLE}_AUTHORIZATION", "Bearer of-a-token")
    with scripted((200, {}, OLD, None), (403, {}, b"of-a-token is expired", None)) as server:
        download(server, tmp_path / "a", monkeypatch)
        with pytest.raises(CredentialsError) as caught:
            download(server, tmp_path / "a", monkeypatch)
    assert server.seen[0]["Authorization"] == "Bearer of-a-token"
    assert "of-a-token" not in str(caught.value)


def test_user_and_password_of_the_netrc_file_are_taken(tmp_path, monkeypatch):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    with scripted((200, {}, OLD, None)) as server:
        download(server, tmp_path / "a", monkeypatch)
    assert server.seen[0]["Authorization"].startswith("Basic ")


def test_a_disk_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    with scripted((200, {}, OLD, None)) as server, pytest.raises(FetchError) as caught:
        download(server, tmp_path / "no folder" / "a", monkeypatch)
    assert "cannot be written" in caught.value.args[0]
