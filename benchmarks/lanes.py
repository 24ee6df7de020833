"""A run that streams: three providers side by side, a bounded cache, and a timeline picture.

Run: python benchmarks/lanes.py [--days 60] [--queue 2] [--figure docs/lanes.svg]

A Climate Data Store, a MARS archive and a public Zarr store, all of the embedded provider,
are asked for one field a day. Every request queues for some seconds.
Compared are the whole processes of five runs: each source alone, all three in one run without
a bound of the cache, and all three with a bound of two units' size, whose cache folder is
sampled all the while. The dataset of the bounded run must equal that of the other, byte for
byte. Median, spread and machine are printed; ratios of one run are worth more than seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

import yaml

RUN = """
import sys
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run import run as job
from aurora_prep.providers.embedded import EmbeddedProvider
recipe, cache, events, limit, queue = sys.argv[1:]
job.EmbeddedProvider = lambda: EmbeddedProvider(queue_seconds=float(queue))
outcome = job.run(
    Recipe.load(recipe), cache=cache, events=events, embedded=True, show=False,
    cache_limit=int(limit) or None,
)
sys.exit(bool(outcome.absent))
"""
WIDE, ROW, LEFT, TOP = 1000, 16, 210, 30
COLOURS = {"fetch": "#4477aa", "make": "#ee7733", "publish": "#228833", "evict": "#999999"}


def entry(source: str, access: str, grid: str, days: int) -> dict[str, Any]:
    """One source of the recipe: a field a day."""
    first = date(2020, 1, 1)
    period = {
        "start": f"{first}T00", "end": f"{first + timedelta(days - 1)}T00", "step": "24h",
    }  # fmt: skip
    return {
        "source": source, "access": access, "grid": grid, "period": period,
        "variables": ["t"], "levels": [500],
    }  # fmt: skip


class Sampler:
    """Looks how much a folder holds, all the while."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.most, self.samples = folder, 0, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _run(self) -> None:
        while not self.stop.wait(0.02):
            total = 0
            for place in self.folder.rglob("*"):
                try:
                    total += place.stat().st_size if place.is_file() else 0
                except OSError:
                    continue
            self.most, self.samples = max(self.most, total), self.samples + 1


def timed(
    folder: Path, name: str, sources: list[dict[str, Any]], url: list[str], limit: int = 0
) -> tuple[float, Sampler]:
    """Seconds of a whole run, and what its cache folder held."""
    text = {
        "name": "lanes", "output": str(folder / name), "sources": sources,
        "storage": {"frames_per_shard": 1},
    }  # fmt: skip
    recipe = folder / f"{name}.yaml"
    recipe.write_text(yaml.safe_dump(text), encoding="utf-8")
    cache, events = folder / f"{name}-cache", folder / f"{name}.jsonl"
    cache.mkdir()
    words = [str(recipe), str(cache), str(events), str(limit), *url]
    begun = time.perf_counter()
    with Sampler(cache / "requests") as sampler:
        env = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
        subprocess.run([sys.executable, "-c", RUN, *words], check=True, env=env)
    return time.perf_counter() - begun, sampler


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative path."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def spans(path: Path) -> dict[str, list[tuple[str, float, float]]]:
    """Rows of the picture: what happened on each lane, with its begin and end."""
    begun: dict[tuple[str, str], float] = {}
    rows: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        note = json.loads(line)
        when, event = note["time"], note["event"]
        if event.startswith("fetch"):
            key = "fetch", note["request"]
            row, kind = f"fetching: {note['lane']}", "fetch"
        elif event.startswith("make"):
            key = "make", note["source"] + note["shard"]
            row, kind = f"making: {note['source']}", "make"
        elif event == "published":
            rows[f"publishing: {note['source']}"].append(("publish", when, when))
            continue
        elif event == "evicted":
            rows[f"removing answers: {note['lane']}"].append(("evict", when, when))
            continue
        else:
            continue
        if event.endswith("begins"):
            begun[key] = when
        else:
            rows[row].append((kind, begun.pop(key), when))
    return dict(sorted(rows.items()))


def picture(rows: dict[str, list[tuple[str, float, float]]]) -> str:
    """The timeline as SVG."""
    first = min(start for row in rows.values() for _, start, _ in row)
    last = max(end for row in rows.values() for _, _, end in row)
    scale = (WIDE - LEFT - 20) / (last - first)
    high = TOP + ROW * 2 * len(rows) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high}" font-size="13">',
        f'<rect width="{WIDE}" height="{high}" fill="white"/>',
    ]
    for place, (name, row) in enumerate(rows.items()):
        y = TOP + 2 * ROW * place
        parts.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{name}</text>')
        for kind, start, end in row:
            x = LEFT + (start - first) * scale
            wide = max(1.5, (end - start) * scale)
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{ROW}"'
                f' fill="{COLOURS[kind]}" fill-opacity="0.55"/>'
            )
    for tick in range(0, int(last - first) + 1, 10):
        x = LEFT + tick * scale
        parts.append(f'<text x="{x:.1f}" y="{high - 12}" text-anchor="middle">{tick} s</text>')
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{high - 28}" stroke="#ddd"/>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--queue", type=float, default=2.0)
    parser.add_argument("--limit", type=int, default=0, help="bytes; two units of each lane")
    parser.add_argument("--figure", type=Path)
    args = parser.parse_args()
    sources = [
        entry("era5", "cds", "2", args.days),
        entry("hres_t0", "mars", "2", args.days),
        entry("era5", "zarr", "3", args.days),
    ]
    field = 721 * 1440 * 2.15 * 1.05 + 70_000
    limit = args.limit or int(2 * 2 * field)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone = {}
        for source in sources:
            access = source["access"]
            alone[access], _ = timed(folder, f"alone-{access}", [source], [str(args.queue)])
            print(f"{access} alone: {alone[access]:.1f} s", flush=True)
        together, _ = timed(folder, "together", sources, [str(args.queue)])
        slowest = max(alone.values())
        print(f"together: {together:.1f} s, {together / slowest:.2f} times the slowest alone")
        bounded, held = timed(folder, "bounded", sources, [str(args.queue)], limit)
        print(
            f"together, cache bounded to {limit / 1e6:.1f} MB: {bounded:.1f} s,"
            f" {bounded / slowest:.2f} times the slowest alone; at most"
            f" {held.most / 1e6:.1f} MB held in {held.samples} samples"
        )
        same = tree(folder / "together") == tree(folder / "bounded")
        print(f"equal byte for byte: {same}")
        if args.figure:
            args.figure.write_text(picture(spans(folder / "bounded.jsonl")), encoding="utf-8")
        if not same or held.most > limit:
            sys.exit(1)


if __name__ == "__main__":
    main()
