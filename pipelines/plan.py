"""Plan: what a recipe means, worked out without a network and without writing.

The plan of a source is arithmetic on its leading axes: which frames, which
shard task holds which of them, and which requests or files bring them. Two
plans of the same recipe are equal on every machine, so workers make their
own from the recipe instead of being sent it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from aurora_prep import sources
from aurora_prep.pipelines.recipe import NATIVE_GRID, Recipe, SourceRecipe
from aurora_prep.pipelines.stages.decode import Holdings, Moment, holdings_of
from aurora_prep.pipelines.stages.harmonise import Placement, placement_of
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.files import expand
from aurora_prep.providers.planner import plan_requests
from aurora_prep.sources.spec import (
    HOUR,
    Cds,
    FrameKey,
    Grid,
    Kind,
    Levels,
    Product,
    Quirk,
    RecipeError,
    Request,
    Source,
    Timeline,
    Variable,
)

STATIC_SHARD = "static"
SHARD_BYTES = 64 * 2**20  # uncompressed, of the variable with most levels
MOST_FRAMES_PER_SHARD = 64
FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One worker's work: a few consecutive frames of one source, or its static fields.

    Attributes:
        name: Name of its part in the ledger.
        block: Position of the shard along each leading axis; empty for static fields.
        frames: The frames; empty for static fields.
    """

    name: str
    block: tuple[int, ...]
    frames: tuple[FrameKey, ...]

    @property
    def is_static(self) -> bool:
        """Whether the task writes static fields."""
        return self.name == STATIC_SHARD


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan:
    """What one entry of a recipe means.

    Attributes:
        position: Of the entry in the recipe.
        recipe: The entry.
        source: The declaration it names.
        init_times: Valid times, or init times of a forecast.
        lead_times: Lead times, ``(0 h,)`` but for forecasts.
        paths: Variables, in the order of the declaration.
        levels: Pressure levels.
        grid: The grid that is written.
        frames_per_shard: Frames in a shard, along the last leading axis.
        files: The user's own files, or none.
        ignored: What the files hold beside the source's variables.
        has_static: Whether this entry writes the static fields of its grid.
    """

    position: int
    recipe: SourceRecipe
    source: Source
    init_times: Sequence[datetime]
    lead_times: tuple[timedelta, ...]
    paths: tuple[str, ...]
    levels: Levels
    grid: Grid
    frames_per_shard: int
    files: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    has_static: bool = False

    @property
    def is_forecast(self) -> bool:
        """Whether frames have a lead time of their own."""
        return self.source.product is Product.FORECAST

    @property
    def leading(self) -> tuple[tuple[str, int], ...]:
        """Names and lengths of the axes before level and latitude."""
        if self.is_forecast:
            return ("init_time", len(self.init_times)), ("lead_time", len(self.lead_times))
        return (("time", len(self.init_times)),)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.init_times) * len(self.lead_times)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The planned variables that change in time."""
        return tuple(v for v in map(self.variable, self.paths) if v.kind is not Kind.STATIC)

    @property
    def static_variables(self) -> tuple[Variable, ...]:
        """The planned static variables, where this entry writes them."""
        chosen = map(self.variable, self.paths)
        return tuple(v for v in chosen if v.kind is Kind.STATIC) if self.has_static else ()

    @property
    def fields_per_frame(self) -> int:
        """Two-dimensional fields in a frame."""
        return sum(len(self.levels_of(variable)) for variable in self.variables)

    @property
    def frame_bytes(self) -> int:
        """Uncompressed bytes of a frame."""
        return self.fields_per_frame * self.grid.rows * self.grid.columns * FLOAT32_BYTES

    @property
    def store(self) -> str:
        """The Zarr store, relative to the dataset."""
        return f"{self.source.name}/{self.grid.name}.zarr"

    @property
    def static_store(self) -> str:
        """The Zarr store of the static fields, relative to the dataset."""
        return f"static/{self.grid.name}.zarr"

    def variable(self, path: str) -> Variable:
        """The declared variable of a path."""
        return self.source.native(path).variable

    @property
    def quirks(self) -> tuple[Quirk, ...]:
        """Oddities of the source that concern the planned times and variables."""
        names = frozenset(self.variable(path).short_name for path in self.paths)
        first, last = self.init_times[0], self.init_times[-1]
        return tuple(q for q in self.source.quirks if q.concerns(first, last, names))

    def levels_of(self, variable: Variable) -> tuple[int | None, ...]:
        """The levels of a variable; one ``None`` where it has none."""
        return tuple(self.levels) if variable.has_levels else (None,)

    def shard_shape(self, variable: Variable) -> tuple[int, ...]:
        """Shape of a shard of one variable."""
        leading: tuple[int, ...] = (1,) * (len(self.leading) - 1) + (self.frames_per_shard,)
        if variable.kind is Kind.STATIC:
            leading = ()
        levels = (len(self.levels),) if variable.has_levels else ()
        return (*leading, *levels, *self.grid.shape)

    def array_shape(self, variable: Variable) -> tuple[int, ...]:
        """Shape of the whole array of one variable."""
        outer = () if variable.kind is Kind.STATIC else tuple(n for _, n in self.leading)
        return (*outer, *self.shard_shape(variable)[len(outer) :])

    def frame_key(self, *index: int) -> FrameKey:
        """The frame at a position along the leading axes."""
        lead = self.lead_times[index[1]] if self.is_forecast else timedelta(0)
        return FrameKey(self.source.name, self.init_times[index[0]], lead)

    def frame_keys(self) -> Iterator[FrameKey]:
        """All frames, in the order of the store."""
        for init_time in self.init_times:
            for lead_time in self.lead_times:
                yield FrameKey(self.source.name, init_time, lead_time)

    def tasks(self) -> Iterator[ShardTask]:
        """All shard tasks: the static fields first, then the frames in order."""
        if self.static_variables:
            yield self.task_at(())
        blocks = range(-(-self.leading[-1][1] // self.frames_per_shard))
        for outer in itertools.product(*(range(length) for _, length in self.leading[:-1])):
            for block in blocks:
                yield self.task_at((*outer, block))

    def task_at(self, block: tuple[int, ...]) -> ShardTask:
        """The shard task at a position along the leading axes; the static one without any."""
        if not block:
            return ShardTask(STATIC_SHARD, (), ())
        start = block[-1] * self.frames_per_shard
        inner = range(start, min(start + self.frames_per_shard, self.leading[-1][1]))
        frames = tuple(self.frame_key(*block[:-1], position) for position in inner)
        return ShardTask(shard_name(frames[0]), block, frames)

    def requests(self, *, synthetic: bool) -> Iterator[Request]:
        """The requests that bring all frames; none when the user has the files.

        Args:
            synthetic: Whether the embedded provider answers.
        """
        access = self.source.access(self.recipe.access)
        if not isinstance(access, Cds) or not isinstance(self.init_times, Timeline):
            return iter(())
        paths = [v.path for v in (*self.static_variables, *self.variables)]
        return plan_requests(
            self.source,
            access,
            self.init_times,
            paths,
            self.levels,
            lead_times=self.lead_times if self.is_forecast else (timedelta(0),),
            data_format=self.recipe.data_format,
            synthetic=synthetic,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recipe means."""

    recipe: Recipe
    sources: tuple[SourcePlan, ...]

    @property
    def frames(self) -> int:
        """Number of frames of all sources."""
        return sum(plan.frames for plan in self.sources)


