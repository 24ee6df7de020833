"""Regridding beside its peers: seconds a batch and peak memory, in one run.

Run: python benchmarks/regridding.py [--rounds 3] [--peer-python PYTHON] [--cdo] [--only CASE]

``--peer-python`` is an interpreter with requirements-regridding.txt installed (xarray-regrid);
``--cdo`` adds CDO, file to file with its weights made before, and a plain ``cdo copy`` beside it.
Each contender runs in a process of its own, rounds alternate between them, and medians over
all rounds count. Fields are red noise with a land-sea mask where a case says so. The tables
are printed as docs/regridding.md has them. Ratios of one run are worth more than seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, save_npz, vstack

import aurora_prep  # noqa: F401  # the front door first: it settles the order of native libraries
from aurora_prep.regridding import (
    Geometry,
    Rectilinear,
    regridder,
)
from aurora_prep.regridding.fallback import row_matrices
from aurora_prep.regridding.rows import Rows
from aurora_prep.sources.spec import Grid

from regridding_contender import source_of  # isort: skip  # beside this script

CONTENDER = Path(__file__).with_name("regridding_contender.py")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Case:
    """One pair of grids.

    Attributes:
        name: For ``--only``.
        source: ``0.1``, ``O1280``, ``F1280`` or ``N320``.
        target: Step of the target.
        method: Method.
        levels: Fields in a batch.
        missing: Whether a third of the field is missing.
    """

    name: str
    source: str
    target: str
    method: str
    levels: int
    missing: bool


CASES = (
    Case("main", "0.1", "0.25", "conservative", 13, missing=True),
    Case("O1280-0.25", "O1280", "0.25", "conservative", 4, missing=False),
    Case("O1280-0.1", "O1280", "0.1", "conservative", 4, missing=False),
    Case("F1280-0.1", "F1280", "0.1", "conservative", 4, missing=False),
    Case("0.25-0.4", "0.25", "0.4", "conservative", 13, missing=False),
    Case("0.75-0.4", "0.75", "0.4", "bilinear", 13, missing=False),
    Case("N320-0.25", "N320", "0.25", "bilinear", 13, missing=False),
)


def field_on(source: Geometry, case: Case) -> NDArray[np.float32]:
    """Smooth waves with noise; continents of missing values."""
    latitude, longitude = (np.radians(side) for side in source.points())
    random = np.random.default_rng(1)
    land = np.sin(3 * longitude + 1) * np.cos(2 * latitude) + 0.5 * np.sin(7 * longitude) > 0.4
    fields = np.empty((case.levels, source.size), dtype=np.float32)
    for level in range(case.levels):
        fields[level] = 280 + 20 * np.cos(latitude) * np.sin((level + 2) * longitude)
        fields[level] += random.normal(0, 1, source.size)
        if case.missing:
            fields[level, land] = np.nan
    return fields.reshape(case.levels, *source.shape)


def prepare(case: Case, folder: Path) -> None:
    """Write what the contenders read."""
    source, target = source_of(case.source), Grid.regular(case.target)
    description = asdict(case) | {
        "rows": target.rows,
        "columns": target.columns,
        "valid_fraction": 0.5,
    }
    (folder / "case.json").write_text(json.dumps(description))
    np.save(folder / "field.npy", field_on(source, case))
    operator = regridder(source, target, case.method).operator
    if not isinstance(operator, Rows):
        message = f"case {case.name} has no rows"
        raise TypeError(message)
    along, between = row_matrices(operator)
    save_npz(folder / "matrix.npz", full_matrix(operator, along, between), compressed=False)
    if isinstance(source, Rectilinear):
        rows = between.toarray()[:, : source.shape[0]]
        columns = along[: target.columns, : source.shape[1]].toarray()
        np.savez(
            folder / "axes.npz",
            rows=rows,
            columns=columns,
            source_latitude=source.latitude,
            source_longitude=source.longitude,
            target_latitude=target.latitude,
            target_longitude=target.longitude,
        )
    if shutil.which("cdo"):
        cdo_input(case, folder)


def full_matrix(operator: Rows, along: csr_array, between: csr_array) -> csr_array:
    """Every target's weights, ``(target points, source points)``, as others store them."""
    columns, points = operator.columns, int(operator.offsets[-1])
    parts = []
    for row in range(operator.rows):
        total = csr_array((columns, points))
        used, weights = between[[row]].indices, between[[row]].data
        for source, weight in zip(used, weights, strict=True):
            if source < len(operator.pattern):
                part = along[source * columns : (source + 1) * columns]
            else:  # a row made for a pole: the mean of the nearest row
                north = source == len(operator.pattern)
                begin, end = operator.offsets[:2] if north else operator.offsets[-2:]
                index = np.tile(np.arange(begin, end), columns)
                starts = (end - begin) * np.arange(columns + 1)
                share = np.full(len(index), 1 / (end - begin))
                part = csr_array((share, index, starts), shape=(columns, points))
            total = total + part * weight
        parts.append(total)
    matrix = csr_array(vstack(parts, format="csr"))
    matrix.eliminate_zeros()
    matrix.indices = matrix.indices.astype(np.int32)
    return matrix


