"""The engine: which Beam runner runs, and how its processes are prepared."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from aurora_prep.sources.spec import EngineError

LOGGER = logging.getLogger(__name__)

LOCAL = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
# "DirectRunner" tries to download another engine first; its names all mean the
# engine that is already here. Names in lower case: see _plain.
LOCAL_NAMES = frozenset(
    {"", "directrunner", "switchingdirectrunner", "bundlebaseddirectrunner", "fnapirunner"}
)
REFUSED = {
    "daskrunner": "it runs only the last of several sinks and reports success (Beam 2.77)",
    "interactiverunner": "it keeps every intermediate result",
}

# From malloc.h of glibc.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8
KEPT_BYTES = 256 * 2**20
LARGEST_MMAP_THRESHOLD = 32 * 2**20


def options_of(words: Sequence[str]) -> PipelineOptions:
    """Beam's options from the words after ``--``; the engine on this machine by default.

    Raises:
        EngineError: The runner is known to lose data.
    """
    options = PipelineOptions(list(words))
    standard = options.view_as(StandardOptions)
    runner = standard.runner or ""
    if _plain(runner) in REFUSED:
        raise EngineError(
            "this runner cannot be trusted with the work",
            f"--runner={runner}",
            REFUSED[_plain(runner)],
            "take DirectRunner, FlinkRunner or DataflowRunner",
        )
    if _plain(runner) in LOCAL_NAMES:
        standard.runner = LOCAL
    return options


def _plain(runner: str) -> str:
    """One spelling of a name that Beam takes in any case, short, or with its module."""
    name = runner.lower()
    if name.startswith("apache_beam."):
        name = name.rsplit(".", 1)[-1]
    return name if not name or name.endswith("runner") else f"{name}runner"


def is_local(options: PipelineOptions) -> bool:
    """Whether the pipeline runs on this machine's built-in engine."""
    return options.view_as(StandardOptions).runner == LOCAL


def tune_memory() -> None:
    """Keep freed memory in the process, where the C library is glibc.

    Fields of a few megabytes are allocated and freed all the time. By default
    each goes back to the kernel and returns as fresh pages, which costs more
    than the arithmetic on them.
    """
    try:
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
        library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        library.mallopt(M_TOP_PAD, KEPT_BYTES // 4)
        library.mallopt(M_ARENA_MAX, 1)  # the arenas of threads give memory back at 64 MB
    except (OSError, AttributeError):
        LOGGER.debug("the C library is not glibc: its allocator stays as it is")
