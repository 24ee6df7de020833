"""Throttle: how many requests a whole job may have at a provider, on any engine.

A queueing store counts a user's requests, not a machine's. So requests are
grouped by *slot*, a pair of access and number, and each slot's requests are
fetched by one worker at a time, a few at once: at most ``slots * at_once`` are
in flight, however many workers the job has. No service is needed for that: an
engine gives all values of a key to one worker.
"""

from __future__ import annotations

from dataclasses import dataclass

from aurora_prep.sources.spec import Request

Slot = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Limit:
    """What a provider bears.

    Attributes:
        at_once: Requests that a slot has in flight.
        slots: Groups that may be fetched side by side. More than one spreads
            the fetching over machines; but engines hash keys to workers, and
            two slots that meet on one are fetched one after the other. A
            store whose queue is the bound is asked fastest through one.
    """

    at_once: int
    slots: int = 1

    @property
    def in_flight(self) -> int:
        """Most requests at the provider at once."""
        return self.slots * self.at_once


# The stores let a user run a handful of requests and queue what is beyond.
DEFAULT = Limit(at_once=4)
LIMITS = {
    "cds": Limit(at_once=4),
    "ads": Limit(at_once=4),
    "mars": Limit(at_once=2),
    "index": Limit(at_once=2),  # each request has a few ranges under way
}


def limit_of(access: str) -> Limit:
    """The limit of an access."""
    return LIMITS.get(access, DEFAULT)


def slot_of(access: str, request: Request) -> Slot:
    """The slot that fetches a request: the same on every machine, and in every run."""
    return access, int(request.digest[:16], 16) % limit_of(access).slots
