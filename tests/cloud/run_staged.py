"""Run a staged job with what is installed here: ``run_staged.py PIPELINE_PB``.

Started in an environment that holds nothing but Beam and the staged package. The
steps come from the staged graph; only its environment, a container that is not
there, is replaced by this very process.
"""

import sys
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_runner_api_pb2 as api
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import aurora_prep


def main() -> None:
    """Run it."""
    print("from", aurora_prep.__file__)  # noqa: T201  # the test reads it
    graph = api.Pipeline.FromString(Path(sys.argv[1]).read_bytes())
    for name in graph.components.environments:
        here = api.Environment(urn=python_urns.EMBEDDED_PYTHON)
        here.capabilities.extend(graph.components.environments[name].capabilities)
        graph.components.environments[name].CopyFrom(here)
    result = FnApiRunner().run_via_runner_api(graph, PipelineOptions([]))
    print("state", result.wait_until_finish())  # noqa: T201  # the test reads it


if __name__ == "__main__":
    main()
