"""Seconds a full-size frame costs, stage by stage, and the whole run beside a plain loop.

Run: python benchmarks/pipeline.py [--rounds 3] [--cfgrib-python PYTHON]

The input is one day of ERA5: 4 frames of 69 fields on 721 x 1440, as CCSDS-packed GRIB2 on
disk. The fields are the embedded provider's with noise of a few packing steps, so that a
value takes about 5 bits packed, as real temperature does; smooth fields would flatter
everybody. "Plain loop" is a process of its own that only decodes and compresses the same
fields on two threads and writes the bytes: no index, no checks, no statistics, no manifest,
no Beam. Processes alternate; the median counts, with the spread beside it. Ratios of one
run are worth more than seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import aurora_prep  # the front door first: it settles the order of native libraries

import eccodes  # isort: skip
import numpy as np
import yaml

from aurora_prep.manifest import durable
from aurora_prep.pipelines.dataset.create import set_up_stores
from aurora_prep.pipelines.engines.memory import tune_memory
from aurora_prep.pipelines.plan import inputs
from aurora_prep.pipelines.plan.recipe_plan import make_plan
from aurora_prep.pipelines.reading import harmonise, match
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import run
from aurora_prep.pipelines.shard import context, encode, regrid, shard
from aurora_prep.pipelines.shard.reduce import reduce
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.embedded import EmbeddedProvider, truth
from aurora_prep.providers.fetch import Fetcher
from aurora_prep.sources import load
from aurora_prep.sources.spec import Grid

FRAMES, ROWS, COLUMNS = 4, 721, 1440
NOISE_STEPS = 6.0
START = datetime(2020, 1, 1)
LOOP = Path(__file__).with_name("pipeline_plain_loop.py")
CFGRIB = Path(__file__).with_name("pipeline_cfgrib.py")
WAIT = """
import os, subprocess, sys, time
begun = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - begun, usage.ru_maxrss)
sys.exit(status != 0)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: seconds from start to end, and the most memory it held."""

    seconds: float
    megabytes: float


def main() -> None:
    """Measure and print the tables, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cfgrib-python", metavar="PYTHON", help="an interpreter with cfgrib")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grib = folder / "day.grib2"
        make_grib(grib)
        stages(grib, folder)
        whole(grib, folder, args.rounds, args.cfgrib_python)


def make_grib(path: Path) -> None:
    """One day of ERA5 as CCSDS-packed GRIB2."""
    source, random = load("era5"), np.random.default_rng(20200101)
    latitude, longitude = source.grid.latitude, source.grid.longitude
    template = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2")
    for key, value in {
        "Ni": COLUMNS, "Nj": ROWS, "latitudeOfFirstGridPointInDegrees": 90.0,
        "latitudeOfLastGridPointInDegrees": -90.0, "longitudeOfFirstGridPointInDegrees": 0.0,
        "longitudeOfLastGridPointInDegrees": 359.75, "iDirectionIncrementInDegrees": 0.25,
        "jDirectionIncrementInDegrees": 0.25, "packingType": "grid_ccsds", "bitsPerValue": 16,
        "dataType": "an",
    }.items():  # fmt: skip
        eccodes.codes_set(template, key, value)
    noise = random.standard_normal((ROWS, COLUMNS))
    with path.open("wb") as file:
        for frame in range(FRAMES):
            moment = START + timedelta(hours=6 * frame)
            for variable in (n.variable for n in source.natives if not n.optional):
                if variable.path.startswith("static/"):
                    continue
                for level in source.levels if variable.has_levels else (None,):
                    field = truth(variable, level, moment, latitude, longitude)
                    step = (field.max() - field.min()) / 2**16
                    handle = eccodes.codes_clone(template)
                    eccodes.codes_set(handle, "paramId", variable.param)
                    if level is not None:
                        eccodes.codes_set(handle, "typeOfLevel", "isobaricInhPa")
                        eccodes.codes_set(handle, "level", level)
                    eccodes.codes_set(handle, "dataDate", int(f"{moment:%Y%m%d}"))
                    eccodes.codes_set(handle, "dataTime", moment.hour * 100)
                    shifted = np.roll(noise, frame * 7 + (level or 0), axis=1)
                    low, high = variable.plausible
                    values = np.clip(field + NOISE_STEPS * step * shifted, low, high)
                    eccodes.codes_set_values(handle, values.ravel())
                    eccodes.codes_write(handle, file)
                    eccodes.codes_release(handle)


