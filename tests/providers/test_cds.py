"""The real client against the embedded provider, in fair weather and foul."""

import hashlib
import json
import logging
import pickle
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aurora_prep import sources
from aurora_prep.providers import cds, checksum
from aurora_prep.providers.credentials import CdsService, Service
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.embedded import ALWAYS, EmbeddedProvider
from aurora_prep.providers.planner import plan_requests
from aurora_prep.providers.progress import Progress, Step
from aurora_prep.providers.retry import Policy
from aurora_prep.sources.spec import (
    CredentialsError,
    DamagedError,
    FetchError,
    LicenceError,
    NotArchivedError,
    NotAskedError,
    Request,
    RequestRefusedError,
    SourceClosedError,
    SpecError,
    Timeline,
    reason_of,
)

ERA5 = sources.load("era5")
QUICK = Policy(
    attempts=4,
    first_wait_seconds=0.02,
    longest_wait_seconds=0.1,
    deadline_seconds=30,
    connect_seconds=2,
    read_seconds=5,
)


def one_field(data_format: str = "grib", hour: int = 0) -> Request:
    moment = datetime(2020, 1, 1, hour)
    timeline = Timeline(moment, moment, timedelta(hours=1))
    (request,) = plan_requests(
        ERA5,
        ERA5.access("cds"),
        timeline,
        ["surface/2t"],
        ERA5.levels,
        data_format=data_format,
        synthetic=True,
    )
    return request


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def provider() -> Iterator[EmbeddedProvider]:
    with EmbeddedProvider() as running:
        yield running


def embedded(provider: EmbeddedProvider) -> Service:
    return Service.embedded(provider.url, provider.key)


@pytest.mark.parametrize(("data_format", "magic"), [("grib", b"GRIB"), ("netcdf", b"\x89HDF")])
def test_an_answer_arrives_whole(provider, target, data_format, magic) -> None:
    steps: list[Progress] = []
    delivery = cds.download(
        one_field(data_format), embedded(provider), target, policy=QUICK, watch=steps.append
    )
    content = target.read_bytes()
    assert content.startswith(magic)
    assert delivery == Delivery(len(content), confirmed=True)
    kinds = [step.step for step in steps]
    assert kinds[0] is Step.SUBMITTED
    assert kinds[-1] is Step.DOWNLOADING
    assert steps[-1].done == steps[-1].total == len(content)
    assert provider.submissions == provider.downloads == 1


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        ("busy", 3),
        ("too_many_requests", 1),
        ("cut", 2),
        ("asset_gone", 1),
        ("expired", 1),
        ("wrong_checksum", 1),
        ("slow_queue", 0),
    ],
)
def test_what_passes_is_waited_out(provider, target, fault, times) -> None:
    cds.download(one_field(), embedded(provider), target, policy=QUICK)
    truth = target.read_bytes()
    provider.faults.switch(fault, times)

    delivery = cds.download(one_field(), embedded(provider), target, policy=QUICK)

    assert target.read_bytes() == truth
    assert delivery.confirmed
    assert provider.faults.left(fault) == 0


def test_a_cut_download_goes_on_where_it_stopped(provider, target) -> None:
    provider.faults.switch("cut", 2)
    cds.download(one_field(), embedded(provider), target, policy=QUICK)
    starts = [exchange.start for exchange in provider.requests if exchange.is_download]
    assert starts[0] == 0
    assert 0 < starts[1] < starts[2]
    assert provider.submissions == 1


