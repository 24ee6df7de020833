"""The data stores' own client, made quiet, and the few calls that it lacks."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import cdsapi
import requests
from ecmwf.datastores import Process, Remote, Results
from ecmwf.datastores.processing import cads_raise_for_status

from aurora_prep.providers.credentials import CdsService
from aurora_prep.providers.retry import Policy
from aurora_prep.providers.sessions import Session
from aurora_prep.sources.spec.request import Body

LOGGER = logging.getLogger(__name__)

UNFINISHED = ("accepted", "running")
COLLECTABLE = (*UNFINISHED, "successful")
MOST_LISTED = 1000
WITHDRAWALS = 3
RETRIEVE = "retrieve/v1"


class StoreClient:
    """One store, over one session, for one request.

    Args:
        known: Address and key.
        policy: How long to wait for answers.
        session: What carries the calls.
    """

    def __init__(self, known: CdsService, policy: Policy, session: requests.Session) -> None:
        self._known = known
        self._timeout = (policy.connect_seconds, policy.read_seconds)
        self.session = session
        self._client = _made(known, policy, session)

    def process(self, dataset: str) -> Process:
        """A dataset as the store offers it."""
        process: Process = self._client.client.get_process(dataset)
        return process

    def job(self, job: str) -> Remote:
        """A job that was submitted before."""
        remote: Remote = self._client.client.get_remote(job)
        return remote

    def results(self, remote: Remote) -> Results:
        """What a finished job has brought, or why it has not."""
        return Results.from_request("get", f"{remote.url}/results", **remote._request_kwargs)  # noqa: SLF001  # one call in the place of three

    def states(self, dataset: str | None = None) -> dict[str, str]:
        """States of the user's unfinished jobs, of one dataset or of all."""
        query: dict[str, Any] = {"limit": MOST_LISTED, "status": list(UNFINISHED)}
        if dataset is not None:
            query["processID"] = dataset
        return {job["jobID"]: job["status"] for job in self._read("jobs", query)["jobs"]}

    def jobs_of(self, dataset: str) -> list[str]:
        """Jobs of a dataset whose results can be had, or will be: the newest first."""
        query = {"limit": 100, "processID": dataset, "status": list(COLLECTABLE)}
        return [job["jobID"] for job in self._read("jobs", query)["jobs"]]

    def asked_by(self, job: str) -> Mapping[str, Any]:
        """What a job was asked."""
        body = self._read(f"jobs/{job}", {"request": "True"})
        asked: Mapping[str, Any] = body["metadata"]["request"]["ids"]
        return asked

    def cost(self, dataset: str, body: Body) -> tuple[float, float]:
        """Cost of a request, and the limit on it; no key is shown."""
        response = self.session.post(
            f"{self._known.url}/{RETRIEVE}/processes/{dataset}/costing",
            params={"request_origin": "api"},
            json={"inputs": body},
            timeout=self._timeout,
            verify=self._known.verify,
        )
        cads_raise_for_status(response)
        answer = response.json()
        return float(answer["cost"]), float(answer["limit"])

    def _read(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        response = self.session.get(
            f"{self._known.url}/{RETRIEVE}/{path}",
            params=query,
            headers={"PRIVATE-TOKEN": self._known.key},
            timeout=self._timeout,
            verify=self._known.verify,
        )
        cads_raise_for_status(response)
        body: dict[str, Any] = response.json()
        return body


@contextmanager
def opened(known: CdsService, policy: Policy) -> Iterator[StoreClient]:
    """A client whose connections end with the block, downloads given up included."""
    seen: WeakSet[requests.Response] = WeakSet()

    def remember(response: requests.Response, **_: object) -> None:
        seen.add(response)

    with Session() as session:
        session.hooks["response"].append(remember)
        try:
            yield StoreClient(known, policy, session)
        finally:
            for response in seen:
                response.close()


def withdraw(known: CdsService, policy: Policy, job: str) -> bool:
    """Delete a job at its store; whether it is gone."""
    with Session() as session:
        for _ in range(WITHDRAWALS):
            try:
                response = session.delete(
                    f"{known.url}/{RETRIEVE}/jobs/{job}",
                    headers={"PRIVATE-TOKEN": known.key},
                    timeout=(policy.connect_seconds, policy.read_seconds),
                    verify=known.verify,
                )
            except requests.RequestException as error:
                LOGGER.info("job %s is not deleted: %s", job, known.hide(error))
                return False
            if response.ok or response.status_code in (403, 404):
                return True
    LOGGER.info("job %s is not deleted: status %d", job, response.status_code)
    return False


def _made(known: CdsService, policy: Policy, session: requests.Session) -> Any:
    """A client that says nothing by itself and leaves trying again to us."""

    def tell(level: int) -> Callable[..., None]:
        def say(message: object, *args: object) -> None:
            if LOGGER.isEnabledFor(level):
                text = str(message) % args if args else str(message)
                LOGGER.log(level, "%s", known.hide(text))

        return say

    # The constructor reads the store's announcements and only warns when it
    # cannot; the first real call then fails with more to say.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"ecmwf\.datastores\.client")
    return cdsapi.Client(
        url=known.url,
        key=known.key,
        verify=known.verify,
        quiet=True,
        progress=False,
        timeout=(policy.connect_seconds, policy.read_seconds),
        delete=False,
        # One try a call: the client would repeat a submission too, and so double the job.
        retry_max=1,
        sleep_max=policy.longest_wait_seconds,
        wait_until_complete=False,
        # INFO of the client is chatter of a single job: ours is DEBUG.
        info_callback=tell(logging.DEBUG),
        debug_callback=tell(logging.DEBUG),
        warning_callback=tell(logging.WARNING),
        error_callback=tell(logging.WARNING),
        session=session,
    )
