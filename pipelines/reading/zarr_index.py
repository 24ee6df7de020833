"""What a Zarr store holds of the frames of one shard, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aurora_prep.pipelines.reading.fields import ZarrField
from aurora_prep.pipelines.reading.match import STATIC, Holdings, Moment, Place
from aurora_prep.pipelines.reading.zarr import Shelf, announce, shelf_of
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


def holdings_in_store(text: str, source: Source, wanted: Wanted) -> Holdings:
    """Look up the wanted fields in a store, and announce them.

    Args:
        text: Address of the store.
        source: The source whose access it is.
        wanted: The fields.

    Raises:
        FetchError: There is no store, or it does not answer.
        DecodeError: Its axes cannot be understood.
    """
    shelf = shelf_of(text, source)
    found = {}
    for place, moment in wanted:
        ref = _field(shelf, source, place, moment)
        if ref is not None:
            found[place, moment] = ref
    announce(shelf, list(found.values()))
    return Holdings(found, {shelf.file: (shelf.grid,)}, ())


def _field(shelf: Shelf, source: Source, place: Place, moment: Moment) -> ZarrField | None:
    path, level = place
    init_time, lead_time, member = moment
    if moment == STATIC:
        member = None
    return shelf.field(source.native(path), level, init_time, lead_time, member)
