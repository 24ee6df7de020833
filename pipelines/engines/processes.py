"""Beam's local engine with worker processes that keep their talk to themselves.

Beam starts them as its own module, whose import logs a warning about a package
nobody asked for; from then on every note of theirs goes to the user's terminal,
beside the log that the engine passes on anyway.
"""

from __future__ import annotations

import shlex
import sys
from typing import Any

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

OWN = "own"  # no mode of Beam's: in each of those it chooses the environment itself
WORKER = "aurora_prep.pipelines.engines.quiet_worker"


class ProcessesRunner(FnApiRunner):
    """Runs ``--direct_num_workers`` processes on this machine."""

    def __init__(self) -> None:
        command = f"{shlex.quote(sys.executable)} -m {WORKER}"
        environment: Any = SubprocessSDKEnvironment
        super().__init__(default_environment=environment.from_command_string(command))

    def run_pipeline(self, pipeline: Any, options: PipelineOptions) -> Any:
        """Run in the environment above."""
        options.view_as(DirectOptions).direct_running_mode = OWN
        return super().run_pipeline(pipeline, options)
