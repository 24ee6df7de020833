"""The dataset as a STAC collection, so that catalogues can find it.

Source:
    SpatioTemporal Asset Catalog 1.1, https://github.com/radiantearth/stac-spec.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any, TypeVar

import pystac
from pystac.extensions.datacube import DatacubeExtension, Dimension, Variable

from aurora_prep.manifest import durable, layout
from aurora_prep.pipelines.dataset.datacube import (
    Cube,
    dimensions_of,
    merged,
    space_of,
    utc,
    variables_of,
)
from aurora_prep.pipelines.plan.recipe_plan import Plan
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.sources.spec import Grid

ZARR = "application/vnd.zarr; version=3"
PARQUET = "application/vnd.apache.parquet"
OWN = "aurora_prep:"  # prefix of fields that no extension of STAC has
SPDX = {"CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/"}
OTHER = "other"
SYNTHETIC = "SYNTHETIC: analytic fields of the embedded provider, not weather"
PRODUCERS = (  # the first whose name is in the attribution
    "Copernicus Climate Change Service",
    "Copernicus Atmosphere Monitoring Service",
    "European Centre for Medium-Range Weather Forecasts",
)
TABLES = {
    "frames": "one row a frame: what is there, and what is not and why",
    "details": "one row a field: its range, mean and missing fraction",
    "objects": "one row a stored object: its size and checksum",
}
STATISTICS = {".json": "application/json", ".nc": "application/netcdf"}
Row = Mapping[str, Any]
T = TypeVar("T", pystac.Collection, pystac.Asset)


def write_collection(plan: Plan, context: RunContext, totals: Mapping[str, Row]) -> None:
    """Write ``collection.json`` into the dataset; the same dataset gives the same bytes.

    Args:
        plan: The plan.
        context: Where the run works.
        totals: Rows of the manifest's summary, by ``source-grid``.

    Raises:
        WriteError: The dataset cannot be written.
    """
    made = collection(plan, context, totals)
    document = made.to_dict(include_self_link=False, transform_hrefs=False)
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    durable.put(durable.join(context.root, layout.COLLECTION), text.encode())


def collection(plan: Plan, context: RunContext, totals: Mapping[str, Row]) -> pystac.Collection:
    """A finished dataset as a collection whose assets are stores, tables and statistics.

    Every store is an asset that carries its own dimensions and variables. Those of the
    collection are what the stores of frames hold together; a variable that several of them
    hold has the dimensions of the first.
    """
    synthetic = any(map(context.is_synthetic, plan.sources))
    rows = [totals[_name(entry)] for entry in plan.sources]
    names = [entry.source.name for entry in plan.sources]
    licence = _licence({"none: synthetic"} if synthetic else _licences(plan))
    made = pystac.Collection(
        id=context.recipe.name,
        title=f"{'SYNTHETIC ' if synthetic else ''}{context.recipe.name}",
        description=_description(plan, rows, synthetic=synthetic),
        extent=_extent(plan, rows),
        license=licence,
        keywords=["Aurora", *dict.fromkeys(names), *(["synthetic"] if synthetic else [])],
        providers=_providers(plan, context),
        href=f"./{layout.COLLECTION}",
        extra_fields={
            "created": utc(context.created),
            OWN + "synthetic": synthetic,
            OWN + "recipe_digest": context.recipe.digest,
            OWN + "frames": {
                name: sum(row[name] for row in rows)
                for name in ("frames", "written", "missing", "rejected")
            },
        },
    )
    made.remove_links(pystac.RelType.SELF)
    made.add_link(pystac.Link(pystac.RelType.LICENSE, *_licence_link(licence)))
    for name, asset in _assets(plan, context):
        made.add_asset(name, asset)
    dimensions: Cube = {}
    variables: Cube = {}
    for entry in plan.sources:
        _add_cube(
            made.assets[_name(entry)], dimensions_of(entry), variables_of(entry, entry.variables)
        )
        for name, dimension in dimensions_of(entry).items():
            dimensions[name] = merged(dimensions.get(name), dimension)
        for name, variable in variables_of(entry, entry.variables).items():
            variables.setdefault(name, variable)
    for grid, sharing in _static(plan).items():
        quantities = [quantity for entry in sharing for quantity in entry.static_variables]
        cube = variables_of(sharing[0], quantities, leading=())
        _add_cube(made.assets[f"static-{grid}"], space_of(sharing[0].grid), cube)
    _add_cube(made, dimensions, variables)
    return made


def _description(plan: Plan, rows: Sequence[Row], *, synthetic: bool) -> str:
    lines = [
        f"- {entry.source.title}, {entry.source.product}, on {entry.grid.name} degrees:"
        f" {row['written']:,} of {row['frames']:,} planned frames"
        for entry, row in zip(plan.sources, rows, strict=True)
    ]
    head = "Training data for the weather model Aurora, as sharded Zarr with a manifest."
    return "\n\n".join([*([f"{SYNTHETIC}."] if synthetic else []), head, "\n".join(lines)])


def _extent(plan: Plan, rows: Sequence[Row]) -> pystac.Extent:
    boxes = list(dict.fromkeys(tuple(box_of(entry.grid)) for entry in plan.sources))
    overall = boxes[0] if len(boxes) == 1 else (-180.0, -90.0, 180.0, 90.0)
    spans = [(row["first"].replace(tzinfo=UTC), row["last"].replace(tzinfo=UTC)) for row in rows]
    whole = min(first for first, _ in spans), max(last for _, last in spans)
    return pystac.Extent(
        pystac.SpatialExtent([list(overall), *(list(box) for box in boxes if len(boxes) > 1)]),
        pystac.TemporalExtent([list(whole), *(list(span) for span in spans if len(spans) > 1)]),
    )


def box_of(grid: Grid) -> list[float]:
    """West, south, east and north, in degrees of -180 to 180."""
    if grid.is_periodic:
        return [-180.0, float(grid.south), 180.0, float(grid.north)]
    west, east = (float((side + 180) % 360 - 180) for side in (grid.west, grid.east))
    return [west, float(grid.south), east, float(grid.north)]


def _providers(plan: Plan, context: RunContext) -> list[pystac.Provider]:
    producers: dict[str, str] = {}
    for entry in plan.sources:
        source = entry.source
        if context.is_synthetic(entry):
            producers["embedded provider of aurora-prep"] = f"{SYNTHETIC}."
        else:
            known = (name for name in PRODUCERS if name in source.attribution)
            text = f"{source.attribution} Licence: {source.licence}."
            producers.setdefault(next(known, source.title), text)
    roles = [pystac.ProviderRole.PRODUCER, pystac.ProviderRole.LICENSOR]
    processor = f"aurora-prep {context.software_version}: regridded, scaled and sharded."
    return [
        *(pystac.Provider(name, text, list(roles)) for name, text in producers.items()),
        pystac.Provider("aurora-prep", processor, [pystac.ProviderRole.PROCESSOR]),
    ]


def _licences(plan: Plan) -> set[str]:
    return {entry.source.licence for entry in plan.sources}


def _licence(licences: set[str]) -> str:
    """The one licence, where it has a name in SPDX's list."""
    return next(iter(licences)) if len(licences) == 1 and licences <= set(SPDX) else OTHER


