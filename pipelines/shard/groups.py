"""Field groups: which fields belong together, and how they are moved to another grid.

A group is one scalar; the two components of a wind, which are moved as arrows; or a wave
height with the periods and directions that follow its mask. ``run`` and ``regrid`` move
fields by the same functions, and so to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurora_prep.regridding import Geometry, Rectilinear, Reduced, Regridder, following, vectors
from aurora_prep.regridding.mir import METHODS as MIR
from aurora_prep.sources.spec import Nature, RegridError

Fields = Sequence[NDArray[np.floating[Any]]]
Mover = Callable[[Nature], Regridder]

VECTORS, COMPONENTS = "vectors", "components"
# Short names of eastward components, with those of the northward ones beside them.
NORTHWARD: Mapping[str, str] = MappingProxyType({"u": "v", "10u": "10v", "100u": "100v"})
# Wave heights, with what is a property of the same waves.
FOLLOWERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "swh": ("mwd", "mwp", "pp1d"),
        "shww": ("mdww", "mpww"),
        "shts": ("mdts", "mpts"),
        "swh1": ("mwd1", "mwp1"),
        "swh2": ("mwd2", "mwp2"),
        "swh3": ("mwd3", "mwp3"),
    }
)
EASTWARD = MappingProxyType({north: east for east, north in NORTHWARD.items()})
HEIGHT = MappingProxyType({name: h for h, names in FOLLOWERS.items() for name in names})


class Bond(StrEnum):
    """Why the fields of a group belong together."""

    ALONE = "alone"
    WIND = "wind"
    WAVES = "waves"


def bond_of(short_name: str, winds: str) -> tuple[Bond, tuple[str, ...]]:
    """The bond of a variable and the short names of its whole group, the leader first.

    Args:
        short_name: ECMWF short name.
        winds: ``vectors`` or ``components``.
    """
    east = EASTWARD.get(short_name, short_name)
    if winds == VECTORS and east in NORTHWARD:
        return Bond.WIND, (east, NORTHWARD[east])
    height = HEIGHT.get(short_name, short_name)
    if height in FOLLOWERS:
        return Bond.WAVES, (height, *FOLLOWERS[height])
    return Bond.ALONE, (short_name,)


def is_along_axes(keys: Mapping[str, object], source: Geometry) -> bool:
    """Whether components follow the axes of a grid whose axes do not run east and north.

    Args:
        keys: Description of the grid; ``uvRelativeToGrid`` of GRIB counts.
        source: Its geometry.
    """
    return bool(keys.get("uvRelativeToGrid")) and not isinstance(source, Rectilinear | Reduced)


def moved_wind(mover: Mover, u: Any, v: Any, *, along: bool, where: str) -> Fields:
    """Eastward and northward components on the target.

    Args:
        mover: Gives the regridder for a nature.
        u: Eastward component, or along the grid's x axis, ``source.shape``.
        v: Northward component, or along the grid's y axis.
        along: Whether the components follow the axes of the grid.
        where: The place to name in errors.

    Raises:
        RegridError: The components cannot be turned.
    """
    regridder = mover(Nature.SCALAR)
    if regridder.method not in MIR:
        return vectors(regridder, u, v, grid_relative=along)
    if along:
        raise _cannot_turn(where, f"method {regridder.method} moves single components")
    return mover(Nature.EASTWARD)(u), mover(Nature.NORTHWARD)(v)


def moved_waves(mover: Mover, height: Any, others: Sequence[tuple[Nature, Any]]) -> Fields:
    """A wave height and its followers on the target, the height first.

    Args:
        mover: Gives the regridder for a nature.
        height: Height of the waves, metres, ``source.shape``.
        others: Nature and field of each follower.
    """
    moved_height = mover(Nature.SCALAR)(height)
    moved: list[NDArray[np.floating[Any]]] = [moved_height]
    for nature, field in others:
        regridder = mover(nature)
        if regridder.method in MIR or regridder.is_copy:
            moved.append(regridder(field))
        else:
            moved.append(following(regridder, field, height, moved_height=moved_height))
    return moved


def moved_alone(mover: Mover, nature: Nature, field: Any, *, along: bool, where: str) -> Any:
    """A field without others on the target.

    Args:
        mover: Gives the regridder for a nature.
        nature: How the values behave.
        field: ``source.shape``.
        along: Whether components follow the axes of the grid.
        where: The place to name in errors.

    Raises:
        RegridError: It is one component of a wind along the axes of the grid.
    """
    if along and nature in (Nature.EASTWARD, Nature.NORTHWARD):
        raise _cannot_turn(where, "the other component is not at hand")
    return mover(nature)(field)


def _cannot_turn(where: str, found: str) -> RegridError:
    return RegridError(
        "a wind along the axes of the grid cannot be turned to east and north",
        where,
        f"uvRelativeToGrid is set, and {found}",
        "give both components, and take one of our own methods with winds as vectors",
    )
