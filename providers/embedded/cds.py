"""The Climate Data Store's protocol, without sockets: a call in, a reply out.

The routes are those of the real stores, Climate and Atmosphere alike: OGC API
Processes under ``/api/retrieve/v1``, the catalogue, and the profile. Words, status
codes and the order of refusals are the stores' own: key, rate, collection, closed,
request, cost, licence; the queue's own rules come after the job was accepted.
"""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from aurora_prep.providers.embedded import catalogue, joblist
from aurora_prep.providers.embedded.archive import Holding, holdings
from aurora_prep.providers.embedded.asset import FLAWS, Asset, suits
from aurora_prep.providers.embedded.call import Call, Reply
from aurora_prep.providers.embedded.catalogue import LICENCE, SYNTHETIC
from aurora_prep.providers.embedded.costing import cost_of
from aurora_prep.providers.embedded.failures import FAILURES, text_of
from aurora_prep.providers.embedded.faults import Faults
from aurora_prep.providers.embedded.handout import Handout
from aurora_prep.providers.embedded.jobs import Job, JobFailedError, Queue
from aurora_prep.providers.embedded.public import DISABLED_TEXT, Public, Route, inputs_of
from aurora_prep.providers.embedded.rules import QUEUE_TEXT, Rules, too_many
from aurora_prep.providers.embedded.selection import (
    RefusedError,
    Selection,
)
from aurora_prep.sources.spec import Source

KEY = "5a6e7400-0000-4000-8000-000000000000"

