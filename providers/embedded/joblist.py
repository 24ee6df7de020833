"""Jobs as the store shows them: one, a page of many, a receipt, and what failed ones say."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from aurora_prep.providers.embedded.call import Call
from aurora_prep.providers.embedded.jobs import ENDED, Job
from aurora_prep.providers.embedded.selection import RefusedError

COUNT_LIMIT = 1000
PAGE, LARGEST_PAGE = 10, 10_000
STATES = ("accepted", "running", "successful", "failed", "rejected")
JOBS = "/api/retrieve/v1/jobs"


def shown(call: Call, job: Job, *, title: str, listed: bool = False) -> dict[str, Any]:
    """A job in a poll, or in a list. What has no value has no key.

    Args:
        call: The question; ``request``, ``log`` and ``qos`` in its query ask for more.
        job: The job.
        title: Title of its collection.
        listed: Whether it is one of a list, where its first link is ``monitor``.
    """
    place = f"{call.base}{JOBS}/{job.job_id}"
    status = job.status
    rel = "monitor" if listed else "self"
    links = [{"href": place, "rel": rel, "type": "application/json"}]
    if status in ("successful", "failed"):
        links.append({"href": f"{place}/results", "rel": "results"})
    metadata: dict[str, Any] = {"datasetMetadata": {"catalogue": "synthetic"}, "origin": "api"}
    if listed:
        metadata["datasetMetadata"]["title"] = title
        metadata["qos"] = {"status": {}}
        metadata["results"] = _result_of(call, job)
    else:
        metadata |= _on_demand(call, job)
    return {**_state(job, status), "links": links, "metadata": metadata}


def submitted(call: Call, job: Job, *, old_path: bool) -> dict[str, Any]:
    """The answer to a submission."""
    execution = f"{call.base}/api/retrieve/v1/processes/{job.dataset}/execution"
    place = f"{call.base}{JOBS}/{job.job_id}"
    messages = []
    if old_path:
        text = "The endpoint /execute is deprecated: please use /execution."
        messages.append({"date": job.created, "severity": "WARNING", "content": text})
    return {
        "processID": job.dataset,
        "type": "process",
        "jobID": job.job_id,
        "status": "accepted",
        "created": job.created,
        "updated": job.created,
        "links": [
            {"href": execution, "rel": "self"},
            {
                "href": place,
                "rel": "monitor",
                "type": "application/json",
                "title": "job status info",
            },
        ],
        "metadata": {"datasetMetadata": {"messages": messages}, "origin": "api"},
    }


def page(call: Call, jobs: Sequence[Job], titles: Mapping[str, str]) -> dict[str, Any]:
    """A page of the user's jobs, the newest first unless asked otherwise.

    Raises:
        RefusedError: ``limit`` or ``status`` is none.
    """
    wanted, datasets = call.all("status"), call.all("processID")
    if strange := sorted(set(wanted) - set(STATES)):
        raise RefusedError(422, "invalid parameter", f"invalid status {strange}")
    text = call.query.get("limit", str(PAGE))
    if not text.isdecimal() or not 0 < int(text) <= LARGEST_PAGE:
        raise RefusedError(422, "invalid parameter", f"limit {text}: 1 to {LARGEST_PAGE}")
    found = [
        job
        for job in jobs
        if (not wanted or job.status in wanted) and (not datasets or job.dataset in datasets)
    ]
    newest_first = call.query.get("sortby", "-created") != "created"
    found.sort(key=lambda job: (job.created, job.job_id), reverse=newest_first)
    total = len(found)
    if cursor := call.query.get("cursor"):
        last = base64.b64decode(cursor).decode()
        found = [j for j in found if (j.created < last if newest_first else j.created > last)]
    listed, rest = found[: int(text)], found[int(text) :]
    links = [{"href": f"{call.base}{JOBS}", "rel": "self"}]
    if rest:
        mark = base64.b64encode(listed[-1].created.encode()).decode()
        query = "&".join(
            [f"limit={text}", f"cursor={mark}", "back=False"]
            + [f"status={state}" for state in wanted]
            + [f"processID={dataset}" for dataset in datasets]
            + ([] if newest_first else ["sortby=created"])
        )
        links.append({"href": f"{call.base}{JOBS}?{query}", "rel": "next"})
    return {
        "jobs": [
            shown(call, job, title=titles.get(job.dataset, ""), listed=True) for job in listed
        ],
        "links": links,
        "metadata": {"totalCount": min(total, COUNT_LIMIT), "totalCountLimit": COUNT_LIMIT},
    }


def results(call: Call, job: Job) -> dict[str, Any]:
    """Where the file of a successful job is.

    Raises:
        RefusedError: There is none.
    """
    asset = job.asset
    if job.status != "successful" or asset is None:
        raise RefusedError(
            404,
            "job results not ready",
            f"status of {job.job_id} is '{job.status}'",
            kind="http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/result-not-ready",
        )
    name = asset.path.name
    value = {
        "type": asset.media,
        "href": f"{call.base}/cache/{name}",
        "file:checksum": asset.checksum,
        "file:size": asset.size,
        "file:local_path": f"s3://cache/{name}",
    }
    return {"asset": {"value": value}}


def failure(job: Job) -> dict[str, Any]:
    """What the results of a failed or rejected job say, without what the answer adds."""
    ending = "failed" if job.status == "failed" else "been rejected"
    return {
        "type": "job results failed",
        "title": f"The job has {ending}",
        "status": 400,
        "traceback": job.reason,
    }


def receipt(job: Job) -> dict[str, Any]:
    """What was asked and delivered."""
    size = job.asset.size if job.asset else 0
    return {
        "request": job.request,
        "dataset": job.dataset,
        "status": job.status,
        **{key: value for key, value in _times(job).items() if value},
        "size": size,
    }


def _state(job: Job, status: str) -> dict[str, Any]:
    times = {key: value for key, value in _times(job).items() if value is not None}
    if status in ("accepted", "rejected"):
        times.pop("started", None)
    if status not in ENDED:
        times.pop("finished", None)
    return {
        "processID": job.dataset,
        "type": "process",
        "jobID": job.job_id,
        "status": status,
        **times,
    }


def _times(job: Job) -> dict[str, str | None]:
    return {
        "created": job.created,
        "started": job.started,
        "finished": job.finished,
        "updated": job.updated,
    }


def _on_demand(call: Call, job: Job) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if call.query.get("request") == "True":
        found["request"] = {"ids": job.request, "labels": job.request}
    if call.query.get("log") == "True":
        start = call.query.get("logStartTime", "")
        found["log"] = [list(entry) for entry in job.log if entry[0] > start]
    if call.query.get("qos") == "True":
        found["qos"] = {"status": {}}
    return found


def _result_of(call: Call, job: Job) -> dict[str, Any]:
    """The results of a job, or the error that stands in their place, inside a list."""
    if job.status in ("failed", "rejected"):
        return failure(job)
    try:
        return results(call, job)
    except RefusedError as refused:
        return {"title": refused.title, "status": refused.status, "detail": refused.detail}
