"""``plan``: what a recipe means and costs; no network, no writing."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from aurora_prep.pipelines.commands import show
from aurora_prep.pipelines.commands.run import ignored_line

if TYPE_CHECKING:
    from aurora_prep.pipelines.estimates.estimate import Present
    from aurora_prep.pipelines.plan.source_plan import SourcePlan

MINUTES = 60
HOURS_PER_DAY = 24
DAYS_PER_YEAR = 365
WEEK = 7


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "plan", help="frames, requests, bytes, time and money; no network, no writing"
    )
    command.add_argument("recipe", metavar="RECIPE", help="a recipe in YAML")
    command.add_argument("--out", metavar="URL", help="output, instead of the recipe's")
    command.add_argument("--cache", metavar="URL", help="folder for raw files, here or in a bucket")
    command.add_argument(
        "--workers",
        metavar="N",
        type=_positive,
        help="workers to tell time and money for; 1, 10, 100 and 1000 by default",
    )
    command.add_argument(
        "--prices",
        metavar="FILE",
        help="your own prices, workers and providers' queues, over the default ones",
    )
    show.add_json(command)
    command.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Print what a recipe means, one row a source."""
    from aurora_prep.pipelines.estimates import estimate
    from aurora_prep.pipelines.estimates.prices import Setting
    from aurora_prep.pipelines.plan.recipe_plan import make_plan
    from aurora_prep.pipelines.recipe import Recipe
    from aurora_prep.providers.cache import Cache

    setting = Setting.load(args.prices)
    recipe = Recipe.load(args.recipe, output=args.out)
    cache = Cache.open(args.cache)
    plan = make_plan(recipe, cache.root / "contents")
    estimates = [
        estimate.estimate(
            entry,
            setting,
            present=_present(recipe.output, entry, Cache(cache.root / "requests")),
            differences=recipe.statistics.differences,
        )
        for entry in plan.sources
    ]
    workers = (args.workers,) if args.workers else estimate.WORKERS
    rows = estimate.rows(plan, estimates, setting, workers)
    if args.json:
        show.as_json({"recipe": recipe.name, "output": recipe.output, **rows})
        return 0
    several = len(rows["sources"]) > 1
    _show_amounts([*rows["sources"], *([rows["totals"]] if several else [])])
    show.line()
    _show_times([*rows["sources"], *([rows["totals"]] if several else [])], rows["totals"])
    show.line()
    _show_notes(rows)
    _show_disk(rows["totals"], recipe.cache_limit)
    prices = args.prices or "this software's; see docs/scale.md, and give --prices FILE"
    show.line(f"prices and providers' queues are assumptions: {prices}")
    show.line(f"output: {recipe.output}")
    return 0


def _present(output: str, entry: SourcePlan, cache: Any) -> Present:
    """What is there already of a source, in the output and in the cache."""
    from aurora_prep.manifest.ledger.parts import finished
    from aurora_prep.pipelines.estimates.estimate import Present
    from aurora_prep.pipelines.estimates.present import answers_present, frames_present
    from aurora_prep.providers.whom import server_of

    parts = finished(output, entry.source.name, entry.grid.name)
    server = "" if entry.files else server_of(entry.source.access(entry.recipe.access))
    requests, size = answers_present(entry, cache, server)
    return Present(frames=frames_present(entry, parts), requests=requests, request_bytes=size)


def _show_amounts(rows: list[dict[str, Any]]) -> None:
    """Frames, requests, bytes and core-hours."""
    from aurora_prep.manifest.render import size

    header = (
        "source", "grid", "access", "frames", "present", "requests", "cached", "download",
        "output", "objects", "core-hours",
    )  # fmt: skip
    table = [
        (
            str(row.get("source", "total")),
            str(row.get("grid", "")),
            str(row.get("access", "")),
            f"{row['frames']:,}",
            f"{row['present']:,}",
            f"{row['requests']:,}",
            f"{row['cached_requests']:,}",
            size(row["download_bytes"]),
            size(row["output_bytes"]),
            f"{row['objects']:,}",
            f"{row['core_hours']:,.2f}",
        )
        for row in rows
    ]
    show.columns(header, table)


def _show_times(rows: list[dict[str, Any]], totals: dict[str, Any]) -> None:
    """How long what is left takes, and what bounds it, for some numbers of workers."""
    numbers = [times["workers"] for times in totals["times"]]
    header = ("time, bound", *(_workers(number) for number in numbers))
    table = [
        (
            str(row.get("source", "total")),
            *(f"{_span(times['hours'])}, {times['bound']}" for times in row["times"]),
        )
        for row in rows
    ]
    table.append(("cost", *(f"${times['dollars']:,.2f}" for times in totals["times"])))
    show.columns(header, table)


def _show_notes(rows: dict[str, Any]) -> None:
    """What the tables have no room for."""
    for row in rows["sources"]:
        show.line(f"{row['source']}: {row['first']} to {row['last']}, {row['fields']:,} fields")
        if row["ignored"]:
            show.line(ignored_line(row["source"], row["ignored"]))
        for quirk in row["quirks"]:
            show.line(f"{row['source']}: quirk, {quirk}")
    totals = rows["totals"]
    show.line(
        f"work of the cores alone: ${totals['dollars']:,.2f}; keeping the output:"
        f" ${totals['storage_dollars_month']:,.2f} a month"
    )


def _show_disk(totals: dict[str, Any], limit: int | None) -> None:
    """What the disks must hold."""
    from aurora_prep.manifest.render import size

    show.line(f"disk: {size(totals['output_bytes'])} for the output")
    if not totals["requests"]:
        return
    kept = size(totals["download_bytes"]), size(totals["cache_least_bytes"])
    if limit is None:
        show.line(
            f"disk: {kept[0]} for raw files, which are kept; {kept[1]} at least with --cache-limit"
        )
    else:
        show.line(
            f"disk: {size(min(limit, totals['download_bytes']))} for raw files by cache_limit,"
            f" of {kept[0]} downloaded; {kept[1]} at least"
        )


def _workers(number: int) -> str:
    return f"{number:,} worker" if number == 1 else f"{number:,} workers"


def _span(hours: float) -> str:
    """A span for people: ``40 min``, ``5.2 h``, ``35 d``, ``3.1 years``."""
    if hours < 1:
        return f"{hours * MINUTES:.0f} min"
    if hours < 2 * HOURS_PER_DAY:
        return f"{hours:.1f} h"
    days = hours / HOURS_PER_DAY
    if days < DAYS_PER_YEAR:
        return f"{days:.1f} d" if days < WEEK else f"{days:.0f} d"
    return f"{days / DAYS_PER_YEAR:.1f} years"


def _positive(text: str) -> int:
    """A number of workers.

    Raises:
        ArgumentTypeError: It is none.
    """
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of workers: write 1 or more")
    return int(text)
