"""Fields that a provider's files lack, computed from others that they hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from aurora_prep.pipelines.reading.fields import PRESSURE, ComputedField, FieldRef
from aurora_prep.sources.spec import Native, Source

Moment = tuple[datetime, timedelta, int | None]
Place = tuple[str, int | None]
Key = tuple[Place, Moment]


class Ingredients:
    """What files hold that variables of a source can be computed from.

    Args:
        source: The declaration, whose natives say from what.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._natives: dict[int, list[Native]] = {}
        self._held: dict[tuple[int, Key], FieldRef] = {}
        for native in source.natives:
            for param in {number for one in native.derivations for number in one.inputs}:
                self._natives.setdefault(param, []).append(native)

    def natives(self, ref: FieldRef) -> list[Native]:
        """Variables that a field may be used to compute."""
        if ref.level_kind != PRESSURE or ref.level not in self.source.levels:
            return []
        return self._natives.get(ref.param, [])

    def add(self, ref: FieldRef, native: Native, moment: Moment) -> None:
        """Note a field that a variable may be computed from."""
        self._held[ref.param, ((native.variable.path, ref.level), moment)] = ref

    def computed(self, found: Mapping[Key, FieldRef]) -> dict[Key, FieldRef]:
        """Fields that were not found, where all that they are computed from is on one grid."""
        made: dict[Key, FieldRef] = {}
        for key in {key for _, key in self._held}.difference(found):
            (path, _), (init_time, _, _) = key
            native = self.source.native(path)
            derivation = next((d for d in native.derivations if d.holds(init_time)), None)
            if derivation is None:
                continue
            there = tuple(
                self._held[param, key] for param in derivation.inputs if (param, key) in self._held
            )
            on_one_grid = len({(ref.file, ref.grid) for ref in there}) == 1
            if len(there) == len(derivation.inputs) and on_one_grid:
                made[key] = ComputedField.of(
                    there, derivation.formula, native.variable.short_name, native.units
                )
        return made