def measure(
    python: str, name: str, folder: Path, threads: int, repeats: int
) -> dict[str, Any] | None:
    """Run one contender once."""
    limits = dict.fromkeys(THREAD_VARIABLES, str(threads))
    here = {"PYTHONPATH": str(CONTENDER.parent)}
    command = [python, str(CONTENDER), name, str(folder), str(threads), str(repeats)]
    done = subprocess.run(
        command, env={**os.environ, **limits, **here}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"{name}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def cdo(case: Case, folder: Path, threads: int, repeats: int) -> dict[str, dict[str, Any]]:
    """CDO with weights made before, and its plain copy, file to file."""
    grid = folder / "grid.txt"
    target = Grid.regular(case.target)
    grid.write_text(
        f"gridtype=lonlat\nxsize={target.columns}\nysize={target.rows}\nxfirst=0\n"
        f"xinc={float(target.longitude_step)}\nyfirst=90\nyinc={-float(target.latitude_step)}\n"
    )
    data = next(path for path in folder.glob("field.*") if path.suffix != ".npy")
    regular = ["-setgridtype,regular"] if case.source[0] in "ON" else []
    kind = {"conservative": "con", "bilinear": "bil"}[case.method]
    weights, output = folder / "cdo_weights.nc", folder / "cdo_out.nc"
    begin = time.perf_counter()
    flags = ["cdo", "-s", "-O", "-P", str(threads)]
    if not weights.exists():
        run_cdo([*flags, f"gen{kind},{grid}", *regular, str(data), str(weights)])
    prepared = time.perf_counter() - begin
    commands = {
        "CDO, file to file": [f"remap,{grid},{weights}", *regular],
        "CDO copy, file to file": ["copy"],
    }
    answers = {}
    for name, words in commands.items():
        seconds = []
        for _ in range(repeats):
            begin = time.perf_counter()
            peak = run_cdo([*flags, "-f", "nc4", *words, str(data), str(output)])
            seconds.append(time.perf_counter() - begin)
        answers[name] = {"seconds": seconds, "prepared": prepared, "megabytes": peak}
    return answers


def run_cdo(command: list[str]) -> float:
    """Run CDO and return the most memory it held, in megabytes."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        message = process.stderr.read().decode()[-200:] if process.stderr else ""
        raise RuntimeError(message)
    return usage.ru_maxrss / 1024


def cdo_input(case: Case, folder: Path) -> Path:
    """The field as a file CDO reads: NetCDF, or GRIB for reduced grids."""
    source, field = source_of(case.source), np.load(folder / "field.npy")
    if isinstance(source, Rectilinear):
        import xarray as xr  # noqa: PLC0415

        path = folder / "field.nc"
        if not path.exists():
            axes = {
                "lat": ("lat", source.latitude, {"units": "degrees_north"}),
                "lon": ("lon", source.longitude, {"units": "degrees_east"}),
                "lev": ("lev", np.arange(len(field), dtype=float)),
            }
            xr.Dataset({"t": (("lev", "lat", "lon"), field)}, coords=axes).to_netcdf(path)
        return path
    import eccodes  # noqa: PLC0415

    path = folder / "field.grib2"
    if not path.exists():
        order = int(case.source[1:])
        with path.open("wb") as file:
            for level, values in enumerate(field):
                message = eccodes.codes_grib_new_from_samples("reduced_gg_pl_320_grib2")
                eccodes.codes_set(message, "N", order)
                eccodes.codes_set(message, "Nj", 2 * order)
                eccodes.codes_set_array(message, "pl", source.parts()[2])
                latitude, longitude = source.points()
                first, last = float(latitude[0]), float(latitude[-1])
                eccodes.codes_set(message, "latitudeOfFirstGridPointInDegrees", first)
                eccodes.codes_set(message, "latitudeOfLastGridPointInDegrees", last)
                eccodes.codes_set(message, "longitudeOfLastGridPointInDegrees", longitude.max())
                eccodes.codes_set(message, "typeOfLevel", "hybrid")
                eccodes.codes_set(message, "level", level + 1)
                eccodes.codes_set_values(message, values.astype(np.float64))
                eccodes.codes_write(message, file)
                eccodes.codes_release(message)
    return path


def contest(case: Case, options: argparse.Namespace, folder: Path) -> None:
    """Run all contenders of a case and print its table."""
    command = [sys.executable, __file__, "--only", case.name, "--prepare", str(folder)]
    subprocess.run(command, check=True)  # elsewhere: children count their parent's memory
    names = ["copy", "ours", "sparse"]
    if case.name == "main":
        names += ["dense"] + (["xarray-regrid"] if options.peer_python else [])
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for _ in range(options.rounds):
        for threads in (1, 2):
            for name in names:
                python = options.peer_python if name == "xarray-regrid" else sys.executable
                repeats = 1 if name in ("xarray-regrid", "dense") else 5
                answer = measure(python, name, folder, threads, repeats)
                if answer:
                    found.setdefault((name, threads), []).append(answer)
            if options.cdo and shutil.which("cdo"):
                for name, answer in cdo(case, folder, threads, 1).items():
                    found.setdefault((name, threads), []).append(answer)
    table(case, found)


def table(case: Case, found: dict[tuple[str, int], list[dict[str, Any]]]) -> None:
    """Print medians, spreads and ratios."""
    median = {
        key: statistics.median([s for answer in answers for s in answer["seconds"]])
        for key, answers in found.items()
    }
    missing = ", a third missing" if case.missing else ""
    print(f"\n**{case.source} to {case.target}, {case.method}, {case.levels} fields{missing}**\n")
    print("| | threads | ms a field | spread | times ours | times a copy | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for (name, threads), answers in sorted(found.items(), key=lambda item: (item[0][1], item[0])):
        seconds = [s / case.levels * 1000 for answer in answers for s in answer["seconds"]]
        here = median[name, threads]
        memory = max(answer["megabytes"] for answer in answers)
        print(
            f"| {name} | {threads} | {here / case.levels * 1000:.2f}"
            f" | {min(seconds):.2f} to {max(seconds):.2f}"
            f" | {here / median['ours', threads]:.2f} | {here / median['copy', 1]:.2f}"
            f" | {memory:.0f} |"
        )
    samples = {name: answers[0]["sample"] for (name, t), answers in found.items()
               if t == 1 and "sample" in answers[0]}  # fmt: skip
    own = np.array(samples["ours"], dtype=float)
    for name, sample in samples.items():
        other = np.array(sample, dtype=float)
        apart = np.nanmax(np.abs(other - own))
        holes = int((np.isnan(other) != np.isnan(own)).sum())
        if name != "ours":
            print(f"\n{name}: largest difference from ours {apart:.2g}, {holes} masks of 1000")


def main() -> None:
    """Run the cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", help="interpreter with requirements-regridding.txt")
    parser.add_argument("--cdo", action="store_true", help="add CDO, file to file")
    parser.add_argument("--only", action="append", help="names of cases")
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for case in CASES:
        if options.only and case.name not in options.only:
            continue
        if options.prepare:
            prepare(case, options.prepare)
            continue
        with tempfile.TemporaryDirectory() as folder:
            contest(case, options, Path(folder))


if __name__ == "__main__":
    main()
