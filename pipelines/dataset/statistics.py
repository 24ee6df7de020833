"""Statistics of the recipe's split: which frames enter, and the files that hold the result."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from aurora_prep import sources
from aurora_prep.manifest import durable, layout
from aurora_prep.manifest.ledger.records import Status
from aurora_prep.manifest.query import Manifest
from aurora_prep.normalisation import ShardStatistics, Statistics, finish
from aurora_prep.pipelines.dataset.rereading import Frames, Held, recompute
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.sources.spec import FrameKey, ManifestError, Product

EVERY_FRAME = "all"


def held_of(plan: SourcePlan, root: str) -> Held:
    """What a dataset holds of a planned source."""
    return Held(
        root=root,
        source=plan.source.name,
        grid=plan.grid.name,
        store=plan.store,
        static_store=plan.static_store if plan.static_variables else None,
        fields=tuple((v.path, level) for v in plan.variables for level in plan.levels_of(v)),
        static=tuple(variable.path for variable in plan.static_variables),
        is_forecast=plan.is_forecast,
    )


def frames_of(manifest: Manifest, held: Held, recipe: Recipe) -> list[tuple[FrameKey, str]]:
    """Written frames of the split, with their checksums, in the order of their keys."""
    table = manifest.query(source=held.source, grid=held.grid, status=Status.WRITTEN)
    rows = table.select(["source", "init_time", "lead_time", "member", "checksum"]).to_pylist()
    keys = (
        (FrameKey(row["source"], row["init_time"], row["lead_time"], row["member"]), row)
        for row in rows
    )
    return sorted(
        (key, row["checksum"]) for key, row in keys if recipe.enters_statistics(key.valid_time)
    )


def write_statistics(
    held: Held, recipe: Recipe, total: ShardStatistics, frames: Frames, software_version: str
) -> Statistics:
    """Round the merged partials once and write ``statistics/<source>-<grid>.json`` and ``.nc``.

    Args:
        held: What the dataset holds.
        recipe: The recipe.
        total: The sum of all partials.
        frames: The frames that should have gone in, with their checksums.
        software_version: Version of this software.

    Raises:
        StatisticsError: Other frames went in, or a variable or level is absent.
        WriteError: The files cannot be written.
    """
    statistics = finish(
        total,
        source=held.source,
        grid=held.grid,
        split=recipe.statistics.split or EVERY_FRAME,
        frames=frames,
        software_version=software_version,
        expected=held.fields,
        variables=sources.load(held.source).variables,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "statistics.nc"
        statistics.to_netcdf(path)
        name = layout.statistics(held.source, held.grid, ".nc")
        durable.put(durable.join(held.root, name), path.read_bytes())
    name = layout.statistics(held.source, held.grid)
    durable.put(durable.join(held.root, name), statistics.to_json().encode())
    return statistics


def recompute_statistics(root: str, software_version: str) -> list[Statistics]:
    """Compute the statistics of a dataset again from its shards, and write them.

    The bits are those that the run computed in the pass that wrote the shards.

    Args:
        root: The dataset.
        software_version: Version of this software.

    Raises:
        ManifestError: The dataset is not finished, or cannot be read.
    """
    place = durable.join(root, layout.DATASET)
    if not durable.exists(place):
        raise ManifestError(
            "the dataset is not finished", root, f"no {layout.DATASET}", "run its recipe again"
        )
    document = json.loads(durable.get(place))
    recipe = Recipe.parse(document["recipe"], where=place, output=root)
    steps: Sequence[timedelta] = recipe.statistics.differences
    found = []
    with Manifest.open(root) as manifest:
        for entry in document["sources"]:
            held = _held(entry, root)
            if frames := frames_of(manifest, held, recipe):
                total = recompute(held, frames, steps)
                found.append(write_statistics(held, recipe, total, frames, software_version))
    return found


def _held(entry: dict[str, Any], root: str) -> Held:
    source = sources.load(entry["source"])
    variables = [source.native(path).variable for path in entry["variables"]]
    return Held(
        root=root,
        source=source.name,
        grid=entry["grid"],
        store=entry["store"],
        static_store=entry["static_store"],
        fields=tuple(
            (variable.path, level)
            for variable in variables
            if not variable.path.startswith("static/")
            for level in (entry["levels"] if variable.has_levels else (None,))
        ),
        static=tuple(v.path for v in variables if v.path.startswith("static/")),
        is_forecast=source.product is Product.FORECAST,
    )
