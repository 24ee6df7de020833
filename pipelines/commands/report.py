"""``report``: a dataset as one page that needs no network."""

from __future__ import annotations

import argparse

from aurora_prep.pipelines.commands import show


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser("report", help="one HTML page: coverage, maps, statistics")
    command.add_argument("dataset", metavar="DATASET", help="folder or URL of a dataset")
    command.add_argument("--out", metavar="FILE", required=True, help="the page, such as a.html")
    command.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Write the report of a dataset."""
    from aurora_prep import sources
    from aurora_prep.manifest import durable
    from aurora_prep.manifest.render import size
    from aurora_prep.manifest.report import report

    declared = {name: sources.load(name) for name in sources.names()}
    data = report(args.dataset, declared).encode()
    durable.put(args.out, data)
    show.line(f"{args.out}: {size(len(data))}, opens in any browser, needs no network")
    return 0
