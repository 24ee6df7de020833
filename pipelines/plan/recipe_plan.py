"""Plan: what a recipe means, worked out without a network and without writing.

The plan of a source is arithmetic on its leading axes: which frames, which
shard task holds which of them, and which requests or files bring them. Two
plans of the same recipe are equal on every machine, so workers make their
own from the recipe instead of being sent it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aurora_prep import sources
from aurora_prep.pipelines.plan.borrowed_statics import borrowed
from aurora_prep.pipelines.plan.own_files import (
    check_held,
    choice_of,
    contradictions,
    no_frame,
    source_of,
)
from aurora_prep.pipelines.plan.source_plan import FLOAT32_BYTES, SourcePlan, is_static
from aurora_prep.pipelines.plan.store_choice import is_synthetic_store, own_store, public_store
from aurora_prep.pipelines.reading.derived import is_derived
from aurora_prep.pipelines.reading.harmonise import Placement, placement_of
from aurora_prep.pipelines.reading.match import Holdings, holdings_of
from aurora_prep.pipelines.reading.product import described
from aurora_prep.pipelines.recipe import FILES, Recipe, SourceRecipe
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.files import expand
from aurora_prep.sources.spec import HOUR, Grid, Levels, Product, RecipeError, Source, Zarr

SHARD_BYTES = 64 * 2**20  # uncompressed, of the variable with most levels
MOST_FRAMES_PER_SHARD = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recipe means."""

    recipe: Recipe
    sources: tuple[SourcePlan, ...]

    @property
    def frames(self) -> int:
        """Number of frames of all sources."""
        return sum(plan.frames for plan in self.sources)

    @property
    def quirks(self) -> tuple[str, ...]:
        """Oddities that concern what is planned, each with the name of its source."""
        return tuple(f"{p.source.name}: {quirk}" for p in self.sources for quirk in p.quirks)


def make_plan(recipe: Recipe, cache: Path) -> Plan:
    """Work out what a recipe means.

    Args:
        recipe: The recipe.
        cache: Folder in which the contents of the user's files are kept.

    Raises:
        RecipeError: The recipe asks for what its source or files do not have.
        DecodeError: One of the user's files is damaged.
    """
    plans: list[SourcePlan] = []
    owned: set[tuple[str, str]] = set()
    for position, entry in enumerate(recipe.sources):
        plan = _source_plan(recipe, entry, position, cache, owned)
        if any(plan.store == other.store for other in plans):
            raise RecipeError(
                "two entries would write the same store",
                f"recipe {recipe.name}, sources[{position}]",
                plan.store,
                "give every source and grid one entry",
            )
        owned |= {(plan.grid.name, path) for path in plan.static_paths}
        plans.append(plan)
    return Plan(recipe, tuple(plans))


