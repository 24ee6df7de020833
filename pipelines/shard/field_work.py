"""One group of fields: decoded, harmonised, regridded, checked, reduced and encoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aurora_prep.manifest.ledger.records import Status
from aurora_prep.normalisation import FieldReduction
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.pipelines.reading.derived import derive, is_derived
from aurora_prep.pipelines.reading.fields import FieldRef
from aurora_prep.pipelines.reading.harmonise import Placement, harmonise, placement_of
from aurora_prep.pipelines.reading.match import STATIC, Holdings, Moment, decode
from aurora_prep.pipelines.shard.checks import check_made, check_read, reduced
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.pipelines.shard.encode import encode_field, layout_of
from aurora_prep.pipelines.shard.groups import (
    Bond,
    bond_of,
    is_along_axes,
    moved_alone,
    moved_waves,
    moved_wind,
)
from aurora_prep.pipelines.shard.holes import fill_holes
from aurora_prep.pipelines.shard.missing import moment_of
from aurora_prep.pipelines.shard.regrid import Regrid, in_order
from aurora_prep.regridding import Geometry
from aurora_prep.sources.spec import (
    AuroraPrepError,
    DecodeError,
    FetchError,
    FrameKey,
    Grid,
    HarmoniseError,
    RegridError,
    Variable,
)

Field = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Job:
    """One field to write: which variable, which frame of the task, which level."""

    variable: Variable
    frame: FrameKey | None
    level: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """Fields of one frame and level that are done together.

    Attributes:
        bond: Why they belong together.
        jobs: The fields to write.
        completes: Variables of which these are the last fields.
    """

    bond: Bond
    jobs: tuple[Job, ...]
    completes: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """A field done: its encoded chunk and what it was reduced to."""

    chunk: bytes
    reduction: FieldReduction


@dataclass(frozen=True, slots=True)
class _Read:
    """A field decoded and in our units.

    Attributes:
        variable: What it is.
        field: Its values, in the order of its source.
        source: Where its points lie; the target grid for a field that needs no regridding.
        along: Whether components follow the axes of that grid.
        where: The place to name in errors.
    """

    variable: Variable
    field: Field
    source: Geometry | Grid
    along: bool
    where: str


class RefusedError(Exception):
    """A frame must be left out of the shard; the others stay."""

    def __init__(
        self,
        frame: FrameKey | None,
        status: Status,
        reason: str,
        error: AuroraPrepError | None = None,
    ) -> None:
        super().__init__(frame, status, reason, error)
        self.frame, self.status, self.reason = frame, status, reason
        self.cause = error

    @property
    def error(self) -> Exception:
        """What was wrong."""
        return self.cause or self


class FieldWork:
    """Does groups of fields; safe to share between threads.

    Args:
        plan: The plan of the source.
        held: What the files hold.
        context: Where the run works.

    Attributes:
        filled: How many holes of a field were filled, of those that had any.
    """

    def __init__(self, plan: SourcePlan, held: Holdings, context: RunContext) -> None:
        self.plan, self.held, self.context = plan, held, context
        self.regrid = Regrid(plan.grid, context.weights)
        self.placements: dict[tuple[str, int], Placement] = {}
        self.filled: dict[Job, int] = {}

    def groups(
        self, variables: Sequence[Variable], frames: Sequence[FrameKey | None]
    ) -> Iterator[Group]:
        """All groups, in the order of the plan; fields that are only copied go one by one."""
        done: set[str] = set()
        for variable in variables:
            if variable.path in done:
                continue
            bond, names = bond_of(variable.short_name, self.plan.recipe.winds)
            members = [variable]
            if bond is not Bond.ALONE and self._is_regridded(variable, frames):
                kin = [v for v in variables if v.kind is variable.kind and v.short_name in names]
                members = [v for v in kin if v.path not in done]
            else:
                bond = Bond.ALONE
            done |= {member.path for member in members}
            places = [(f, level) for f in frames for level in self.plan.levels_of(variable)]
            for position, (frame, level) in enumerate(places):
                is_last = position == len(places) - 1
                jobs = tuple(Job(member, frame, level) for member in members)
                yield Group(bond, jobs, tuple(members) if is_last else ())

    def do(self, group: Group) -> tuple[Done, ...]:
        """The fields of a group, in the order of its jobs.

        Raises:
            RefusedError: One of them is damaged, implausible or not there.
        """
        frame = group.jobs[0].frame
        try:
            return self._done(group)
        except (DecodeError, FetchError, HarmoniseError, RegridError) as error:
            status = Status.MISSING if isinstance(error, FetchError) else Status.REJECTED
            raise RefusedError(frame, status, _one_line(error), error) from error

    def _done(self, group: Group) -> tuple[Done, ...]:
        first = group.jobs[0]
        if is_derived(first.variable.path):
            field = derive(first.variable.path, self.plan.grid)
            return (self._encoded(first.variable, field, reduced(field, self.plan.grid)),)
        if group.bond is Bond.ALONE:
            return (self._alone(self._read(first)),)
        _, names = bond_of(first.variable.short_name, self.plan.recipe.winds)
        read = self._read_group(group, names)
        wanted = {job.variable.short_name for job in group.jobs}
        if self._belong_together(group.bond, names, read):
            moved = self._moved(group.bond, names, read)
            made = {name: self._made(read[name], field) for name, field in moved.items()}
        else:
            made = {name: self._alone(one) for name, one in read.items() if name in wanted}
        return tuple(made[job.variable.short_name] for job in group.jobs)

    def _read_group(self, group: Group, names: tuple[str, ...]) -> dict[str, _Read]:
        """The fields of a group, and what it needs beside those that are written.

        The other component of a wind, and the height of waves, are read where the files hold
        them though the recipe does not ask for them.
        """
        first = group.jobs[0]
        jobs = {job.variable.short_name: job for job in group.jobs}
        for name in names if group.bond is Bond.WIND else names[:1]:
            place = f"{first.variable.kind}/{name}", first.level
            if name not in jobs and (place, self._moment(first)) in self.held.fields:
                jobs[name] = Job(self.plan.variable(place[0]), first.frame, first.level)
        return {name: self._read(jobs[name]) for name in names if name in jobs}

    def _belong_together(self, bond: Bond, names: tuple[str, ...], read: dict[str, _Read]) -> bool:
        """Whether a group is complete, on one grid and moved by one method."""
        if names[0] not in read or len(read) < 2 or (bond is Bond.WIND and len(read) < len(names)):  # noqa: PLR2004
            return False
        grids = {one.source for one in read.values()}
        methods = {self.plan.recipe.method_of(name) for name in read}
        return len(grids) == 1 and len(methods) == 1 and self.plan.grid not in grids

    def _moved(
        self, bond: Bond, names: tuple[str, ...], read: dict[str, _Read]
    ) -> dict[str, Field]:
        first = read[names[0]]
        mover = self.regrid.mover(first.source, self.plan.recipe.method_of(names[0]))
        here = [name for name in names if name in read]
        if bond is Bond.WIND:
            u, v = (read[name].field for name in names)
            moved = moved_wind(mover, u, v, along=first.along, where=first.where)
        else:
            others = [(read[name].variable.nature, read[name].field) for name in here[1:]]
            moved = moved_waves(mover, first.field, others)
        return dict(zip(here, moved, strict=True))

    def _alone(self, read: _Read) -> Done:
        """A field by itself; unchanged, bit for bit, when it lies on the target already."""
        if read.source == self.plan.grid:
            reduction = reduced(read.field, self.plan.grid, read.variable, read.where)
            check_read(read.variable, read.field, reduction, read.where)
            return self._encoded(read.variable, read.field, reduction)
        method = self.plan.recipe.method_of(read.variable.short_name)
        mover = self.regrid.mover(read.source, method)
        nature = read.variable.nature
        moved = moved_alone(mover, nature, read.field, along=read.along, where=read.where)
        return self._made(read, moved)

    def _made(self, read: _Read, field: Field) -> Done:
        """What regridding made, checked as input is."""
        reduction = reduced(field, self.plan.grid, read.variable, read.where)
        check_made(read.variable, field, reduction, self.plan.grid, read.where)
        return self._encoded(read.variable, field, reduction)

    def _encoded(self, variable: Variable, field: Field, reduction: FieldReduction) -> Done:
        layout = layout_of(self.plan, variable, self.context.recipe.storage.codec)
        return Done(encode_field(field, layout.compressor()), reduction)

    def _read(self, job: Job) -> _Read:
        """Decode and harmonise one field; one that will be regridded is checked here."""
        variable, ref = job.variable, self._ref(job)
        where = f"{self.plan.source.name}:{variable.path} @ {job.frame or 'static'}, {ref}"
        native = self.plan.source.native(variable.path)
        placement = self._placement(ref)
        field = harmonise(decode(ref), ref.units, native, placement, where)
        field = self._without_holes(job, field, placement)
        if placement.grid == self.plan.grid:
            return _Read(variable, field, self.plan.grid, along=False, where=where)
        check_read(variable, field, None, where)
        description = self.held.grid_of(ref)
        source = self.regrid.source(placement, description)
        field = in_order(field, placement, description)
        along = not isinstance(source, Grid) and is_along_axes(description, source)
        return _Read(variable, field, source, along=along, where=where)

    def _without_holes(self, job: Job, field: Field, placement: Placement) -> Field:
        """The field with its holes filled, where the recipe asks for that and it may be done."""
        most = self.plan.recipe.fill_holes
        if not most or job.variable.may_be_missing or placement.grid is None:
            return field
        field, points = fill_holes(field, most, is_global=placement.grid.is_global)
        if points:
            self.filled[job] = points
        return field

    def _ref(self, job: Job) -> FieldRef:
        return self.held.fields[(job.variable.path, job.level), self._moment(job)]

    def _moment(self, job: Job) -> Moment:
        return STATIC if job.frame is None else moment_of(job.frame)

    def _is_regridded(self, variable: Variable, frames: Sequence[FrameKey | None]) -> bool:
        """Whether any field of a variable lies off the target grid, or cannot be placed."""
        moments = [self._moment(Job(variable, frame, None)) for frame in frames]
        places = [(variable.path, level) for level in self.plan.levels_of(variable)]
        held = (self.held.fields.get((p, moment)) for p in places for moment in moments)
        known = {(ref.file, ref.grid): ref for ref in held if ref is not None}
        try:
            return any(self._placement(ref).grid != self.plan.grid for ref in known.values())
        except (DecodeError, HarmoniseError):
            return True  # reading it says what is wrong

    def _placement(self, ref: FieldRef) -> Placement:
        placement = self.placements.get((ref.file, ref.grid))
        if placement is None:
            placement = placement_of(self.held.grid_of(ref), ref.file)
            self.placements[ref.file, ref.grid] = placement
        return placement


def _one_line(error: AuroraPrepError) -> str:
    problem, _, found, _ = error.args
    return f"{problem}: {found}"
