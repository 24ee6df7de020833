"""Small real runs, and what the simulation predicts of them. Used by ``scale.py --validate``."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from scale_simulation import MEGABYTE, Model, Simulation

from aurora_prep.pipelines.estimates.load import Load
from aurora_prep.pipelines.estimates.prices import Setting
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import run
from aurora_prep.providers.embedded import EmbeddedProvider

WITHOUT_QUEUE = 32  # days of the real run that tells what a day takes


@dataclass(frozen=True)
class Phases:
    """Seconds of a real run: until the last answer, until the last shard, until the end."""

    fetch: float
    shards: float
    rest: float

    @property
    def total(self) -> float:
        """Seconds from start to end."""
        return self.fetch + self.shards + self.rest


def validate(folder: Path) -> None:
    """Predict real runs of two workers from runs without a queue."""
    one = min((real_run(1, 0.0, folder / f"one-{n}") for n in range(2)), key=lambda p: p.total)
    many = real_run(WITHOUT_QUEUE, 0.0, folder / "many")
    print(f"\nWithout a queue: 1 day {one.total:.1f} s, {WITHOUT_QUEUE} days {many.total:.1f} s.\n")
    print("| days | queue, s | real, s | simulated, s | error |\n|---:|---:|---:|---:|---:|")
    for days, wait in ((16, 13.0), (32, 13.0), (32, 20.0)):
        real = real_run(days, wait, folder / f"{days}-{wait}").total
        found = predicted(days, wait, one, many)
        print(f"| {days} | {wait:g} | {real:.1f} | {found:.1f} | {found / real - 1:+.0%} |")


def predicted(days: int, wait: float, one: Phases, many: Phases) -> float:
    """Seconds of a run with a queue, from the phases of runs without.

    An answer costs the machine, which provider and workers share, what it costs without a
    queue: it is taken as traffic of the worker that fetches.
    """
    answer = max(1e-3, (many.fetch - one.fetch) / (WITHOUT_QUEUE - 1))
    shard = many.shards / WITHOUT_QUEUE
    setting = Setting.load()
    queue = replace(
        setting.providers["cds"], in_flight=0, queue_seconds=wait, fields_per_second=0,
        megabytes_per_second=1e6,
    )  # fmt: skip
    worker = replace(setting.worker, cores=1, download_megabytes_per_second=1 / answer)
    setting = replace(setting, providers={"cds": queue}, worker=worker)
    load = Load(
        provider="cds", is_fetched=True, requests=days, fields=days,
        download_bytes=days * MEGABYTE, output_bytes=0, objects=0, reads=0, parts=days,
        core_seconds=2 * shard * days,
    )  # fmt: skip
    quiet = Model(spread=0.0, failures=0.0, poll=True)
    simulation = Simulation(load, setting, 2, quiet)
    simulation.fetch()
    simulation.load = replace(load, download_bytes=0)
    simulation.make()
    return simulation.result.total + one.fetch - answer + many.rest


def real_run(days: int, wait: float, folder: Path) -> Phases:
    """A run with two worker processes against the embedded provider."""
    start = datetime(2020, 1, 1)
    end = start + timedelta(days=days - 1)
    entry = {
        "source": "era5", "access": "cds", "grid": "0.25", "variables": ["t"], "levels": [500],
        "period": {"start": f"{start:%Y-%m-%d}", "end": f"{end:%Y-%m-%d}T00", "step": "24h"},
    }  # fmt: skip
    text = {"name": "scale", "output": str(folder / "out"), "sources": [entry],
            "storage": {"frames_per_shard": 1}}  # fmt: skip
    words = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    with EmbeddedProvider(queue_seconds=wait) as provider:
        os.environ |= {"CDSAPI_URL": provider.url, "CDSAPI_KEY": provider.key}
        begun = time.time()
        run(
            Recipe.parse(text),
            beam_options=words,
            cache=str(folder / "cache"),
            threads=1,
            show=False,
        )
        ended = time.time()
        answers = list((folder / "cache" / "requests").glob("??/*.json"))
        if provider.downloads != days or len(answers) != days:
            raise SystemExit(f"{provider.downloads} answers of {days} came from the provider")
    fetched = max(path.stat().st_mtime for path in answers)
    parts = (folder / "out" / "manifest" / "parts").rglob("*.parquet")
    made = max(path.stat().st_mtime for path in parts)
    return Phases(fetched - begun, made - fetched, ended - made)
