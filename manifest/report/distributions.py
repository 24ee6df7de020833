"""Distributions of values, as stored and as Aurora sees them, from histograms that are kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aurora_prep.manifest import duck
from aurora_prep.manifest.ledger.parts import read_part
from aurora_prep.manifest.query import Manifest
from aurora_prep.manifest.report.facts import Held
from aurora_prep.manifest.report.fields import quoted
from aurora_prep.normalisation import Comparison, FieldName, Histogram, ShardStatistics
from aurora_prep.normalisation.aurora import DIRECTIONS, Rule
from aurora_prep.normalisation.histogram import values_at
from aurora_prep.normalisation.transforms import MinMax, Pollutant, Standardise
from aurora_prep.normalisation.waves import components_of_direction
from aurora_prep.sources.spec import AuroraPrepError

Float = NDArray[np.float64]
Forward = Callable[[Float], Float]

MOST_PARTS = 48
"""Parts whose histograms are merged; of more, these many at even distances."""

BARS = 64
SPREAD = 8
"""Pieces into which a bin is cut before it goes through a transform."""

REACH = 6.0
"""Values that a model sees are drawn this far from 0; those beyond count in the last bars."""

SHARDS = """
    SELECT DISTINCT shard FROM frames
    WHERE source = {source} AND grid = {grid} AND status = 'written' AND {chosen} ORDER BY shard
"""
STATIC = """
    SELECT shard FROM parts WHERE source = {source} AND grid = {grid} AND frames = 0 ORDER BY shard
"""


@dataclass(frozen=True, slots=True)
class Merged:
    """Histograms of a source, by field.

    Attributes:
        histograms: Of the values, by path and level.
        frames: Frames that went in.
        whole: Whether these are all frames of the statistics.
    """

    histograms: dict[FieldName, Histogram]
    frames: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """A distribution, ready to be drawn.

    Attributes:
        label: What it is of.
        edges: Edges of the bars, shape ``(bars + 1,)``.
        shares: Share of all values in each bar, shape ``(bars,)``.
    """

    label: str
    edges: Float
    shares: Float


def merged_of(manifest: Manifest, held: Held) -> Merged:
    """The histograms that a run kept beside its ledger, merged; none where they are gone.

    Memory is that of one part and the result.
    """
    chosen = "true"
    if held.statistics and held.statistics.split in {row["split"] for row in held.splits}:
        chosen = f"split = {duck.quoted(held.statistics.split)}"
    texts = STATIC.format(**quoted(held)), SHARDS.format(chosen=chosen, **quoted(held))
    static, shards = ([r["shard"] for r in manifest.sql(t).to_pylist()] for t in texts)
    count = min(len(shards), MOST_PARTS)
    some = [shards[i * len(shards) // count] for i in range(count)]
    total = ShardStatistics()
    for shard in (*static, *some):
        total = _added(total, manifest.url, (*held.key, shard))
    histograms = {n: r.histogram for n, r in total.reductions.items() if not n.step_hours}
    return Merged(histograms, total.frames, whole=count == len(shards))


def _added(total: ShardStatistics, root: str, task: tuple[str, str, str]) -> ShardStatistics:
    try:
        return total + ShardStatistics.from_bytes(read_part(root, *task).statistics)
    except AuroraPrepError:  # a part that cannot be read is a matter for verify
        return total


def of_values(histogram: Histogram, label: str) -> Curve:
    """The distribution of values as stored."""
    edges, counts = _bins(histogram)
    return _curve(label, edges, counts, _span(float(edges[0]), float(edges[-1])))


def as_seen(histogram: Histogram, row: Comparison) -> tuple[Curve, ...]:
    """Distributions after Aurora's transform of a variable, over one axis.

    Args:
        histogram: Of the values as stored.
        row: Location and scale, the dataset's and the published ones.

    Returns:
        Of a direction its sine and cosine. Of any other variable what comes of the
        dataset's own scale, then of the published one; none where there is no scale.
    """
    forwards: list[tuple[str, Forward]] = []
    if row.key in DIRECTIONS:
        forwards = [
            ("sine", lambda x: components_of_direction(x)[0]),
            ("cosine", lambda x: components_of_direction(x)[1]),
        ]
    else:
        for label, location, scale in (
            ("by this dataset's statistics", row.location, row.scale),
            ("by Aurora's constants", row.published_location, row.published_scale),
        ):
            if math.isfinite(location) and math.isfinite(scale) and scale > 0:
                forwards.append((label, _transform(row.rule, location, scale)))
    if not forwards:
        return ()
    edges, counts = _bins(histogram)
    pieces = (np.arange(SPREAD) + 0.5) / SPREAD
    values = (edges[:-1, None] + pieces * np.diff(edges)[:, None]).ravel()
    weights = np.repeat(counts / SPREAD, SPREAD) / counts.sum()
    seen = [(label, np.asarray(forward(values))) for label, forward in forwards]
    occupied = [values[weights > 0] for _, values in seen]
    bars = _span(
        max(-REACH, min(float(values.min()) for values in occupied)),
        min(REACH, max(float(values.max()) for values in occupied)),
    )
    return tuple(
        Curve(label, bars, np.histogram(np.clip(x, bars[0], bars[-1]), bars, weights=weights)[0])
        for label, x in seen
    )


def _transform(rule: Rule, location: float, scale: float) -> Forward:
    if rule is Rule.MEAN_MAXIMUM:
        bend = Pollutant()
        return lambda values: np.asarray(bend.forward(values / scale))
    if rule is Rule.MIN_MAX:
        return MinMax(location, location + scale).forward
    return Standardise(location, scale).forward


def _bins(histogram: Histogram) -> tuple[Float, Float]:
    """Edges in the units of the values, shape ``(bins + 1,)``, and counts."""
    binning = histogram.binning
    inner = np.ldexp(binning.first + np.arange(binning.size + 1.0), binning.level)
    edges = np.clip(values_at(inner), histogram.lowest, histogram.highest)
    return edges, histogram.counts.astype(np.float64)


def _curve(label: str, edges: Float, counts: Float, bars: Float) -> Curve:
    """Counts of bins shared out to bars: evenly within a bin."""
    below = np.concatenate([[0.0], np.cumsum(counts)])
    # Bins without width, where all values are equal, stay whole in the bar that holds them.
    if edges[0] == edges[-1]:
        shares = np.histogram(edges[:1], bars)[0].astype(np.float64)
        return Curve(label, bars, shares)
    shares = np.diff(np.interp(bars, edges, below)) / below[-1]
    return Curve(label, bars, shares)


def _span(low: float, high: float) -> Float:
    """Edges of bars between two values, shape ``(BARS + 1,)``."""
    if not low < high:
        room = abs(low) * 0.01 or 1.0
        low, high = low - room, low + room
    return np.linspace(low, high, BARS + 1)
