"""What a data store's answer is a sign of: read from status, title, text and traceback."""

from __future__ import annotations

import errno
import re
from enum import StrEnum
from typing import Any

import requests

from aurora_prep.providers.trouble import FORBIDDEN, NOT_FOUND


class Sign(StrEnum):
    """What was seen; ``reactions.TABLE`` says what is done."""

    TOO_FAST = "429: too many calls"
    QUEUE_FULL = "the queue limit's text"
    AWAY = "500, 502, 503, 504, a page, a cut, a refused connection"
    TOO_LARGE = "cost limits exceeded"
    KILLED = "killed by memory"
    LICENCE = "licence not accepted"
    CLOSED = "dataset disabled"
    UNKNOWN_DATASET = "dataset unknown"
    KEY = "401"
    INVALID = "400 invalid, duplicate, unknown value"
    EMBARGO = "embargo, not released"
    NO_DATA = "no data"
    GONE = "results expired, object gone, job 404"
    FOREIGN = "another user's job"
    NOT_READY = "results not ready"
    SYSTEM = "a fault of the archive's system"
    CONVERSION = "GRIB that cannot become NetCDF"
    FAILED = "a job that failed in another way"
    RULE = "a job rejected by another rule"
    DISK = "disk full or not writable"
    CERTIFICATE = "certificate failure"
    ADDRESS = "no data store at the address"
    STRANGE = "an answer the client does not understand"


LIMITED = re.compile(
    r"queued requests .*(is|are) .*limited|Maximum number of daily requests", re.IGNORECASE
)
NOT_RELEASED = "data you have requested is available yet"
SYSTEM_FAULTS = re.compile(
    r"ERROR.*(connection reset|tape|time.?out|assertion|broken pipe|no space|unavailable)",
    re.IGNORECASE,
)
CLASS = re.compile(r"The job failed with: (\w+)")
CLASSES = {
    "MarsNoDataError": Sign.NO_DATA,
    "MarsSystemError": Sign.SYSTEM,
    "InvalidRequest": Sign.INVALID,
    "CdsFormatConversionError": Sign.CONVERSION,
    "KilledWorker": Sign.KILLED,
}
SERVER_ERRORS = 500
BY_STATUS = {
    401: Sign.KEY,
    407: Sign.AWAY,
    408: Sign.AWAY,
    425: Sign.AWAY,
    429: Sign.TOO_FAST,
}
BY_TITLE = {
    "process not found": Sign.UNKNOWN_DATASET,
    "job not found": Sign.GONE,
    "job results not ready": Sign.NOT_READY,
    "results expired": Sign.GONE,
}
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
ADDRESSES = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
)


def sign_of(error: Exception, *, of_a_job: bool = False, ever_worked: bool = True) -> Sign:
    """What an error of the client is a sign of.

    Args:
        error: What was raised.
        of_a_job: Whether a job was asked about, or its results.
        ever_worked: Whether the store has answered before: then a page that says "not found"
            is an outage, else the address is wrong.
    """
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return sign_of_answer(error.response, of_a_job=of_a_job, ever_worked=ever_worked)
    if isinstance(error, requests.exceptions.SSLError):
        text = str(error).lower()
        broken = "certificate" in text or "hostname" in text
        return Sign.CERTIFICATE if broken else Sign.AWAY
    if isinstance(error, ADDRESSES):
        return Sign.ADDRESS
    if isinstance(error, requests.RequestException):
        return Sign.AWAY
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        return Sign.DISK
    return Sign.STRANGE


def sign_of_answer(
    response: requests.Response, *, of_a_job: bool = False, ever_worked: bool = True
) -> Sign:
    """What a refusal is a sign of: by its status, then by its title and text."""
    status, body = response.status_code, _body(response)
    title, detail = (str(body.get(key, "")) for key in ("title", "detail"))
    said = f"{title} {detail}".lower()
    if status in BY_STATUS or status >= SERVER_ERRORS:
        return BY_STATUS.get(status, Sign.AWAY)
    if not body:
        return _of_a_page(response, ever_worked=ever_worked)
    if status == FORBIDDEN:
        return _of_403(title, detail, said, of_a_job=of_a_job)
    return BY_TITLE.get(title) or _of_text(status, title, detail, body)


def _of_text(status: int, title: str, detail: str, body: dict[str, Any]) -> Sign:
    """A refusal whose title does not say everything."""
    if "traceback" in body or title.startswith("The job has"):
        return sign_of_traceback(str(body.get("traceback", "")), rejected="rejected" in title)
    if status in (400, 422):
        return Sign.EMBARGO if NOT_RELEASED in detail else Sign.INVALID
    return Sign.STRANGE


def sign_of_traceback(text: str, *, rejected: bool) -> Sign:
    """What a job that failed or was rejected says of the reason."""
    found = CLASS.findall(text)
    kind = found[-1] if found else ""
    if LIMITED.search(text):
        return Sign.QUEUE_FULL
    if "killed due to memory" in text.lower():
        return Sign.KILLED
    if NOT_RELEASED in text:
        return Sign.EMBARGO
    if kind == "MarsRuntimeError":
        return Sign.SYSTEM if SYSTEM_FAULTS.search(text) else Sign.INVALID
    return CLASSES.get(kind, Sign.RULE if rejected else Sign.FAILED)


def _of_403(title: str, detail: str, said: str, *, of_a_job: bool) -> Sign:
    if "cost limit" in said or "too large" in said:
        return Sign.TOO_LARGE
    if "licen" in said:
        return Sign.LICENCE
    if detail == "operation not allowed":
        return Sign.FOREIGN if of_a_job else Sign.KEY
    return Sign.KEY if "authentication" in title else Sign.CLOSED


def _of_a_page(response: requests.Response, *, ever_worked: bool) -> Sign:
    """A refusal without JSON: a front end's or a proxy's, unless nothing else is there."""
    text = response.text[:2000] if response.status_code == NOT_FOUND else ""
    if "API endpoint not found" in text or (text and not ever_worked):
        return Sign.ADDRESS
    return Sign.AWAY


def _body(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