# A poll waits this long for a job that is about to end. The client sleeps a
# whole second between polls, which is longer than most small answers take.
PATIENCE_SECONDS = 1.0
NO_JOB = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-job"
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head></html>"
FRONT_PAGE = "<!DOCTYPE html><html><body>We will be back soon.</body></html>"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class Store:
    """The store: collections, jobs and files.

    Args:
        sources: Declarations that say what is held.
        folder: Where files are made.
        faults: What goes wrong, and the store's limits.
        queue_seconds: How long a job stays accepted.
        keep_seconds: How long a file can be downloaded.
        preliminary_from: From this time on ``expver`` is 0005.
        edition: GRIB edition to answer with.
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
    ) -> None:
        self._faults = faults
        self._queued = queue_seconds > 0
        self._queue = Queue(queue_seconds)
        self._rules = Rules(faults, self._queue)
        self._open = Public(
            holdings(sources),
            faults,
            self._rules,
            preliminary_from=preliminary_from,
            edition=edition,
        )
        self._dismissed: set[str] = set()
        self._handout = Handout(folder, keep_seconds, self._queue.closing)
        self._public, self._private = self._routes()

    def _routes(self) -> tuple[list[Route], list[Route]]:
        """Routes that need no key, and those that do."""
        api = "/api/retrieve/v1"
        profile = "/api/profiles/v1/account"
        private: list[Route] = [
            ("POST", rf"{profile}/verification/pat", lambda _: Reply(200, catalogue.ACCOUNT)),
            ("GET", rf"{profile}/licences", self._licences),
            ("PUT", rf"{profile}/licences/([\w-]+)", self._accept),
            ("POST", rf"{api}/processes/([\w-]+)/(?:execution|execute)", self._execute),
            ("GET", rf"{api}/jobs", self._jobs),
            ("POST", rf"{api}/jobs/delete", self._delete_several),
            ("GET", rf"{api}/jobs/([\w-]+)", self._job),
            ("DELETE", rf"{api}/jobs/([\w-]+)", self._delete),
            ("GET", rf"{api}/jobs/([\w-]+)/results", self._results),
            ("GET", rf"{api}/jobs/([\w-]+)/receipt", self._receipt),
        ]
        public = [*self._open.routes(), ("GET", r"/cache/([\w.-]+)", self._file)]
        return public, private

    def answer(self, call: Call) -> Reply:
        """The reply to a call; a refusal is also returned as a reply."""
        try:
            return self._disturbed(call) or self._route(call)
        except RefusedError as refused:
            body = {
                "type": refused.kind,
                "title": refused.title,
                "status": refused.status,
                "detail": refused.detail,
                "instance": f"{call.base}{call.path}",
                "trace_id": str(uuid.uuid4()),
            }
            return Reply(refused.status, body, refused.headers)

    def close(self) -> None:
        """Start nothing more and wait for jobs that run."""
        self._queue.close()

    def _disturbed(self, call: Call) -> Reply | None:
        """What stands between the client and the store, where something does."""
        if not call.path.startswith("/api/retrieve"):
            return None
        if self._faults.take("bad_gateway"):
            return Reply(502, page=BAD_GATEWAY)
        if self._faults.take("html_page"):
            return Reply(200, page=FRONT_PAGE)
        if self._faults.take("redirect_loop"):
            return Reply(302, {}, {"Location": f"{call.base}{call.path}"})
        if self._faults.take("internal_error"):
            title = "internal server error"
            return Reply(500, {"type": title, "title": title, "trace_id": str(uuid.uuid4())})
        return None

    def _route(self, call: Call) -> Reply:
        method = "GET" if call.method == "HEAD" else call.method
        for verb, pattern, reply in self._public:
            if verb == method and (match := re.fullmatch(pattern, call.path)):
                self._rules.count(f"{method} {pattern}")
                return reply(call, *match.groups())
        for verb, pattern, reply in self._private:
            if verb == method and (match := re.fullmatch(pattern, call.path)):
                self._authenticate(call)
                if self._faults.take("busy"):
                    return Reply(503, page="<html>503 Service Temporarily Unavailable</html>")
                self._rules.count(f"{method} {pattern}")
                return reply(call, *match.groups())
        raise RefusedError(404, "not found", f"there is no {call.method} {call.path}")

    def _authenticate(self, call: Call) -> None:
        if call.key is None:
            raise RefusedError(401, "permission denied", "authentication required")
        if not hmac.compare_digest(call.key.encode(), KEY.encode()):
            raise RefusedError(
                401, "authentication failed", "operation not allowed", kind="permission denied"
            )

    def _licences(self, _: Call) -> Reply:
        had = [] if self._faults.left("licence") else [LICENCE]
        return Reply(200, {"licences": had})

    def _accept(self, _: Call, licence: str) -> Reply:
        if licence != LICENCE["id"]:
            raise RefusedError(404, "not found", f"there is no licence {licence}")
        self._faults.switch("licence", 0)
        return Reply(201, LICENCE)

    def _execute(self, call: Call, dataset: str) -> Reply:
        if self._faults.take("too_many_requests"):
            raise too_many(1)
        holding = self._open.holding(dataset)
        if self._faults.take("disabled"):
            raise RefusedError(403, "permission denied", DISABLED_TEXT)
        inputs = inputs_of(call)
        selection = self._open.select(holding, inputs)
        self._refuse_cost(holding, inputs)
        self._refuse_licence(call, dataset)
        job = Job(dataset=dataset, request=inputs)
        reply = joblist.submitted(call, job, old_path=call.path.endswith("/execute"))
        crowded = self._rules.crowded(dataset)
        self._submit(job, selection, crowded=crowded)
        return Reply(
            201, reply, {"Location": reply["links"][1]["href"]}, lost=self._faults.take("lost_post")
        )

    def _refuse_cost(self, holding: Holding, inputs: dict[str, Any]) -> None:
        cost = cost_of(holding.collection.dataset, inputs)
        if cost > self._rules.cost_limit(holding):
            raise RefusedError(
                403,
                "cost limits exceeded",
                "Your request is too large, please reduce your selection.",
                kind="permission denied",
            )

    def _refuse_licence(self, call: Call, dataset: str) -> None:
        if self._faults.take("licence"):
            raise RefusedError(
                403,
                "required licences not accepted",
                "Not all the required licences have been accepted; please visit"
                f" {call.base}/datasets/{dataset}?tab=download#manage-licences"
                " to accept the required licence(s).",
                kind="permission denied",
            )

    def _submit(self, job: Job, selection: Selection, *, crowded: bool) -> None:
        """Queue a job, or have the queue's rules reject it."""
        job.log.append((job.created, SYNTHETIC))
        starts = not self._faults.take("slow_queue")
        if crowded:
            job.become("rejected", QUEUE_TEXT)
            starts = False
        elif self._faults.take("rejected_job"):
            job.become("rejected", "The request was rejected: it breaks a rule of the queue.")
            starts = False
        if starts and len(selection.times) > 1 and self._faults.take("short_answer"):
            selection = replace(selection, times=selection.times[:-1])
        flaws = [f for f in FLAWS if suits(f, selection) and self._faults.take(f)]
        failing = [
            name
            for name in FAILURES
            if starts
            and (name != "conversion_failed" or selection.data_format == "netcdf")
            and self._faults.take(name)
        ]
        job.expired = starts and self._faults.take("expired")
        job.requeues = int(starts and self._faults.take("requeued"))

        def make() -> Asset:
            if failing:
                raise JobFailedError(text_of(failing[0]))
            return self._handout.make(selection, flaws)

        self._queue.submit(job, make, starts=starts)

    # Jobs

    def _found(self, job_id: str) -> Job:
        job = self._queue.get(job_id)
        if job is None:
            if not re.fullmatch(UUID, job_id):
                text = f"invalid job id {job_id}"
            else:
                gone = "dismissed" if job_id in self._dismissed else "not found"
                text = f"job {job_id} {gone}"
            raise RefusedError(404, "job not found", text, kind=NO_JOB)
        if self._faults.take("foreign_job"):
            raise RefusedError(403, "permission denied", "operation not allowed")
        return job

    def _info(self, call: Call, job: Job) -> dict[str, Any]:
        return joblist.shown(call, job, title=self._open.titles[job.dataset])

    def _jobs(self, call: Call) -> Reply:
        return Reply(200, joblist.page(call, self._queue.all(), self._open.titles))

    def _job(self, call: Call, job_id: str) -> Reply:
        if self._faults.take("replica_404"):
            raise RefusedError(404, "job not found", f"job {job_id} not found", kind=NO_JOB)
        job = self._found(job_id)
        if job.started is not None or not self._queued:
            job.ended.wait(PATIENCE_SECONDS)
        return Reply(200, self._info(call, job))

    def _delete(self, call: Call, job_id: str) -> Reply:
        job = self._found(job_id)
        self._queue.forget(job_id)
        self._dismissed.add(job_id)
        return Reply(200, {**self._info(call, job), "status": "dismissed"})

    def _delete_several(self, call: Call) -> Reply:
        """Those that are there; others are left out in silence."""
        wanted = call.body.get("job_ids", []) if isinstance(call.body, dict) else []
        here = [str(job_id) for job_id in wanted if self._queue.get(str(job_id))]
        jobs = [self._delete(call, job_id).body for job_id in here]
        return Reply(200, {"jobs": jobs, "links": []})

    def _results(self, call: Call, job_id: str) -> Reply:
        job = self._found(job_id)
        if job.status in ("failed", "rejected"):
            place = {"instance": f"{call.base}{call.path}", "trace_id": str(uuid.uuid4())}
            return Reply(400, {**joblist.failure(job), **place})
        body = joblist.results(call, job)
        if job.expired or job.asset is None or not self._handout.get(job.asset.path.name):
            raise RefusedError(404, "results expired", f"results of job {job_id} expired")
        return Reply(200, {**body, "synthetic": SYNTHETIC})

    def _receipt(self, _: Call, job_id: str) -> Reply:
        job = self._found(job_id)
        name = f'attachment; filename="receipt-{job_id}.txt"'
        return Reply(200, joblist.receipt(job), {"Content-Disposition": name})

    # Files

    def _file(self, call: Call, name: str) -> Reply:
        asset = self._handout.get(name)
        gone = call.method == "GET" and self._faults.take("asset_gone")
        if asset is None or gone:
            raise RefusedError(404, "not found", f"{name} does not exist")
        return Reply(200, asset=asset)
