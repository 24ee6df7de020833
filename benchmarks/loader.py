"""How fast training samples are loaded, beside xarray in a PyTorch DataLoader on the same store.

Run: python benchmarks/loader.py [--frames 32] [--levels 13] [--rounds 5] [--keep FOLDER]
Needs the extra ``[torch]``.

Writes a store of full-size 0.25 degree frames (two surface variables, one on pressure
levels), then hands out samples (two inputs, one target) in the orders a user would train
with. Every way is a process of its own that lives to the end; in every round each of them
does its work once with cold files and once with warm ones, in turn, so that a busy machine
hits all alike. Quote the ratios: medians over the rounds, beside the best way of xarray in
the same order. Processor seconds, those of the system included, depend least on other users.

xarray is given a slice of times, its fast way: a list of times takes another path through
Zarr, more than 20 times slower here, and would flatter the loader. "Cold" asks the system to
drop the files from the page cache, which it may not do wholly.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import xarray as xr
import zarr
from torch.utils.data import DataLoader, Dataset

from aurora_prep.manifest import FrameRecord, Manifest, Part, Status, write_part
from aurora_prep.manifest.batches import BatchDataset
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.manifest.samples import Samples, samples_of

START, STEP = datetime(2020, 1, 1), timedelta(hours=6)
SURFACE = ("2t", "msl")
ROWS, COLUMNS = 721, 1440
SAMPLES = 16
CACHED_FRAMES = 10
BLOCKS = 8


@dataclass(frozen=True)
class Way:
    """One way to load: who, samples that stay neighbours, worker processes, frames cached."""

    ours: bool
    block: int
    workers: int = 0
    cached: int = CACHED_FRAMES


WAYS = {
    "xarray, blocks of 8": Way(ours=False, block=BLOCKS),
    "xarray, blocks of 8, 2 workers": Way(ours=False, block=BLOCKS, workers=2),
    "aurora-prep, blocks of 8": Way(ours=True, block=BLOCKS),
    "xarray, full shuffle": Way(ours=False, block=1),
    "aurora-prep, full shuffle": Way(ours=True, block=1),
    "aurora-prep, full shuffle, no cache": Way(ours=True, block=1, cached=0),
}


def main() -> None:
    """Write the store, time every way in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--levels", type=int, default=13)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="folder to write the dataset to, and keep")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        serve(arguments.keep, WAYS[arguments.way])
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.keep or Path(scratch)
        if not (root / "manifest").exists():
            write(root, arguments.frames, arguments.levels)
        found = measured(root, arguments.rounds)
    titles = ("cold /s", "warm /s", "CPU s", "read/used", "x cold", "x warm", "x CPU")
    print(f"{'samples of three frames':36}", *(f"{title:>9}" for title in titles))
    for name, way in WAYS.items():
        own = found[name]
        peers = [found[n] for n, w in WAYS.items() if not w.ours and w.block == way.block]
        faster = [own[kind] / max(peer[kind] for peer in peers) for kind in ("cold", "warm")]
        less = min(peer["processor"] for peer in peers) / own["processor"]
        shown = (own["cold"], own["warm"], own["processor"], own["share"], *faster, less)
        print(f"{name:36}", *(f"{number:9.2f}" for number in shown))


def measured(root: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Medians of samples a second, processor seconds a sample, and bytes read over used."""
    command = [sys.executable, __file__, "--keep", str(root), "--way"]
    servers = {
        name: subprocess.Popen(
            [*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        for name in WAYS
    }
    answers: dict[str, dict[str, list[float]]] = {name: {} for name in WAYS}
    for _ in range(rounds):
        for kind in ("cold", "warm"):
            for name, server in servers.items():
                touch(root, cold=kind == "cold")
                print(kind, file=server.stdin)
                rate, processor, share = json.loads(server.stdout.readline())
                for title, value in ((kind, rate), ("processor", processor), ("share", share)):
                    answers[name].setdefault(title, []).append(value)
    for server in servers.values():
        server.communicate()
    return {
        name: {kind: statistics.median(values) for kind, values in found.items()}
        for name, found in answers.items()
    }


def serve(root: Path, way: Way) -> None:
    """Load the samples whenever asked; answer what that took."""
    with Manifest.open(str(root)) as manifest:
        samples = samples_of(manifest)
    prepared = with_batches(root, samples, way) if way.ours else with_xarray(root, samples, way)
    next(prepared)
    for _ in sys.stdin:
        wall, processor = time.perf_counter(), sum(os.times()[:4])
        share = next(prepared)
        rate = SAMPLES / (time.perf_counter() - wall)
        print(json.dumps([rate, (sum(os.times()[:4]) - processor) / SAMPLES, share]), flush=True)


def with_batches(root: Path, samples: Samples, way: Way) -> Iterator[float]:
    """Our dataset: two threads, two samples ahead."""
    dataset = BatchDataset(
        str(root),
        samples,
        seed=1,
        block=way.block,
        statics={"lsm": np.zeros((ROWS, COLUMNS), np.float32)},
        cache_bytes=int(way.cached * frame_bytes(samples)),
    )
    yield 0.0
    while True:
        for _ in itertools.islice(DataLoader(dataset, batch_size=None), SAMPLES):
            pass
        dataset.start_at(0)
        yield dataset.bytes_read / dataset.bytes_used


def with_xarray(root: Path, samples: Samples, way: Way) -> Iterator[float]:
    """What a training script without a loader does."""

    class Slices(Dataset[dict[str, Any]]):
        def __init__(self) -> None:
            self.store = xr.open_zarr(root / "era5/0.25.zarr", chunks=None, consolidated=False)

        def __getitem__(self, number: int) -> dict[str, Any]:
            first, *_, last = samples.positions[number]
            sample = self.store.isel(time=slice(first, last + 1)).load()
            return {str(name): torch.from_numpy(field.values) for name, field in sample.items()}

    order = samples.order(1, block=way.block)[:SAMPLES].tolist()
    loader = DataLoader(Slices(), batch_size=None, sampler=order, num_workers=way.workers)
    yield 0.0
    while True:
        for _ in loader:
            pass
        yield 1.0


def frame_bytes(samples: Samples) -> float:
    """Bytes of one frame, decoded."""
    levels = len(samples.frames.column("levels")[0])
    return (len(SURFACE) + levels) * ROWS * COLUMNS * 4


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
