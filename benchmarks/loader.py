"""How fast samples are loaded, beside xarray reading the same store.

Run: python benchmarks/loader.py [--frames 24] [--levels 13] [--keep FOLDER]

Writes a store of full-size 0.25 degree frames (two surface variables, one on pressure
levels), then loads every sample (two inputs, one target) with the loader and with
``xarray.open_zarr(...).isel(...).load()``, in fresh processes, cold and warm.

xarray is given a slice of times, its fast way: a list of times takes another path through
Zarr, more than 20 times slower here, and would flatter the loader. The loader's cache is
smaller than the dataset, or an order would not matter. "Cold" asks the system to drop the
files from the page cache, which it may not do wholly.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import xarray as xr
import zarr

from aurora_prep.manifest import FrameRecord, Manifest, Part, Status, write_part
from aurora_prep.manifest.compact import compact
from aurora_prep.manifest.loader import Loader
from aurora_prep.manifest.samples import Samples, samples_of

START, STEP = datetime(2020, 1, 1), timedelta(hours=6)
SURFACE = ("2t", "msl")
ROWS, COLUMNS = 721, 1440
CACHE = 1 << 29
WAYS = {
    "xarray, in order": ("xarray", 1),
    "xarray, shuffled": ("xarray", 0),
    "loader, blocks of 8": ("loader", 8),
    "loader, shuffled": ("loader", 0),
}


def main() -> None:
    """Write the store, time each way, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--levels", type=int, default=13)
    parser.add_argument("--keep", type=Path, help="folder to write the dataset to, and keep")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--cold", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        run(arguments.keep, arguments.way, cold=arguments.cold)
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.keep or Path(scratch)
        if not (root / "manifest").exists():
            write(root, arguments.frames, arguments.levels)
        print(f"{'':24}{'cold /s':>10}{'warm /s':>10}{'read/used':>11}")
        for way in WAYS:
            command = [sys.executable, __file__, "--keep", str(root), "--way", way]
            found = []
            for extra in (["--cold"], []):
                done = subprocess.run([*command, *extra], check=True, capture_output=True)
                found.append(json.loads(done.stdout))
            cold, warm = found
            print(f"{way:24}{cold['rate']:10.2f}{warm['rate']:10.2f}{warm['share']:11.2f}")


def run(root: Path, way: str, *, cold: bool) -> None:
    """Load every sample once; print samples per second and bytes read over used."""
    with Manifest.open(str(root)) as manifest:
        samples = samples_of(manifest)
    kind, block = WAYS[way]
    order = samples.chain if block == 1 else samples.order(1, block=max(block, 1))
    loaded = with_xarray if kind == "xarray" else with_loader
    touch(root, cold=cold)
    start = time.perf_counter()
    share = 1.0
    for share in loaded(root, samples, order):  # noqa: B007  # the last one counts
        pass
    rate = len(order) / (time.perf_counter() - start)
    print(json.dumps({"rate": rate, "share": share}))


def with_loader(root: Path, samples: Samples, order: np.ndarray) -> Iterator[float]:
    """Our loader: two threads, two samples ahead."""
    loader = Loader(url=str(root), samples=samples, order=order, cache_bytes=CACHE)
    for _ in loader:
        yield loader.bytes_read / loader.bytes_used


def with_xarray(root: Path, samples: Samples, order: np.ndarray) -> Iterator[float]:
    """What a training script without a loader does."""
    dataset = xr.open_zarr(root / "era5/0.25.zarr", chunks=None, consolidated=False)
    for number in order:
        first, *_, last = samples.positions[number]
        dataset.isel(time=slice(first, last + 1)).load()
        yield 1.0


def touch(root: Path, *, cold: bool) -> None:
    """Bring every file into the page cache, or ask for it to leave."""
    for path in root.rglob("c/**/*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            if cold:
                os.fsync(handle)
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            else:
                path.read_bytes()
            os.close(handle)


def write(root: Path, frames: int, levels: int) -> None:
    """Write the store and its manifest: smooth fields with noise in the last bits."""
    store = root / "era5/0.25.zarr"
    group = zarr.open_group(store, mode="w", zarr_format=3)
    hpa = np.arange(1, levels + 1) * 50
    coordinates = {
        "time": (np.arange(frames) * 6, {"units": f"hours since {START:%Y-%m-%d}"}),
        "level": (hpa, {}),
        "latitude": (np.linspace(90, -90, ROWS), {}),
        "longitude": (np.arange(COLUMNS) / 4, {}),
    }
    for name, (values, attributes) in coordinates.items():
        group.create_array(name, data=values, dimension_names=[name], attributes=attributes)
    rng = np.random.default_rng(1)
    wave = np.sin(np.linspace(0, 20, ROWS))[:, None] * np.cos(np.linspace(0, 40, COLUMNS))
    for name in (*SURFACE, "t"):
        depth = (levels,) if name == "t" else ()
        array = group.create_array(
            name,
            shape=(frames, *depth, ROWS, COLUMNS),
            shards=(1, *depth, ROWS, COLUMNS),
            chunks=(1, *(1 for _ in depth), ROWS, COLUMNS),
            dtype="f4",
            fill_value=np.nan,
            compressors=zarr.codecs.BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"),
            dimension_names=["time", *(["level"] if depth else []), "latitude", "longitude"],
        )
        for i in range(frames):
            noise = rng.normal(scale=0.01, size=(*depth, ROWS, COLUMNS))
            array[i] = (280 + 10 * wave + noise + i).astype("f4")
    paths = (*(f"surface/{name}" for name in SURFACE), "atmospheric/t")
    records = tuple(
        FrameRecord(
            source="era5",
            grid="0.25",
            product="reanalysis",
            access="files",
            init_time=START + i * STEP,
            status=Status.WRITTEN,
            recipe_digest=None,
            variables=paths,
            levels=tuple(hpa.tolist()),
            store="era5/0.25.zarr",
            shard="all",
            synthetic=True,
        )
        for i in range(frames)
    )
    write_part(str(root), Part(source="era5", grid="0.25", shard="all", frames=records))
    compact(str(root), [])


if __name__ == "__main__":
    pa.set_cpu_count(2)
    main()
