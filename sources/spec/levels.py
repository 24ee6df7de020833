"""Pressure levels: exact, ordered, comparable."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aurora_prep.sources.spec.errors import SpecError


@dataclass(frozen=True, slots=True)
class Levels:
    """Pressure levels in whole hPa, strictly increasing (Aurora's order)."""

    hpa: tuple[int, ...]

    def __post_init__(self) -> None:
        if any(not isinstance(level, int) or level <= 0 for level in self.hpa):
            raise SpecError(
                "a level is not a positive whole number of hPa",
                "Levels.hpa",
                repr(self.hpa),
                "write levels as whole hPa, for example (500, 850, 1000)",
            )
        if list(self.hpa) != sorted(set(self.hpa)):
            raise SpecError(
                "levels are not strictly increasing",
                "Levels.hpa",
                repr(self.hpa),
                "list every level once, from the top of the atmosphere down",
            )

    def __iter__(self) -> Iterator[int]:
        return iter(self.hpa)

    def __len__(self) -> int:
        return len(self.hpa)

    def __contains__(self, level: object) -> bool:
        return level in self.hpa

    def subset(self, wanted: Iterable[int], where: str) -> "Levels":
        """The wanted levels in our order.

        Raises:
            SpecError: A wanted level is not among these.
        """
        chosen = set(wanted)
        absent = sorted(chosen - set(self.hpa))
        if absent:
            raise SpecError(
                "a level is not among those of the source",
                where,
                f"{absent} not in {list(self.hpa)}",
                "leave the level out, or take a source that has it",
            )
        return Levels(tuple(level for level in self.hpa if level in chosen))
