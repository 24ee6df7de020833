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
        "attribute_ahead": "a public Zarr store that grows says that it ends ten days later",
        "bad_gateway": "the front end answers 502 with an HTML page",
        "busy": "the service answers 503",
        "conversion_failed": "a job that makes NetCDF ends as failed: it cannot be converted",
        "corrupt_chunk": "one chunk of a public Zarr store is cut short",
        "corrupt_message": "one GRIB message is damaged; size and checksum agree with the damage",
        "cut": "the connection is cut half-way through what is left of a download",
        "damaged_field": "one field of a file with an index is damaged, each time",
        "disabled": "the collection is closed: 403 with the operator's own text",
        "duplicate_message": "one GRIB message comes twice",
        "empty_200": "a file of a tree comes as an empty body with status 200",
        "expired": "the results of a finished job have expired: 404",
        "expver_dimension": "NetCDF in the older dialect, with expver as a dimension",
        "failed_job": "the job ends as failed: the archive refuses the request",
        "foreign_job": "the job is said to be another user's: 403",
        "hang": "the service takes a request and does not answer",
        "html_page": "a page for people with status 200 in place of an answer",
        "humidity_apart": "specific humidity is in the secondary file alone, where there is one",
        "humidity_lacking": "specific humidity is in no file with an index",
        "index_cut": "the last line of an index is cut in half",
        "internal_error": "the service answers 500 with nothing but a trace",
        "licence": "the licence has not been accepted: 403",
        "lost_post": "a submission makes its job, and the answer is lost",
        "mars_101": "the archive's queue of this user is full: ERROR 101",
        "mars_89_partial": "the archive finds one field less than expected: ERROR 89",
        "mars_restricted": "the account may not read this part of the archive",
        "mars_system": "the job ends as failed: the archive's own system failed",
        "memory_killed": "the job ends as failed: its worker was killed for its memory",
        "mirror_down": "the first of several hosts answers 503",
        "missing_chunk": "one chunk of a public Zarr store is not there",
        "missing_message": "one GRIB message is left out",
        "moved_host": "the first host of a tree answers 404 to everything",
        "nan_chunk": "one chunk of a public Zarr store is there and has no value at any point",
        "nan_points": "one chunk of geopotential in a public Zarr store has points without a value",
        "no_data": "the job ends as failed: the archive holds nothing of it",
        "no_file": "a file is not there although its index is: 404",
        "no_index": "the index of a file is not there: 404",
        "not_archived": "a file of a tree is not there: 404; or the archive lacks the first time",
        "not_released": "the archive says that the data are not released yet",
        "rate_limited": "any call with a key is refused with 429 and Retry-After",
        "redirect_loop": "the service leads in circles: 302 to the same address",
        "rejected_job": "the job ends as rejected by a rule that is no limit of the queue",
        "replica_404": "a question for a job meets a copy that does not know it yet: 404",
        "requeued": "a running job goes back to accepted once, as when its worker is lost",
        "robot_page": "a host takes the client for a robot: 302 to a web page",
        "scaled_integers": "NetCDF in the older dialect, with values scaled to 16-bit integers",
        "shared_range": "u and v of a file with an index share a message",
        "short_answer": "the last time asked is left out in silence, where there are several",
        "shuffled_messages": "GRIB messages come in another order",
        "slow_queue": "the job is accepted and never starts",
        "stale_index": "an index is older than its file: its offsets are not those of the fields",
        "too_many_requests": "a submission is refused with 429 and Retry-After",
        "truncated": "the GRIB or NetCDF file ends early; size and checksum agree with the end",
        "unknown_failure": "the job ends as failed for a reason that nobody documents",
        "wrong_checksum": "the file differs from the checksum in the results",
        "zip_for_netcdf": "a ZIP although NetCDF was asked for unarchived",
    }
)
# Numbers of the strict store that can be set in the place of a count.
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "cost_limit": "largest cost of a request to any collection; 0 for no limit",
        "embargo_days": "days before now of which nothing is released",
        "queue_limit": "unfinished jobs a collection; one more is rejected; 0 for no limit",
        "rate_limit": "calls with a key in a second, one more is refused; 0 for no limit",
    }
)
# The same by the names that descriptions of the real stores use.
ALSO: Mapping[str, str] = MappingProxyType(
    {
        "html_502": "bad_gateway",
        "object_gone": "asset_gone",
        "poll_429": "rate_limited",
        "results_expired": "expired",
        "ssl_eof": "cut",
        "zip_where_nc_asked": "zip_for_netcdf",
    }
)


class Faults:
    """The faults that are switched on, and settings; safe to use from several threads.

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
        name = ALSO.get(name, name)
        if name not in FAULTS and name not in SETTINGS:
            raise SpecError(
                "there is no such fault",
                "faults of the embedded provider",
                f"{name!r} not among {sorted([*FAULTS, *SETTINGS])}",
                "take a listed fault",
            )
        with self._lock:
            self._left[name] = times

    def take(self, name: str) -> bool:
        """Whether the fault strikes now; counts it."""
        name = ALSO.get(name, name)
        with self._lock:
            left = self._left.get(name, 0)
            if left > 0:
                self._left[name] = left - 1
            return left != 0

    def setting(self, name: str, usual: float) -> float:
        """A number of the store: as switched, else the usual one."""
        with self._lock:
            return self._left.get(name, usual)

    def left(self, name: str) -> int:
        """How often the fault will still strike."""
        with self._lock:
            return self._left.get(name, 0)