def _source_plan(
    recipe: Recipe,
    entry: SourceRecipe,
    position: int,
    cache: Path,
    owned: Collection[tuple[str, str]],
) -> SourcePlan:
    source = sources.load(entry.source)
    where = f"recipe {recipe.name}, sources[{position}] ({source.name})"
    paths = _wanted(source, entry, where)
    levels = source.levels if entry.levels is None else source.levels.subset(entry.levels, where)
    held: Holdings | None = None
    files: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    axes = _Axes(entry.period, entry.lead_times or source.lead_times, _members(source, entry))
    native = source.grid
    if entry.access == FILES:
        files = _expanded(entry.paths, recipe, cache)
        held = holdings_of(files, source, cache, choice_of(entry))
        ignored = (*held.ignored, *contradictions(held))
        check_held(entry, source, files, held, where)
        source = source_of(entry, source, held)
        native = _native_grid(held, entry, where)
        paths, levels = _held(entry, held, paths, levels)
        axes = _held_axes(entry, held, axes)
    else:
        _check_lead_times(source, axes.lead_times, where)
    if not axes.init_times:
        raise no_frame(source, files, ignored, where)
    grid = entry.grid or native
    moving = tuple(path for path in paths if not is_static(path))
    if not moving:
        raise RecipeError(
            "nothing is wanted that changes in time",
            where,
            ", ".join(paths),
            "add a variable that changes in time: static fields are written beside frames",
        )
    static_files = _expanded(entry.statics, recipe, cache)
    static = tuple(path for path in paths if is_static(path))
    synthetic = held is not None and held.synthetic
    if static_files:
        static = _held_static(entry, static_files, source, cache, where)
        synthetic = synthetic or holdings_of(static_files, source, cache).synthetic
    elif entry.statics_from:
        static = borrowed(entry, source, where)
    if isinstance(source.access(entry.access), Zarr):
        files = own_store(entry, recipe, where)
        synthetic = synthetic or any(map(is_synthetic_store, files))
        if not files:
            public_store(
                source,
                entry,
                moving if static_files or entry.statics_from else (*moving, *static),
                where,
            )
    deepest = max(len(levels) if source.native(p).variable.has_levels else 1 for p in moving)
    size = deepest * grid.rows * grid.columns * FLOAT32_BYTES
    is_forecast = source.product is Product.FORECAST
    inner = axes.lead_times if is_forecast else axes.innermost
    chosen = recipe.storage.frames_per_shard or min(SHARD_BYTES // size, MOST_FRAMES_PER_SHARD)
    return SourcePlan(
        position=position,
        recipe=entry,
        source=source,
        init_times=axes.init_times,
        lead_times=axes.lead_times,
        members=axes.members,
        paths=moving,
        levels=levels,
        grid=grid,
        frames_per_shard=max(1, min(chosen, len(inner))),
        files=files,
        products=tuple(map(described, held.products)) if held and entry.accept_product else (),
        static_files=static_files,
        ignored=ignored,
        static_paths=tuple(path for path in static if (grid.name, path) not in owned),
        synthetic=synthetic,
    )


@dataclass(frozen=True, slots=True)
class _Axes:
    """What the leading axes run over."""

    init_times: Sequence[datetime] | None
    lead_times: tuple[timedelta, ...]
    members: tuple[int | None, ...]

    @property
    def innermost(self) -> Sequence[Any]:
        """The last leading axis of what is no forecast."""
        return self.members if self.members != (None,) else self.init_times or ()


def _wanted(source: Source, entry: SourceRecipe, where: str) -> tuple[str, ...]:
    """Paths of what is wanted of a source, in the order of its declaration.

    Raises:
        RecipeError: A variable is named that the access does not deliver.
    """
    access = source.access(entry.access)
    delivered = source.natives if entry.access == FILES else source.delivered(access)
    named = {*(entry.variables or ()), *entry.extra_variables}
    # A short name means the static and the other variable of that name, where both are there.
    at_hand = {n.variable.short_name for n in delivered if n.variable.path in named}
    wanted = []
    for native in source.natives:
        path = native.variable.path
        is_delivered = is_derived(path) or native in delivered
        if (
            path in named
            and not is_delivered
            and not ((entry.statics or entry.statics_from) and is_static(path))
        ):
            if native.variable.short_name in at_hand:
                continue
            raise RecipeError(
                "the access does not deliver this variable",
                where,
                f"{path} by access {access.name}",
                "write statics_from: era5, give a file as statics:, or leave the variable out"
                if is_static(path)
                else "leave the variable out, or take another access",
            )
        is_default = entry.variables is None and not native.optional
        if path in named or (is_default and is_delivered):
            wanted.append(path)
    return tuple(wanted)


def _members(source: Source, entry: SourceRecipe) -> tuple[int | None, ...]:
    return (entry.members or source.members) if source.members else (None,)


def _expanded(paths: tuple[str, ...], recipe: Recipe, cache: Path) -> tuple[str, ...]:
    """The files that globs of the recipe name."""
    if not paths:
        return ()
    return tuple(str(path) for path in expand(paths, Path(recipe.base), cache=Cache(cache)))


def _held_axes(entry: SourceRecipe, held: Holdings, axes: _Axes) -> _Axes:
    """Times, lead times and members that were left out of the recipe mean what the files hold."""
    init_times, lead_times, members = axes.init_times, axes.lead_times, axes.members
    if init_times is None:
        init_times = tuple(sorted({init for init, _, _ in held.moments}))
    if entry.lead_times is None and held.moments:
        lead_times = tuple(sorted({lead for _, lead, _ in held.moments}))
    if not entry.members and members != (None,) and held.moments:
        members = tuple(sorted({member for _, _, member in held.moments}, key=_number))
    return _Axes(init_times, lead_times, members)


def _number(member: int | None) -> int:
    return -1 if member is None else member


def _held_static(
    entry: SourceRecipe, files: tuple[str, ...], source: Source, cache: Path, where: str
) -> tuple[str, ...]:
    """Static variables that the user's own files bring, and those that need none.

    Raises:
        RecipeError: The files hold none of them, or lack one that is named.
    """
    held = holdings_of(files, source, cache)
    present = {path for path, _ in held.places if is_static(path)}
    named = {path for path in entry.variables or () if is_static(path)}
    absent = sorted(path for path in named - present if not is_derived(path))
    if not present or absent:
        raise RecipeError(
            "the files of statics lack what is wanted",
            f"{where}, statics",
            f"{', '.join(absent) or 'no static field of the source'}; the files hold"
            f" {sorted(present) or list(held.ignored[:8])}",
            "name files that hold static fields of the source, by its short names",
        )
    declared = (variable.path for variable in source.variables)
    return tuple(
        path
        for path in declared
        if path in (named or present) or (is_derived(path) and not entry.variables)
    )


def _check_lead_times(source: Source, lead_times: Sequence[timedelta], where: str) -> None:
    absent = sorted(set(lead_times) - set(source.lead_times))
    if absent:
        raise RecipeError(
            "the source has no such lead time",
            where,
            f"{[lead // HOUR for lead in absent[:8]]} h; it has"
            f" {source.lead_times[0] // HOUR} h to {source.lead_times[-1] // HOUR} h,"
            f" {len(source.lead_times)} in all",
            "give lead times that the source has",
        )


def _held(
    entry: SourceRecipe, held: Holdings, paths: tuple[str, ...], levels: Levels
) -> tuple[tuple[str, ...], Levels]:
    """What was left out of the recipe means what the files hold."""
    if entry.variables is None:
        present = {path for path, _ in held.places}
        held_or_derived = (path for path in paths if path in present or is_derived(path))
        paths = tuple(held_or_derived)
    if entry.levels is None:
        found = {level for path, level in held.places if level is not None and path in paths}
        levels = Levels(tuple(level for level in levels if level in found))
    return paths, levels


def _native_grid(held: Holdings, entry: SourceRecipe, where: str) -> Grid:
    """The one regular grid all fields of the files share, for ``grid: native``."""
    placements = placements_of(held, where)
    grids = {placement.grid for placement in placements}
    if entry.grid is None and (None in grids or len(grids) != 1):
        found = sorted("no regular grid" if grid is None else grid.name for grid in grids)
        raise RecipeError(
            "grid: native needs one regular latitude-longitude grid in all files",
            where,
            ", ".join(found) or "no field of the source",
            'give a grid to regrid to, for example grid: "0.25", or fewer files',
        )
    regular = [grid for grid in grids if grid is not None]
    return regular[0] if regular else Grid.regular("0.25")


def placements_of(held: Holdings, where: str) -> tuple[Placement, ...]:
    """Where the fields of the files lie, each grid once."""
    used = {(ref.file, ref.grid): ref for ref in held.fields.values()}
    return tuple(placement(held, ref_file, grid, where) for ref_file, grid in used)


def placement(held: Holdings, file: str, grid: int, where: str) -> Placement:
    """Where the fields of one grid of a file lie."""
    return placement_of(held.grids[file][grid], f"{where}, {file}")
