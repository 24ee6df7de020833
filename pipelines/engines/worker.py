"""A Python worker that an engine starts as a process, in the environment it stands in.

Beam's containers bring a program that asks the engine where to connect and
starts the SDK's harness. This does the same where nothing need be installed:
on the machine of the launcher.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from apache_beam.runners.job import utils
from apache_beam.runners.worker import sdk_worker_main
from apache_beam.runners.worker.channel_factory import GRPCChannelFactory


def main(argv: Sequence[str] | None = None) -> None:
    """Serve an engine until it needs this worker no more.

    Args:
        argv: ``--id`` and ``--provision_endpoint``; whatever else an engine
            says is repeated by the latter.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    args, _ = parser.parse_known_args(argv)
    os.environ.update(_environment(args.id, args.provision_endpoint))
    sdk_worker_main.main(sys.argv)  # type: ignore[no-untyped-call]


def _environment(identity: str, provision: str) -> dict[str, str]:
    """What the harness reads from its environment, as the engine provides it."""
    factory: Any = GRPCChannelFactory
    stub: Any = beam_provision_api_pb2_grpc.ProvisionServiceStub
    to_dict: Any = utils.struct_to_dict
    with factory.insecure_channel(provision) as channel:
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        info = stub(channel).GetProvisionInfo(request, metadata=[("worker_id", identity)]).info
    return {
        "WORKER_ID": identity,
        "CONTROL_API_SERVICE_DESCRIPTOR": str(info.control_endpoint),
        "LOGGING_API_SERVICE_DESCRIPTOR": str(info.logging_endpoint),
        "PIPELINE_OPTIONS": json.dumps(to_dict(info.pipeline_options)),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }


if __name__ == "__main__":
    main()
