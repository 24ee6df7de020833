"""Fields of files and stores, not yet decoded: where each lies and what its headers say.

There is one class a format, since a place in a GRIB file is a byte range, in
NetCDF and Zarr a position in an array.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

PRESSURE = "pressure"
SURFACE = "surface"
# The init time of a field whose file gives no time: what does not change.
NO_TIME = datetime.min
INSTANT, ACCUMULATED = "instant", "accum"
UNKNOWN_TIME = "of a time that cannot be worked out"
# Made of an ensemble by a centre that has no word for its members' type.
ONE_MEMBER = "one member"


@dataclass(frozen=True, slots=True)
class Headers:
    """How the headers say that a field was made; empty where they do not say.

    Attributes:
        mars_class: Class of ECMWF's archive, such as ``ea`` or ``od``.
        stream: Its stream, such as ``oper``, ``enfo`` or ``moda``.
        type: Its type, such as ``an``, ``fc``, ``em`` or ``es``.
        centre: The centre that made the field, by ecCodes' name.
        statistic: What was done over time: ``instant``, ``accum``, ``avg``, ``max`` and others,
            by ecCodes' names of step types.
        ensemble: What was done over the members of an ensemble, such as ``mean`` or
            ``spread``; empty for a field that is none.
    """

    mars_class: str = ""
    stream: str = ""
    type: str = ""
    centre: str = ""
    statistic: str = ""
    ensemble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """What is known of a two-dimensional field before it is decoded.

    Attributes:
        file: Path of the file, or address of the Zarr store.
        param: ECMWF parameter number, 0 where the file gives none.
        name: Short name (GRIB), or name of the variable or array.
        units: As written in the file.
        level_kind: ``pressure``, ``surface``, or the file's own word for another.
        level: hPa on pressure levels, else ``None``.
        init_time: Start of the forecast, or the valid time of an analysis; ``NO_TIME`` where
            the file gives no time.
        lead_time: Distance ahead of ``init_time``.
        member: Ensemble member, ``None`` where the file gives none.
        label: Version of the product, such as ``expver``.
        grid: Position in ``Contents.grids``.
        headers: How the field was made.
        hours: Hours that an accumulation runs over, up to the valid time; 0 where
            the value is of an instant, or the file does not say.
        has_init: Whether the file tells the start of the forecast, or the lead time, apart
            from the valid time.
    """

    file: str
    param: int = 0
    name: str
    units: str
    level_kind: str
    level: int | None
    init_time: datetime
    lead_time: timedelta
    member: int | None
    label: str
    grid: int
    headers: Headers = Headers()
    hours: float = 0
    has_init: bool = True

    @property
    def valid_time(self) -> datetime:
        """The moment described."""
        return self.init_time + self.lead_time

    def __str__(self) -> str:
        level = "" if self.level is None else f" at {self.level} hPa"
        time = "" if self.init_time == NO_TIME else f" valid {self.valid_time:%Y-%m-%dT%H:%M}"
        return f"{self.name}{level}{time} in {self.file}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GribField(_Field):
    """A field of a GRIB file.

    Attributes:
        ranges: ``(start, length, start, length, ...)``: the byte ranges that make up its
            message; one range for the usual message.
    """

    ranges: tuple[int, ...]

    __str__ = _Field.__str__


@dataclass(frozen=True, slots=True, kw_only=True)
class NetcdfField(_Field):
    """A field of a NetCDF file.

    Attributes:
        variable: Name of the variable, with its groups.
        index: Position along every dimension but the horizontal ones, in their order.
        axes: Which of its dimensions are latitude and longitude.
    """

    variable: str
    index: tuple[int, ...]
    axes: tuple[int, int]

    __str__ = _Field.__str__


@dataclass(frozen=True, slots=True, kw_only=True)
class ZarrField(_Field):
    """A field of a Zarr store.

    Attributes:
        array: Name of the array.
        index: Position along every dimension but the horizontal ones, in their order.
    """

    array: str
    index: tuple[int, ...]

    __str__ = _Field.__str__


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedField(_Field):
    """A field that a file lacks, computed from others of it.

    Attributes:
        formula: Name of the formula, one of ``formulas.FORMULAS``.
        inputs: What goes into it, in its order; all on one grid.
    """

    formula: str
    inputs: tuple[FieldRef, ...]

    __str__ = _Field.__str__

    @classmethod
    def of(cls, inputs: tuple[FieldRef, ...], formula: str, name: str, units: str) -> ComputedField:
        """The field made of some others, at the place and time of the first."""
        first = inputs[0]
        return cls(
            file=first.file,
            name=name,
            units=units,
            level_kind=first.level_kind,
            level=first.level,
            init_time=first.init_time,
            lead_time=first.lead_time,
            member=first.member,
            label=first.label,
            grid=first.grid,
            headers=first.headers,
            formula=formula,
            inputs=inputs,
        )


StoredField = GribField | NetcdfField | ZarrField
FieldRef = StoredField | ComputedField
