"""``plan``: what a recipe means and costs; no network, no writing."""

from __future__ import annotations

import argparse

from aurora_prep.pipelines.commands import show


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "plan", help="frames, requests, bytes, core-hours and cost; no network, no writing"
    )
    command.add_argument("recipe", metavar="RECIPE", help="a recipe in YAML")
    command.add_argument("--out", metavar="URL", help="output, instead of the recipe's")
    command.add_argument("--cache", metavar="DIR", help="folder for raw files")
    show.add_json(command)
    command.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Print what a recipe means, one row a source."""
    from aurora_prep.manifest.parts import finished
    from aurora_prep.manifest.render import size
    from aurora_prep.pipelines import estimate
    from aurora_prep.pipelines.plan import make_plan
    from aurora_prep.pipelines.recipe import Recipe
    from aurora_prep.providers.cache import Cache

    recipe = Recipe.load(args.recipe, output=args.out)
    plan = make_plan(recipe, Cache.open(args.cache).root / "contents")
    estimates = []
    for entry in plan.sources:
        done = finished(recipe.output, entry.source.name, entry.grid.name)
        tasks = entry.tasks() if done else ()
        present = sum(len(task.frames) for task in tasks if task.name in done)
        estimates.append(estimate.estimate(entry, synthetic=False, present=present))
    rows = estimate.rows(plan, estimates)
    if args.json:
        show.as_json({"recipe": recipe.name, "output": recipe.output, **rows})
        return 0
    header = (
        "source", "grid", "access", "frames", "present", "requests", "download", "output",
        "objects", "core-hours", "cost",
    )  # fmt: skip
    table = [
        (
            str(row.get("source", "total")),
            str(row.get("grid", "")),
            str(row.get("access", "")),
            f"{row['frames']:,}",
            f"{row['present']:,}",
            f"{row['requests']:,}",
            size(row["download_bytes"]),
            size(row["output_bytes"]),
            f"{row['objects']:,}",
            f"{row['core_hours']:,.2f}",
            f"${row['dollars']:,.2f}",
        )
        for row in (*rows["sources"], *([rows["totals"]] if len(rows["sources"]) > 1 else []))
    ]
    show.columns(header, table)
    for row in rows["sources"]:
        show.line(f"{row['source']}: {row['first']} to {row['last']}, {row['fields']:,} fields")
        if row["ignored"]:
            show.line(f"{row['source']}: the files also hold {', '.join(row['ignored'][:12])}")
        for quirk in row["quirks"]:
            show.line(f"{row['source']}: quirk, {quirk}")
    show.line(f"output: {recipe.output}")
    show.line("core-hours are this software's; the provider's queue comes on top")
    return 0
