"""What ``regrid`` is asked of every field, and what it knows of variables by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurora_prep import sources
from aurora_prep.pipelines.shard.groups import (
    VECTORS,
    Bond,
    bond_of,
    moved_alone,
    moved_waves,
    moved_wind,
)
from aurora_prep.pipelines.shard.regrid import Regrid
from aurora_prep.regridding import METHODS, Geometry
from aurora_prep.sources.spec import Grid, Nature, RegridError, Variable

Field = NDArray[np.float32]

# Vectors that no source of ours declares, east and north, by ecCodes' short names and
# by the usual names of NetCDF.
OTHER_VECTORS: Mapping[str, str] = MappingProxyType(
    {
        "200u": "200v", "u200": "v200", "ugrd": "vgrd", "10efg": "10nfg", "10si_u": "10si_v",
        "ewss": "nsss", "iews": "inss", "ust": "vst", "ocu": "ocv", "uoe": "von", "uo": "vo",
        "ucurr": "vcurr", "siue": "sivn", "lgws": "mgws", "u_gust": "v_gust",
        "ua": "va", "u10n": "v10n", "utaua": "vtaua", "uice": "vice", "ustm": "vstm",
    }
)  # fmt: skip
DEGREES = {"degree", "degrees", "deg", "degree true", "degrees true", "degree_true", "degrees_true"}
RADIANS = {"rad", "radian", "radians"}


@dataclass(frozen=True)
class RegridJob:
    """What is asked of every field.

    Attributes:
        target: Grid wanted.
        method: Name of the method, ``auto`` included.
        valid_fraction: Least valid part of a target cell.
        cache: Folder for weights.
        winds: ``vectors`` or ``components``.
    """

    target: Grid
    method: str
    valid_fraction: float
    cache: Path | None
    winds: str = VECTORS

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise RegridError(
                "no such method", "regrid", repr(self.method), f"use one of {', '.join(METHODS)}"
            )

    @cached_property
    def regrid(self) -> Regrid:
        """Moves fields as a run does."""
        return Regrid(self.target, self.cache, self.valid_fraction)

    def moved(
        self,
        bond: Bond,
        source: Geometry | Grid,
        fields: list[Field],
        natures: list[Nature],
        *,
        along: bool,
        where: str,
    ) -> list[Field]:
        """The fields of a group on the target grid, in their order.

        Args:
            bond: Why they belong together.
            source: Where they lie.
            fields: In the order of the source, the leader of the group first.
            natures: How their values behave.
            along: Whether components follow the axes of the source.
            where: The place to name in errors.

        Raises:
            RegridError: They cannot be moved so.
        """
        if source == self.target:
            return fields
        mover = self.regrid.mover(source, self.method)
        if bond is Bond.WIND:
            moved = moved_wind(mover, *fields, along=along, where=where)
        elif bond is Bond.WAVES:
            others = list(zip(natures[1:], fields[1:], strict=True))
            moved = moved_waves(mover, fields[0], others)
        else:
            moved = [
                moved_alone(mover, nature, field, along=along, where=where)
                for nature, field in zip(natures, fields, strict=True)
            ]
        return list(moved)


@lru_cache(maxsize=1)
def known_variables() -> tuple[Mapping[int, Variable], Mapping[str, Variable]]:
    """Variables of all sources by parameter number and by every name that files give them."""
    natives = [native for name in sources.names() for native in sources.load(name).natives]
    by_number = {n.variable.param: n.variable for n in natives if n.variable.param}
    by_name = {name: n.variable for n in natives for name in n.fields}
    by_name |= {n.variable.short_name: n.variable for n in natives}
    return by_number, by_name


def vector_nature(name: str) -> Nature | None:
    """Whether a name is that of a component of a vector."""
    if name.lower() in OTHER_VECTORS:
        return Nature.EASTWARD
    return Nature.NORTHWARD if name.lower() in OTHER_VECTORS.values() else None


def bonded(name: str, winds: str) -> tuple[Bond, tuple[str, ...]]:
    """The bond of a field and the short names of its group, the leader first."""
    east = next((e for e, n in OTHER_VECTORS.items() if name in (e, n)), None)
    if winds == VECTORS and east is not None:
        return Bond.WIND, (east, OTHER_VECTORS[east])
    return bond_of(name, winds)


def refuse_radians(units: str, where: str) -> None:
    """Directions are understood in degrees only.

    Raises:
        RegridError: The units are radians.
    """
    if units.lower() in RADIANS:
        raise RegridError(
            "a direction is not in degrees",
            where,
            f"units {units!r}",
            "convert it to degrees, clockwise from north",
        )


def nature_of_words(attributes: Mapping[str, Any], where: str) -> Nature:
    """Nature by CF attributes, for what no source of ours declares.

    Raises:
        RegridError: A direction in radians.
    """
    standard, words = (
        str(attributes.get(key, "")).lower() for key in ("standard_name", "long_name")
    )
    units = str(attributes.get("units", ""))
    if "flag_values" in attributes or "flag_masks" in attributes:
        return Nature.CATEGORICAL
    if standard.endswith("direction") or (
        "direction" in words and units.lower() in DEGREES | RADIANS
    ):
        refuse_radians(units, where)
        return Nature.DIRECTION
    if "eastward" in standard or standard.split("_")[0] == "x":
        return Nature.EASTWARD
    if "northward" in standard or standard.split("_")[0] == "y":
        return Nature.NORTHWARD
    return Nature.SCALAR
