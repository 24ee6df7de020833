"""What the client of ECMWF's archive does about each sign: one table, to be read row by row.

Texts are the archive's own, in part or whole; the first row that fits counts. Source: ECMWF's
lists of error texts in its public programs; errors that public projects report, 2016 to 2026.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aurora_prep.providers.credentials_mars import FIX
from aurora_prep.providers.trouble import FORBIDDEN, NOT_FOUND, TRANSIENT_STATUS, UNAUTHORISED
from aurora_prep.sources.spec import (
    CredentialsError,
    FetchError,
    IncompleteError,
    NotArchivedError,
    NotAskedError,
    NotYetError,
    RequestRefusedError,
    SourceClosedError,
)

UNCOUNTED = -1
# Waits are counted in the longest wait between tries, which is a minute by itself.
NO_WAIT, QUEUE_WAIT, SYSTEM_WAIT = 0.0, 2.0, 5.0
# Kinds of error by which a connection, or an answer over it, was lost.
LOST = frozenset({"OSError", "HTTPException", "AssertionError"})
EXPECTED = re.compile(r"expected (\d+),? got (\d+)|(\d+) messages? retrieved out of (\d+) expected")

RUN_AGAIN = "run again: what has come is kept"
NO_RIGHTS = (
    "the key is in order, but the account has no right to these data: ask your Computing"
    " Representative or get a service agreement, take another access, or leave the source out"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """A row of the table.

    Attributes:
        texts: Parts of what the archive says, in lower case; any of them.
        wait: How long to wait before asking again, in longest waits between tries.
        again: How often to ask again; ``UNCOUNTED`` for until the deadline.
        trims: Whether the last days are left out when it is asked again.
        error: What ends the request, or more, when all that was of no use.
        problem: What is told then.
        fix: What to do then.
    """

    texts: tuple[str, ...] = ()
    wait: float = NO_WAIT
    again: int = 0
    trims: bool = False
    error: type[FetchError]
    problem: str
    fix: str


NOT_ARCHIVED = Reaction(
    texts=("mars_no_data", "data not found", "no data found"),
    error=NotArchivedError,
    problem="ECMWF's archive does not hold what is asked",
    fix="leave these times or variables out; a stream that ended lies under another name",
)
SHORT = Reaction(
    again=1,
    error=IncompleteError,
    problem="ECMWF's archive does not hold all of what is asked",
    fix="leave out the times or variables that it lacks",
)
KEY = Reaction(
    texts=("invalid key", "key has expired", "access token is not valid"),
    error=CredentialsError,
    problem="ECMWF's archive refuses the key, which ends after a year",
    fix=FIX,
)
SAID = (
    Reaction(
        texts=("user_queued_limit_exceeded", "error 101"),
        wait=QUEUE_WAIT,
        again=UNCOUNTED,
        error=NotAskedError,
        problem="this user's queue at ECMWF's archive is full",
        fix="run again; see which requests wait at https://apps.ecmwf.int/webmars/joblist",
    ),
    Reaction(
        texts=("data not yet available",),
        trims=True,
        again=2,
        error=NotYetError,
        problem="ECMWF's archive has not released what is asked",
        fix="run again after the time it names",
    ),
    Reaction(
        texts=("no access to", "terms and conditions"),
        error=SourceClosedError,
        problem="ECMWF's archive does not let this account in",
        fix=NO_RIGHTS,
    ),
    Reaction(
        texts=("mars_restricted_access_to_data", "not authorised", "not authorized"),
        error=SourceClosedError,
        problem="ECMWF's archive does not give these data to this account",
        fix=NO_RIGHTS,
    ),
    KEY,
    NOT_ARCHIVED,
    Reaction(
        texts=(
            "connection reset by peer",
            "socket read failed",
            "assertion failed",
            "mars_cache_corruption",
        ),
        wait=SYSTEM_WAIT,
        again=3,
        error=NotAskedError,
        problem="ECMWF's archive failed by itself each time",
        fix=RUN_AGAIN,
    ),
    Reaction(
        texts=("invalid mars request", "syntax error", "invalid value", "undefined keyword"),
        error=RequestRefusedError,
        problem="ECMWF's archive rejects the request as wrong",
        fix="the plan asks what the archive does not know: please report it, with the text"
        " above; leave the variable or time out of the recipe meanwhile",
    ),
)
AWAY = Reaction(
    wait=1.0,
    again=5,
    error=NotAskedError,
    problem="ECMWF's archive cannot be reached, or does not deliver",
    fix="check the address and the network, and run again: what has come is kept",
)
GONE = Reaction(
    again=1,
    error=NotAskedError,
    problem="ECMWF's archive does not deliver: the result is gone each time",
    fix=RUN_AGAIN,
)
ENDED = Reaction(
    error=RequestRefusedError,
    problem="ECMWF's archive ended the request with an error",
    fix="read the archive's reason; what it does not hold needs other times or variables",
)
FAILED = Reaction(
    error=FetchError,
    problem="the client of ECMWF's archive failed",
    fix="check that ecmwf-api-client is installed and the address is that of ECMWF's web API",
)


def reaction_to(kinds: frozenset[str], text: str, status: int | None) -> Reaction:
    """The row for how the client ended.

    Args:
        kinds: The class of its error, and those above it.
        text: What it said.
        status: The last HTTP status.
    """
    said = text.lower()
    if (counts := EXPECTED.search(said)) is not None:
        return NOT_ARCHIVED if int(counts[2] or counts[3]) == 0 else SHORT
    if "mars_expected_fields" in said:
        return SHORT
    named = next((row for row in SAID if any(part in said for part in row.texts)), None)
    return named or _unnamed(kinds, status)


def _unnamed(kinds: frozenset[str], status: int | None) -> Reaction:
    """The row for an end without one of the archive's known texts."""
    if status in (UNAUTHORISED, FORBIDDEN):
        return KEY
    if kinds & {"HTTPError", "RetryError"}:
        passing = AWAY if status in TRANSIENT_STATUS or status is None else ENDED
        return GONE if status == NOT_FOUND else passing
    if kinds & LOST:
        return AWAY
    return ENDED if "APIException" in kinds else FAILED
