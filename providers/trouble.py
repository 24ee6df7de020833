"""What went wrong between us and a store: worth another try, or a message."""

from __future__ import annotations

import re

import requests

from aurora_prep.providers.credentials import Known

TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
UNAUTHORISED, FORBIDDEN, NOT_FOUND = 401, 403, 404
LINK = re.compile(r"https?://[^\s'\"<>]+")
MOST_CHARACTERS = 600


def status_of(error: Exception) -> int | None:
    """HTTP status behind an error of the client, if there is one."""
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def is_transient(error: Exception) -> bool:
    """Whether the same call may work a little later."""
    status = status_of(error)
    if status is not None and isinstance(error, requests.HTTPError):
        return status in TRANSIENT_STATUS
    if isinstance(error, (requests.exceptions.SSLError, requests.exceptions.InvalidURL)):
        return False
    return isinstance(
        error,
        (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ),
    )


def retry_after(error: Exception) -> float:
    """Seconds the store asks to wait, 0 where it does not say."""
    response = getattr(error, "response", None)
    text = "" if response is None else response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def text_of(error: Exception, known: Known) -> str:
    """What the client said, on one line, without secrets."""
    text = " ".join(known.hide(error).split())
    return f"{type(error).__name__}: {text[:MOST_CHARACTERS]}" if text else type(error).__name__


def link_of(error: Exception, known: Known) -> str:
    """The last link that an answer gives, other than to the store's API; empty without one."""
    url = getattr(known, "url", "")
    links = [link for link in LINK.findall(text_of(error, known)) if not link.startswith(url)]
    return links[-1].rstrip(".,;)") if links else ""
