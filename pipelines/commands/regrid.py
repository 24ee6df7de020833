"""``regrid``: one file to one file, the regridding library by itself."""

from __future__ import annotations

import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser("regrid", help="one file to one file")
    command.add_argument("input", metavar="INPUT", help="GRIB or NetCDF")
    command.add_argument("output", metavar="OUTPUT", help="NetCDF, or Zarr by its ending")
    command.add_argument("--grid", required=True, metavar="STEP", help='step in degrees: "0.25"')
    command.add_argument("--method", default="auto", metavar="METHOD")
    command.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Regrid a file."""
    from aurora_prep.pipelines.shard.regrid_file import regrid_file

    regrid_file(args.input, args.output, args.grid, args.method)
    return 0
