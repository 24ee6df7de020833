"""ECMWF's web API for its archive, without sockets: a call in, a reply out.

The routes are those that ``ecmwf-api-client`` 1.7 calls: who is asking, what
is announced, then ``POST services/mars/requests``, which answers 202 and
``Location``; asking there again answers 202 until the request is complete,
then 303 with where the result is. States and refusals are in the archive's
words.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aurora_prep.providers.embedded.asset import FLAWS, Asset, suits
from aurora_prep.providers.embedded.call import Call, Reply
from aurora_prep.providers.embedded.catalogue import SYNTHETIC
from aurora_prep.providers.embedded.cds import KEY, PATIENCE_SECONDS
from aurora_prep.providers.embedded.faults import Faults
from aurora_prep.providers.embedded.handout import Handout
from aurora_prep.providers.embedded.jobs import ENDED, Job, JobFailedError, Queue
from aurora_prep.providers.embedded.mars_language import (
    NoDataError,
    expected_fields,
    read_text,
    select,
)
from aurora_prep.providers.embedded.mars_shelf import shelves
from aurora_prep.providers.embedded.selection import RefusedError, Selection
from aurora_prep.sources.spec import Source

PREFIX = "/v1"
SERVICE = f"{PREFIX}/services/mars"
STATES = {
    "accepted": "queued",
    "running": "active",
    "successful": "complete",
    "failed": "aborted",
    "rejected": "rejected",
}
USER = "synthetic"
# Two active and twenty queued, as a user of the archive may have.
MOST_UNFINISHED = 22
# A field at 0.25 degrees, packed in 16 bits.
FIELD_BYTES = 2_076_588
# Faults by which a job fails, and what is said then.
REASONS = {
    "failed_job": "Invalid MARS request(s): invalid value",
    "mars_system": "ERROR 1 (MARS_SYSTEM): Connection reset by peer",
    "mars_restricted": "ERROR 25 (MARS_RESTRICTED_ACCESS_TO_DATA): not authorised",
}


class Archive:
    """The archive: branches, requests and results.

    Args:
        sources: Declarations that say what is held.
        folder: Where files are made.
        faults: What goes wrong.
        queue_seconds: How long a request stays queued.
        keep_seconds: How long a result can be downloaded.
        preliminary_from: From this time on ``expver`` is 0005.
        edition: GRIB edition to answer with.
        lines: Rows between pole and equator of every Gaussian grid, in place of
            those asked for.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        folder: Path,
        faults: Faults,
        *,
        queue_seconds: float,
        keep_seconds: float,
        preliminary_from: datetime,
        edition: int,
        lines: int | None,
    ) -> None:
        self._shelves = shelves(sources)
        self._faults = faults
        self._preliminary_from = preliminary_from
        self._edition = edition
        self._lines = lines
        self._pause = "1" if queue_seconds > 0 else "0"
        self._queue = Queue(queue_seconds)
        self._handout = Handout(folder, keep_seconds, self._queue.closing)
        self._private: list[tuple[str, str, Callable[..., Reply]]] = [
            ("GET", rf"{PREFIX}/who-am-i", self._user),
            ("GET", rf"{PREFIX}/info", self._nothing_to_tell),
            ("GET", rf"{SERVICE}/info", self._service),
            ("GET", rf"{SERVICE}/news", self._news),
            ("POST", rf"{SERVICE}/requests", self._submit),
            ("GET", rf"{SERVICE}/requests/([\w-]+)", self._ask),
            ("DELETE", rf"{SERVICE}/requests/([\w-]+)", self._withdraw),
        ]

    def answer(self, call: Call) -> Reply:
        """The reply to a call; a refusal is also returned as a reply."""
        try:
            return self._route(call)
        except RefusedError as refused:
            body = {"error": refused.detail, "code": refused.status}
            return Reply(refused.status, body, refused.headers)

    def close(self) -> None:
        """Start nothing more and wait for requests that run."""
        self._queue.close()

    def _route(self, call: Call) -> Reply:
        method = "GET" if call.method == "HEAD" else call.method
        if method == "GET" and (match := re.fullmatch(rf"{PREFIX}/results/([\w.-]+)", call.path)):
            return self._result(call, match[1])
        for verb, pattern, reply in self._private:
            if verb == method and (match := re.fullmatch(pattern, call.path)):
                self._authenticate(call)
                if self._faults.take("rate_limited"):
                    return _too_fast()
                if self._faults.take("busy"):
                    raise RefusedError(503, "service unavailable", "try again later")
                return reply(call, *match.groups())
        raise RefusedError(404, "not found", f"there is no {call.method} {call.path}")

    def _authenticate(self, call: Call) -> None:
        if call.key is None or not hmac.compare_digest(call.key.encode(), KEY.encode()):
            raise RefusedError(403, "forbidden", "invalid key: it is not valid, or has expired")

    # Who is asking, and what is announced

    def _user(self, _: Call) -> Reply:
        return Reply(200, {"uid": USER, "full_name": "", "email": "synthetic@localhost"})

    def _nothing_to_tell(self, _: Call) -> Reply:
        return Reply(200, {"info": {}})

    def _service(self, _: Call) -> Reply:
        if self._faults.take("licence"):
            raise RefusedError(403, "forbidden", f"User '{USER}' has no access to services/mars")
        return Reply(200, {"info": {"message": SYNTHETIC}})

    def _news(self, _: Call) -> Reply:
        return Reply(200, {"news": SYNTHETIC})

    # Requests

    def _submit(self, call: Call) -> Reply:
        if self._faults.take("too_many_requests"):
            return _too_fast()
        waiting = sum(job.status not in ENDED for job in self._queue.all())
        if waiting >= MOST_UNFINISHED or self._faults.take("mars_101"):
            raise RefusedError(
                400,
                "rejected",
                "ERROR 101 (USER_QUEUED_LIMIT_EXCEEDED): User queued limit exceeded",
            )
        verb, words = _words(call.body)
        if verb == "list":
            return self._list(call, words)
        job = Job(dataset="mars", request=dict(words))
        job.log.append((job.created, SYNTHETIC))
        job.expired = self._faults.take("expired")
        starts = not self._faults.take("slow_queue")
        if self._faults.take("rejected_job"):
            job.become("rejected", "the request breaks a rule of the queue")
            starts = False
        try:
            make = self._maker(words, self._reason(starts))
        except NoDataError as error:
            job.become("failed", str(error))
            starts, make = False, _nothing
        self._queue.submit(job, make, starts=starts)
        return self._state(call, job)

    def _list(self, call: Call, words: Mapping[str, Any]) -> Reply:
        """What a request would bring: the text of ``output=cost``, as the result of a job."""
        if words.get("output") != "cost":
            raise RefusedError(400, "invalid request", "Invalid MARS request(s): list needs cost")
        job = Job(dataset="mars", request=dict(words))
        job.log.append((job.created, SYNTHETIC))
        try:
            selection = self._selected({k: v for k, v in words.items() if k != "output"})
        except NoDataError:
            fields = size = tapes = 0
        else:
            fields, size = len(selection), len(selection) * FIELD_BYTES
            tapes = len({time.date() for time in selection.times})
        text = f"number_of_fields={fields};size={size};number_of_tape_files={tapes};\n"
        self._queue.submit(job, lambda: self._handout.make_text(text))
        return self._state(call, job)

    def _reason(self, starts: bool) -> str:  # noqa: FBT001  # whether the job starts at all
        """Why a job will fail, in the archive's words; empty where it will not."""
        for fault, text in REASONS.items():
            if starts and self._faults.take(fault):
                return text
        return ""

    def _selected(self, request: Mapping[str, Any]) -> Selection:
        now = datetime.now(UTC).replace(tzinfo=None)
        return select(
            self._shelves,
            request,
            now=now,
            preliminary_from=self._preliminary_from,
            edition=self._edition,
            lines=self._lines,
            lacks_first=self._faults.take("not_archived"),
            released=datetime.min if self._faults.take("not_released") else None,
        )

    def _maker(self, request: Mapping[str, Any], reason: str) -> Callable[[], Asset]:
        """What makes the result of a request.

        Raises:
            NoDataError: The archive does not hold it.
            RefusedError: It is not MARS.
        """
        selection = self._selected(request)
        if self._faults.take("mars_89_partial"):
            raise expected_fields(len(selection), len(selection) - 1)
        flaws = [f for f in FLAWS if suits(f, selection) and self._faults.take(f)]
        return lambda: self._made(selection, flaws, reason)

    def _made(self, selection: Selection, flaws: Sequence[str], reason: str) -> Asset:
        if reason:
            raise JobFailedError(reason)
        return self._handout.make(selection, flaws)

    def _ask(self, call: Call, job_id: str) -> Reply:
        job = self._found(job_id)
        if job.started is not None or self._pause == "0":
            job.ended.wait(PATIENCE_SECONDS)
        return self._state(call, job)

    def _withdraw(self, _: Call, job_id: str) -> Reply:
        self._found(job_id)
        self._queue.forget(job_id)
        return Reply(204)

    def _found(self, job_id: str) -> Job:
        job = self._queue.get(job_id)
        if job is None:
            raise RefusedError(404, "not found", f"Request {job_id} not found")
        return job

    def _state(self, call: Call, job: Job) -> Reply:
        """Where a request stands, with the messages the client has not seen."""
        place = f"{call.base}{SERVICE}/requests/{job.job_id}"
        seen = int(call.query.get("offset", "0"))
        body: dict[str, Any] = {
            "name": job.job_id,
            "status": STATES[job.status],
            "messages": [f"{when} {text}" for when, text in job.log[seen:]],
        }
        if job.status in ENDED and job.asset is None:
            return Reply(400, body | {"error": job.reason, "code": 400})
        if job.status == "successful" and job.asset is not None:
            href = f"{call.base}{PREFIX}/results/{job.asset.path.name}"
            if job.expired:
                href = f"{call.base}{PREFIX}/results/expired"
            body |= {"href": href, "size": job.asset.size, "type": job.asset.media}
            return Reply(303, body, {"Location": href})
        body["href"] = place
        return Reply(202, body, {"Location": place, "Retry-After": self._pause})

    def _result(self, call: Call, name: str) -> Reply:
        asset = self._handout.get(name)
        if asset is None or (call.method == "GET" and self._faults.take("asset_gone")):
            raise RefusedError(404, "not found", f"{name} does not exist")
        return Reply(200, asset=asset)


def _words(body: Any) -> tuple[str, Mapping[str, Any]]:
    """The verb and the keywords of a request, which is an object or a text.

    Raises:
        RefusedError: It is neither.
    """
    if isinstance(body, dict):
        return "retrieve", body
    if isinstance(body, str):
        return read_text(body)
    raise RefusedError(400, "invalid request", "Invalid MARS request(s): no request")


def _too_fast() -> Reply:
    body = {
        "message": "API rate limit exceeded.",
        "type": "rate_limit_exceeded",
        "documentation_url": "https://confluence.ecmwf.int/",
    }
    return Reply(429, body, {"Retry-After": "1"})


def _nothing() -> Asset:
    raise JobFailedError("the request was refused")
