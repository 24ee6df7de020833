"""Collecting the file of a finished job: resumed where it was cut, held against its checksum."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import requests
from ecmwf.datastores import Results

from aurora_prep.providers.checksum import agrees, md5_of
from aurora_prep.providers.credentials import CdsService
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.outage import Breaker
from aurora_prep.providers.progress import Step
from aurora_prep.providers.retry import Patience
from aurora_prep.providers.signs import Sign, sign_of
from aurora_prep.providers.trouble import retry_after, text_of
from aurora_prep.sources.spec import FetchError, LocalError

LOGGER = logging.getLogger(__name__)

DOWNLOADS = 3
# What a cut connection loses; the client's own mebibyte is a small answer's half.
CHUNK_BYTES = 1 << 18


class UnusableError(Exception):
    """The results of a job cannot be had any more, or not whole."""


class Tell(Protocol):
    """Called after each step."""

    def __call__(self, step: Step, *, done: int = 0, total: int = 0, text: str = "") -> None:
        """One step."""


def collected(
    results: Results,
    target: Path,
    *,
    session: requests.Session,
    known: CdsService,
    breaker: Breaker,
    patience: Patience,
    tell: Tell,
) -> Delivery:
    """Download until size and checksum, or two downloads, agree.

    Args:
        results: Where the file is.
        target: Where it goes.
        session: What carries the download.
        known: Whose key must not show.
        breaker: Of the host of the file.
        patience: How long to try.
        tell: Told of each step.

    Raises:
        UnusableError: It is gone, or does not come whole.
        NotAskedError: Time is up, or the run was stopped.
        LocalError: Its host is not to be trusted.
        OSError: The file cannot be written.
    """
    try:
        asset = results.asset
        size, stated = int(asset["file:size"]), asset.get("file:checksum")
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableError(f"the results name no file: {text_of(error, known)}") from None
    results.download_options = {
        **results.download_options,
        "observer": _observer(target, size, patience, tell),
        "chunk_size": CHUNK_BYTES,
        "session": session,
    }
    before: set[str] = set()
    for attempt in range(1, DOWNLOADS + 1):
        tell(Step.DOWNLOADING, total=size)
        target.unlink(missing_ok=True)
        _download(results, target, size, known, breaker, patience, tell)
        tell(Step.DOWNLOADING, done=size, total=size)
        if stated is None:
            return Delivery(size, None)
        md5 = md5_of(target)
        if agrees(target, md5, str(stated)):
            return Delivery(size, confirmed=True)
        text = f"the store states checksum {stated}, the file has MD5 {md5}"
        if md5 in before and not known.promises_md5:
            # An object store's tag is no MD5 when the file went up in parts.
            LOGGER.info("%s: %s, twice the same; taken as it is", patience.where, text)
            return Delivery(size, confirmed=False)
        before.add(md5)
        if attempt < DOWNLOADS:
            LOGGER.warning("%s: %s; downloading again", patience.where, text)
            tell(Step.RETRYING, text=text)
            patience.pause(patience.policy.wait(attempt))
    raise UnusableError(text)


def _download(
    results: Results,
    target: Path,
    size: int,
    known: CdsService,
    breaker: Breaker,
    patience: Patience,
    tell: Tell,
) -> None:
    """Download to the last byte; cuts are resumed until the deadline."""
    reached = stuck = 0
    while (here := _size(target)) != size:
        if here > size or stuck >= patience.policy.attempts:
            # What is here does not belong to the file, or cannot be gone on with.
            target.unlink(missing_ok=True)
            reached = stuck = 0
        with breaker.turn(patience):
            text = _piece(results, target, known, breaker)
            here = _size(target)
            if here > reached or (here == size and not text):
                reached, stuck = here, 0
                breaker.worked()
            if here != size or text:
                stuck += 1
                text = text or f"{here} of {size} bytes came"
                breaker.failed(patience, text)
                tell(Step.RETRYING, text=text)


def _piece(results: Results, target: Path, known: CdsService, breaker: Breaker) -> str:
    """Download what is missing, as far as it comes; what went wrong, else nothing.

    Raises:
        UnusableError: The file is not there.
        LocalError: The host is not to be trusted.
        OSError: The file cannot be written.
    """
    try:
        response = results._download(results.location, str(target))  # noqa: SLF001  # ``download`` would start anew
    except FetchError:
        raise
    except requests.RequestException as error:
        if sign_of(error) is Sign.CERTIFICATE:
            raise LocalError(
                "the certificate of the files' host is not trusted",
                known.hide(results.location),
                text_of(error, known),
                "check the clock of this machine, and its certificates (SSL_CERT_FILE,"
                " REQUESTS_CA_BUNDLE), and run again",
            ) from None
        return text_of(error, known)
    except (AssertionError, FileNotFoundError) as error:
        # More is on disk than announced, or nothing came.
        return f"{_size(target)} bytes on disk ({type(error).__name__})"
    status = response.status_code
    if status == 429:  # noqa: PLR2004
        wait = retry_after(requests.HTTPError(response=response))
        breaker.hush(wait)
        return f"status {status}"
    if status is not None and (status >= 500 or status in (407, 408, 425)):  # noqa: PLR2004
        return f"status {status}"
    if status is not None:
        raise UnusableError(f"the host of the file answers {status}")
    return ""


def _observer(target: Path, size: int, patience: Patience, tell: Tell) -> Callable[[], None]:
    """Called by the client for every piece: the deadline holds in a trickle too."""

    def observe() -> None:
        patience.check()
        tell(Step.DOWNLOADING, done=_size(target), total=size)

    return observe


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