def test_the_store_says_how_long_to_wait(provider, target) -> None:
    provider.faults.switch("too_many_requests")
    began = time.monotonic()
    cds.download(one_field(), embedded(provider), target, policy=QUICK)
    assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize(
    ("fault", "kind", "words", "submissions"),
    [
        ("failed_job", RequestRefusedError, "rejected the request|MARS has returned an error", 1),
        ("unknown_failure", RequestRefusedError, "ended the job as failed|KeyError", 2),
        ("mars_system", NotAskedError, "own system failed|Connection reset by peer", 3),
        ("no_data", NotArchivedError, "does not have it|MARS returned no data", 1),
        ("rejected_job", RequestRefusedError, "ended the job as rejected|breaks a rule", 1),
        (
            "licence",
            LicenceError,
            "licence|accept the licence at http://.*/datasets/.*#manage-licences",
            1,
        ),
        ("disabled", SourceClosedError, "closed the dataset|for maintenance", 1),
        ("asset_gone", DamagedError, "did not deliver it whole", 2),
        ("expired", DamagedError, "did not deliver it whole", 2),
        ("wrong_checksum", DamagedError, "did not deliver it whole|MD5", 2),
        ("foreign_job", RequestRefusedError, "another user's|operation not allowed", 2),
    ],
)
def test_what_does_not_pass_ends_the_request(
    provider, target, fault, kind, words, submissions
) -> None:
    provider.faults.switch(fault, ALWAYS)
    with pytest.raises(kind) as caught:
        cds.download(one_field(), embedded(provider), target, policy=QUICK)
    for word in words.split("|"):
        assert re.search(word, str(caught.value))
    assert provider.submissions == submissions
    assert type(caught.value) is kind
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args  # noqa: S301  # ours


@pytest.mark.parametrize("fault", ["busy", "bad_gateway", "html_page", "internal_error", "cut"])
def test_an_outage_ends_a_request_at_its_deadline_and_says_that_nothing_was_asked(
    provider, target, fault
) -> None:
    provider.faults.switch(fault, ALWAYS)
    policy = replace(QUICK, deadline_seconds=0.6)
    with pytest.raises(NotAskedError) as caught:
        cds.download(one_field(), embedded(provider), target, policy=policy)
    assert reason_of(caught.value).startswith("not_asked: ")


@pytest.mark.parametrize(
    "fault", ["busy", "bad_gateway", "html_page", "internal_error", "redirect_loop"]
)
def test_an_outage_costs_no_tries(provider, target, fault) -> None:
    times = 40 if fault == "redirect_loop" else 5 * QUICK.attempts
    provider.faults.switch(fault, times)
    cds.download(one_field(), embedded(provider), target, policy=QUICK)
    assert provider.faults.left(fault) == 0


def test_a_queue_that_does_not_move_ends_at_the_deadline(provider, target) -> None:
    provider.faults.switch("slow_queue", ALWAYS)
    steps: list[Progress] = []
    began = time.monotonic()
    with pytest.raises(FetchError, match="took too long"):
        cds.download(
            one_field(),
            embedded(provider),
            target,
            policy=replace(QUICK, deadline_seconds=0.8),
            watch=steps.append,
        )
    assert time.monotonic() - began < 5
    assert Step.ACCEPTED in [step.step for step in steps]


def test_a_store_that_hangs_is_tried_again(target) -> None:
    with EmbeddedProvider(faults={"hang": 2}, hang_seconds=3) as provider:
        policy = replace(QUICK, read_seconds=0.3)
        cds.download(one_field(), embedded(provider), target, policy=policy)
        assert provider.faults.left("hang") == 0


def test_stop_is_heard_while_waiting(provider, target) -> None:
    provider.faults.switch("slow_queue", ALWAYS)
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    began = time.monotonic()
    with pytest.raises(FetchError, match="given up"):
        cds.download(one_field(), embedded(provider), target, policy=QUICK, stop=stop)
    assert time.monotonic() - began < 5


def test_a_wrong_key_is_said_plainly(provider, target) -> None:
    wrong = Service.embedded(provider.url, "1f2e3d4c-0000-4000-8000-00000000dead")
    with pytest.raises(CredentialsError, match="refused the key") as caught:
        cds.download(one_field(), wrong, target, policy=QUICK)
    assert "dead" not in str(caught.value)
    assert provider.submissions <= 1


