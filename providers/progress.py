"""What a fetch tells those who watch it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from aurora_prep.sources.spec import Request


class Step(StrEnum):
    """Where a request stands."""

    CACHED = "cached"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    RUNNING = "running"
    DOWNLOADING = "downloading"
    RETRYING = "retrying"
    STORED = "stored"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of one request.

    Attributes:
        request: Which request.
        step: What happens now.
        done: Bytes on disk so far.
        total: Bytes there will be, 0 while unknown.
        text: A line for people, where there is more to say.
    """

    request: Request
    step: Step
    done: int = 0
    total: int = 0
    text: str = ""


Watch = Callable[[Progress], object]


def nobody(_: Progress) -> None:
    """Watch nothing."""
