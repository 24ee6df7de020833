"""What a source is: one declaration, from which everything else follows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from aurora_prep.sources.spec.access import Access
from aurora_prep.sources.spec.derivation import Derivation
from aurora_prep.sources.spec.errors import SpecError
from aurora_prep.sources.spec.grid import Grid
from aurora_prep.sources.spec.levels import Levels
from aurora_prep.sources.spec.quirk import Quirk
from aurora_prep.sources.spec.variable import Kind, Variable


class Product(StrEnum):
    """How the fields were made."""

    ANALYSIS = "analysis"
    REANALYSIS = "reanalysis"
    FORECAST = "forecast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """How one provider spells a variable.

    Attributes:
        variable: What it is.
        request: Its name in a request to the provider; ``None`` when no provider has it,
            so that it comes from the user's own file or from the grid alone.
        fields: Its names in the provider's NetCDF files, best first.
        units: Units as written in the provider's files, GRIB or NetCDF.
        optional: Whether a recipe must name the variable to have it.
        param: Number of the parameter in the provider's GRIB, where it is another one than
            the variable's own: height (156) where geopotential is meant, for example.
        derivations: How it is computed where the provider's files lack it; the first that
            holds for a run.
    """

    variable: Variable
    request: str | None
    fields: tuple[str, ...]
    units: str
    optional: bool = False
    param: int | None = None
    derivations: tuple[Derivation, ...] = ()

    def __post_init__(self) -> None:
        if not self.fields or self.request == "" or not self.units:
            raise SpecError(
                "a spelling is missing",
                f"Native {self.variable.path}",
                f"request {self.request!r}, fields {self.fields!r}, units {self.units!r}",
                "give the request name, at least one file name and the units",
            )

    @property
    def number(self) -> int:
        """Number of the parameter in the provider's GRIB; 0 where it has none."""
        return self.param or self.variable.param


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A provider's product, declared once.

    Attributes:
        name: The file's name without ``.py``.
        title: One line for people.
        product: How the fields were made.
        grid: The grid the provider delivers.
        levels: Pressure levels offered to Aurora.
        first: First valid (for forecasts: init) time that exists.
        cadence: Time between frames, and so the smallest step.
        natives: How the provider spells each variable.
        accesses: Ways to the data, the default first.
        licence: Name of the licence the data come under.
        attribution: Sentence to carry with anything made of the data.
        notes: What a user should know before using the source.
        lead_times: Lead times that exist, increasing; ``(0 h,)`` for what is no
            forecast.
        quirks: What is known to be odd, and when.
        members: Numbers of an ensemble's members, increasing; empty for what is none.
        origins: The archive's types that fields must be of, such as ``an`` or ``fc``,
            where their headers say one; empty where any will do. The same holds of the
            classes, streams and centres.
        classes: The archive's classes, such as ``od``.
        streams: The archive's streams, such as ``oper``.
        centres: Centres that make the fields, by ecCodes' names.
        released_after: Time from an init time to when all of its run is there, about; ``None``
            of sources whose newest times no recipe may name as ``latest``.
        derived: What is made of an ensemble's members, such as ``mean``; empty for what is
            no such product.
    """

    name: str
    title: str
    product: Product
    grid: Grid
    levels: Levels
    first: datetime
    cadence: timedelta
    natives: tuple[Native, ...]
    accesses: tuple[Access, ...]
    licence: str
    attribution: str
    notes: tuple[str, ...] = ()
    lead_times: tuple[timedelta, ...] = (timedelta(0),)
    quirks: tuple[Quirk, ...] = ()
    members: tuple[int, ...] = ()
    origins: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    centres: tuple[str, ...] = ("ecmf",)
    derived: str = ""
    released_after: timedelta | None = None

    def __post_init__(self) -> None:
        where = f"Source {self.name!r}"
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise SpecError(
                "name is not a lower-case word",
                f"{where}, name",
                repr(self.name),
                "name the source as its file: letters, digits and underscores",
            )
        paths = [native.variable.path for native in self.natives]
        if repeated := sorted({path for path in paths if paths.count(path) > 1}):
            raise SpecError(
                "a variable is declared twice",
                f"{where}, natives",
                ", ".join(repeated),
                "declare every variable once",
            )
        names = [access.name for access in self.accesses]
        if not names or len(set(names)) != len(names):
            raise SpecError(
                "accesses are missing or repeated",
                f"{where}, accesses",
                repr(names),
                "list every access once, the default first",
            )
        if any(n.variable.has_levels for n in self.natives) and not len(self.levels):
            raise SpecError(
                "atmospheric variables without levels",
                f"{where}, levels",
                repr(self.levels.hpa),
                "declare the pressure levels",
            )
        self._check_lead_times(where)

    def _check_lead_times(self, where: str) -> None:
        leads = self.lead_times
        if list(leads) != sorted(set(leads)) or not leads or leads[0] < timedelta(0):
            raise SpecError(
                "lead times are missing, negative or not increasing",
                f"{where}, lead_times",
                ", ".join(map(str, leads[:8])),
                "list every lead time once, the shortest first",
            )
        if self.product is not Product.FORECAST and leads != (timedelta(0),):
            raise SpecError(
                "only a forecast has lead times",
                f"{where}, lead_times",
                f"{len(leads)} lead times of a source of kind {self.product}",
                "declare a forecast, or leave lead_times out",
            )

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The declared variables, in order."""
        return tuple(native.variable for native in self.natives)

    def of_kind(self, *kinds: Kind) -> tuple[Native, ...]:
        """The natives of these kinds, in the order of the declaration."""
        return tuple(native for native in self.natives if native.variable.kind in kinds)

    def delivered(self, access: Access) -> tuple[Native, ...]:
        """The natives that can be had by an access, in the order of the declaration."""
        return tuple(n for n in self.natives if n.request and access.serves(n.variable))

    def native(self, path: str) -> Native:
        """The native of ``kind/short_name``.

        Raises:
            SpecError: The source has no such variable.
        """
        for native in self.natives:
            if native.variable.path == path:
                return native
        raise SpecError(
            "the source has no such variable",
            f"source {self.name}",
            f"{path!r} not among {[v.path for v in self.variables]}",
            "take a listed variable",
        )

    def access(self, name: str | None = None) -> Access:
        """An access by name; without a name, the default one.

        Raises:
            SpecError: The source cannot be reached that way.
        """
        for access in self.accesses:
            if name in (None, access.name):
                return access
        raise SpecError(
            "the source has no such access",
            f"source {self.name}, access",
            f"{name!r} not among {[access.name for access in self.accesses]}",
            "take a listed access",
        )

    def field_count(self, natives: Iterable[Native], levels: Levels) -> int:
        """Two-dimensional fields in one frame of these natives."""
        return sum(len(levels) if native.variable.has_levels else 1 for native in natives)
