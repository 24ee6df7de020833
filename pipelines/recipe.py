"""Recipe: what the user asked for, read strictly from YAML."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from aurora_prep import sources
from aurora_prep.sources.spec import (
    AuroraPrepError,
    Grid,
    Product,
    RecipeError,
    Source,
    Timeline,
    digest_of,
)

DURATION = re.compile(r"(\d+)\s*(h|d)")
NATIVE_GRID = "native"
METHODS = ("auto", "conservative", "bilinear", "nearest")
DATA_FORMATS = ("grib", "netcdf")
CODECS = ("auto", "blosc-lz4", "blosc-zstd")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecipe:
    """What is wanted of one source.

    Attributes:
        source: Name of the source.
        access: Name of the access.
        period: Valid (for forecasts: init) times; ``None`` means what the files hold.
        lead_times: Lead times of a forecast; ``(0 h,)`` for everything else.
        grid: ``"native"``, or the step of a global grid.
        method: Regridding method.
        methods: Methods of single variables, as ``(short_name, method)``.
        variables: Wanted variables, as paths; ``None`` means all, or what the files hold.
        levels: Wanted levels, hPa; ``None`` means all, or what the files hold.
        paths: Globs of the user's own files.
        data_format: What to ask of a store: ``grib`` or ``netcdf``.
    """

    source: str
    access: str
    period: Timeline | None
    lead_times: tuple[timedelta, ...] = (timedelta(0),)
    grid: str
    method: str = "auto"
    methods: tuple[tuple[str, str], ...] = ()
    variables: tuple[str, ...] | None = None
    levels: tuple[int, ...] | None = None
    paths: tuple[str, ...] = ()
    data_format: str = "grib"

    def method_of(self, short_name: str) -> str:
        """The regridding method of one variable."""
        return dict(self.methods).get(short_name, self.method)


@dataclass(frozen=True, slots=True)
class Split:
    """A named part of the frames, by valid time; both ends included."""

    name: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRecipe:
    """Which statistics, over which split (``None``: every frame)."""

    split: str | None = None
    area_weighted: bool = False
    differences: tuple[timedelta, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageRecipe:
    """How shards are written; ``None`` frames per shard means chosen by size."""

    frames_per_shard: int | None = None
    codec: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole recipe, checked.

    Attributes:
        name: Name of the dataset.
        output: Folder or URL of the dataset.
        sources: What is wanted of each source.
        splits: Named parts, which do not overlap.
        statistics: Which statistics are computed.
        storage: How shards are written.
        base: Folder that relative globs start from.
        text: The recipe as plain JSON values, as the user gave it.
        digest: Stands for all that decides the output, and so not for where it lies.
    """

    name: str
    output: str
    sources: tuple[SourceRecipe, ...]
    splits: tuple[Split, ...]
    statistics: StatisticsRecipe
    storage: StorageRecipe
    base: str
    text: dict[str, Any] = field(compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the output."""
        return digest_of(self.decisive)

    @property
    def decisive(self) -> dict[str, Any]:
        """The recipe without the place of its output."""
        return {key: value for key, value in self.text.items() if key != "output"}

    def split_of(self, valid_time: datetime) -> str | None:
        """The split that holds a valid time."""
        for split in self.splits:
            if split.start <= valid_time <= split.end:
                return split.name
        return None

    def enters_statistics(self, valid_time: datetime) -> bool:
        """Whether a frame belongs to the split that statistics are computed of."""
        split = self.statistics.split
        return split is None or self.split_of(valid_time) == split

    @classmethod
    def load(cls, path: str | Path, *, output: str | None = None) -> Recipe:
        """Read and check a recipe file.

        Raises:
            RecipeError: The file cannot be read, is not YAML, or asks for
                something that does not exist.
        """
        path = Path(path)
        try:
            text = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  it is safe
        except OSError as error:
            raise RecipeError(
                "the recipe cannot be read", str(path), error.strerror or str(error), "give a file"
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise RecipeError(
                "the recipe is not YAML", str(path), " ".join(str(error).split()), "mend the file"
            ) from error
        return cls.parse(text, where=str(path), base=str(path.resolve().parent), output=output)

    @classmethod
    def parse(
        cls, text: Any, *, where: str = "recipe", base: str = ".", output: str | None = None
    ) -> Recipe:
        """Check a recipe given as plain values.

        Raises:
            RecipeError: A key is unknown or missing, or a value makes no sense.
        """
        text = _plain(text)
        keys = ("name", "output", "sources", "splits", "statistics", "storage")
        body = _mapping(text, keys, where, needed=("name", "sources"))
        listed = body["sources"]
        if not isinstance(listed, list) or not listed:
            raise _wrong("sources must be a list with one entry at least", where, listed, "add one")
        parsed = tuple(_source(e, f"{where}, sources[{i}]") for i, e in enumerate(listed))
        splits = _splits(body.get("splits"), f"{where}, splits")
        target = output or body.get("output")
        if not isinstance(target, str) or not target:
            raise _wrong("no output", where, target, "add output: ./out/NAME, or give --out")
        return cls(
            name=str(body["name"]),
            output=target,
            sources=parsed,
            splits=splits,
            statistics=_statistics(body.get("statistics"), splits, f"{where}, statistics"),
            storage=_storage(body.get("storage"), f"{where}, storage"),
            base=base,
            text=text,
        )


class _Loader(yaml.SafeLoader):
    """Plain values, as ``safe_load`` gives them; a key given twice is refused, not replaced."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  as PyYAML declares it
        keys = [self.construct_object(key) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                problem, mark = f"key {key!r} is given twice", node.value[position][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, problem, mark)
        return super().construct_mapping(node, deep)


def parse_time(value: Any, where: str, *, end_of_day: bool = False) -> datetime:
    """Read ``2020-01-01``, ``2020-01-01T06`` or longer as naive UTC.

    Raises:
        RecipeError: The value is no such time.
    """
    text = str(value).strip().removesuffix("Z")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong("not a time", where, value, "write 2020-01-01 or 2020-01-01T06") from None
    if moment.tzinfo is not None:
        raise _wrong("times are UTC and carry no zone", where, value, "drop the zone")
    day_only = re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
    return moment + timedelta(hours=23) if end_of_day and day_only else moment


def parse_duration(value: Any, where: str) -> timedelta:
    """Read ``6h`` or ``1d``.

    Raises:
        RecipeError: The value is no such duration.
    """
    match = DURATION.fullmatch(str(value).strip())
    if match is None:
        raise _wrong("not a duration", where, value, "write hours or days: 6h, 1d")
    return timedelta(hours=int(match[1]) * (24 if match[2] == "d" else 1))


def _source(entry: Any, where: str) -> SourceRecipe:
    keys = (
        "source", "access", "period", "lead_time", "grid", "method", "variables", "levels",
        "path", "data_format",
    )  # fmt: skip
    body = _mapping(entry, keys, where, needed=("source", "grid"))
    where = f"{where} ({body['source']})"
    try:
        source = sources.load(str(body["source"]))
        access = source.access(body.get("access")).name
    except AuroraPrepError as error:
        raise RecipeError(*error.at(where).args) from None
    own_files = access == "files"
    if own_files == ("path" not in body):
        problem = "access files needs a path" if own_files else "path goes with access: files"
        raise _wrong(problem, where, body.get("path"), "give path: with access: files, only there")
    if "period" not in body and not own_files:
        raise _wrong("no period", where, None, "add period: {start: ..., end: ..., step: 6h}")
    grid = str(body["grid"])
    if grid != NATIVE_GRID:
        try:
            Grid.regular(grid)
        except AuroraPrepError as error:
            raise RecipeError(*error.at(f"{where}, grid").args) from None
    method, methods = _methods(body.get("method"), source, f"{where}, method")
    period = _period(body["period"], source, f"{where}, period") if "period" in body else None
    levels = body.get("levels")
    return SourceRecipe(
        source=source.name,
        access=access,
        period=period,
        lead_times=_lead_times(body.get("lead_time"), source, f"{where}, lead_time"),
        grid=grid,
        method=method,
        methods=methods,
        variables=_variables(body.get("variables"), source, f"{where}, variables"),
        levels=None if levels is None else _levels(levels, source, f"{where}, levels"),
        paths=_paths(body.get("path"), f"{where}, path"),
        data_format=_choice(body.get("data_format", "grib"), DATA_FORMATS, f"{where}, data_format"),
    )


def _period(value: Any, source: Source, where: str) -> Timeline:
    body = _mapping(value, ("start", "end", "step"), where, needed=("start", "end"))
    start = parse_time(body["start"], f"{where}.start")
    end = parse_time(body["end"], f"{where}.end", end_of_day=True)
    step = parse_duration(body["step"], f"{where}.step") if "step" in body else source.cadence
    try:
        timeline = Timeline(start, end, step)
    except AuroraPrepError as error:
        raise RecipeError(*error.at(where).args) from None
    if start < source.first:
        found = f"{start.isoformat()}; {source.name} begins {source.first.isoformat()}"
        raise _wrong("period starts before the source", where, found, "start later")
    if step % source.cadence or (start - source.first) % source.cadence:
        found = f"start {start.isoformat()}, step {step}; cadence {source.cadence}"
        raise _wrong("period misses the times of the source", where, found, "use its cadence")
    return timeline


def _lead_times(value: Any, source: Source, where: str) -> tuple[timedelta, ...]:
    if value is None:
        return (timedelta(0),)
    if source.product is not Product.FORECAST:
        raise _wrong(f"lead_time with a source of kind {source.product}", where, value, "drop it")
    body = _mapping(value, ("start", "end", "step"), where, needed=("start", "end", "step"))
    start, end, step = (parse_duration(body[k], f"{where}.{k}") for k in ("start", "end", "step"))
    if not step or end < start:
        raise _wrong("no lead times", where, value, "give start <= end and a step above 0h")
    return tuple(start + i * step for i in range((end - start) // step + 1))


def _variables(value: Any, source: Source, where: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    wanted = [value] if isinstance(value, str) else value
    if not isinstance(wanted, list) or not wanted:
        raise _wrong("variables must be a list of short names", where, value, "write [2t, z]")
    chosen = set()
    for name in map(str, wanted):
        hits = [v.path for v in source.variables if name in (v.short_name, v.path)]
        if not hits:
            known = [v.path for v in source.variables]
            near = difflib.get_close_matches(name, [v.short_name for v in source.variables], n=1)
            fix = f"did you mean {near[0]!r}?" if near else "take a listed variable"
            raise _wrong("the source has no such variable", where, f"{name!r}: not in {known}", fix)
        chosen.update(hits)
    return tuple(v.path for v in source.variables if v.path in chosen)


def _levels(value: Any, source: Source, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or any(type(v) is not int for v in value):
        raise _wrong("levels must be a list of whole hPa", where, value, "write [500, 850]")
    try:
        return source.levels.subset(value, where).hpa
    except AuroraPrepError as error:
        raise RecipeError(*error.args) from None


def _methods(value: Any, source: Source, where: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    if value is None or isinstance(value, str):
        return _choice(value or "auto", METHODS, where), ()
    if not isinstance(value, Mapping):
        raise _wrong("method is neither a name nor a table", where, value, "write conservative")
    known = ("default", *dict.fromkeys(v.short_name for v in source.variables))
    _mapping(value, known, where)
    chosen = {str(k): _choice(v, METHODS, f"{where}.{k}") for k, v in value.items()}
    return chosen.pop("default", "auto"), tuple(sorted(chosen.items()))


def _paths(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    paths = [value] if isinstance(value, str) else value
    if not isinstance(paths, list) or not paths or not all(isinstance(p, str) for p in paths):
        raise _wrong("path must be a glob or a list of globs", where, value, 'write "data/*.grib"')
    return tuple(paths)


def _splits(value: Any, where: str) -> tuple[Split, ...]:
    splits = []
    for name, ends in (_mapping(value, None, where) if value is not None else {}).items():
        if not isinstance(ends, list) or len(ends) != 2:  # noqa: PLR2004  a pair of dates
            raise _wrong("a split is a pair of dates", f"{where}.{name}", ends, "[start, end]")
        start = parse_time(ends[0], f"{where}.{name}")
        end = parse_time(ends[1], f"{where}.{name}", end_of_day=True)
        if end < start:
            raise _wrong("the split ends before it starts", f"{where}.{name}", ends, "swap them")
        splits.append(Split(str(name), start, end))
    ordered = sorted(splits, key=lambda split: split.start)
    for one, other in itertools.pairwise(ordered):
        if other.start <= one.end:
            found = f"{one.name} ends {one.end}, {other.name} starts {other.start}"
            raise _wrong("two splits overlap", where, found, "no frame may be in two splits")
    return tuple(splits)


def _statistics(value: Any, splits: tuple[Split, ...], where: str) -> StatisticsRecipe:
    names = [split.name for split in splits]
    if value is None:
        return StatisticsRecipe(split="train" if "train" in names else None)
    body = _mapping(value, ("split", "area_weighted", "differences"), where)
    split = body.get("split", "train" if "train" in names else None)
    if split is not None and split not in names:
        raise _wrong("no such split", f"{where}.split", f"{split!r}, not in {names}", "name one")
    steps = body.get("differences", [])
    if not isinstance(steps, list):
        raise _wrong("differences must be a list", where, steps, "write [12h, 24h]")
    differences = tuple(parse_duration(s, f"{where}.differences") for s in steps)
    if not all(differences):
        raise _wrong("a difference over no time is zero", where, steps, "write [12h, 24h]")
    return StatisticsRecipe(
        split=split,
        area_weighted=_truth(body.get("area_weighted", False), f"{where}.area_weighted"),
        differences=differences,
    )


def _storage(value: Any, where: str) -> StorageRecipe:
    if value is None:
        return StorageRecipe()
    body = _mapping(value, ("zarr_format", "frames_per_shard", "codec", "lossless"), where)
    if body.get("zarr_format", 3) != 3:  # noqa: PLR2004  the version's number
        raise _wrong("only Zarr format 3 is written", where, body["zarr_format"], "write 3")
    if not _truth(body.get("lossless", True), f"{where}.lossless"):
        raise _wrong("only lossless storage is written", where, "false", "write lossless: true")
    frames = body.get("frames_per_shard", "auto")
    if frames != "auto" and (type(frames) is not int or frames < 1):
        raise _wrong("not a number of frames", f"{where}.frames_per_shard", frames, "auto, or 1")
    return StorageRecipe(
        frames_per_shard=None if frames == "auto" else frames,
        codec=_choice(body.get("codec", "auto"), CODECS, f"{where}.codec"),
    )


def _mapping(
    value: Any, known: Collection[str] | None, where: str, needed: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A table of which every key is known and the needed ones are there."""
    if not isinstance(value, dict):
        raise _wrong("a table of keys and values is expected", where, value, "see the README")
    for key in value:
        if known is not None and key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            raise _wrong("unknown key", where, key, fix)
    for key in needed:
        if value.get(key) is None:
            raise _wrong(f"{key} is missing", where, sorted(value), f"add {key}:")
    return value


def _choice(value: Any, known: tuple[str, ...], where: str) -> str:
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"take one of {', '.join(known)}"
        raise _wrong("unknown choice", where, value, fix)
    return str(value)


def _truth(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong("neither true nor false", where, value, "write true or false")
    return value


def _plain(value: Any) -> Any:
    """YAML's values as JSON knows them: dates become text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value


def _wrong(problem: str, where: str, found: Any, fix: str) -> RecipeError:
    return RecipeError(problem, where, found if isinstance(found, str) else repr(found), fix)
