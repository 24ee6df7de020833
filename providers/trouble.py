"""What went wrong between us and a store: worth another try, or a message."""

from __future__ import annotations

import re

import requests

from aurora_prep.providers.credentials import CdsService, Known
from aurora_prep.sources.spec import CredentialsError, FetchError

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


def failure(error: Exception, known: CdsService, where: str, *, tries: int = 1) -> FetchError:
    """The four-part error for what ended a request.

    Args:
        error: What the client raised.
        known: Whose key must not show.
        where: The request, and what was being done with it.
        tries: How often it was tried.
    """
    found = text_of(error, known) + (f"; tries: {tries}" if tries > 1 else "")
    status = status_of(error)
    said = found.lower()
    if status == FORBIDDEN and ("too large" in said or "cost limit" in said):
        return FetchError(
            "the store finds the request too large",
            where,
            found,
            "lower max_fields of the collection in the source's file, and run again",
        )
    if status == UNAUTHORISED or (status == FORBIDDEN and "licen" not in said):
        return CredentialsError(
            "the store refused the key",
            where,
            found,
            "copy your personal access token from the store's profile page to ~/.cdsapirc",
        )
    if status == FORBIDDEN:
        links = [link for link in LINK.findall(found) if not link.startswith(known.url)]
        place = links[-1].rstrip(".,;)") if links else "the data set's page on the store"
        return FetchError(
            "a licence has not been accepted",
            where,
            found,
            f"log in, accept the licence at {place}, and run again",
        )
    if is_transient(error):
        return FetchError(
            "the store cannot be reached" if status is None else "the store is not available",
            where,
            found,
            "check the address and the network, and run again: what has come is kept",
        )
    return FetchError(
        "the store rejected the request"
        if status is not None
        else "the store gave an answer the client does not understand",
        where,
        found,
        "compare the request with the form on the store's web site"
        if status is not None
        else "check that the address is that of a Climate Data Store's API",
    )
