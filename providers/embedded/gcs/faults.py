"""Faults on the network to a bucket: a number of times, or at a rate."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from aurora_prep.sources.spec import SpecError

ALWAYS = -1

FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "busy": "the call is refused with 503",
        "corrupt": "one bit of the answer to a read is flipped on the way",
        "cut": "the connection is cut half-way through the answer to a read",
        "lost_reply": "what was asked is done, and the connection is cut before the answer",
        "missing": "the call is answered with 404",
        "reset": "the connection is cut before anything is done",
        "short": "a read is answered with half of what was asked for, and says so",
        "too_many_requests": "the call is refused with 429 and Retry-After",
        "unsatisfiable": "a read is refused with 416",
    }
)
OF_READS = frozenset({"corrupt", "cut", "short", "unsatisfiable"})


class GcsFaults:
    """The faults that are switched on; safe to use from several threads.

    Args:
        counts: Names, or names with the number of calls each strikes; ``ALWAYS``
            for no end. A name alone strikes once.
        rates: Names with the share of all calls that each strikes at random.
        seed: Where the random numbers begin.

    Raises:
        SpecError: There is no such fault, or a rate is none.
    """

    def __init__(
        self,
        counts: Iterable[str] | Mapping[str, int] = (),
        rates: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311  # faults to order, not secrets
        self._left: dict[str, int] = {}
        self._rates: dict[str, float] = {}
        self._struck: dict[str, int] = dict.fromkeys(FAULTS, 0)
        given = counts.items() if isinstance(counts, Mapping) else ((name, 1) for name in counts)
        for name, times in given:
            self.switch(name, times)
        for name, share in (rates or {}).items():
            self.rate(name, share)

    def switch(self, name: str, times: int = 1) -> None:
        """Let a fault strike so many calls more; ``ALWAYS`` for no end, 0 for none."""
        _check(name)
        with self._lock:
            self._left[name] = times

    def rate(self, name: str, share: float) -> None:
        """Let a fault strike this share of all calls from now on."""
        _check(name)
        if not 0 <= share <= 1:
            raise SpecError(
                "a rate is not a share",
                f"fault {name!r} of the embedded object store",
                str(share),
                "give a number from 0 to 1",
            )
        with self._lock:
            self._rates[name] = share

    def strike(self, *, read: bool) -> str | None:
        """The fault that strikes a call now, if one does; counts it.

        Args:
            read: Whether the call asks for the bytes of an object.
        """
        with self._lock:
            drawn = self._random.random()
            possible = [name for name in FAULTS if read or name not in OF_READS]
            for name in possible:
                left = self._left.get(name, 0)
                if left:
                    self._left[name] = max(left - 1, ALWAYS)
                    self._struck[name] += 1
                    return name
            for name in possible:
                drawn -= self._rates.get(name, 0.0)
                if drawn < 0:
                    self._struck[name] += 1
                    return name
        return None

    @property
    def struck(self) -> dict[str, int]:
        """How many calls each fault has struck."""
        with self._lock:
            return dict(self._struck)


def _check(name: str) -> None:
    if name not in FAULTS:
        raise SpecError(
            "there is no such fault",
            "faults of the embedded object store",
            f"{name!r} not among {sorted(FAULTS)}",
            "take a listed fault",
        )