def shard_name(first: FrameKey) -> str:
    """Name of a shard task, from its first frame: ``20200101T00+000h``."""
    return f"{first.init_time:%Y%m%dT%H}+{first.lead_time // HOUR:03d}h"


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
    owned: set[str] = set()
    for position, entry in enumerate(recipe.sources):
        plan = _source_plan(recipe, entry, position, cache, owned)
        if any(plan.store == other.store for other in plans):
            raise RecipeError(
                "two entries would write the same store",
                f"recipe {recipe.name}, sources[{position}]",
                plan.store,
                "give every source and grid one entry",
            )
        owned |= {plan.grid.name} if plan.has_static else set()
        plans.append(plan)
    return Plan(recipe, tuple(plans))


def _source_plan(
    recipe: Recipe, entry: SourceRecipe, position: int, cache: Path, owned: set[str]
) -> SourcePlan:
    source = sources.load(entry.source)
    where = f"recipe {recipe.name}, sources[{position}] ({source.name})"
    paths = entry.variables or tuple(variable.path for variable in source.variables)
    levels = source.levels if entry.levels is None else source.levels.subset(entry.levels, where)
    files: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    init_times: Sequence[datetime] | None = entry.period
    lead_times = entry.lead_times
    native = source.grid
    if entry.paths:
        files = tuple(
            str(path) for path in expand(entry.paths, Path(recipe.base), cache=Cache(cache))
        )
        held = holdings_of(files, source, cache)
        ignored = held.ignored
        if not held.moments and (init_times is None or entry.grid == NATIVE_GRID):
            raise _no_frame(files, ignored, where)
        native = _native_grid(held, entry, where)
        paths, levels = _held(entry, held, paths, levels)
        if init_times is None:
            init_times = tuple(sorted({init for init, _ in held.moments}))
            lead_times = tuple(sorted({lead for _, lead in held.moments})) or lead_times
    if not init_times:
        raise _no_frame(files, ignored, where)
    if not files and (absent := sorted(set(lead_times) - set(source.lead_times))):
        raise RecipeError(
            "the source has no such lead time",
            where,
            f"{[lead // HOUR for lead in absent[:8]]} h; it has"
            f" {source.lead_times[0] // HOUR} h to {source.lead_times[-1] // HOUR} h,"
            f" {len(source.lead_times)} in all",
            "give lead times that the source has",
        )
    if all(path.startswith(f"{Kind.STATIC}/") for path in paths):
        raise RecipeError(
            "nothing is wanted that changes in time",
            where,
            ", ".join(paths),
            "add a variable that changes in time: static fields are written beside frames",
        )
    grid = native if entry.grid == NATIVE_GRID else Grid.regular(entry.grid)
    has_static = grid.name not in owned and any(p.startswith(f"{Kind.STATIC}/") for p in paths)
    deepest = max(len(levels) if source.native(p).variable.has_levels else 1 for p in paths)
    size = deepest * grid.rows * grid.columns * FLOAT32_BYTES
    inner = len(lead_times) if source.product is Product.FORECAST else len(init_times)
    chosen = recipe.storage.frames_per_shard or min(SHARD_BYTES // size, MOST_FRAMES_PER_SHARD)
    return SourcePlan(
        position=position,
        recipe=entry,
        source=source,
        init_times=init_times,
        lead_times=lead_times,
        paths=paths,
        levels=levels,
        grid=grid,
        frames_per_shard=max(1, min(chosen, inner)),
        files=files,
        ignored=ignored,
        has_static=has_static,
    )


def _no_frame(files: tuple[str, ...], ignored: tuple[str, ...], where: str) -> RecipeError:
    return RecipeError(
        "the files hold no frame of the source",
        where,
        f"{len(files)} files; beside it they hold {list(ignored[:8])}",
        "name files of this source, or another source",
    )


def _held(
    entry: SourceRecipe, held: Holdings, paths: tuple[str, ...], levels: Levels
) -> tuple[tuple[str, ...], Levels]:
    """What was left out of the recipe means what the files hold."""
    if entry.variables is None:
        present = {path for path, _ in held.places}
        paths = tuple(path for path in paths if path in present) or paths
    if entry.levels is None:
        found = {level for path, level in held.places if level is not None and path in paths}
        levels = Levels(tuple(level for level in levels if level in found))
    return paths, levels


def _native_grid(held: Holdings, entry: SourceRecipe, where: str) -> Grid:
    """The one regular grid all fields of the files share, for ``grid: native``."""
    placements = placements_of(held, where)
    grids = {placement.grid for placement in placements}
    if entry.grid == NATIVE_GRID and (None in grids or len(grids) != 1):
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


def blocks_of_moments(moments: Iterable[Moment], plan: SourcePlan) -> set[tuple[int, ...]]:
    """Shard tasks, by block, that hold frames of any of these times."""
    inits, leads = _positions(plan.init_times), _positions(plan.lead_times)
    blocks = set()
    for init_time, lead_time in moments:
        if init_time in inits and lead_time in leads:
            index = (
                (inits[init_time], leads[lead_time]) if plan.is_forecast else (inits[init_time],)
            )
            blocks.add((*index[:-1], index[-1] // plan.frames_per_shard))
    return blocks


@lru_cache(maxsize=16)
def _positions(values: Sequence[Any]) -> dict[Any, int]:
    return {value: position for position, value in enumerate(values)}
