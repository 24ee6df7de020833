"""The way of the tutorials: cfgrib, xarray, ``to_zarr``.

Run: PYTHON benchmarks/pipeline_cfgrib.py INPUT.grib OUTPUT.zarr
with an interpreter that has benchmarks/requirements-pipeline.txt installed.
"""

import shutil
import sys

import cfgrib
import xarray as xr


def main() -> None:
    """Open every group of the file and write it."""
    source, target = sys.argv[1:]
    shutil.rmtree(target, ignore_errors=True)
    groups = cfgrib.open_datasets(source, backend_kwargs={"indexpath": ""})
    kept = [group.drop_vars(["heightAboveGround", "meanSea", "surface"], errors="ignore")
            for group in groups]  # fmt: skip
    xr.merge(kept, compat="override").chunk({"time": 1}).to_zarr(target)


if __name__ == "__main__":
    main()
