"""What a verification found: problems that name their object and their cure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aurora_prep.manifest.ledger.merge import Task


class Kind(StrEnum):
    """What is wrong."""

    PLAN = "plan"
    MANIFEST = "manifest"
    PART = "part"
    METADATA = "metadata"
    ABSENT = "absent"
    SIZE = "size"
    CHECKSUM = "checksum"
    INDEX = "index"
    ORPHAN = "orphan"
    VALUES = "values"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, and what to do about it.

    Attributes:
        kind: What sort of problem it is.
        where: The object, frame or row, relative to the dataset.
        found: What was found, and what was expected.
        fix: What to do.
        task: ``(source, grid, shard)`` of the shard task to do again; empty when doing a
            task again would not help.
    """

    kind: Kind
    where: str
    found: str
    fix: str
    task: Task | tuple[()] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}\n  found: {self.found}\n  fix:   {self.fix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The outcome of a verification.

    Attributes:
        problems: Everything that is wrong, sorted.
        frames_planned: Frames of the plan: the denominator.
        frames_written: Frames whose parts say that they are written.
        objects_checked: Stored objects read and compared.
        bytes_checked: Bytes of those.
        fields_checked: Fields decoded and compared, in a deep verification.
        frames_to_rebuild: Text forms of the frames that a repair would have done again,
            sorted; static fields have none.
    """

    problems: tuple[Problem, ...]
    frames_planned: int
    frames_written: int
    objects_checked: int
    bytes_checked: int
    fields_checked: int = 0
    frames_to_rebuild: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; frames the manifest itself calls missing are not wrong."""
        return not self.problems

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Shard tasks to do again, sorted."""
        return tuple(sorted({problem.task for problem in self.problems if problem.task}))

    @property
    def orphans(self) -> tuple[str, ...]:
        """Paths of files that no part and no table names, relative to the dataset, sorted."""
        found = (problem for problem in self.problems if problem.kind is Kind.ORPHAN)
        return tuple(sorted({problem.where for problem in found}))
