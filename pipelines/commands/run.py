"""``run``: the main job."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aurora_prep.pipelines.commands import imports, show

if TYPE_CHECKING:
    from aurora_prep.pipelines.run.outcome import Outcome

SHOWN = 10
IGNORED = 12


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser("run", help="the main job; an unfinished run is resumed")
    command.add_argument("recipe", metavar="RECIPE", help="a recipe in YAML")
    command.add_argument("--out", metavar="URL", help="output, instead of the recipe's")
    command.add_argument("--overwrite", action="store_true", help="remove a dataset at the output")
    command.add_argument(
        "--embedded", action="store_true", help="rehearse with the embedded provider (synthetic)"
    )
    command.add_argument("--cache", metavar="URL", help="folder for raw files, here or in a bucket")
    command.add_argument(
        "--cache-limit",
        metavar="SIZE",
        help="most that raw files may hold of the cache, as 200GB; they are removed after use",
    )
    command.add_argument("--events", metavar="FILE", help="append what happens, as JSON lines")
    command.add_argument(
        "--threads", type=int, default=0, metavar="N", help="threads of a worker; default: all"
    )
    command.add_argument(
        "--strict", action="store_true", help="stop at the first frame that would be rejected"
    )
    show.add_json(command)
    command.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Run a recipe; 1 when planned frames are not written."""
    from aurora_prep.pipelines.recipe import Recipe
    from aurora_prep.pipelines.recipe.values import parse_size
    from aurora_prep.pipelines.run.outcome import finished_already

    recipe = Recipe.load(args.recipe, output=args.out)
    limit = parse_size(args.cache_limit, "--cache-limit") if args.cache_limit else None
    is_plain = not (args.overwrite or args.beam_options or args.events)
    if is_plain and (outcome := finished_already(recipe, embedded=args.embedded)):
        return _told(outcome, json=args.json)
    with imports.swiftly():
        from aurora_prep.pipelines.run.run import run as run_recipe

    outcome = run_recipe(
        recipe,
        overwrite=args.overwrite,
        embedded=args.embedded,
        beam_options=args.beam_options,
        cache=args.cache,
        cache_limit=limit,
        events=args.events,
        threads=args.threads,
        strict=args.strict,
        show=not args.json,
    )
    return _told(outcome, json=args.json)


def _told(outcome: Outcome, *, json: bool) -> int:
    """Print what a run did; the exit code."""
    if not json and outcome.had_nothing_to_do:
        show.line(f"nothing to do: all {outcome.frames:,} frames are there already")
    print_summary(outcome.root, json=json)
    for source, ignored in () if json else outcome.ignored:
        show.line(ignored_line(source, ignored))
    for quirk in () if json else outcome.quirks:
        show.line(f"quirk: {quirk}")
    return 1 if outcome.absent else 0


def ignored_line(source: str, ignored: Sequence[str]) -> str:
    """What the user's own files hold beside what is read of them, in one line."""
    more = f" and {len(ignored) - IGNORED} more" if len(ignored) > IGNORED else ""
    return f"{source}: the files also hold {', '.join(ignored[:IGNORED])}{more}"


def print_summary(root: str, *, json: bool = False) -> None:
    """Print frames per source, the frames not written with their reasons, and the stores."""
    from aurora_prep.manifest import layout
    from aurora_prep.manifest.query import Manifest
    from aurora_prep.manifest.render import summary_rows, summary_text
    from aurora_prep.sources.spec import moment_text

    with Manifest.open(root) as manifest:
        summary, missing = manifest.summary(), manifest.missing()
        if json:
            show.as_json(summary_rows(summary))
            return
        show.line(summary_text(summary))
        for row in missing.slice(0, SHOWN).to_pylist():
            moment = moment_text(row["init_time"], row["lead_time"], row["member"])
            show.line(f"{row['status']}: {row['source']}/{moment}: {row['reason']}")
        if missing.num_rows > SHOWN:
            rest = missing.num_rows - SHOWN
            show.line(f"... and {rest:,} more: aurora-prep manifest {root} missing")
        written = [row for row in summary.to_pylist() if row["written"]]
        for store in sorted({layout.store(row["source"], row["grid"]) for row in written}):
            show.line(f"shards: {root}/{store}")
