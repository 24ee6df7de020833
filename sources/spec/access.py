"""Ways to a source's data: one class a protocol, with what its provider wants to hear."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aurora_prep.sources.spec.dialect import CLIMATE, Dialect
from aurora_prep.sources.spec.errors import SpecError
from aurora_prep.sources.spec.variable import Kind


class Unit(StrEnum):
    """The stretch of archive that one request reads whole."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One of a store's collections, and what a single request to it may ask.

    Attributes:
        dataset: The store's identifier of the collection.
        kinds: Kinds of variable it serves.
        constants: Request keys that never change, as ``(key, value)`` pairs.
        unit: Largest stretch of archive asked for at once.
        max_fields: Most fields the store accepts in one request.
        dialect: How it wants to be asked, and how it lays its files out.
    """

    dataset: str
    kinds: tuple[Kind, ...]
    constants: tuple[tuple[str, str | tuple[str, ...]], ...]
    unit: Unit
    max_fields: int
    dialect: Dialect = CLIMATE


@dataclass(frozen=True, slots=True)
class Cds:
    """A store that ``cdsapi`` reads, and its collections.

    Attributes:
        collections: What is asked of it.
        name: ``cds`` for the Climate, ``ads`` for the Atmosphere Data Store;
            it decides whose address and credentials are used.
    """

    collections: tuple[Collection, ...]
    name: str = "cds"

    def collection_of(self, kind: Kind, where: str) -> Collection:
        """The collection that serves a kind of variable.

        Raises:
            SpecError: No collection serves it.
        """
        for collection in self.collections:
            if kind in collection.kinds:
                return collection
        raise SpecError(
            "no collection serves this kind of variable",
            where,
            f"{kind!r}; collections: {[c.dataset for c in self.collections]}",
            "add the kind to a collection of the source",
        )


@dataclass(frozen=True, slots=True)
class Files:
    """The user's own GRIB or NetCDF files."""

    name: str = "files"


Access = Cds | Files
