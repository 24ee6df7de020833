"""The Climate Data Store's protocol, without sockets: a call in, a reply out.

The routes are those that ``cdsapi`` 0.7 and the client under it, the ECMWF data
stores' own, call: OGC API Processes under ``/api/retrieve/v1``, the catalogue,
and the profile. Words and status codes of refusals are the store's.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aurora_prep.providers.embedded.archive import Holding, holdings
from aurora_prep.providers.embedded.asset import FLAWS, Asset, suits
from aurora_prep.providers.embedded.call import Call, Reply
from aurora_prep.providers.embedded.faults import Faults
from aurora_prep.providers.embedded.handout import Handout
from aurora_prep.providers.embedded.jobs import ENDED, Job, JobFailedError, Queue
from aurora_prep.providers.embedded.selection import (
    RefusedError,
    Selection,
    invalid,
    select,
)
from aurora_prep.sources.spec import Source

SYNTHETIC = "Embedded provider of aurora-prep: every value is synthetic, from closed formulas."
KEY = "5a6e7400-0000-4000-8000-000000000000"
LICENCE = {"id": "synthetic-licence", "revision": 1, "label": "No licence: synthetic data"}

# A poll waits this long for a job that is about to end. The client sleeps a
# whole second between polls, which is longer than most small answers take.
PATIENCE_SECONDS = 1.0


class Store:
    """The store: collections, jobs and files.

    Args:
        sources: Declarations that say what is held.
        folder: Where files are made.
        faults: What goes wrong.
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
        self._holdings = holdings(sources)
        self._faults = faults
        self._queued = queue_seconds > 0
        self._preliminary_from = preliminary_from
        self._edition = edition
        self._queue = Queue(queue_seconds)
        self._handout = Handout(folder, keep_seconds, self._queue.closing)
        api = "/api/retrieve/v1"
        self._public: list[tuple[str, str, Callable[..., Reply]]] = [
            ("GET", r"/api/catalogue/v1/messages", self._messages),
            ("GET", r"/api/catalogue/v1/collections/([\w-]+)", self._collection),
            ("GET", rf"{api}/processes", self._processes),
            ("GET", rf"{api}/processes/([\w-]+)", self._process),
            ("GET", r"/cache/([\w.-]+)", self._file),
        ]
        self._private: list[tuple[str, str, Callable[..., Reply]]] = [
            ("POST", r"/api/profiles/v1/account/verification/pat", self._account),
            ("GET", r"/api/profiles/v1/account/licences", self._licences),
            ("PUT", r"/api/profiles/v1/account/licences/([\w-]+)", self._accept),
            ("POST", rf"{api}/processes/([\w-]+)/execution", self._execute),
            ("POST", rf"{api}/processes/([\w-]+)/costing", self._costing),
            ("GET", rf"{api}/jobs", self._jobs),
            ("POST", rf"{api}/jobs/delete", self._delete_several),
            ("GET", rf"{api}/jobs/([\w-]+)", self._job),
            ("DELETE", rf"{api}/jobs/([\w-]+)", self._delete),
            ("GET", rf"{api}/jobs/([\w-]+)/results", self._results),
        ]

    def answer(self, call: Call) -> Reply:
        """The reply to a call; refusals are replies too."""
        try:
            return self._route(call)
        except RefusedError as refused:
            body = {
                "type": refused.title,
                "title": refused.title,
                "status": refused.status,
                "detail": refused.detail,
                "instance": f"{call.base}{call.path}",
            }
            return Reply(refused.status, body, refused.headers)

    def close(self) -> None:
        """Start nothing more and wait for jobs that run."""
        self._queue.close()

    def _route(self, call: Call) -> Reply:
        method = "GET" if call.method == "HEAD" else call.method
        for verb, pattern, reply in self._public:
            if verb == method and (match := re.fullmatch(pattern, call.path)):
                return reply(call, *match.groups())
        for verb, pattern, reply in self._private:
            if verb == method and (match := re.fullmatch(pattern, call.path)):
                self._authenticate(call)
                if self._faults.take("busy"):
                    raise RefusedError(503, "service unavailable", "try again later")
                return reply(call, *match.groups())
        raise RefusedError(404, "not found", f"there is no {call.method} {call.path}")

    def _authenticate(self, call: Call) -> None:
        if call.key is None:
            raise RefusedError(401, "permission denied", "authentication required")
        if not hmac.compare_digest(call.key.encode(), KEY.encode()):
            raise RefusedError(401, "authentication failed", "operation not allowed")

    # The catalogue and the profile

    def _messages(self, _: Call) -> Reply:
        notice = {"id": "synthetic", "severity": "info", "content": SYNTHETIC, "live": True}
        return Reply(200, {"messages": [notice]})

    def _collection(self, call: Call, dataset: str) -> Reply:
        holding = self._holding(dataset)
        process = f"{call.base}/api/retrieve/v1/processes/{dataset}"
        north, west = float(holding.grid.north), float(holding.grid.west)
        box = [west, float(holding.grid.south), float(holding.grid.east), north]
        return Reply(
            200,
            {
                "type": "Collection",
                "id": dataset,
                "title": holding.title,
                "description": SYNTHETIC,
                "extent": {
                    "spatial": {"bbox": [box]},
                    "temporal": {"interval": [[f"{holding.first.isoformat()}Z", None]]},
                },
                "links": [{"rel": "retrieve", "href": process}],
            },
        )

    def _account(self, _: Call) -> Reply:
        return Reply(200, {"sub": "synthetic", "role": "user"})

    def _licences(self, _: Call) -> Reply:
        return Reply(200, {"licences": [LICENCE]})

    def _accept(self, _: Call, licence: str) -> Reply:
        if licence != LICENCE["id"]:
            raise RefusedError(404, "not found", f"there is no licence {licence}")
        self._faults.switch("licence", 0)
        return Reply(200, LICENCE)

    # Processes

    def _holding(self, dataset: str) -> Holding:
        if dataset not in self._holdings:
            raise RefusedError(404, "process not found", f"dataset {dataset} not found")
        return self._holdings[dataset]

    def _processes(self, _: Call) -> Reply:
        listed = [{"id": name, "title": h.title} for name, h in sorted(self._holdings.items())]
        return Reply(200, {"processes": listed, "links": []})

    def _process(self, call: Call, dataset: str) -> Reply:
        holding = self._holding(dataset)
        process = f"{call.base}{call.path}"
        return Reply(
            200,
            {
                "id": dataset,
                "title": holding.title,
                "description": SYNTHETIC,
                "version": "1.0.0",
                "jobControlOptions": ["async-execute"],
                "outputTransmission": ["reference"],
                "links": [
                    {"rel": "self", "href": process},
                    {"rel": "execute", "href": f"{process}/execution"},
                ],
            },
        )

    def _select(self, call: Call, dataset: str) -> tuple[Selection, dict[str, Any]]:
        holding = self._holding(dataset)
        inputs = call.body.get("inputs") if isinstance(call.body, dict) else None
        if not isinstance(inputs, dict):
            raise invalid("the body holds no object 'inputs'")
        selection = select(
            holding,
            inputs,
            now=datetime.now(UTC).replace(tzinfo=None),
            preliminary_from=self._preliminary_from,
            edition=self._edition,
        )
        return selection, inputs

    def _costing(self, call: Call, dataset: str) -> Reply:
        limit = self._holding(dataset).collection.max_fields
        try:
            cost = len(self._select(call, dataset)[0])
        except RefusedError as refused:
            if refused.status != 403:  # noqa: PLR2004  # only "too large" has a cost
                raise
            cost = limit + 1
        body = {"id": "size", "cost": cost, "limit": limit, "request_is_valid": cost <= limit}
        return Reply(200, body)

    def _execute(self, call: Call, dataset: str) -> Reply:
        if self._faults.take("too_many_requests"):
            raise RefusedError(
                429, "rate limit exceeded", "1 request per 1 second", {"Retry-After": "1"}
            )
        selection, inputs = self._select(call, dataset)
        if self._faults.take("licence"):
            raise RefusedError(
                403,
                "required licences not accepted",
                "Not all the required licences have been accepted; please visit"
                f" {call.base}/datasets/{dataset}?tab=download#manage-licences"
                " to accept the required licence(s).",
            )
        job = Job(dataset=dataset, request=inputs)
        job.log.append((job.created, SYNTHETIC))
        flaws = [f for f in FLAWS if suits(f, selection) and self._faults.take(f)]
        starts = not self._faults.take("slow_queue")
        if self._faults.take("rejected_job"):
            job.become("rejected", "The request was rejected: it breaks a rule of the queue.")
            starts = False
        fails = starts and self._faults.take("failed_job")
        job.expired = starts and self._faults.take("expired")

        def make() -> Asset:
            if fails:
                raise JobFailedError("MARS has returned an error, please check your selection.")
            return self._handout.make(selection, flaws)

        self._queue.submit(job, make, starts=starts)
        return Reply(201, self._info(call, job, submitted=True))

    # Jobs

    def _found(self, job_id: str) -> Job:
        job = self._queue.get(job_id)
        if job is None:
            raise RefusedError(404, "job not found", f"job {job_id} not found")
        return job

    def _info(self, call: Call, job: Job, *, submitted: bool = False) -> dict[str, Any]:
        place = f"{call.base}/api/retrieve/v1/jobs/{job.job_id}"
        status = job.status
        links = [{"rel": "monitor" if submitted else "self", "href": place}]
        if status in ENDED:
            links.append({"rel": "results", "href": f"{place}/results"})
        metadata: dict[str, Any] = {"origin": "api", "datasetMetadata": {"messages": []}}
        if call.query.get("request") == "True":
            metadata["request"] = {"ids": job.request}
        if call.query.get("log") == "True":
            start = call.query.get("logStartTime", "")
            metadata["log"] = [list(entry) for entry in job.log if entry[0] > start]
        return {
            "processID": job.dataset,
            "type": "process",
            "jobID": job.job_id,
            "status": status,
            "created": job.created,
            "started": job.started,
            "finished": job.finished,
            "updated": job.updated,
            "links": links,
            "metadata": metadata,
        }

    def _jobs(self, call: Call) -> Reply:
        jobs = [self._info(call, job) for job in self._queue.all()]
        return Reply(200, {"jobs": jobs, "links": [], "metadata": {"totalCount": len(jobs)}})

    def _job(self, call: Call, job_id: str) -> Reply:
        job = self._found(job_id)
        if job.started is not None or not self._queued:
            job.ended.wait(PATIENCE_SECONDS)
        return Reply(200, self._info(call, job))

    def _delete(self, call: Call, job_id: str) -> Reply:
        job = self._found(job_id)
        self._queue.forget(job_id)
        return Reply(200, {**self._info(call, job), "status": "dismissed"})

    def _delete_several(self, call: Call) -> Reply:
        wanted = call.body.get("job_ids", []) if isinstance(call.body, dict) else []
        jobs = [self._delete(call, str(job_id)).body for job_id in wanted]
        return Reply(200, {"jobs": jobs, "links": []})

    def _results(self, call: Call, job_id: str) -> Reply:
        job = self._found(job_id)
        if job.status in ("failed", "rejected"):
            title = f"The job has {'failed' if job.status == 'failed' else 'been rejected'}"
            body = {"type": "job results failed", "title": title, "status": 400}
            return Reply(400, {**body, "traceback": job.reason})
        if job.status != "successful" or job.asset is None:
            raise RefusedError(
                404, "job results not ready", f"status of {job_id} is '{job.status}'"
            )
        if job.expired or not self._handout.get(job.asset.path.name):
            raise RefusedError(404, "results expired", f"results of job {job_id} expired")
        name = job.asset.path.name
        value = {
            "type": job.asset.media,
            "href": f"{call.base}/cache/{name}",
            "file:checksum": job.asset.checksum,
            "file:size": job.asset.size,
            "file:local_path": f"/cache/{name}",
        }
        return Reply(200, {"asset": {"value": value}, "synthetic": SYNTHETIC})

    # Files

    def _file(self, call: Call, name: str) -> Reply:
        asset = self._handout.get(name)
        gone = call.method == "GET" and self._faults.take("asset_gone")
        if asset is None or gone:
            raise RefusedError(404, "not found", f"{name} does not exist")
        return Reply(200, asset=asset)
