"""Finding every complete sample of a dataset, alone or beside companion sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from aurora_prep.manifest.ledger.records import Status
from aurora_prep.manifest.query import Manifest
from aurora_prep.manifest.training.samples import Samples
from aurora_prep.manifest.training.series import (
    COLUMNS,
    Match,
    Positions,
    Series,
    beside,
    series_of,
)
from aurora_prep.manifest.training.window import Window
from aurora_prep.sources.spec import ManifestError

Others = Mapping[tuple[str, Match], Sequence[Series]]


def samples_of(
    manifest: Manifest,
    window: Window | None = None,
    *,
    source: str | None = None,
    grid: str | None = None,
    split: str | None = None,
    companions: Sequence[str] = (),
) -> Samples:
    """Every complete sample of a dataset.

    All frames of a sample are written, come from one source, grid and member, hold the same
    variables and levels and belong to one split, history included, so that nothing leaks.
    Those of a forecast share their init time.

    With companions, every frame also stands in each of them: at the same valid time, on the
    same grid, of the same member, in the same split. An analysis stands beside an analysis or
    a reanalysis, a forecast beside a forecast of the same init time. The frames of one
    companion in one sample share their variables and levels.

    Args:
        manifest: An open manifest.
        window: The times a sample needs; Aurora's own by default.
        source: Only this source.
        grid: Only this grid.
        split: Only this split.
        companions: Sources that complete ``source``, such as the weather for waves.

    Raises:
        ManifestError: A name is nowhere in the manifest, or the companions do not fit.
    """
    window, companions = window or Window(), tuple(companions)
    found = [
        manifest.query(source=name, grid=grid, split=split, status=Status.WRITTEN).select(COLUMNS)
        for name in (source, *companions)
    ]
    joined = _held(manifest, companions)
    _check(joined, manifest, source, companions)
    frames = pa.concat_tables(found).combine_chunks()
    own, others = _sorted_out(series_of(frames), companions)
    beside_it = {path for paths in joined.values() for path in paths}
    lasts = [np.empty(0, np.int64)]
    numbers, pieces = list(lasts), [np.empty((0, window.width, 1 + len(companions)), np.int64)]
    steps = list(lasts)
    for number, series in enumerate(own):
        variables = frames.column("variables")[int(series.rows[0])].as_py()
        offsets = window.offsets({*variables, *beside_it})
        last, rows = _complete(series, offsets, companions, others)
        lasts.append(last)
        pieces.append(rows)
        numbers.append(np.full(len(last), number))
        steps.append(np.full(len(last), offsets[window.history] if window.rollout else 1))
    rows = np.concatenate(pieces)
    order = np.argsort(rows[:, window.history - 1, 0], kind="stable")
    positions, companion_rows = rows[order, :, 0], rows[order, :, 1:]
    hours, origin, step = (np.concatenate(parts)[order] for parts in (lasts, numbers, steps))
    chain = np.lexsort((positions[:, window.history - 1], hours % step, origin))
    return Samples(window, frames, positions, chain, companion_rows)


def _complete(
    series: Series, offsets: Positions, companions: Sequence[str], others: Others
) -> tuple[Positions, Positions]:
    """Hours of the last inputs of a series' complete samples, and the rows of their frames.

    Returns:
        Hours ``(samples,)`` and rows ``(samples, history + rollout, 1 + companions)``.
    """
    whole, rows = series.find(series.hours[:, None] + offsets)
    last, columns = series.hours[whole], [rows]
    for name in companions:
        fitting = [
            other
            for other in others.get((name, series.match), ())
            if not other.levels or not series.levels or other.levels == series.levels
        ]
        columns.append(beside(last[:, None] + offsets, fitting))
    joined = np.stack(columns, axis=-1)
    complete = (joined >= 0).all(axis=(1, 2))
    return last[complete], joined[complete]


def _sorted_out(
    every: Iterable[Series], companions: Sequence[str]
) -> tuple[list[Series], Mapping[tuple[str, Match], list[Series]]]:
    """Series that samples come from, and those of companions by what they must match."""
    own: list[Series] = []
    others: defaultdict[tuple[str, Match], list[Series]] = defaultdict(list)
    for series in every:
        if series.source in companions:
            others[series.source, series.match].append(series)
        else:
            own.append(series)
    return own, others


def _held(manifest: Manifest, names: Sequence[str]) -> dict[str, set[str]]:
    """Paths of the variables each source has in the manifest."""
    paths: dict[str, set[str]] = {name: set() for name in names}
    for entry in manifest.index["sources"]:
        if entry["source"] in paths:
            paths[entry["source"]].update(entry["variables"])
    return paths


def _check(
    joined: Mapping[str, set[str]],
    manifest: Manifest,
    source: str | None,
    companions: Sequence[str],
) -> None:
    """Refuse companions that cannot stand beside the source.

    Raises:
        ManifestError: There is no single source, one is named twice, or two hold one variable.
    """
    if not companions:
        return
    names = [source, *companions]
    if source is None or len(set(names)) < len(names):
        raise ManifestError(
            "the companions do not complete one source",
            f"companions {list(companions)}",
            f"source {source!r}",
            "name the source that is completed, and each companion once",
        )
    seen: dict[str, str] = {}
    for name, paths in {**_held(manifest, [source]), **joined}.items():
        for path in sorted(paths & seen.keys()):
            raise ManifestError(
                "two sources of one sample hold the same variable",
                f"{seen[path]} and {name}",
                path,
                "leave the variable out of one of them in the recipe",
            )
        seen.update(dict.fromkeys(paths, name))
