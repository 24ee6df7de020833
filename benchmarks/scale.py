"""A run on up to a thousand workers, simulated: what saturates first.

Run: python benchmarks/scale.py [--seed 1] [--prices FILE] [--validate]

Discrete events: requests wait in a provider's queue and hold one of its slots, bytes pass
workers' networks first come first served, cores compute shards, objects enter a bucket that
takes so many a second, one process finishes. As many workers fetch as the pipeline's throttle
lets; a shard is written while the next is computed. A request or a write fails now and then
and is made again. The same seed gives the same events.

What each thing takes comes from `aurora-prep plan` (pipelines/estimates): counts of the recipe,
measured core-seconds, pipelines/estimates/prices.yaml. The closed form that `plan` tells is printed
beside the simulation. `--validate` makes small real runs on this machine with two worker
processes and the embedded provider, and predicts them from runs without a queue.
"""

from __future__ import annotations

import argparse
import tempfile
from math import log
from pathlib import Path
from typing import Any

from scale_real import validate
from scale_simulation import Model, simulate

import aurora_prep  # noqa: F401  the front door first: it settles the order of native libraries
from aurora_prep.pipelines.estimates.costs import measured_costs
from aurora_prep.pipelines.estimates.load import Load, load_of
from aurora_prep.pipelines.estimates.prices import Setting
from aurora_prep.pipelines.estimates.times import times_of
from aurora_prep.pipelines.plan.recipe_plan import make_plan
from aurora_prep.pipelines.recipe import Recipe

WORKERS = (1, 3, 10, 30, 100, 300, 1000)
BAR = 44

CASES: dict[str, dict[str, Any]] = {
    "ERA5, hourly 1979-2020, from the Climate Data Store": {
        "source": "era5", "access": "cds", "grid": "0.25",
        "period": {"start": "1979-01-01T00", "end": "2020-12-31T23", "step": "1h"},
    },
    "ERA5, hourly 1979-2020, from a public Zarr bucket": {
        "source": "era5", "access": "zarr", "grid": "0.25",
        "period": {"start": "1979-01-01T00", "end": "2020-12-31T23", "step": "1h"},
    },
    "HRES analysis at 0.1 degrees, 2016-2022, from a tree of files": {
        "source": "hres_analysis", "access": "http", "grid": "0.1",
        "period": {"start": "2016-01-01T00", "end": "2022-12-31T18", "step": "6h"},
    },
}  # fmt: skip


def load_of_case(entry: dict[str, Any]) -> Load:
    """The load of a case, as ``plan`` counts it."""
    text = {"name": "scale", "output": "out", "sources": [entry]}
    with tempfile.TemporaryDirectory() as name:
        (plan,) = make_plan(Recipe.parse(text), Path(name)).sources
    return load_of(plan, measured_costs())


def tables(model: Model, setting: Setting) -> None:
    """Every case at every number of workers, beside the closed form; then one chart."""
    bars: dict[str, dict[int, tuple[float, str]]] = {}
    for title, entry in CASES.items():
        load = load_of_case(entry)
        print(f"\n**{title}**\n")
        print("| workers | hours | closed form | ratio | fetch | shards | finish | busiest | use |")
        print("|---:|---:|---:|---:|---:|---:|---:|---|---:|")
        bars[title] = {}
        for workers in WORKERS:
            found = simulate(load, setting, workers, model)
            hours, form = found.total / 3600, times_of([load], setting, workers).hours
            name, use = found.busiest
            bars[title][workers] = hours, name
            phases = [found.seconds.get(key, 0.0) / 3600 for key in ("fetch", "shards", "finish")]
            print(f"| {workers:,} | {hours:,.2f} | {form:,.2f} | {hours / form:.2f}"
                  f" | {phases[0]:,.2f} | {phases[1]:,.2f} | {phases[2]:.2f}"
                  f" | {name} | {use:.0%} |")  # fmt: skip
    chart(bars)


def chart(bars: dict[str, dict[int, tuple[float, str]]]) -> None:
    """Hours by workers, as bars on a logarithmic scale."""
    spans = [hours for case in bars.values() for hours, _ in case.values()]
    least = min(spans) / 2
    print("\n```text\nhours on a logarithmic scale, and what was busiest")
    for title, case in bars.items():
        print(f"\n{title}")
        for workers, (hours, name) in case.items():
            length = max(1, round(BAR * log(hours / least) / log(max(spans) / least)))
            print(f"{workers:>5,} {'#' * length} {hours:,.1f} h, {name}")
    print("```")


def main() -> None:
    """Print the tables and charts, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prices", metavar="FILE", help="as for aurora-prep plan")
    parser.add_argument("--validate", action="store_true", help="make a small real run beside")
    args = parser.parse_args()
    tables(Model(seed=args.seed), Setting.load(args.prices))
    if args.validate:
        with tempfile.TemporaryDirectory() as name:
            validate(Path(name))


if __name__ == "__main__":
    main()
