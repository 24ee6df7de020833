"""What a variable is, independent of who provides it."""

from dataclasses import dataclass
from enum import StrEnum

from aurora_prep.sources.spec.errors import SpecError


class Kind(StrEnum):
    """Where a variable lives in Aurora's batch."""

    SURFACE = "surface"
    ATMOSPHERIC = "atmospheric"
    STATIC = "static"


class Nature(StrEnum):
    """How the values behave, which decides how they may be averaged."""

    SCALAR = "scalar"
    EASTWARD = "eastward"
    NORTHWARD = "northward"
    DIRECTION = "direction"
    CATEGORICAL = "categorical"


class StepType(StrEnum):
    """Whether a value belongs to an instant or to the time since the last one."""

    INSTANT = "instant"
    ACCUMULATED = "accumulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One physical quantity, as Aurora names it.

    Attributes:
        short_name: ECMWF short name, which is Aurora's name too (``2t``, ``z``).
        kind: Surface, atmospheric (on pressure levels) or static.
        param: ECMWF parameter number, the ``paramId`` of GRIB (``167`` for ``2t``); 0 for
            a static field that has none, and so is found by its name only.
        units: Units of the stored values, in CF spelling.
        long_name: One line for people.
        standard_name: From the CF table; ``None`` where CF has no name for it.
        plausible: Lowest and highest value a correct file can hold, in
            ``units``. Values outside mean wrong units or a damaged file.
        nature: How values may be averaged.
        step_type: Instantaneous or accumulated.
        may_be_missing: Whether NaN is a legitimate value (waves over land).
    """

    short_name: str
    kind: Kind
    param: int
    units: str
    long_name: str
    standard_name: str | None
    plausible: tuple[float, float]
    nature: Nature = Nature.SCALAR
    step_type: StepType = StepType.INSTANT
    may_be_missing: bool = False

    def __post_init__(self) -> None:
        where = f"Variable {self.short_name!r}"
        if not self.short_name or "/" in self.short_name:
            raise SpecError(
                "short_name is empty or holds a slash",
                where,
                repr(self.short_name),
                "use the ECMWF short name, for example '2t'",
            )
        if self.param < 0 or (self.param == 0 and self.kind is not Kind.STATIC):
            raise SpecError(
                "param is not a parameter number",
                f"{where}, param",
                str(self.param),
                "use the number of the ECMWF parameter database, for example 167",
            )
        low, high = self.plausible
        if not low < high:
            raise SpecError(
                "plausible range is empty",
                f"{where}, plausible",
                f"{low} to {high}",
                "give the lowest value first, then the highest",
            )

    @property
    def path(self) -> str:
        """``kind/short_name``: Aurora has both a static and an atmospheric ``z``."""
        return f"{self.kind}/{self.short_name}"

    @property
    def has_levels(self) -> bool:
        """Whether the variable has a level axis."""
        return self.kind is Kind.ATMOSPHERIC
