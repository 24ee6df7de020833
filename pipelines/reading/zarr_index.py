"""What a Zarr store holds of the frames of one shard, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aurora_prep.pipelines.reading.fields import ZarrField
from aurora_prep.pipelines.reading.file_index import Contents
from aurora_prep.pipelines.reading.grid_description import GridDescription
from aurora_prep.pipelines.reading.match import STATIC, Holdings, Moment, Place
from aurora_prep.pipelines.reading.zarr import Shelf, announce, read_zarr, shelf_of
from aurora_prep.sources.spec import Source


@dataclass(frozen=True, slots=True)
class Wanted:
    """The fields of a shard, in the order in which they will be read.

    Attributes:
        places: Variables by path, each with every level wanted of it.
        moments: The times; ``STATIC`` for static fields.
    """

    places: tuple[Place, ...]
    moments: tuple[Moment, ...]

    def __iter__(self) -> Iterator[tuple[Place, Moment]]:
        """Variable by variable, of each frame by frame, of each level by level."""
        by_path: dict[str, list[Place]] = {}
        for place in self.places:
            by_path.setdefault(place[0], []).append(place)
        for places in by_path.values():
            for moment in self.moments:
                yield from ((place, moment) for place in places)


@dataclass(frozen=True, slots=True)
class ZarrReader:
    """A Zarr store as one source sees it: only what is wanted of it is looked up.

    Attributes:
        source: The source whose access it is.
        wanted: The fields.
    """

    source: Source
    wanted: Wanted

    def index(self, place: str) -> Contents[ZarrField]:
        """The wanted fields that a store has.

        Raises:
            FetchError: There is no store, or it does not answer.
            DecodeError: Its axes cannot be understood.
        """
        return Contents(place, "zarr", tuple(self.found(place).values()), (self.grid(place),))

    def read(self, field: ZarrField) -> NDArray[np.float32]:
        """One field, shape ``(rows, columns)``.

        Raises:
            FetchError: Its chunk is not in the store, or the store does not answer.
            DecodeError: Its chunk is damaged.
        """
        return read_zarr(field)

    def grid(self, place: str) -> GridDescription:
        """The grid of all fields of the store."""
        return shelf_of(place, self.source).grid

    def reasons(self, place: str) -> dict[Moment, str]:
        """Why a store has nothing of a wanted time, where that is known."""
        span = shelf_of(place, self.source).span
        why = {m: span.why_not(m[0]) for m in self.wanted.moments if m != STATIC}
        return {moment: reason for moment, reason in why.items() if reason}

    def found(self, place: str) -> dict[tuple[Place, Moment], ZarrField]:
        """The wanted fields that a store has, announced to it in the order of their reading."""
        shelf = shelf_of(place, self.source)
        fields = {key: _field(shelf, self.source, *key) for key in self.wanted}
        found = {key: field for key, field in fields.items() if field is not None}
        announce(shelf, list(found.values()))
        return found


def holdings_in_stores(texts: Sequence[str], source: Source, wanted: Wanted) -> Holdings:
    """Look up the wanted fields in stores that hold different variables, and announce them.

    Args:
        texts: Addresses of the stores; of a field that several hold, the first counts.
        source: The source whose access it is.
        wanted: The fields.

    Raises:
        FetchError: There is no store, or it does not answer.
        DecodeError: Its axes cannot be understood.
    """
    reader = ZarrReader(source, wanted)
    found: dict[tuple[Place, Moment], ZarrField] = {}
    reasons: dict[Moment, str] = {}
    for text in reversed(texts):
        found |= reader.found(text)
        reasons |= reader.reasons(text)
    grids = {text: (reader.grid(text),) for text in texts}
    return Holdings(found, grids, (), reasons=reasons)


def _field(shelf: Shelf, source: Source, place: Place, moment: Moment) -> ZarrField | None:
    path, level = place
    init_time, lead_time, member = moment
    if moment == STATIC:
        member = None
    return shelf.field(source.native(path), level, init_time, lead_time, member)
