"""``regrid``: regrid one file into another, without a dataset."""

from __future__ import annotations

import argparse

DESCRIPTION = (
    "Moves every field of a file to a global regular grid. Fields are read, moved and written"
    " one after the other: memory is a few fields, however many there are."
)
METHODS = (
    "conservative", "bilinear", "nearest", "majority", "mir-linear", "mir-average", "mir-nearest",
)  # fmt: skip


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser("regrid", help="one file to one file", description=DESCRIPTION)
    command.add_argument("input", metavar="INPUT", help="GRIB or NetCDF")
    command.add_argument(
        "output", metavar="OUTPUT", help="NetCDF (.nc, .nc4, .netcdf), or a Zarr store (.zarr)"
    )
    command.add_argument("--grid", required=True, metavar="STEP", help='step in degrees: "0.25"')
    command.add_argument(
        "--method", default="auto", metavar="METHOD", help=f"auto, or {', '.join(METHODS)}"
    )
    command.add_argument(
        "--winds",
        default="vectors",
        choices=("vectors", "components"),
        help="move both components of a wind as arrows (vectors), or each by itself",
    )
    command.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Regrid a file."""
    from aurora_prep.pipelines.shard.regrid_file import regrid_file

    regrid_file(args.input, args.output, args.grid, args.method, winds=args.winds)
    return 0
