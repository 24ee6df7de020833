"""The engine: which Beam runner runs, and how its processes are prepared."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

from aurora_prep.pipelines.engines import beam_options, dataflow, defaults
from aurora_prep.sources.spec import EngineError

LOCAL = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
PROCESSES = "aurora_prep.pipelines.engines.processes.ProcessesRunner"
LOCAL_NAME = "DirectRunner"
# "DirectRunner" tries to download another engine first; its names all mean the
# engine that is already here. Names in lower case: see _plain.
LOCAL_NAMES = frozenset(
    {"", "directrunner", "switchingdirectrunner", "bundlebaseddirectrunner", "fnapirunner"}
)
OTHERS = ("PrismRunner", "FlinkRunner", "SparkRunner", "PortableRunner", "DataflowRunner")
REFUSED = {
    "daskrunner": "it runs only the last of several sinks and reports success (Beam 2.77)",
    "interactiverunner": "it keeps every intermediate result",
}
IN_MEMORY, MULTI_PROCESSING = "in_memory", "multi_processing"


def options_of(given: Sequence[str]) -> PipelineOptions:
    """Beam's options from the words after ``--``; the engine on this machine by default.

    What an engine needs for this work and the words leave out is added.

    Raises:
        EngineError: The runner is unknown or known to lose data, is not installed,
            or an option is not one of its options.
    """
    known, unknown = beam_options.parse(given)
    runner = known.runner or ""
    name = _name(runner)
    beam_options.check(unknown, name)
    added = defaults.of(name, known, beam_options.given(given))
    options = PipelineOptions([*given, *added])
    options.view_as(StandardOptions).runner = _path(name, options)
    return dataflow.complete(options)


def _name(runner: str) -> str:
    """The one name of a runner.

    Raises:
        EngineError: Nobody knows it, or it cannot be trusted.
    """
    plain = _plain(runner)
    if plain in REFUSED:
        raise EngineError(
            "this runner cannot be trusted with the work",
            f"--runner={runner}",
            REFUSED[plain],
            "take DirectRunner, FlinkRunner or DataflowRunner",
        )
    if plain in LOCAL_NAMES:
        return LOCAL_NAME
    for name in OTHERS:
        if plain == name.lower():
            return name
    if "." in runner and _is_there(runner):
        return runner
    raise EngineError(
        "no such runner",
        f"--runner={runner}",
        f"not among {', '.join((LOCAL_NAME, *OTHERS))}",
        "name one of these, or the full path of a runner's class",
    )


def _path(name: str, options: PipelineOptions) -> str:
    """The runner option for Beam; an engine of this process is named by its class."""
    if name != LOCAL_NAME:
        return name
    mode = options.view_as(DirectOptions).direct_running_mode
    return PROCESSES if mode == MULTI_PROCESSING else LOCAL


def _plain(runner: str) -> str:
    """One spelling of a name that Beam takes in any case, short, or with its module."""
    name = runner.lower()
    if name.startswith("apache_beam."):
        name = name.rsplit(".", 1)[-1]
    return name if not name or name.endswith("runner") else f"{name}runner"


def _is_there(path: str) -> bool:
    module, name = path.rsplit(".", 1)
    try:
        return hasattr(importlib.import_module(module), name)
    except ImportError:
        return False


def is_local(options: PipelineOptions) -> bool:
    """Whether the pipeline runs on this machine's built-in engine."""
    return options.view_as(StandardOptions).runner in {LOCAL, PROCESSES}


def is_in_process(options: PipelineOptions) -> bool:
    """Whether all the work is done in this very process, which can count it."""
    is_one = options.view_as(DirectOptions).direct_running_mode == IN_MEMORY
    return is_local(options) and is_one
