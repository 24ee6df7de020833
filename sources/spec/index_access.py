"""Files of GRIB messages on the web that are cut by the index beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aurora_prep.sources.spec.errors import SpecError
from aurora_prep.sources.spec.grid import Grid
from aurora_prep.sources.spec.variable import StepType, Variable

LEVEL = "{level}"


class IndexForm(StrEnum):
    """What the index beside a file looks like; the value is the end of its name.

    Attributes:
        NOAA: A line a field, without the end of the message (``.idx`` of ``wgrib2``).
        ECMWF: A line of JSON a field, with first byte and length; it takes the place
            of the file's own suffix (``.index``).
        NONE: There is no index: the file is read whole, and cut as it comes.
    """

    NOAA = ".idx"
    ECMWF = ".index"
    NONE = ""

    def beside(self, path: str) -> str:
        """The index of a file."""
        return f"{path.removesuffix('.grib2')}{self}" if self is self.ECMWF else f"{path}{self}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """How a variable is named in an index.

    Attributes:
        path: The variable.
        words: Its name, with ``{level}`` where it has levels: ``TMP:{level} mb`` in an
            index of NOAA, ``t/pl/{level}`` in one of ECMWF.
        instead: Variables that it is computed from where the files lack it, as
            ``(words, param)`` pairs; the source's native says by which formula.
    """

    path: str
    words: str
    instead: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedFiles:
    """Files that follow one pattern, on one or more hosts that hold the same.

    Attributes:
        dataset: The provider's name of the collection.
        hosts: Addresses of the tree, the preferred one first.
        patterns: Paths of a file below a host. Their fields are ``time`` (the init time),
            ``lead`` (whole hours), ``member`` (its label) and ``name`` (the word of a
            variable). A file without ``lead`` holds all lead times, one without ``name``
            all variables. Of several patterns the first that is there counts.
        form: The index beside a file.
        grid: Grid of its fields.
        paths: Variables it holds.
        names: Words of variables in the pattern, as ``(path, word)`` pairs.
        levels: Levels it holds; empty for all that the source offers.
        start: First init time; ``None`` for the source's own.
        end: First init time that it no longer holds; ``None`` for no end.
        hours: Hours of the day it holds; empty for all.
        secondary: Patterns of the files that are asked for what these lack.
        file_bytes: Size of a file, about, where there is no index and so all of it comes.
    """

    dataset: str
    hosts: tuple[str, ...]
    patterns: tuple[str, ...]
    form: IndexForm
    grid: Grid
    paths: tuple[str, ...]
    names: tuple[tuple[str, str], ...] = ()
    levels: tuple[int, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    hours: tuple[int, ...] = ()
    secondary: tuple[str, ...] = ()
    file_bytes: int = 0

    def __post_init__(self) -> None:
        if not self.hosts or not self.patterns or not self.paths:
            raise SpecError(
                "indexed files without a host, a pattern or a variable",
                f"IndexedFiles {self.dataset!r}",
                f"hosts {self.hosts}, patterns {self.patterns}, paths {self.paths}",
                "give each of them",
            )

    @property
    def has_all_leads(self) -> bool:
        """Whether one file holds all lead times."""
        return "{lead" not in self.patterns[0]

    @property
    def is_by_name(self) -> bool:
        """Whether each variable has a file of its own."""
        return "{name" in self.patterns[0]

    def holds(self, path: str, level: int | None, init_time: datetime) -> bool:
        """Whether a field of an init time is among them."""
        if path not in self.paths or (
            self.levels and level is not None and level not in self.levels
        ):
            return False
        if self.hours and init_time.hour not in self.hours:
            return False
        begun = self.start is None or self.start <= init_time
        return begun and (self.end is None or init_time < self.end)

    def places(
        self, patterns: tuple[str, ...], path: str, init_time: datetime, lead: int, member: str
    ) -> tuple[str, ...]:
        """Where a file may be, the likeliest place first."""
        name = dict(self.names).get(path, "")
        return tuple(
            pattern.format(time=init_time, lead=lead, member=member, name=name)
            for pattern in patterns
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """GRIB files on plain web servers or buckets, of which only the wanted parts are fetched.

    Attributes:
        files: Sorts of files; a field is taken from the first sort that holds it.
        terms: Names of the variables in the indexes.
        labels: How the pattern names the members of an ensemble, as ``(member, label)`` pairs.
    """

    files: tuple[IndexedFiles, ...]
    terms: tuple[Term, ...]
    labels: tuple[tuple[int, str], ...] = ()
    name: str = "index"

    def serves(self, variable: Variable) -> bool:
        """Whether a variable can be had this way."""
        return variable.path in {term.path for term in self.terms}

    def term(self, variable: Variable) -> Term:
        """How a variable is named.

        Raises:
            SpecError: The access does not have it, or it is no instantaneous value, which
                indexes name by the hours it is summed over.
        """
        for term in self.terms:
            if term.path == variable.path and variable.step_type is StepType.INSTANT:
                return term
        raise SpecError(
            "the access has no term for this variable",
            "Index.terms",
            f"{variable.path}, {variable.step_type}",
            "add a term; accumulated values cannot be had this way",
        )

    def holder(self, path: str, level: int | None, init_time: datetime, where: str) -> IndexedFiles:
        """The files that hold a field.

        Raises:
            SpecError: None does.
        """
        for files in self.files:
            if files.holds(path, level, init_time):
                return files
        raise SpecError(
            "no files hold this field at this init time",
            where,
            f"{path}{f' at {level} hPa' if level else ''}, {init_time:%Y-%m-%dT%H}",
            "take another period, leave the level or the variable out, or take another access",
        )
