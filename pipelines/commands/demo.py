"""``demo``: the main job on the embedded provider, at full size."""

from __future__ import annotations

import argparse
import shutil
import sys
from importlib import resources
from pathlib import Path

from aurora_prep.pipelines.commands import imports, show
from aurora_prep.pipelines.commands.run import print_summary

NEXT = """\
Every value above is synthetic: analytic fields from the embedded provider.
Try next:
{activate}  aurora-prep manifest {root} query --valid-from 2020-01-01T06
  aurora-prep manifest {root} samples --lead 6h
  aurora-prep statistics {root}
  aurora-prep verify {root} --deep
  aurora-prep report {root} --out report.html
  python -c "import xarray; print(xarray.open_zarr('{root}/era5/0.25.zarr'))"
For real data, log in to the Climate Data Store once (~/.cdsapirc), write a recipe, then:
  aurora-prep plan RECIPE
  aurora-prep run RECIPE"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser("demo", help="every family of data from the embedded provider")
    command.add_argument("--out", metavar="DIR", default="./out/demo", help="output")
    command.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo recipe, or find that it has been run."""
    from aurora_prep.pipelines.recipe import Recipe
    from aurora_prep.pipelines.run.outcome import finished_already

    place = resources.files("aurora_prep.pipelines").joinpath("demo.yaml")
    with resources.as_file(place) as path:
        recipe = Recipe.load(path, output=args.out)
    show.line(
        "Weather, forecasts, air pollution and ocean waves at full size, a few frames and levels"
        f" of each, from the embedded provider into {args.out}"
    )
    cache = Path(args.out).parent / f"{Path(args.out).name}-cache"
    outcome = finished_already(recipe, embedded=True)
    if outcome is None:
        with imports.swiftly():
            from aurora_prep.pipelines.run.run import run as run_recipe
        outcome = run_recipe(recipe, embedded=True, cache=str(cache))
    if outcome.had_nothing_to_do:
        show.line(f"nothing to do: all {outcome.frames} frames are there, nothing is downloaded")
    show.line()
    print_summary(outcome.root)
    show.line()
    show.line(NEXT.format(root=outcome.root, activate=_activation()))
    return 1 if outcome.absent else 0


def _activation() -> str:
    """The line that lets the shell find the command; empty where the shell finds it already."""
    script = Path(sys.prefix) / "bin" / "activate"
    if shutil.which("aurora-prep") is not None or not script.is_file():
        return ""
    here = Path.cwd()
    return f"  source {script.relative_to(here) if script.is_relative_to(here) else script}\n"
