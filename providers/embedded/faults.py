"""Faults by name, each with the number of times it strikes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from aurora_prep.sources.spec import SpecError

ALWAYS = -1

FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "asset_gone": "the file has expired although its results are still listed: 404",
        "busy": "the service answers 503",
        "corrupt_chunk": "one chunk of a public Zarr store is cut short",
        "corrupt_message": "one GRIB message is damaged; size and checksum agree with the damage",
        "cut": "the connection is cut half-way through what is left of a download",
        "duplicate_message": "one GRIB message comes twice",
        "expired": "the results of a finished job have expired: 404",
        "expver_dimension": "NetCDF in the older dialect, with expver as a dimension",
        "failed_job": "the job ends as failed",
        "hang": "the service takes a request and does not answer",
        "licence": "the licence has not been accepted: 403",
        "missing_chunk": "one chunk of a public Zarr store is not there",
        "missing_message": "one GRIB message is left out",
        "nan_points": "one chunk of geopotential in a public Zarr store has points without a value",
        "not_archived": "a file of a tree is not there: 404; or the archive lacks the first time",
        "rejected_job": "the job ends as rejected",
        "scaled_integers": "NetCDF in the older dialect, with values scaled to 16-bit integers",
        "shuffled_messages": "GRIB messages come in another order",
        "slow_queue": "the job is accepted and never starts",
        "too_many_requests": "a submission is refused with 429 and Retry-After",
        "truncated": "the GRIB or NetCDF file ends early; size and checksum agree with the end",
        "wrong_checksum": "the file differs from the checksum in the results",
        "zip_for_netcdf": "a ZIP although NetCDF was asked for unarchived",
    }
)


class Faults:
    """The faults that are switched on; safe to use from several threads.

    Args:
        counts: Names, or names with the number of times each strikes;
            ``ALWAYS`` for no end. A name alone strikes once.

    Raises:
        SpecError: There is no such fault.
    """

    def __init__(self, counts: str | Iterable[str] | Mapping[str, int] = ()) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        if isinstance(counts, str):
            counts = (counts,)
        given = counts.items() if isinstance(counts, Mapping) else ((name, 1) for name in counts)
        for name, times in given:
            self.switch(name, times)

    def switch(self, name: str, times: int = 1) -> None:
        """Switch a fault on for so many times more; ``ALWAYS`` for no end, 0 for off."""
        if name not in FAULTS:
            raise SpecError(
                "there is no such fault",
                "faults of the embedded provider",
                f"{name!r} not among {sorted(FAULTS)}",
                "take a listed fault",
            )
        with self._lock:
            self._left[name] = times

    def take(self, name: str) -> bool:
        """Whether the fault strikes now; counts it."""
        with self._lock:
            left = self._left.get(name, 0)
            if left > 0:
                self._left[name] = left - 1
            return left != 0

    def left(self, name: str) -> int:
        """How often the fault will still strike."""
        with self._lock:
            return self._left.get(name, 0)