def _licence_link(licence: str) -> tuple[str, str, str]:
    """Target, media type and title of the link to the licence."""
    if licence in SPDX:
        return SPDX[licence], "text/html", licence
    return f"./{layout.DATASET}", "application/json", "licences and attributions of every source"


def _assets(plan: Plan, context: RunContext) -> Iterable[tuple[str, pystac.Asset]]:
    for entry in plan.sources:
        synthetic = context.is_synthetic(entry)
        title = f"{entry.source.title}, {entry.grid.name} degrees"
        yield _name(entry), _store(entry.store, title, [entry], synthetic=synthetic)
    for grid, sharing in _static(plan).items():
        synthetic = any(map(context.is_synthetic, sharing))
        title = f"static fields, {grid} degrees"
        yield f"static-{grid}", _store(sharing[0].static_store, title, sharing, synthetic=synthetic)
    for name, title in TABLES.items():
        href = f"./{layout.table(name)}"
        yield (
            f"manifest-{name}",
            pystac.Asset(href, f"manifest: {title}", None, PARQUET, ["metadata"]),
        )
    for name in durable.listing(durable.join(context.root, layout.STATISTICS)):
        stem, dot, ending = name.rpartition(".")
        kind = STATISTICS.get(dot + ending)
        if kind is not None:
            title = f"normalisation statistics of {stem}"
            asset = pystac.Asset(f"./{layout.STATISTICS}/{name}", title, None, kind, ["metadata"])
            yield f"statistics-{stem}-{ending}", asset
    yield (
        "dataset",
        pystac.Asset(
            f"./{layout.DATASET}",
            "recipe, digests, versions, licences",
            None,
            "application/json",
            ["metadata"],
        ),
    )


def _store(
    store: str, title: str, sharing: Sequence[SourcePlan], *, synthetic: bool
) -> pystac.Asset:
    licences = {entry.source.licence for entry in sharing}
    attributions = dict.fromkeys(entry.source.attribution for entry in sharing)
    said = {
        "license": OTHER if synthetic else _licence(licences),
        OWN + "licence": "none: synthetic" if synthetic else "; ".join(sorted(licences)),
        OWN + "attribution": SYNTHETIC if synthetic else " ".join(attributions),
        OWN + "synthetic": synthetic,
    }
    return pystac.Asset(f"./{store}", title, None, ZARR, ["data"], said)


def _static(plan: Plan) -> dict[str, list[SourcePlan]]:
    """Entries that bring static fields, by the grid whose store they share."""
    sharing: dict[str, list[SourcePlan]] = {}
    for entry in plan.sources:
        if entry.static_variables:
            sharing.setdefault(entry.grid.name, []).append(entry)
    return sharing


def _name(entry: SourcePlan) -> str:
    return layout.pair(entry.source.name, entry.grid.name)


def _add_cube(owner: T, dimensions: Cube, variables: Cube) -> None:
    cube = DatacubeExtension.ext(owner, add_if_missing=True)
    cube.apply(
        {name: Dimension.from_dict(values) for name, values in dimensions.items()},
        {name: Variable(values) for name, values in variables.items()},
    )
