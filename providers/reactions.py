"""What the client of the data stores does about each sign: one table, to be read row by row.

The columns: how long it waits, whether the request is split, how often the same is asked
again (and not counted where a wait is nobody's fault), and what is stopped in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from aurora_prep.providers.signs import Sign
from aurora_prep.sources.spec import (
    CredentialsError,
    DamagedError,
    FetchError,
    LicenceError,
    LocalError,
    NotArchivedError,
    NotAskedError,
    NotYetError,
    RequestRefusedError,
    SourceClosedError,
)

UNCOUNTED = -1


class Wait(StrEnum):
    """How long to wait before asking again."""

    NONE = "not at all"
    SERVER = "as long as the server says, every thread"
    QUEUE = "180 s, doubling to 15 min, every request to the dataset"
    BACK_OFF = "doubling to 60 s, for days, every thread; one asks"
    SYSTEM = "5 min, then 30 min"
    POLL = "as between two polls"


class Instead(StrEnum):
    """What is asked in the place of a request."""

    SAME = "the same"
    HALVES = "its halves"
    GRIB = "the same as GRIB"


@dataclass(frozen=True, slots=True)
class Reaction:
    """A row of the table.

    Attributes:
        wait: How long to wait first.
        again: How often to ask again; ``UNCOUNTED`` for until the deadline.
        error: What ends the request, or more, when all that was of no use.
        problem: What is told then.
        fix: What to do then; ``{place}`` is a link from the answer.
        instead: What is asked again.
    """

    wait: Wait
    again: int
    error: type[FetchError]
    problem: str
    fix: str
    instead: Instead = Instead.SAME


LATER = "run again: what has come is kept"
REPORT = (
    "the plan asks what the store does not offer: please report it, with the text above; leave"
    " the variable or time out of the recipe meanwhile"
)
KEPT = "read the store's reason; what it cannot serve needs other variables or times"

TABLE: Mapping[Sign, Reaction] = MappingProxyType(
    {
        Sign.TOO_FAST: Reaction(
            Wait.SERVER, UNCOUNTED, NotAskedError, "the store asks to wait", LATER
        ),
        Sign.QUEUE_FULL: Reaction(
            Wait.QUEUE, UNCOUNTED, NotAskedError, "the store's queue is full", LATER
        ),
        Sign.AWAY: Reaction(Wait.BACK_OFF, UNCOUNTED, NotAskedError, "the service was away", LATER),
        Sign.NOT_READY: Reaction(
            Wait.POLL, UNCOUNTED, NotAskedError, "the results were not ready", LATER
        ),
        Sign.TOO_LARGE: Reaction(
            Wait.NONE,
            UNCOUNTED,
            RequestRefusedError,
            "the store finds the request too large, and it cannot be split further",
            "look at the limits on the store's web site; its area or grid may count too",
            Instead.HALVES,
        ),
        Sign.KILLED: Reaction(
            Wait.NONE,
            UNCOUNTED,
            RequestRefusedError,
            "the request takes too much of the store's memory, and it cannot be split further",
            "ask for GRIB, or run again later",
            Instead.HALVES,
        ),
        Sign.CONVERSION: Reaction(
            Wait.NONE,
            UNCOUNTED,
            RequestRefusedError,
            "the store cannot convert its data",
            "ask for GRIB",
            Instead.GRIB,
        ),
        Sign.LICENCE: Reaction(
            Wait.NONE,
            0,
            LicenceError,
            "a licence has not been accepted",
            "log in, accept the licence at {place}, and run again",
        ),
        Sign.CLOSED: Reaction(
            Wait.NONE,
            0,
            SourceClosedError,
            "the store has closed the dataset",
            "read the store's reason, and run again when it is open; the key is in order",
        ),
        Sign.UNKNOWN_DATASET: Reaction(
            Wait.NONE,
            0,
            SourceClosedError,
            "the store rejected the request: it does not know the dataset",
            "check that the address is that of the store which holds it",
        ),
        Sign.ADDRESS: Reaction(
            Wait.NONE,
            0,
            SourceClosedError,
            "there is no data store at the address",
            "check the url in ~/.cdsapirc, ~/.adsapirc or the environment: it ends in /api",
        ),
        Sign.KEY: Reaction(
            Wait.NONE,
            0,
            CredentialsError,
            "the store refused the key",
            "copy your personal access token from the store's profile page to ~/.cdsapirc",
        ),
        Sign.INVALID: Reaction(
            Wait.NONE, 0, RequestRefusedError, "the store rejected the request", REPORT
        ),
        Sign.RULE: Reaction(
            Wait.NONE, 0, RequestRefusedError, "the store ended the job as rejected", KEPT
        ),
        Sign.EMBARGO: Reaction(
            Wait.NONE,
            0,
            NotYetError,
            "the store has not released it yet",
            "run again after the date that the store tells",
        ),
        Sign.NO_DATA: Reaction(
            Wait.NONE, 0, NotArchivedError, "the archive does not have it", KEPT
        ),
        Sign.GONE: Reaction(
            Wait.NONE,
            1,
            DamagedError,
            "the store prepared an answer but did not deliver it whole",
            "run again later; if it stays so, report the job to the store's support",
        ),
        Sign.FOREIGN: Reaction(
            Wait.NONE,
            1,
            RequestRefusedError,
            "the store says that a job of this request is another user's",
            "check that ~/.cdsapirc holds the key of one account",
        ),
        Sign.SYSTEM: Reaction(
            Wait.SYSTEM, 2, NotAskedError, "the archive's own system failed", LATER
        ),
        Sign.FAILED: Reaction(
            Wait.NONE, 1, RequestRefusedError, "the store ended the job as failed", KEPT
        ),
        Sign.DISK: Reaction(
            Wait.NONE,
            0,
            LocalError,
            "a download cannot be written",
            "free some space, mend the permissions, or choose another cache folder",
        ),
        Sign.CERTIFICATE: Reaction(
            Wait.NONE,
            0,
            LocalError,
            "the server's certificate is not trusted",
            "check the clock of this machine, and its certificates (SSL_CERT_FILE,"
            " REQUESTS_CA_BUNDLE), and run again",
        ),
        Sign.STRANGE: Reaction(
            Wait.BACK_OFF,
            1,
            RequestRefusedError,
            "the store gave an answer the client does not understand",
            "check that the address is that of a Climate Data Store's API",
        ),
    }
)
