"""How far regridding is from CDO and MIR on real files: the tables of docs/regridding.md.

Run: AURORA_PREP_REAL_DATA=FOLDER python benchmarks/regridding_accuracy.py

Needs CDO for the first table and the extra [mir] for the second; a table whose reference is
not installed is left out, and said so. Differences are of float64 results.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import aurora_prep  # noqa: F401  # the front door first: it settles the order of libraries

import eccodes  # isort: skip
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from aurora_prep.regridding import KEYS, Geometry, geometry_from_grib, in_rows, regridder
from aurora_prep.sources.spec import Grid

OPERATORS = {"bilinear": "remapbil", "conservative": "remapcon", "nearest": "remapnn"}
MIR = {"bilinear": "mir-linear", "conservative": "mir-average", "nearest": "mir-nearest"}
MISSING = -1e30


@dataclass(frozen=True)
class Case:
    """One file and one target.

    Attributes:
        name: File.
        target: Target grid.
        before: What CDO does to the source first.
    """

    name: str
    target: Grid
    before: tuple[str, ...] = ()


def regional(north: int, west: int, step: str, rows: int, columns: int) -> Grid:
    """A regular grid from its corner."""
    return Grid(Fraction(step), Fraction(step), Fraction(north), Fraction(west), rows, columns)


REDUCED = ("-setgridtype,regular",)
CASES = (
    Case("ifs/ifs_oper_2t_025_20260404.grib2", Grid.regular("0.4")),
    Case("ifs/ifs_oper_lsm_025_20260404.grib2", Grid.regular("0.4")),
    Case("era5_pl/era5_tz_1deg_test4.grib1", Grid.regular("0.4")),
    Case("gaussian/ifs_F80_t_ml.grib2", Grid.regular("1")),
    Case("gaussian/ifs_F48_10u.grib1", Grid.regular("2.5")),
    Case("gaussian/ifs_O160_2t_s48.grib1", Grid.regular("1"), REDUCED),
    Case("gaussian/ifs_N320_lsm.grib2", Grid.regular("0.4"), REDUCED),
    Case("wave/gdaswave_wcoast_0p16.grib2", regional(50, 210, "0.25", 101, 161)),
    Case("projected/cmc_ps30km_t1015.grib2", regional(70, 240, "0.5", 61, 101)),
    Case("projected/ukmo_nae_rotated_t.grib2", regional(60, 340, "0.25", 81, 81)),
)
MIR_CASES = (
    *(case for case in CASES if case.before or "F80" in case.name),
    Case("ifs/ifs_oper_2t_025_20260404.grib2", Grid.regular("0.4")),
    Case("gaussian/ifs_N320_lsm.grib2", Grid.regular("0.25")),
    Case("golden/derived_N320_2t.grib2", Grid.regular("0.25")),
)


def first_message(path: Path) -> tuple[Geometry, NDArray[np.float64]]:
    """Geometry and values of the first field of a file."""
    with path.open("rb") as file:
        message = eccodes.codes_grib_new_from_file(file)
    keys: dict[str, Any] = {}
    for key in KEYS:
        if eccodes.codes_is_defined(message, key):
            array = key == "pl"
            get = eccodes.codes_get_array if array else eccodes.codes_get
            keys[key] = get(message, key)
    eccodes.codes_set(message, "missingValue", MISSING)
    values = eccodes.codes_get_values(message)
    eccodes.codes_release(message)
    values[values == MISSING] = np.nan
    return geometry_from_grib(keys), in_rows(values, keys)


def by_cdo(case: Case, path: Path, method: str, folder: Path) -> NDArray[np.float64]:
    """What CDO makes of the first field, float64."""
    target, grid, output = case.target, folder / "grid.txt", folder / "out.nc"
    grid.write_text(
        f"gridtype=lonlat\nxsize={target.columns}\nysize={target.rows}\n"
        f"xfirst={float(target.west)}\nxinc={float(target.longitude_step)}\n"
        f"yfirst={float(target.north)}\nyinc={-float(target.latitude_step)}\n"
    )
    words = [f"{OPERATORS[method]},{grid}", *case.before, "-seltimestep,1", str(path), str(output)]
    command = ["cdo", "-s", "-O", "-f", "nc4", "-b", "F64", *words]
    subprocess.run(command, check=True, capture_output=True)
    with xr.open_dataset(output, decode_times=False) as data:
        name = next(n for n in data.data_vars if data[n].ndim > 1)
        values = data[name].values.squeeze()
    return values if values.ndim == 2 else values[0]


def row(label: str, ours: NDArray[np.float64], other: NDArray[np.float64], span: float) -> str:
    """One line of a table."""
    apart = np.abs(ours - other)
    inner = apart[1:-1]
    holes = int((np.isnan(ours) != np.isnan(other)).sum())
    largest = np.nanmax(apart)
    return (
        f"| {label} | {largest:.2g} | {np.nanmean(apart):.2g} | {largest / span:.1g}"
        f" | {np.nanmax(inner) / span:.1g} | {np.nanmean(apart > 1e-5 * span):.2%} | {holes} |"
    )


def header(reference: str) -> None:
    """Heading of a table."""
    print(f"\n### Against {reference}\n")
    print(
        "| file, target, method | largest | mean | largest / range | same without the end rows"
        " | points above 1e-5 of range | masks differ |"
    )
    print("|---|---|---|---|---|---|---|")


def main() -> None:
    """Print the tables."""
    data = os.environ.get("AURORA_PREP_REAL_DATA")
    if not data:
        sys.exit("set AURORA_PREP_REAL_DATA to the folder of real files")
    if shutil.which("cdo"):
        header("CDO")
        with tempfile.TemporaryDirectory() as folder:
            for case in CASES:
                source, field = first_message(Path(data) / case.name)
                for method in OPERATORS:
                    other = by_cdo(case, Path(data) / case.name, method, Path(folder))
                    ours = regridder(source, case.target, method)(field)
                    label = f"{Path(case.name).stem}, {case.target.name}, {method}"
                    print(row(label, ours, other, float(np.nanmax(field) - np.nanmin(field))))
    else:
        print("CDO is not installed: no table")
    if importlib.util.find_spec("mir"):
        header("MIR")
        for case in MIR_CASES:
            source, field = first_message(Path(data) / case.name)
            for method, theirs in MIR.items():
                other = regridder(source, case.target, theirs)(field)
                ours = regridder(source, case.target, method)(field)
                label = f"{Path(case.name).stem}, {case.target.name}, {method} / {theirs}"
                print(row(label, ours, other, float(np.nanmax(field) - np.nanmin(field))))
    else:
        print("MIR is not installed: no table")


if __name__ == "__main__":
    main()
