"""``statistics``: print, export, or hold against Aurora's own."""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import aurora_prep
from aurora_prep.pipelines.commands import show
from aurora_prep.sources.spec import ManifestError

if TYPE_CHECKING:
    from aurora_prep.normalisation import Statistics


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser("statistics", help="print or export normalisation statistics")
    command.add_argument("dataset", metavar="DATASET", help="folder or URL of a dataset")
    command.add_argument("--source", metavar="S", help="one source; all by default")
    command.add_argument(
        "--format", choices=("table", "json", "netcdf", "aurora"), default="table",
        help="aurora: exactly the keys of Aurora's locations and scales",
    )  # fmt: skip
    command.add_argument("--out", metavar="FILE", help="write to a file; needed for netcdf")
    command.add_argument("--compare", choices=("aurora",), help="beside the published constants")
    command.add_argument(
        "--area-weighted", action="store_true", help="means by area, not by grid point"
    )
    command.add_argument(
        "--recompute", action="store_true", help="compute them anew from the shards first"
    )
    command.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Print or export the statistics of a dataset."""
    from aurora_prep.normalisation import compare_aurora, to_aurora

    if args.recompute:
        from aurora_prep.pipelines.dataset.statistics import recompute_statistics

        recompute_statistics(args.dataset, aurora_prep.__version__)
    found = _load(args.dataset, args.source)
    if args.compare:
        for statistics in found:
            show.columns(
                ("key", "location", "published", "scale", "published", "off by", "look at"),
                [
                    (
                        row.key,
                        f"{row.location:.6g}",
                        _text(row.published_location),
                        f"{row.scale:.6g}",
                        _text(row.published_scale),
                        _text(row.shift),
                        row.look or "-",
                    )
                    for row in compare_aurora(statistics, area_weighted=args.area_weighted)
                ],
            )
        return 0
    if args.format == "table":
        for statistics in found:
            _print(statistics, area_weighted=args.area_weighted)
        return 0
    if args.format == "aurora":
        pairs = to_aurora(found, area_weighted=args.area_weighted)
        return _give(json.dumps(pairs, indent=1) + "\n", args.out)
    if args.format == "json":
        documents = [json.loads(statistics.to_json()) for statistics in found]
        whole = documents[0] if len(documents) == 1 else {"statistics": documents}
        return _give(json.dumps(whole, indent=1) + "\n", args.out)
    return _give_netcdf(found, args.out)


def _load(dataset: str, source: str | None) -> list[Statistics]:
    from aurora_prep.manifest import durable, layout
    from aurora_prep.normalisation import Statistics

    folder = durable.join(dataset, layout.STATISTICS)
    names = [name for name in durable.listing(folder) if name.endswith(".json")]
    chosen = [name for name in names if source in (None, layout.source_of(name))]
    if not chosen:
        raise ManifestError(
            "the dataset has no such statistics",
            folder,
            f"source {source!r}, among {names}" if names else "no statistics file",
            "check the path and the source; a run writes statistics when it ends",
        )
    texts = (durable.get(durable.join(folder, name)).decode() for name in chosen)
    return [Statistics.from_json(text) for text in texts]


def _print(statistics: Statistics, *, area_weighted: bool) -> None:
    prefix = "area_" if area_weighted else ""
    first, last = statistics.period
    by = "by area" if area_weighted else "by grid point, as Aurora's"
    show.line(
        f"{statistics.source} on {statistics.grid}, split {statistics.split}:"
        f" {len(statistics.frames):,} frames, {first.isoformat()} to {last.isoformat()}; {by}"
    )
    rows = [
        (
            entry.aurora_key + (f" change in {entry.step_hours} h" if entry.step_hours else ""),
            _text(getattr(entry, f"{prefix}mean")),
            _text(getattr(entry, f"{prefix}standard_deviation")),
            _text(entry.minimum),
            _text(entry.maximum),
            f"{entry.missing:,}",
            entry.units,
        )
        for entry in (*statistics.values, *statistics.differences)
    ]
    header = ("variable", "mean", "standard deviation", "minimum", "maximum", "missing", "units")
    show.columns(header, rows)


def _give(text: str, out: str | None) -> int:
    from aurora_prep.manifest import durable

    if out is None:
        sys.stdout.write(text)
    else:
        durable.put(out, text.encode())
    return 0


def _give_netcdf(found: list[Statistics], out: str | None) -> int:
    from aurora_prep.manifest import durable

    if out is None or len(found) != 1:
        raise ManifestError(
            "NetCDF is written for one source, into a file",
            "statistics --format netcdf",
            f"{len(found)} sources, --out {out}",
            "give --source S and --out FILE",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "statistics.nc"
        found[0].to_netcdf(path)
        durable.put(out, path.read_bytes())
    return 0


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.6g}"
