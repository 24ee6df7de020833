"""``provider serve``: the embedded provider on loopback."""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from aurora_prep.pipelines.commands import show

if TYPE_CHECKING:
    from aurora_prep.providers.embedded import EmbeddedProvider


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser("provider", help="the embedded provider")
    actions = command.add_subparsers(required=True, metavar="ACTION")
    serve = actions.add_parser("serve", help="serve on loopback until interrupted")
    serve.add_argument("--port", type=int, default=8765, metavar="PORT")
    serve.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted or told to end; temporary files are removed either way."""
    from aurora_prep.providers.embedded import serve

    signal.signal(signal.SIGTERM, _interrupt)
    serve(args.port, ready=_tell)
    return 0


def _tell(provider: EmbeddedProvider) -> None:
    """What clients need to find it; the key opens nothing else."""
    show.line("The embedded provider listens: every value is synthetic.")
    show.line(f"data stores     {provider.url}  (CDSAPI_URL)")
    show.line(f"archive         {provider.base}/v1  (ECMWF_API_URL)")
    show.line(f"file trees      {provider.base}/files/DATASET  (AURORA_PREP_DATASET_URL)")
    show.line(f"public buckets  {provider.buckets}  (STORAGE_EMULATOR_HOST)")
    show.line(f"key             {provider.key}  (CDSAPI_KEY, ECMWF_API_KEY)")
    sys.stdout.flush()


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
