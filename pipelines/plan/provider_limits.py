"""Provider limits: how many requests a whole job may have at a provider, on any engine.

A queueing store counts a user's requests, not a machine's. So units of work that must ask a
provider go into one of its *lanes*, and one worker owns a lane: at most ``slots * at_once``
requests are in flight, however many workers the job has. No service is needed for that: an
engine gives all values of a key to one worker.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """What a provider bears.

    Attributes:
        at_once: Requests that a lane has in flight.
        slots: Lanes of the provider. A store whose queue is the bound is asked fastest
            through one lane; a store of plain files is asked through several, so that the
            shards of its files are made on several workers.
    """

    at_once: int
    slots: int = 1

    @property
    def in_flight(self) -> int:
        """The largest number of requests that the provider takes at the same time."""
        return self.slots * self.at_once


# The stores let a user run a handful of requests and queue what is beyond.
DEFAULT = Limit(at_once=4)
LIMITS = {
    "cds": Limit(at_once=4),
    "ads": Limit(at_once=4),
    "mars": Limit(at_once=2),
    "http": Limit(at_once=1, slots=4),
    "index": Limit(at_once=1, slots=2),  # each request has a few ranges under way
}


def limit_of(access: str) -> Limit:
    """The limit of an access."""
    return LIMITS.get(access, DEFAULT)
