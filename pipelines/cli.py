"""Command line: ``aurora-prep COMMAND [options] [-- BEAM OPTIONS]``.

Exit codes: 0 done; 1 the answer is no (frames are missing, a verification
fails); 2 an error of four parts; 130 interrupted (143 by SIGTERM).
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

import aurora_prep
from aurora_prep.pipelines.commands import (
    demo,
    manifest,
    plan,
    provider,
    regrid,
    report,
    run,
    sources,
    statistics,
    verify,
)
from aurora_prep.pipelines.run.interruption import (
    CLUSTER_PATIENCE_SECONDS,
    LINE,
    PATIENCE_SECONDS,
    Interruption,
)
from aurora_prep.sources.spec import AuroraPrepError

DONE, NO, ERROR, INTERRUPTED = 0, 1, 2, 130
COMMANDS = (sources, plan, run, manifest, statistics, verify, report, regrid, provider, demo)


def parser() -> argparse.ArgumentParser:
    """The whole command line; commands declare themselves."""
    top = argparse.ArgumentParser(
        prog="aurora-prep",
        description="Training data for Microsoft's Aurora: fetch, regrid, normalise, shard, account"
        " for. Options of Apache Beam come after --.",
    )
    top.add_argument("--version", action="version", version=aurora_prep.__version__)
    top.add_argument("-v", "--verbose", action="store_true", help="tell more on standard error")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if argv is None else argv)
    cut = words.index("--") if "--" in words else len(words)
    args = parser().parse_args(words[:cut])
    args.beam_options = words[cut + 1 :]
    _set_up_logging(verbose=args.verbose)
    interruption = nullcontext() if args.function is provider.run else Interruption(_patience(args))
    try:
        with interruption:
            return int(args.function(args))
    except AuroraPrepError as error:
        sys.stderr.write(f"aurora-prep: {error}\n")
        return ERROR
    except KeyboardInterrupt:
        sys.stderr.write(LINE)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _patience(args: argparse.Namespace) -> float:
    """How long a command may take to end: a cluster has to be told that its job is over."""
    local = not any(word.startswith("--runner") for word in args.beam_options)
    return PATIENCE_SECONDS if local else CLUSTER_PATIENCE_SECONDS


def _set_up_logging(*, verbose: bool) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("aurora_prep").setLevel(logging.INFO if verbose else logging.NOTSET)
    # Beam says at import that its BigQuery extra is not installed; nobody asked.
    logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())


if __name__ == "__main__":
    sys.exit(main())
