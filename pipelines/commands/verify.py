"""``verify``: every shard against the manifest and its checksum."""

from __future__ import annotations

import argparse

from aurora_prep.pipelines.commands import show

SHOWN = 20


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser("verify", help="every shard against manifest and checksum")
    command.add_argument("dataset", metavar="DATASET", help="folder or URL of a dataset")
    command.add_argument("--deep", action="store_true", help="decode and compare the values too")
    show.add_json(command)
    command.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Verify a dataset; 1 when anything is wrong."""
    from aurora_prep.manifest.render import size
    from aurora_prep.manifest.verify import verify

    found = verify(args.dataset, deep=args.deep)
    problems = [str(problem) for problem in found.problems]
    if args.json:
        show.as_json(
            {
                "dataset": args.dataset,
                "deep": args.deep,
                "objects": found.objects_checked,
                "bytes": found.bytes_checked,
                "problems": problems,
            }
        )
    else:
        for problem in problems[:SHOWN]:
            show.line(problem)
        if len(problems) > SHOWN:
            show.line(f"... and {len(problems) - SHOWN:,} more")
        verdict = f"{len(problems):,} problems" if problems else "all as the manifest says"
        checked = f"{found.objects_checked:,} objects, {size(found.bytes_checked)}"
        show.line(f"{checked}{', values decoded' if args.deep else ''}: {verdict}")
    return 1 if problems else 0
