"""Ways to a source's data: one class a protocol, with what a request must contain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from aurora_prep.sources.spec.dialect import CLIMATE, Dialect
from aurora_prep.sources.spec.errors import SpecError
from aurora_prep.sources.spec.index_access import Index
from aurora_prep.sources.spec.variable import Kind, Variable

# Of parameters without a table of their own: 167 is 167.128.
FIRST_TABLE = 128


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
        max_fields: Most fields asked for in one request; the planner takes fewer where the
            store's own limit is lower.
        cost_limit: The most that one request may cost at the store; ``None`` where that is
            not known, and ``max_fields`` is taken for it. A field costs one.
        netcdf_weight: What a field costs as NetCDF.
        dialect: How it wants to be asked, and how it lays its files out.
    """

    dataset: str
    kinds: tuple[Kind, ...]
    constants: tuple[tuple[str, str | tuple[str, ...]], ...]
    unit: Unit
    max_fields: int
    cost_limit: int | None = None
    netcdf_weight: int = 1
    dialect: Dialect = CLIMATE

    @property
    def limit(self) -> int:
        """The most that one request may cost, as far as it is known."""
        return self.max_fields if self.cost_limit is None else self.cost_limit

    def weight(self, data_format: str) -> int:
        """What one field costs in a format, ``grib`` or ``netcdf``."""
        return self.netcdf_weight if data_format == "netcdf" else 1

    def most_fields(self, data_format: str) -> int:
        """Most fields that one request asks for in a format."""
        return min(self.max_fields, self.limit // self.weight(data_format))


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

    def serves(self, variable: Variable) -> bool:
        """Whether a variable can be had this way."""
        return any(variable.kind in collection.kinds for collection in self.collections)

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


def table_and_number(variable: Variable) -> tuple[int, int]:
    """Table and number of a variable's parameter: 128 and 167 of ``2t``, 140 and 229 of ``swh``."""
    table, number = divmod(variable.param, 1000)
    return table or FIRST_TABLE, number


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One branch of ECMWF's archive, and what a single request to it may ask.

    Attributes:
        kinds: Kinds of variable it holds.
        keywords: MARS keywords that never change, as ``(keyword, value)`` pairs.
        hours: Hours of the day it holds; of forecasts, hours of init times.
        unit: Largest stretch of archive asked for at once.
        max_fields: Most fields asked for in one request.
        first: First time it holds; ``None`` where nothing is known but the source's own.
        last: Last time it holds; ``None`` of one that goes on.
    """

    kinds: tuple[Kind, ...]
    keywords: tuple[tuple[str, str], ...]
    hours: tuple[int, ...]
    unit: Unit
    max_fields: int
    first: datetime | None = None
    last: datetime | None = None

    def holds(self, time: datetime) -> bool:
        """Whether it has a time; of forecasts, an init time."""
        if time.hour not in self.hours or (self.first is not None and time < self.first):
            return False
        return self.last is None or time <= self.last

    def meets(self, start: datetime, end: datetime) -> bool:
        """Whether any of its time lies between two times, both included."""
        begins = self.first is None or self.first <= end
        return begins and (self.last is None or self.last >= start)

    @property
    def place(self) -> str:
        """``class/stream/type``: where in the archive it is."""
        words = dict(self.keywords)
        return "/".join(words[keyword] for keyword in ("class", "stream", "type"))

    @property
    def has_steps(self) -> bool:
        """Whether its fields are named by init time and step, as those of forecasts are."""
        return dict(self.keywords)["type"] == "fc"


@dataclass(frozen=True, slots=True)
class Mars:
    """ECMWF's archive, which ``ecmwf-api-client`` reads, and its branches.

    Attributes:
        branches: What is asked of it; no two branches of one kind hold the same time.
    """

    branches: tuple[Branch, ...]
    name: str = "mars"

    def serves(self, variable: Variable) -> bool:
        """Whether a variable can be had this way."""
        return any(variable.kind in branch.kinds for branch in self.branches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Files of a tree that follow one pattern; each holds one variable on all levels.

    Attributes:
        kinds: Kinds of variable it holds.
        pattern: Path of a file below the tree's address. Its fields are
            ``table`` and ``number`` of the parameter, ``name`` (the short
            name), ``word`` and ``time``, a moment in the file; times whose
            paths are the same lie in the same file.
        word: Word of most variables.
        words: Short names that have another word, as ``(short_name, word)`` pairs.
    """

    kinds: tuple[Kind, ...]
    pattern: str
    word: str = ""
    words: tuple[tuple[str, str], ...] = ()

    def path(self, variable: Variable, time: datetime) -> str:
        """Where the file is that holds a variable at a time."""
        table, number = table_and_number(variable)
        return self.pattern.format(
            table=table,
            number=number,
            name=variable.short_name,
            word=dict(self.words).get(variable.short_name, self.word),
            time=time,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """A tree of GRIB files behind a plain web server.

    Attributes:
        dataset: The provider's name of the collection.
        url: Address of the tree. It is its name in requests and so in caches: it stays
            when the tree moves.
        grid: The grid of the files, as ECMWF names it (``F1280``).
        series: The patterns of its files.
        hosts: Addresses at which the tree is, the best first; none where ``url`` is the one.
    """

    dataset: str
    url: str
    grid: str
    series: tuple[Series, ...]
    hosts: tuple[str, ...] = ()
    name: str = "http"

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where to ask, the best first."""
        return self.hosts or (self.url,)

    def serves(self, variable: Variable) -> bool:
        """Whether a variable can be had this way."""
        return any(variable.kind in series.kinds for series in self.series)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZarrStore:
    """One Zarr store on a bucket.

    A period is held against it without asking the bucket. How it is laid out
    is for the embedded provider: a reader takes a store as it is.

    Attributes:
        url: Address, ``gs://BUCKET/...``.
        first: First valid time, of forecasts first init time.
        last: Last one; ``None`` of a store that grows.
        step: Time between them.
        lacks: Variables, as paths, that it does not have, or only in name.
        levels: Its pressure levels, where it has more than the source offers.
        padded: First and last time of its time axis, where that is longer than what it holds.
        is_south_first: Whether its rows run from south to north.
        beside: Addresses of further stores that hold other variables of the same times.
        is_of_ecmwf: Whether it is laid out as ECMWF lays out its own: columns from 180 west,
            levels falling, arrays by short names, and attributes that say otherwise.
    """

    url: str
    first: datetime
    last: datetime | None
    step: timedelta
    lacks: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    padded: tuple[datetime, datetime] | None = None
    is_south_first: bool = False
    beside: tuple[str, ...] = ()
    is_of_ecmwf: bool = False

    @property
    def urls(self) -> tuple[str, ...]:
        """Where its variables are."""
        return self.url, *self.beside

    def refusal(self, start: datetime, end: datetime, step: timedelta) -> str | None:
        """Why it has not every time of a period, in words; ``None`` when it has."""
        if start < self.first:
            return f"begins {self.first:%Y-%m-%dT%H}"
        if self.last is not None and end > self.last:
            return f"ends {self.last:%Y-%m-%dT%H}"
        if (start - self.first) % self.step or (start != end and step % self.step):
            return f"has a time every {self.step // timedelta(hours=1)} h only"
        return None


@dataclass(frozen=True, slots=True)
class Zarr:
    """Zarr stores, read in place: on public buckets, or with a key.

    Attributes:
        stores: What is read; of several that hold a period, the first.
        names: Arrays of variables that are not named as in requests, as
            ``(path, name)`` pairs.
        key_of: Access whose key opens the stores; empty where none is needed.
    """

    stores: tuple[ZarrStore, ...]
    names: tuple[tuple[str, str], ...] = ()
    name: str = "zarr"
    key_of: str = ""

    def serves(self, variable: Variable) -> bool:
        """Whether a variable can be had this way."""
        return any(variable.path not in store.lacks for store in self.stores)

    def store_of(
        self, start: datetime, end: datetime, step: timedelta, paths: Iterable[str], where: str
    ) -> ZarrStore:
        """The first store that holds every time of a period, and every variable.

        Args:
            start: First time; of forecasts, init time.
            end: Last time.
            step: Time between them.
            paths: Variables wanted.
            where: The place to name in errors.

        Raises:
            SpecError: No store holds it all.
        """
        wanted = tuple(paths)
        refusals = []
        for store in self.stores:
            lacking = [path for path in wanted if path in store.lacks]
            refusal = f"lacks {', '.join(lacking)}" if lacking else None
            refusal = refusal or store.refusal(start, end, step)
            if refusal is None:
                return store
            refusals.append(f"{store.url} {refusal}")
        raise SpecError(
            "no public Zarr store holds all that is wanted",
            where,
            f"{start:%Y-%m-%dT%H} to {end:%Y-%m-%dT%H} by"
            f" {step // timedelta(hours=1)} h; {'; '.join(refusals)}",
            "take a period, step and variables that a store has, or another access",
        )


@dataclass(frozen=True, slots=True)
class Files:
    """The user's own GRIB or NetCDF files."""

    name: str = "files"

    def serves(self, variable: Variable) -> bool:  # noqa: ARG002  a protocol's method
        """Whether a variable may come from the user's files: any variable may."""
        return True


Access = Cds | Mars | Http | Index | Zarr | Files
