"""Finish: what is written once, last: manifest tables, statistics, STAC, dataset.json."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from aurora_prep.manifest import durable, layout
from aurora_prep.manifest.ledger.compact import PlannedFrame, PlannedFrames, compact
from aurora_prep.manifest.ledger.tokens import tokens_of
from aurora_prep.manifest.query import Manifest
from aurora_prep.normalisation import ShardStatistics
from aurora_prep.pipelines.dataset.rereading import ChangesUnit, units_of_changes
from aurora_prep.pipelines.dataset.stac import write_collection
from aurora_prep.pipelines.dataset.statistics import frames_of, held_of, write_statistics
from aurora_prep.pipelines.plan.recipe_plan import Plan
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.pipelines.plan.store_choice import addresses_of
from aurora_prep.pipelines.shard.context import Absence, RunContext
from aurora_prep.sources.spec import DecodeError, errors

FORMAT, VERSION = "aurora-prep dataset", 1
LIBRARIES = ("apache-beam", "xarray-beam", "xarray", "zarr", "numcodecs", "eccodes", "numpy")

Partial = tuple[str, bytes]
Failure = tuple[str, ...]
Reasons = Mapping[tuple[int, str | None], str]


def account(
    plan: Plan, context: RunContext, absences: Sequence[Absence], failures: Sequence[Failure]
) -> None:
    """Compact the ledger into the manifest's tables: every planned frame has its row.

    Args:
        plan: The plan.
        context: Where the run works.
        absences: What could not be written, and why.
        failures: Class and four parts of each error of a provider.

    Raises:
        FetchError: The provider delivered nothing at all: its first error.
        DecodeError: Static fields are absent: the frames are kept, the dataset
            is not finished.
    """
    reasons = {(a.position, a.frame): a.reason for a in absences}
    compact(context.root, (planned(entry, context, reasons) for entry in plan.sources))
    if failures and not _written(context.root):
        kind, *parts = failures[0]
        raise getattr(errors, kind)(*parts)
    for (position, frame), reason in sorted(reasons.items(), key=str):
        if frame is None:
            entry = plan.sources[position]
            raise DecodeError(
                "static fields are absent",
                f"{entry.source.name}, {entry.static_store}",
                reason,
                "run again when the provider has them, or leave them out of variables:",
            )


def changes(plan: Plan, context: RunContext) -> Iterator[ChangesUnit]:
    """The work on changes over the recipe's steps, once all frames are accounted for."""
    with Manifest.open(context.root) as manifest:
        for entry in plan.sources:
            held = held_of(entry, context.root)
            frames = frames_of(manifest, held, context.recipe)
            yield from units_of_changes(held, frames, context.recipe.statistics.differences)


def publish(plan: Plan, context: RunContext, partials: Iterable[Partial]) -> None:
    """Round and write the statistics and the STAC collection; then, last, ``dataset.json``.

    Args:
        plan: The plan.
        context: Where the run works.
        partials: Statistics by ``source-grid``.
    """
    merged = {name: ShardStatistics.from_bytes(partial) for name, partial in partials}
    with Manifest.open(context.root) as manifest:
        totals = {layout.pair(r["source"], r["grid"]): r for r in manifest.summary().to_pylist()}
        for entry in plan.sources:
            held = held_of(entry, context.root)
            if frames := frames_of(manifest, held, context.recipe):
                write_statistics(
                    held, context.recipe, merged[held.name], frames, context.software_version
                )
        tables = manifest.index["files"]
    write_collection(plan, context, totals)
    document = json.dumps(_dataset(plan, context, totals, tables), indent=1) + "\n"
    durable.put(durable.join(context.root, layout.DATASET), document.encode())


def _written(root: str) -> bool:
    with Manifest.open(root) as manifest:
        return any(row["written"] for row in manifest.summary().to_pylist())


def planned(entry: SourcePlan, context: RunContext, reasons: Reasons) -> PlannedFrames:
    """The planned frames of a source, in the form that the manifest takes."""
    return PlannedFrames(
        source=entry.source.name,
        product=str(entry.source.product),
        access=entry.recipe.access,
        grid=entry.grid.name,
        frames=_planned_frames(entry, context, reasons),
        variables=tuple(variable.path for variable in entry.variables),
        levels=tuple(entry.levels),
        store=entry.store,
        recipe_digest=context.recipe.digest,
        tokens=tokens_of(entry.grid),
        synthetic=context.is_synthetic(entry),
    )


def _planned_frames(
    entry: SourcePlan, context: RunContext, reasons: Reasons
) -> Iterator[PlannedFrame]:
    for task in entry.tasks():
        for frame in task.frames:
            split = context.recipe.split_of(frame.valid_time)
            reason = reasons.get((entry.position, str(frame))) if reasons else None
            yield PlannedFrame(
                frame.init_time, frame.lead_time, frame.member, split, task.name, reason
            )


def _dataset(
    plan: Plan, context: RunContext, totals: dict[str, dict[str, Any]], tables: dict[str, Any]
) -> dict[str, Any]:
    """The content of ``dataset.json``; the digests of the manifest's tables seal it."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": context.recipe.name,
        "recipe": context.recipe.decisive,
        "recipe_digest": context.recipe.digest,
        "synthetic": any(context.is_synthetic(entry) for entry in plan.sources),
        "sources": [_source(entry, context, totals) for entry in plan.sources],
        "manifest": tables,
        "software": {
            "aurora-prep": context.software_version,
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
        "created": context.created.isoformat(),
    }


def _source(
    entry: SourcePlan, context: RunContext, totals: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    source = entry.source
    synthetic = context.is_synthetic(entry)
    row = totals[layout.pair(source.name, entry.grid.name)]
    return {
        "source": source.name,
        "title": source.title,
        "product": str(source.product),
        "access": entry.recipe.access,
        "read_from": places[0].url if (places := addresses_of(entry)) else None,
        "synthetic": synthetic,
        "grid": entry.grid.name,
        "winds": entry.recipe.winds,
        "store": entry.store,
        "statics_from": entry.statics_from,
        "static_store": entry.static_store if entry.static_variables else None,
        "variables": [*entry.paths, *entry.static_paths],
        "levels": list(entry.levels),
        "frames": {name: row[name] for name in ("frames", "written", "missing", "rejected")},
        "licence": source.licence,
        "attribution": source.attribution,
        "accepted_products": list(entry.products),
        "ignored": list(entry.ignored),
        "notes": list(source.notes),
        "quirks": [str(quirk) for quirk in entry.quirks],
    }
