"""One contender of the regridding benchmark, in a process of its own.

Run by regridding.py; reads the input it prepared, prints seconds and peak memory as JSON.
The form called "dense float32" is written here after the description of WeatherBench2's
regridder: two dense float32 matrices and a product for values and one for validity.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Time one contender on one case."""
    name, folder, threads, repeats = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:5])
    case = json.loads((folder / "case.json").read_text())
    field = np.load(folder / "field.npy")
    begin = time.perf_counter()
    run = CONTENDERS[name](case, folder, field, threads)
    prepared = time.perf_counter() - begin
    result = run()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - begin)
    answer: dict[str, Any] = {
        "seconds": seconds,
        "prepared": prepared,
        "megabytes": peak_megabytes(),
    }
    if name != "copy":
        sample = np.asarray(result)[0].ravel()[:: max(case["rows"] * case["columns"] // 1000, 1)]
        answer["sample"] = [None if np.isnan(x) else float(x) for x in sample[:1000]]
    print(json.dumps(answer))


def peak_megabytes() -> float:
    """Most memory this process held; unlike getrusage, without what its parent held."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def source_of(name: str) -> Any:
    """The grid a case names."""
    from aurora_prep.regridding import (  # noqa: PLC0415
        octahedral,
        of_grid,
        rectilinear,
        reduced_gaussian,
    )
    from aurora_prep.regridding.gaussian import gaussian_latitudes  # noqa: PLC0415
    from aurora_prep.sources.spec import Grid  # noqa: PLC0415

    if name.startswith("O"):
        return octahedral(int(name[1:]))
    if name.startswith("F"):
        order = int(name[1:])
        return rectilinear(gaussian_latitudes(order), 90 / order * np.arange(4 * order))
    if name.startswith("N"):
        return reduced_gaussian(int(name[1:]), classic_counts(int(name[1:])))
    return of_grid(Grid.regular(name))


def classic_counts(order: int) -> Any:
    """Row lengths of a classic reduced grid, from ecCodes' sample of it."""
    import eccodes  # noqa: PLC0415  # only the classic grids need it

    sample = eccodes.codes_grib_new_from_samples(f"reduced_gg_pl_{order}_grib2")
    counts = eccodes.codes_get_array(sample, "pl")
    eccodes.codes_release(sample)
    return np.asarray(counts, dtype=np.int64)


def copy(_case: Any, _folder: Path, field: Any, _threads: int) -> Callable[[], Any]:
    """A plain NumPy copy into memory already there: the floor."""
    out = np.empty_like(field)
    return lambda: np.copyto(out, field)


def ours(case: Any, _folder: Path, field: Any, threads: int) -> Callable[[], Any]:
    """aurora_prep.regridding."""
    from aurora_prep.regridding import regridder  # noqa: PLC0415
    from aurora_prep.sources.spec import Grid  # noqa: PLC0415

    source = source_of(case["source"])
    move = regridder(source, Grid.regular(case["target"]), case["method"])
    out = np.empty((len(field), case["rows"], case["columns"]), dtype=np.float32)
    return lambda: move(field, out, threads=threads)


def sparse(case: Any, folder: Path, field: Any, threads: int) -> Callable[[], Any]:
    """The full sparse matrix, as xESMF and earthkit apply it, missing values renormalised."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from scipy.sparse import load_npz  # noqa: PLC0415

    matrix = load_npz(folder / "matrix.npz")
    flat = field.reshape(len(field), -1)
    masked = bool(np.isnan(flat).any())
    shape = case["rows"], case["columns"]

    def one(level: Any) -> Any:
        if not masked:
            return (matrix @ level).astype(np.float32).reshape(shape)
        valid = ~np.isnan(level)
        total, part = matrix @ np.where(valid, level, 0), matrix @ valid.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(part >= 0.5 - 1e-9, total / part, np.nan)
        return mean.astype(np.float32).reshape(shape)

    if threads == 1:
        return lambda: [one(level) for level in flat]
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(one, flat))


def dense(_case: Any, folder: Path, field: Any, _threads: int) -> Callable[[], Any]:
    """Dense float32 weights of rows and columns, always with validity."""
    with np.load(folder / "axes.npz") as axes:
        rows, columns = (axes[name].astype(np.float32) for name in ("rows", "columns"))

    def one(level: Any) -> Any:
        valid = ~np.isnan(level)
        total = rows @ np.where(valid, level, np.float32(0)) @ columns.T
        part = rows @ valid.astype(np.float32) @ columns.T
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(part >= 0.5, total / part, np.float32(np.nan))

    return lambda: [one(level) for level in field]


def xarray_regrid(case: Any, folder: Path, field: Any, _threads: int) -> Callable[[], Any]:
    """The package xarray-regrid, conservative, skipping missing values."""
    import xarray as xr  # noqa: PLC0415
    import xarray_regrid  # noqa: F401, PLC0415  # registers the accessor

    with np.load(folder / "axes.npz") as axes:
        source = {k: axes[f"source_{k}"] for k in ("latitude", "longitude")}
        target = xr.Dataset(coords={k: axes[f"target_{k}"] for k in ("latitude", "longitude")})
    data = xr.DataArray(field, dims=("level", "latitude", "longitude"), coords=source)
    part = 1 - case["valid_fraction"]
    regrid = data.regrid.conservative
    return lambda: regrid(target, latitude_coord="latitude", skipna=True, nan_threshold=part).values


CONTENDERS = {
    "copy": copy,
    "ours": ours,
    "sparse": sparse,
    "dense": dense,
    "xarray-regrid": xarray_regrid,
}

if __name__ == "__main__":
    main()