def test_nobody_at_the_port(target) -> None:
    policy = replace(QUICK, deadline_seconds=0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
        with pytest.raises(NotAskedError) as caught:
            cds.download(one_field(), Service.embedded(url, "key-x"), target, policy=policy)
    assert url in str(caught.value)


@pytest.mark.parametrize("url", ["not an address", "http://", "ftp://127.0.0.1/x"])
def test_an_address_that_is_none_fails_at_once(target, url) -> None:
    began = time.monotonic()
    with pytest.raises(FetchError):
        cds.download(one_field(), Service.embedded(url, "key-x"), target, policy=QUICK)
    assert time.monotonic() - began < 2


def test_an_unknown_collection_and_an_impossible_body(provider, target) -> None:
    unknown = replace(one_field(), dataset="no-such-set")
    with pytest.raises(FetchError, match="rejected the request") as caught:
        cds.download(unknown, embedded(provider), target, policy=QUICK)
    assert "not found" in str(caught.value)
    wrong = replace(one_field(), body={**one_field().body, "variable": ["no_such_variable"]})
    with pytest.raises(FetchError, match="no_such_variable"):
        cds.download(wrong, embedded(provider), target, policy=QUICK)


def test_an_existing_target_is_replaced_and_an_unwritable_one_reported(provider, target) -> None:
    target.write_bytes(b"old" * 10_000_000)
    delivery = cds.download(one_field(), embedded(provider), target, policy=QUICK)
    assert target.stat().st_size == delivery.bytes
    with pytest.raises(FetchError):
        cds.download(one_field(), embedded(provider), target / "below-a-file", policy=QUICK)


class _Echo(BaseHTTPRequestHandler):
    """Repeats the caller's key in every answer, as a careless proxy may."""

    def do_GET(self) -> None:
        token = self.headers.get("PRIVATE-TOKEN", "")
        steps = self.server.script
        status = steps.pop(0) if len(steps) > 1 else steps[0]
        if status == 0:
            body = f"<html>who is {token}?</html>".encode()
        else:
            body = json.dumps({"title": "oops", "detail": f"header was {token}"}).encode()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status or 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_HEAD = do_GET  # noqa: N815  # names the base class looks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("status", [0, 200, 400, 401, 403, 404, 422, 429, 500, 503])
def test_no_error_no_log_and_no_file_shows_the_key(status, tmp_path, target, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    key = "0badc0de-1111-4222-8333-444455556666"
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        server.script = [status]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/api"
        try:
            policy = replace(QUICK, deadline_seconds=0.6)
            with pytest.raises(FetchError) as caught:
                cds.download(one_field(), Service(url=url, key=key), target, policy=policy)
        finally:
            server.shutdown()
            thread.join()
    error = caught.value
    assert key not in str(error)
    assert key not in repr(error)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    assert isinstance(error, CredentialsError) is (status == 401)
    assert key not in caplog.text
    assert "***" in caplog.text
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes()


def test_checksums_of_an_object_store_are_understood(tmp_path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4 * 6 * 1024)
    content = path.read_bytes()
    md5 = checksum.md5_of(path)
    assert md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()
    mib5 = 5 << 20
    parts = b"".join(
        hashlib.md5(content[i : i + mib5], usedforsecurity=False).digest()
        for i in range(0, len(content), mib5)
    )
    tag = hashlib.md5(parts, usedforsecurity=False).hexdigest()
    assert checksum.agrees(path, md5, md5)
    assert checksum.agrees(path, md5, md5.lstrip("0").upper())
    assert checksum.agrees(path, "00" + md5[2:], md5[2:])
    assert checksum.agrees(path, md5, tag)
    assert not checksum.agrees(path, md5, tag[:-1])
    assert not checksum.agrees(path, md5, "not hexadecimal")


def test_a_tag_of_an_unknown_kind_is_accepted_when_two_downloads_agree(
    provider, target, monkeypatch
) -> None:
    """A store that promises no MD5 may state anything; then the bytes decide."""
    service = embedded(provider)
    cds.download(one_field(), service, target, policy=QUICK)
    truth = target.read_bytes()
    known = service.resolve()
    plain = CdsService(known.url, known.key)
    monkeypatch.setenv("CDSAPI_URL", provider.url)
    monkeypatch.setenv("CDSAPI_KEY", provider.key)
    assert Service().resolve() == plain
    provider.faults.switch("wrong_checksum", ALWAYS)
    before = provider.downloads

    delivery = cds.download(one_field(), Service(), target, policy=QUICK)

    assert delivery.confirmed is False
    assert provider.downloads - before == 2
    assert len(target.read_bytes()) == len(truth)


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first_wait_seconds": 0}])
def test_a_policy_must_make_sense(wrong) -> None:
    with pytest.raises(SpecError):
        Policy(**wrong)