def recipe_of(path: Path, output: Path) -> dict[str, object]:
    """A recipe that prepares the file on its native grid."""
    entry = {"source": "era5", "access": "files", "grid": "native", "path": str(path)}
    return {"name": "benchmark", "output": str(output), "sources": [entry]}


def stages(grib: Path, folder: Path) -> None:
    """Each stage by itself, on one thread, in seconds a frame of 69 fields."""
    source = load("era5")
    tune_memory()
    fetch = timed(lambda: fetch_day(folder))
    kept = folder / "contents"
    index = timed(lambda: match.holdings_of((str(grib),), source, kept))
    held = match.holdings_of((str(grib),), source, kept)
    coarse = regrid.Regrid(Grid.regular("0.4"), folder / "weights")
    plan = make_plan(Recipe.parse(recipe_of(grib, folder / "unused")), kept)
    layout = encode.layout_of(plan.sources[0], source.variables[0], "auto")
    spent = dict.fromkeys(("decode", "harmonise", "regrid", "statistics", "compress", "write"), 0.0)

    @contextmanager
    def clock(name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        spent[name] += time.perf_counter() - begun

    chunks = []
    placement = harmonise.placement_of(held.grids[str(grib)][0], "benchmark")
    for number, ((place, _), ref) in enumerate(held.fields.items()):
        native = source.native(place[0])
        if number == 0:  # compile and build weights outside the clock
            field = match.decode(ref).reshape(ROWS, COLUMNS)
            reduce(field, source.grid)
            coarse.mover(source.grid, "conservative")(native.variable.nature)(field)
        with clock("decode"):
            raw = match.decode(ref)
        with clock("harmonise"):
            field = harmonise.harmonise(raw, ref.units, native, placement, "benchmark")
        with clock("statistics"):
            reduce(field, source.grid)
        with clock("compress"):
            chunks.append(encode.encode_field(field, layout.compressor()))
        with clock("regrid"):
            coarse.mover(source.grid, "conservative")(native.variable.nature)(field)
    with clock("write"):
        for start in range(0, len(chunks), 13):
            data = encode.assemble_shard(chunks[start : start + 13], shard_of(13))
            encode.checksum(data)
            durable.put(str(folder / "shards" / str(start)), data)
    print("Seconds a frame of 69 fields at 0.25 degrees, one thread (aurora-prep "
          f"{aurora_prep.__version__}, {os.cpu_count()} processors seen):\n")  # fmt: skip
    print("| stage | s/frame |\n|---|---|")
    print(f"| fetch (cdsapi, embedded provider's own time included) | {fetch / FRAMES:.2f} |")
    print(f"| index (headers of the GRIB, once a file) | {index / FRAMES:.3f} |")
    for name, seconds in spent.items():
        note = {"regrid": "regrid (0.25 to 0.4, conservative)", "write": "checksum and write"}
        print(f"| {note.get(name, name)} | {seconds / FRAMES:.3f} |")
    beam_share(grib, folder)


def shard_of(levels: int) -> encode.Layout:
    """Layout of one frame of one variable."""
    return encode.Layout((1, levels, ROWS, COLUMNS), (1, levels, ROWS, COLUMNS))


def fetch_day(folder: Path) -> None:
    """Fetch the day's requests from the embedded provider into an empty cache."""
    period = {"start": "2020-01-01T00", "end": "2020-01-01T18", "step": "6h"}
    entry = {"source": "era5", "access": "cds", "grid": "0.25", "period": period}
    recipe = Recipe.parse({"name": "fetch", "output": str(folder / "none"), "sources": [entry]})
    (plan,) = make_plan(recipe, folder / "contents").sources
    with EmbeddedProvider() as provider:
        service = Service.embedded(provider.url, provider.key)
        list(Fetcher(Cache(folder / "raw"), service).fetch_all(plan.requests(synthetic=True)))


def beam_share(grib: Path, folder: Path) -> None:
    """The run inside Beam, and the same shards by a loop over plain functions."""
    recipe = Recipe.parse(recipe_of(grib, folder / "by-beam"))
    begun = time.perf_counter()
    run(recipe, cache=str(folder / "cache"), show=False)
    through_beam = time.perf_counter() - begun
    recipe = Recipe.parse(recipe_of(grib, folder / "by-loop"))
    place = context.RunContext(
        root=recipe.output,
        cache=folder / "cache",
        recipe=recipe,
        synthetic=False,
        created=START,
        software_version=aurora_prep.__version__,
    )
    begun = time.perf_counter()
    (plan,) = make_plan(recipe, place.contents).sources
    set_up_stores(place.root, [plan], recipe, place.is_synthetic)
    before = None
    for task in plan.tasks():
        this = shard.begin_shard(plan, task, (inputs.OwnFile(str(grib)),), place)
        if before is not None:
            before.publish()
        before = this
    if before is not None:
        before.publish()
    by_loop = time.perf_counter() - begun
    print(f"\nIn one warm process: through Beam {through_beam:.2f} s (manifest tables, statistics"
          f" and dataset.json included), the same shards by a plain loop {by_loop:.2f} s; Beam and"
          f" the finish take {1 - by_loop / through_beam:.0%}.\n")  # fmt: skip


def whole(grib: Path, folder: Path, rounds: int, cfgrib_python: str | None) -> None:
    """Whole processes in turn, from GRIB on disk to stores on disk."""
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(recipe_of(grib, folder / "out")), encoding="utf-8")
    cache, out = folder / "cache", folder / "out"
    ours = [
        sys.executable,
        "-m",
        "aurora_prep.pipelines",
        "run",
        str(recipe),
        "--cache",
        str(cache),
    ]
    loop = [sys.executable, str(LOOP), str(grib)]
    commands = {
        "plain loop, 2 threads": ([*loop, str(out)], ()),
        "plain loop, 2 threads, into Zarr by zarr-python": ([*loop, str(out), "--zarr"], ()),
        "aurora-prep run": (ours, ()),
        "aurora-prep run, file never seen before": (ours, (cache,)),
    }
    if cfgrib_python:
        commands["cfgrib + xarray + to_zarr"] = (
            [cfgrib_python, str(CFGRIB), str(grib), str(out)],
            (),
        )
    measured: dict[str, list[Measured]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, (words, removed) in commands.items():
            result = measure(words, out, *removed)
            if number:  # the first round fills caches and compiles
                measured[name].append(result)
    base = statistics.median(m.seconds for m in measured[next(iter(commands))])
    size = grib.stat().st_size / 1e6
    print(f"Whole process, {FRAMES} frames of 69 CCSDS fields ({size:.0f} MB of GRIB2) to stores"
          f" on disk, median of {rounds}:\n")  # fmt: skip
    print("| process | s | min to max | ratio | peak MB |\n|---|---|---|---|---|")
    for name, results in measured.items():
        seconds = sorted(m.seconds for m in results)
        middle = statistics.median(seconds)
        memory = max(m.megabytes for m in results)
        print(f"| {name} | {middle:.1f} | {seconds[0]:.1f} to {seconds[-1]:.1f}"
              f" | {middle / base:.2f} | {memory:.0f} |")  # fmt: skip


def measure(words: list[str], *removed: Path) -> Measured:
    """Run a process to its end, some folders removed before.

    A process of a few megabytes starts it: a child's peak memory begins with its parent's.
    """
    for folder in removed:
        shutil.rmtree(folder, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-S", "-c", WAIT, *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stderr}")
    seconds, kilobytes = done.stdout.split()
    return Measured(float(seconds), float(kilobytes) / 1e3)


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
