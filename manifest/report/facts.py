"""What the manifest and ``dataset.json`` say of a dataset, gathered in a few bounded questions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aurora_prep.manifest import durable, layout
from aurora_prep.manifest.query import Manifest
from aurora_prep.manifest.render import TOTALS
from aurora_prep.normalisation import Statistics
from aurora_prep.sources.spec import ManifestError, Product, Source

MOST_GAPS = 100
"""Runs of absent frames that are listed for a source; the rest are counted."""

MOST_VERSIONS = 40

# The table of frames is sorted, and read in its order: numbering its rows sorts nothing.
GAPS = """
    WITH numbered AS (
        SELECT source, grid, init_time, lead_time, status, reason, row_number() OVER () AS n
        FROM frames),
    absent AS (
        SELECT *, n - row_number() OVER (
                   PARTITION BY source, grid, status, reason ORDER BY n) AS run
        FROM numbered WHERE status <> 'written'),
    runs AS (
        SELECT source, grid, status, reason, min(n) AS first_n, count(*) AS frames,
               arg_min(init_time, n) AS first_init, arg_min(lead_time, n) AS first_lead,
               arg_max(init_time, n) AS last_init, arg_max(lead_time, n) AS last_lead
        FROM absent GROUP BY source, grid, status, reason, run),
    ranked AS (
        SELECT *, row_number() OVER (PARTITION BY source, grid ORDER BY first_n) AS rank,
               count(*) OVER (PARTITION BY source, grid) AS runs FROM runs)
    SELECT source, grid, status, reason, frames, first_init, first_lead, last_init, last_lead,
           runs FROM ranked WHERE rank <= {most} ORDER BY source, grid, rank
"""
SPLITS = """
    SELECT source, grid, split, count(*) AS frames,
           count(*) FILTER (status = 'written') AS written,
           min(valid_time) AS first, max(valid_time) AS last,
           sum(tokens) FILTER (status = 'written') AS tokens
    FROM frames GROUP BY source, grid, split ORDER BY source, grid, min(valid_time), split
"""
LEADS = """
    SELECT source, grid, lead_time, count(*) AS frames,
           count(*) FILTER (status = 'written') AS written
    FROM frames GROUP BY source, grid, lead_time
    QUALIFY count(*) OVER (PARTITION BY source, grid) > 1 ORDER BY source, grid, lead_time
"""
VERSIONS = """
    WITH versions AS (
        SELECT source, grid, product, access, product_version, assimilation_window,
               software_version, recipe_digest, count(*) AS frames,
               count(DISTINCT request_digest) AS requests,
               min(init_time) AS first, max(init_time) AS last
        FROM frames WHERE status = 'written' GROUP BY ALL)
    SELECT * FROM versions ORDER BY source, grid, first, product_version LIMIT {most}
"""

Key = tuple[str, str]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gap:
    """Consecutive planned frames that are absent for one reason.

    Attributes:
        status: ``missing`` or ``rejected``.
        reason: Why, in words.
        frames: How many they are.
        first: Init and lead time of the first one.
        last: Init and lead time of the last one.
    """

    status: str
    reason: str
    frames: int
    first: tuple[datetime, timedelta]
    last: tuple[datetime, timedelta]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One source on one grid, as the manifest knows it.

    Attributes:
        key: Names of source and grid.
        summary: Its row of the manifest's summary.
        entry: Its entry in ``dataset.json``; empty when it has none.
        source: Its declaration, ``None`` when this software has none.
        statistics: Its statistics, ``None`` when there are none.
        splits: Frames by split.
        leads: Frames by lead time, when there are several.
        versions: Products, accesses and versions of the written frames.
        gaps: What is absent, the first runs of it.
        runs: How many runs are absent in all.
    """

    key: Key
    summary: Row
    entry: Row
    source: Source | None
    statistics: Statistics | None
    splits: tuple[Row, ...]
    leads: tuple[Row, ...]
    versions: tuple[Row, ...]
    gaps: tuple[Gap, ...]
    runs: int

    @property
    def name(self) -> str:
        """``era5-0.25``."""
        return "-".join(self.key)

    @property
    def is_forecast(self) -> bool:
        """Whether frames are steps of forecasts."""
        return self.entry.get("product") == Product.FORECAST or bool(self.leads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A dataset.

    Attributes:
        url: Where it is.
        document: Its ``dataset.json``.
        totals: Frames, written, missing, rejected, bytes and tokens of all sources.
        files: Size and digest of the manifest's tables, by name.
        held: Its sources and grids.
    """

    url: str
    document: Row
    totals: dict[str, int]
    files: dict[str, Row]
    held: tuple[Held, ...]

    @property
    def is_synthetic(self) -> bool:
        """Whether any frame's values were made up."""
        return bool(self.document.get("synthetic")) or any(
            h.summary["synthetic"] for h in self.held
        )


def gather(manifest: Manifest, declared: Mapping[str, Source]) -> Facts:
    """Everything but fields and coverage, which are read as they are drawn.

    Args:
        manifest: Of a finished dataset.
        declared: Declarations of sources by name, for units, natures and quirks.

    Raises:
        ManifestError: The dataset is not finished, or cannot be read.
    """
    document = _document(manifest.url)
    entries = {(str(e.get("source")), str(e.get("grid"))): e for e in document["sources"]}
    gaps = _by_key(manifest, GAPS.format(most=MOST_GAPS))
    splits, leads = _by_key(manifest, SPLITS), _by_key(manifest, LEADS)
    versions = _by_key(manifest, VERSIONS.format(most=MOST_VERSIONS))
    summary = manifest.summary().to_pylist()
    held = []
    for row in summary:
        key = row["source"], row["grid"]
        rows = gaps.get(key, [])
        held.append(
            Held(
                key=key,
                summary=row,
                entry=entries.get(key, {}),
                source=declared.get(row["source"]),
                statistics=_statistics(manifest.url, key),
                splits=tuple(splits.get(key, ())),
                leads=tuple(leads.get(key, ())),
                versions=tuple(versions.get(key, ())),
                gaps=tuple(map(_gap, rows)),
                runs=rows[0]["runs"] if rows else 0,
            )
        )
    return Facts(
        url=manifest.url,
        document=document,
        totals={name: sum(row[name] or 0 for row in summary) for name in TOTALS},
        files=manifest.index["files"],
        held=tuple(held),
    )


def _document(url: str) -> Row:
    place = durable.join(url, layout.DATASET)
    if not durable.exists(place):
        raise ManifestError(
            "the dataset is not finished", url, f"no {layout.DATASET}", "run its recipe again"
        )
    try:
        document = json.loads(durable.get(place))
        known = isinstance(document["sources"], list)
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise ManifestError(
            "dataset.json is damaged", place, "it lists no sources", "run the recipe again"
        )
    found: Row = document
    return found


def _by_key(manifest: Manifest, text: str) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in manifest.sql(text).to_pylist():
        found.setdefault((row["source"], row["grid"]), []).append(row)
    return found


def _gap(row: Row) -> Gap:
    return Gap(
        row["status"],
        row["reason"],
        row["frames"],
        (row["first_init"], row["first_lead"]),
        (row["last_init"], row["last_lead"]),
    )


def _statistics(url: str, key: Key) -> Statistics | None:
    place = durable.join(url, layout.statistics(*key))
    return Statistics.from_json(durable.get(place).decode()) if durable.exists(place) else None
