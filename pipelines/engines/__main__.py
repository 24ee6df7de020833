"""``python -m aurora_prep.pipelines.engines``: install engines, start Flink, rehearse on it."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from aurora_prep.pipelines.engines import install
from aurora_prep.pipelines.engines.flink import FlinkCluster
from aurora_prep.sources.spec import AuroraPrepError

DONE, ERROR, INTERRUPTED, TERMINATED = 0, 2, 130, 143
ENGINES = {"prism": install.prism, "flink": install.flink}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m aurora_prep.pipelines.engines", description=__doc__
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("install", help="install engines into the cache folder")
    command.add_argument("names", nargs="*", metavar="ENGINE", help=f"of {', '.join(ENGINES)}")
    command.set_defaults(function=_install)
    command = commands.add_parser("flink", help="a Flink cluster on this machine, until Ctrl-C")
    _add_cluster(command)
    command.set_defaults(function=_flink)
    command = commands.add_parser("demo", help="the demo recipe on such a cluster")
    _add_cluster(command)
    command.add_argument("--out", default="./out/demo-flink", metavar="DIR", help="output")
    command.set_defaults(function=_demo)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    args = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # what was started is ended
    try:
        return int(args.function(args))
    except AuroraPrepError as error:
        sys.stderr.write(f"aurora-prep: {error}\n")
        return ERROR
    except KeyboardInterrupt:
        return INTERRUPTED


def _add_cluster(command: argparse.ArgumentParser) -> None:
    command.add_argument("--task-managers", type=int, default=2, metavar="N")
    command.add_argument("--slots", type=int, default=1, metavar="N", help="of a task manager")
    command.add_argument("--log", type=Path, metavar="DIR", help="folder for Flink's logs")


def _install(args: argparse.Namespace) -> int:
    for name in args.names or ENGINES:
        if name not in ENGINES:
            parser().error(f"no engine {name!r}: one of {', '.join(ENGINES)}")
        sys.stdout.write(f"{name}: {ENGINES[name]()}\n")
    return DONE


def _flink(args: argparse.Namespace) -> int:
    with FlinkCluster(args.task_managers, args.slots, args.log) as cluster:
        sys.stdout.write(
            f"a Flink cluster of {args.task_managers} task managers; its page: http://{cluster.master}\n"
            "in another terminal:\n"
            f"  aurora-prep run RECIPE -- {' '.join(cluster.options)}\n"
            "Ctrl-C ends it\n"
        )
        sys.stdout.flush()
        threading.Event().wait()
    return DONE


def _demo(args: argparse.Namespace) -> int:
    recipe = resources.files("aurora_prep.pipelines").joinpath("demo.yaml")
    with (
        resources.as_file(recipe) as path,
        FlinkCluster(args.task_managers, args.slots, args.log) as cluster,
    ):
        sys.stdout.write(f"the demo recipe on Flink at http://{cluster.master}, into {args.out}\n")
        sys.stdout.flush()
        command = [
            sys.executable, "-m", "aurora_prep.pipelines", "run", str(path), "--embedded",
            "--out", args.out, "--cache", f"{args.out}-cache", "--threads", "1",
            "--", *cluster.options,
        ]  # fmt: skip
        return subprocess.run(command, check=False).returncode  # noqa: S603  our own words


if __name__ == "__main__":
    sys.exit(main())
