"""How jobs fail: the lines of their log, of which the last names the kind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_MARS = "MARS has returned an error, please check your selection."

# By the fault that makes a job fail so.
FAILURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "failed_job": (
            _MARS,
            "Request submitted to the MARS server: retrieve, class=ea, expect=any",
            "mars - ERROR - Undefined value : 3T for parameter PARAM",
            "The job failed with: MarsRuntimeError",
        ),
        "mars_system": (
            _MARS,
            "Request submitted to the MARS server: retrieve, class=ea, expect=any",
            "mars - ERROR - Connection reset by peer",
            "The job failed with: MarsRuntimeError",
        ),
        "no_data": (
            "MARS returned no data, please check your selection.",
            "The job failed with: MarsNoDataError",
        ),
        "memory_killed": (
            "Worker has been killed due to memory usage.",
            "The job failed with: KilledWorker",
        ),
        "conversion_failed": (
            "We are unable to convert this GRIB data to netCDF, please download as GRIB.",
            "The job failed with: CdsFormatConversionError",
        ),
        "unknown_failure": ("The job failed with: KeyError",),
    }
)


def text_of(fault: str) -> str:
    """The log that the user sees, one line for each message."""
    return "\n".join(FAILURES[fault])
