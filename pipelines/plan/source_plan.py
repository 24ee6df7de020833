"""The plan of one source: its frames, its shards and what brings them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from aurora_prep.manifest import layout
from aurora_prep.pipelines.plan.borrowed_statics import requests
from aurora_prep.pipelines.reading.derived import is_derived
from aurora_prep.pipelines.reading.match import Moment
from aurora_prep.pipelines.recipe import SourceRecipe
from aurora_prep.providers.planner import plan_requests
from aurora_prep.sources.spec import (
    STATIC_SHARD,
    Cds,
    FrameKey,
    Grid,
    Http,
    Index,
    Kind,
    Levels,
    Mars,
    Product,
    Quirk,
    Request,
    Source,
    Timeline,
    Variable,
)

STATIC = f"{Kind.STATIC}/"
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
        paths: Variables that change in time, in the order of the declaration.
        levels: Pressure levels.
        grid: The grid that is written.
        frames_per_shard: Frames in a shard, along the last leading axis.
        members: Members of an ensemble; ``(None,)`` for what is none.
        files: The user's own files, or none.
        static_files: The user's own files of static fields, or none.
        ignored: What the files hold beside the source's variables.
        products: What the headers of the files say, where the recipe accepts another product
            than the source's.
        static_paths: The static variables that this entry writes; those of its grid that
            another entry writes are not among them.
        synthetic: Whether the user's own files or store say that they are synthetic.
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
    members: tuple[int | None, ...] = (None,)
    files: tuple[str, ...] = ()
    static_files: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    static_paths: tuple[str, ...] = ()
    synthetic: bool = False

    @property
    def is_forecast(self) -> bool:
        """Whether frames have a lead time of their own."""
        return self.source.product is Product.FORECAST

    @property
    def is_ensemble(self) -> bool:
        """Whether frames have a member of their own."""
        return self.members != (None,)

    @property
    def leading(self) -> tuple[tuple[str, int], ...]:
        """Names and lengths of the axes before level and latitude."""
        times = (("init_time" if self.is_forecast else "time", len(self.init_times)),)
        members = (("member", len(self.members)),) if self.is_ensemble else ()
        leads = (("lead_time", len(self.lead_times)),) if self.is_forecast else ()
        return times + members + leads

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.init_times) * len(self.members) * len(self.lead_times)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The planned variables that change in time."""
        return tuple(map(self.variable, self.paths))

    @property
    def static_variables(self) -> tuple[Variable, ...]:
        """The planned static variables, where this entry writes them."""
        return tuple(map(self.variable, self.static_paths))

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
        return layout.store(self.source.name, self.grid.name)

    @property
    def static_store(self) -> str:
        """The Zarr store of the static fields, relative to the dataset."""
        return layout.static_store(self.grid.name)

    @property
    def statics_from(self) -> str | None:
        """Where the static fields come from: a source, or files; ``None`` where there are none."""
        if not self.static_paths:
            return None
        if self.static_files:
            return ", ".join(self.static_files)
        return self.recipe.statics_from or self.source.name

    def variable(self, path: str) -> Variable:
        """The declared variable of a path."""
        return self.source.native(path).variable

    @property
    def quirks(self) -> tuple[Quirk, ...]:
        """Oddities of the source that concern the planned times and variables."""
        names = frozenset(variable.short_name for variable in self.variables)
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
        lead = self.lead_times[index[-1]] if self.is_forecast else timedelta(0)
        member = self.members[index[1]] if self.is_ensemble else None
        return FrameKey(self.source.name, self.init_times[index[0]], lead, member)

    def frame_keys(self) -> Iterator[FrameKey]:
        """All frames, in the order of the store."""
        axes = self.init_times, self.members, self.lead_times
        for init_time, member, lead_time in itertools.product(*axes):
            yield FrameKey(self.source.name, init_time, lead_time, member)

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
        return ShardTask(frames[0].shard_name, block, frames)

    def requests(self, *, synthetic: bool) -> Iterator[Request]:
        """The requests that bring all frames; none when the user has the files.

        Args:
            synthetic: Whether the embedded provider answers.
        """
        access = self.source.access(self.recipe.access)
        static = () if self.static_files else self.static_paths
        if self.recipe.statics_from and static:
            borrowed = requests(self.recipe.statics_from, static, synthetic=synthetic)
            moving = replace(self, static_paths=()).requests(synthetic=synthetic)
            return itertools.chain(borrowed, moving)
        if not isinstance(access, Cds | Http | Index | Mars) or not isinstance(
            self.init_times, Timeline
        ):
            return iter(())
        paths = [path for path in (*static, *self.paths) if not is_derived(path)]
        return plan_requests(
            self.source,
            access,
            self.init_times,
            paths,
            self.levels,
            lead_times=self.lead_times if self.is_forecast else (timedelta(0),),
            members=tuple(member for member in self.members if member is not None),
            data_format=self.recipe.data_format,
            synthetic=synthetic,
        )


def is_static(path: str) -> bool:
    """Whether the path of a variable is that of a static field."""
    return path.startswith(STATIC)


def blocks_of_moments(moments: Iterable[Moment], plan: SourcePlan) -> set[tuple[int, ...]]:
    """Shard tasks, by block, that hold frames of any of these times."""
    inits, leads = _positions(plan.init_times), _positions(plan.lead_times)
    members = _positions(plan.members)
    blocks = set()
    for init_time, lead_time, member in moments:
        if init_time in inits and lead_time in leads and member in members:
            place = [inits[init_time]]
            place += [members[member]] if plan.is_ensemble else []
            place += [leads[lead_time]] if plan.is_forecast else []
            blocks.add((*place[:-1], place[-1] // plan.frames_per_shard))
    return blocks


@lru_cache(maxsize=16)
def _positions(values: Sequence[Any]) -> dict[Any, int]:
    return {value: position for position, value in enumerate(values)}
