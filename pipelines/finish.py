"""Finish: what is written once, last: manifest tables, statistics, dataset.json."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aurora_prep.manifest import storage
from aurora_prep.manifest.compact import PlannedFrame, PlannedFrames, compact
from aurora_prep.manifest.query import Manifest
from aurora_prep.manifest.records import Status
from aurora_prep.manifest.tokens import tokens_of
from aurora_prep.normalisation import ShardStatistics, finish
from aurora_prep.normalisation.netcdf import to_netcdf
from aurora_prep.pipelines.plan import Plan, SourcePlan
from aurora_prep.pipelines.stages.shard import Absence, Site
from aurora_prep.sources.spec import DecodeError, FetchError, FrameKey

DATASET = "dataset.json"
FORMAT, VERSION = "aurora-prep dataset", 1
LIBRARIES = ("apache-beam", "xarray-beam", "xarray", "zarr", "numcodecs", "eccodes", "numpy")
EVERY_FRAME = "all"

Partial = tuple[str, bytes]
Failure = tuple[str, ...]
Reasons = Mapping[tuple[int, str | None], str]


def finish_run(
    plan: Plan,
    site: Site,
    partials: Iterable[Partial],
    absences: Sequence[Absence],
    failures: Sequence[Failure],
) -> int:
    """Close a run: compact the ledger, round the statistics, publish ``dataset.json``.

    Args:
        plan: The plan.
        site: Where the run works.
        partials: Statistics by ``source-grid``.
        absences: What could not be written, and why.
        failures: The four parts of each error of a provider.

    Returns:
        Number of planned frames that are not written.

    Raises:
        FetchError: The provider delivered nothing at all: its first error.
        DecodeError: Static fields are absent: the frames are kept, the dataset
            is not finished.
    """
    reasons = {(a.position, a.frame): a.reason for a in absences}
    index = compact(site.root, (planned(entry, site, reasons) for entry in plan.sources))
    with Manifest.open(site.root) as manifest:
        summary = manifest.summary().to_pylist()
        if failures and not any(row["written"] for row in summary):
            raise FetchError(*failures[0])
        for (position, frame), reason in sorted(reasons.items(), key=str):
            if frame is None:
                raise DecodeError(
                    "static fields are absent",
                    f"{plan.sources[position].source.name}, {plan.sources[position].static_store}",
                    reason,
                    "run again when the provider has them, or leave them out of variables:",
                )
        totals = {f"{row['source']}-{row['grid']}": row for row in summary}
        merged = dict(partials)
        for entry in plan.sources:
            name = f"{entry.source.name}-{entry.grid.name}"
            frames = _frames(manifest, entry, site)
            if frames:
                _write_statistics(entry, site, merged[name], frames)
    storage.put(
        storage.join(site.root, DATASET),
        (json.dumps(_dataset(plan, site, totals, index), indent=1) + "\n").encode(),
    )
    return sum(row["frames"] - row["written"] for row in summary)


def planned(entry: SourcePlan, site: Site, reasons: Reasons) -> PlannedFrames:
    """The frames of a source as the manifest wants to hear of them."""
    return PlannedFrames(
        source=entry.source.name,
        product=str(entry.source.product),
        access=entry.recipe.access,
        grid=entry.grid.name,
        frames=_planned_frames(entry, site, reasons),
        variables=tuple(variable.path for variable in entry.variables),
        levels=tuple(entry.levels),
        store=entry.store,
        recipe_digest=site.recipe.digest,
        tokens=tokens_of(entry.grid),
        synthetic=site.is_synthetic(entry),
    )


def _planned_frames(entry: SourcePlan, site: Site, reasons: Reasons) -> Iterator[PlannedFrame]:
    for task in entry.tasks():
        for frame in task.frames:
            split = site.recipe.split_of(frame.valid_time)
            reason = reasons.get((entry.position, str(frame))) if reasons else None
            yield PlannedFrame(
                frame.init_time, frame.lead_time, frame.member, split, task.name, reason
            )


def _frames(manifest: Manifest, entry: SourcePlan, site: Site) -> list[tuple[FrameKey, str]]:
    """Frames that went into the statistics, with their checksums."""
    table = manifest.query(
        source=entry.source.name, grid=entry.grid.name, status=Status.WRITTEN
    ).select(["source", "init_time", "lead_time", "member", "checksum"])
    keys = (
        (
            FrameKey(row["source"], row["init_time"], row["lead_time"], row["member"]),
            row["checksum"],
        )
        for row in table.to_pylist()
    )
    return [(key, digest) for key, digest in keys if site.recipe.enters_statistics(key.valid_time)]


def _write_statistics(
    entry: SourcePlan, site: Site, partial: bytes, frames: list[tuple[FrameKey, str]]
) -> None:
    total = ShardStatistics.from_bytes(partial)
    statistics = finish(
        total,
        source=entry.source.name,
        grid=entry.grid.name,
        split=site.recipe.statistics.split or EVERY_FRAME,
        frames=frames,
        software_version=site.software_version,
        expected=[(v.path, level) for v in entry.variables for level in entry.levels_of(v)],
        variables=(*entry.static_variables, *entry.variables),
    )
    stem = storage.join(site.root, "statistics", f"{entry.source.name}-{entry.grid.name}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "statistics.nc"
        to_netcdf(statistics, path)
        storage.put(f"{stem}.nc", path.read_bytes())
    storage.put(f"{stem}.json", statistics.to_json().encode())


def _dataset(
    plan: Plan, site: Site, totals: dict[str, dict[str, Any]], index: dict[str, Any]
) -> dict[str, Any]:
    """The content of ``dataset.json``."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": site.recipe.name,
        "recipe": site.recipe.decisive,
        "recipe_digest": site.recipe.digest,
        "synthetic": any(site.is_synthetic(entry) for entry in plan.sources),
        "sources": [_source(entry, site, totals) for entry in plan.sources],
        "manifest": index["files"],
        "software": {
            "aurora-prep": site.software_version,
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
        "created": site.created.isoformat(),
    }


def _source(entry: SourcePlan, site: Site, totals: dict[str, dict[str, Any]]) -> dict[str, Any]:
    source = entry.source
    synthetic = site.is_synthetic(entry)
    row = totals[f"{source.name}-{entry.grid.name}"]
    return {
        "source": source.name,
        "title": source.title,
        "product": str(source.product),
        "access": entry.recipe.access,
        "synthetic": synthetic,
        "grid": entry.grid.name,
        "store": entry.store,
        "static_store": entry.static_store if entry.static_variables else None,
        "variables": list(entry.paths),
        "levels": list(entry.levels),
        "frames": {name: row[name] for name in ("frames", "written", "missing", "rejected")},
        "licence": source.licence,
        "attribution": source.attribution,
        "notes": list(source.notes),
    }
