"""An entry of a recipe: what is wanted of one source."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aurora_prep import sources
from aurora_prep.pipelines.recipe.values import (
    choice,
    mapping,
    parse_duration,
    parse_time,
    truth,
    wrong,
)
from aurora_prep.sources.spec import (
    AuroraPrepError,
    Grid,
    Kind,
    Product,
    RecipeError,
    Source,
    Timeline,
)

NATIVE_GRID = "native"
FILES, ZARR = "files", "zarr"
METHODS = (
    "auto", "conservative", "bilinear", "nearest", "majority",
    "mir-linear", "mir-average", "mir-nearest",
)  # fmt: skip
DATA_FORMATS = ("grib", "netcdf")
WINDS = ("vectors", "components")
# More than some hundreds of points are no holes but a damaged field.
MOST_HOLES = 1_000
MOST_LEAD_TIMES = 20_000
# What a recipe may say of a product that is not the source's.
PRODUCT_WORDS = ("title", "licence", "attribution")
POLE = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecipe:
    """What is wanted of one source.

    Attributes:
        source: Name of the source.
        access: Name of the access.
        period: Valid (for forecasts: init) times; ``None`` means what the files hold.
        lead_times: Lead times of a forecast; ``None`` means all that the source, or the
            user's files, have.
        members: Members of an ensemble; empty means all that the source, or the user's
            files, have.
        grid: The grid to write; ``None`` for that of the source, or of the user's files
            (``grid: native`` in the recipe).
        method: Regridding method.
        methods: Methods of single variables, as ``(short_name, method)``.
        variables: Wanted variables, as paths; ``None`` means all but the optional ones, or
            those of them that the files hold.
        extra_variables: Optional variables wanted beside them, as paths.
        levels: Wanted levels, hPa; ``None`` means all, or what the files hold.
        paths: Globs of the user's own files; for access ``zarr`` the address of a mirror.
        statics: Globs of the user's own files of static fields.
        statics_from: Source whose static fields are written beside the frames; empty for the
            source's own.
        companions: Other sources of the recipe of which every frame needs one of the same
            valid time and grid.
        data_format: What to ask of a store: ``grib`` or ``netcdf``.
        area: North, west, south and east of the grid to take from files that hold several;
            ``None`` for any.
        accept_product: Whether fields of another product than the source's are taken from
            the user's own files.
        fill_holes: Most points without a value of one field that are filled from their
            neighbours; of a field with more of them the frame is rejected.
        title: What that other product is called; empty to take it from its headers.
        licence: The licence it comes under.
        attribution: Sentence to carry with anything made of it.
        winds: How winds are regridded: ``vectors``, both components as arrows, or
            ``components``, each by itself.
    """

    source: str
    access: str
    period: Timeline | None
    lead_times: tuple[timedelta, ...] | None = None
    members: tuple[int, ...] = ()
    grid: Grid | None
    method: str = "auto"
    methods: tuple[tuple[str, str], ...] = ()
    variables: tuple[str, ...] | None = None
    extra_variables: tuple[str, ...] = ()
    levels: tuple[int, ...] | None = None
    paths: tuple[str, ...] = ()
    statics: tuple[str, ...] = ()
    statics_from: str = ""
    companions: tuple[str, ...] = ()
    data_format: str = "grib"
    area: tuple[float, float, float, float] | None = None
    accept_product: bool = False
    fill_holes: int = 0
    title: str = ""
    licence: str = ""
    attribution: str = ""
    winds: str = WINDS[0]

    def method_of(self, short_name: str) -> str:
        """The regridding method of one variable."""
        return dict(self.methods).get(short_name, self.method)


def read_entry(entry: Any, where: str, *, winds: str = WINDS[0]) -> SourceRecipe:
    """Check one entry of ``sources``.

    Args:
        entry: The entry as plain values.
        where: The place to name in errors.
        winds: How winds are regridded where the entry does not say.

    Raises:
        RecipeError: A key is unknown or missing, or a value makes no sense.
    """
    keys = (
        "source", "access", "period", "lead_time", "members", "grid", "method", "variables",
        "extra_variables", "levels", "path", "statics", "statics_from", "with", "data_format",
        "area", "accept_product", "fill_holes", *PRODUCT_WORDS, "winds",
    )  # fmt: skip
    body = mapping(entry, keys, where, needed=("source", "grid"))
    where = f"{where} ({body['source']})"
    try:
        source = sources.load(str(body["source"]))
        access = source.access(body.get("access")).name
    except AuroraPrepError as error:
        raise RecipeError(*error.at(where).args) from None
    own_files = access == FILES
    if own_files == ("path" not in body) and access != ZARR:
        problem = "access files needs a path" if own_files else "path goes with access: files"
        raise wrong(problem, where, body.get("path"), "give path: with access: files, only there")
    is_any_product = truth(body.get("accept_product", False), f"{where}, accept_product")
    _check_own(body, where, own_files=own_files, is_any_product=is_any_product)
    if "period" not in body and not own_files:
        raise wrong("no period", where, None, "add period: {start: ..., end: ..., step: 6h}")
    method, methods = _methods(body.get("method"), source, f"{where}, method")
    period = _period(body["period"], source, f"{where}, period") if "period" in body else None
    levels = body.get("levels")
    return SourceRecipe(
        source=source.name,
        access=access,
        period=period,
        lead_times=_lead_times(body.get("lead_time"), source, f"{where}, lead_time"),
        grid=_grid(body["grid"], f"{where}, grid"),
        method=method,
        methods=methods,
        members=_members(
            body.get("members"), source, f"{where}, members", is_any_product=is_any_product
        ),
        variables=_variables(body.get("variables"), source, f"{where}, variables"),
        extra_variables=_extra_variables(
            body.get("extra_variables"), source, f"{where}, extra_variables"
        ),
        levels=None if levels is None else _levels(levels, source, f"{where}, levels"),
        paths=_paths(body.get("path"), f"{where}, path"),
        statics=_paths(body.get("statics"), f"{where}, statics"),
        statics_from=_statics_from(body, f"{where}, statics_from"),
        companions=_companions(body.get("with"), source, f"{where}, with"),
        data_format=choice(body.get("data_format", "grib"), DATA_FORMATS, f"{where}, data_format"),
        area=_area(body.get("area"), f"{where}, area"),
        accept_product=is_any_product,
        fill_holes=_holes(body.get("fill_holes", 0), f"{where}, fill_holes"),
        **{word: str(body.get(word) or "") for word in PRODUCT_WORDS},
        winds=choice(body.get("winds", winds), WINDS, f"{where}, winds"),
    )


def _check_own(
    body: Mapping[str, Any], where: str, *, own_files: bool, is_any_product: bool
) -> None:
    """Keys that say which fields of the user's own files to take go with such files only."""
    for key in ("area", "accept_product"):
        if body.get(key) and not own_files:
            fix = f"give {key} with access: files, only there"
            raise wrong(f"{key} goes with access: files", where, body[key], fix)
    for key in PRODUCT_WORDS:
        if body.get(key) is not None and not is_any_product:
            problem = f"{key} goes with accept_product"
            fix = f"drop {key}: the source has its own, or add accept_product: true"
            raise wrong(problem, where, body[key], fix)


def _holes(value: Any, where: str) -> int:
    """Points of a field that may be filled."""
    if type(value) is not int or not 0 <= value <= MOST_HOLES:
        fix = f"write a whole number of points up to {MOST_HOLES:,}; 0 fills none"
        raise wrong("fill_holes is no number of points", where, value, fix)
    return value


def _area(value: Any, where: str) -> tuple[float, float, float, float] | None:
    """North, west, south and east, in degrees."""
    if value is None:
        return None
    is_list = isinstance(value, list) and len(value) == len(("n", "w", "s", "e"))
    if not is_list or any(type(edge) not in (int, float) for edge in value):
        raise wrong("no area", where, value, "write [north, west, south, east], in degrees")
    north, west, south, east = map(float, value)
    if not -POLE <= south <= north <= POLE:  # which is false of NaN too
        raise wrong("no area", where, value, "give north first, then west, south and east")
    return north, west, south, east


def _grid(value: Any, where: str) -> Grid | None:
    if value == NATIVE_GRID:
        return None
    try:
        return Grid.regular(str(value))
    except AuroraPrepError as error:
        raise RecipeError(*error.at(where).args) from None


def _statics_from(body: Mapping[str, Any], where: str) -> str:
    """The source that static fields are borrowed from."""
    name = body.get("statics_from")
    if name is None:
        return ""
    if "statics" in body:
        raise wrong("static fields come from two places", where, name, "drop statics, or this")
    if not isinstance(name, str) or name == body["source"]:
        raise wrong("statics_from names no other source", where, name, "write era5")
    try:
        donor = sources.load(name)
    except AuroraPrepError as error:
        raise RecipeError(*error.at(where).args) from None
    if not donor.of_kind(Kind.STATIC):
        raise wrong("that source has no static fields", where, name, "write era5")
    return donor.name


def _period(value: Any, source: Source, where: str) -> Timeline:
    body = mapping(value, ("start", "end", "step"), where, needed=("start", "end"))
    start = parse_time(body["start"], f"{where}.start")
    end = parse_time(body["end"], f"{where}.end", end_of_day=True)
    step = parse_duration(body["step"], f"{where}.step") if "step" in body else source.cadence
    try:
        timeline = Timeline(start, end, step)
    except AuroraPrepError as error:
        raise RecipeError(*error.at(where).args) from None
    if start < source.first:
        found = f"{start.isoformat()}; {source.name} begins {source.first.isoformat()}"
        raise wrong("period starts before the source", where, found, "start later")
    if step % source.cadence or (start - source.first) % source.cadence:
        found = f"start {start.isoformat()}, step {step}; cadence {source.cadence}"
        raise wrong("period misses the times of the source", where, found, "use its cadence")
    return timeline


def _lead_times(value: Any, source: Source, where: str) -> tuple[timedelta, ...] | None:
    if value is None:
        return None
    if source.product is not Product.FORECAST:
        raise wrong(f"lead_time with a source of kind {source.product}", where, value, "drop it")
    body = mapping(value, ("start", "end", "step"), where, needed=("start", "end", "step"))
    start, end, step = (parse_duration(body[k], f"{where}.{k}") for k in ("start", "end", "step"))
    if not step or end < start:
        raise wrong("no lead times", where, value, "give start <= end and a step above 0h")
    if (end - start) // step >= MOST_LEAD_TIMES:
        found = f"{(end - start) // step + 1:,}, of which {MOST_LEAD_TIMES:,} are allowed"
        raise wrong("too many lead times", where, found, "no forecast reaches so far: end earlier")
    return tuple(start + i * step for i in range((end - start) // step + 1))


def _members(value: Any, source: Source, where: str, *, is_any_product: bool) -> tuple[int, ...]:
    if value is None:
        return ()
    if not source.members and is_any_product:
        if not isinstance(value, list) or len(value) != 1 or type(value[0]) is not int:
            raise wrong("not one member", where, value, "name the one to take, such as [1]")
        return (value[0],)
    if not source.members:
        raise wrong("members of a source that is no ensemble", where, value, "drop them")
    if isinstance(value, dict):
        body = mapping(value, ("start", "end"), where, needed=("start", "end"))
        if all(type(body[key]) is int for key in body):
            ends = body["start"], body["end"]
            # One beyond what the source has is enough to be refused, and is counted out fast.
            first, last = max(ends[0], source.members[0] - 1), min(ends[1], source.members[-1] + 1)
            value = list(range(first, last + 1))
    if not isinstance(value, list) or not value or any(type(v) is not int for v in value):
        raise wrong("no members", where, value, "write [1, 2], or {start: 1, end: 50}")
    if absent := sorted(set(value) - set(source.members)):
        found = f"{absent[:8]}; it has {source.members[0]} to {source.members[-1]}"
        raise wrong("the source has no such member", where, found, "name members it has")
    return tuple(sorted(set(value)))


def _extra_variables(value: Any, source: Source, where: str) -> tuple[str, ...]:
    optional = tuple(n.variable.path for n in source.natives if n.optional)
    if value == "all":
        return optional
    return _variables(value, source, where) or ()


def _companions(value: Any, source: Source, where: str) -> tuple[str, ...]:
    named = [value] if isinstance(value, str) else value or []
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise wrong("with must be a list of sources", where, value, "write [hres_t0]")
    if source.name in named:
        raise wrong("a source cannot be its own companion", where, source.name, "drop it")
    return tuple(dict.fromkeys(named))


def check_companions(entries: tuple[SourceRecipe, ...], where: str) -> None:
    """A companion is another entry on the same grid, which has none, and one frame a time."""
    for position, entry in enumerate(entries):
        there = {other.source: other for other in entries if other.grid == entry.grid}
        at = f"{where}, sources[{position}] ({entry.source}), with"
        for name in entry.companions:
            if name not in there:
                grid = NATIVE_GRID if entry.grid is None else entry.grid.name
                found = f"{name!r}, grid {grid}; on it are {sorted(there)}"
                problem = "a companion is no entry of the recipe on the same grid"
                raise wrong(problem, at, found, "add the companion as an entry of its own")
            if there[name].companions:
                found = f"{name} with {', '.join(there[name].companions)}"
                raise wrong("a companion has companions of its own", at, found, "name them all")
            one, other = sources.load(entry.source), sources.load(name)
            alone = other.product is Product.FORECAST and one.product is not Product.FORECAST
            if alone or other.members:
                found = f"{name} is a forecast or an ensemble, {entry.source} is not"
                raise wrong("a companion has many frames of a time", at, found, "take another")


def _variables(value: Any, source: Source, where: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    wanted = [value] if isinstance(value, str) else value
    if not isinstance(wanted, list) or not wanted:
        raise wrong("variables must be a list of short names", where, value, "write [2t, z]")
    chosen = set()
    for name in map(str, wanted):
        hits = [v.path for v in source.variables if name in (v.short_name, v.path)]
        if not hits:
            known = [v.path for v in source.variables]
            near = difflib.get_close_matches(name, [v.short_name for v in source.variables], n=1)
            fix = f"did you mean {near[0]!r}?" if near else "take a listed variable"
            raise wrong("the source has no such variable", where, f"{name!r}: not in {known}", fix)
        chosen.update(hits)
    return tuple(v.path for v in source.variables if v.path in chosen)


def _levels(value: Any, source: Source, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or any(type(v) is not int for v in value):
        raise wrong("levels must be a list of whole hPa", where, value, "write [500, 850]")
    try:
        return source.levels.subset(value, where).hpa
    except AuroraPrepError as error:
        raise RecipeError(*error.args) from None


def _methods(value: Any, source: Source, where: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    if value is None or isinstance(value, str):
        return choice(value or "auto", METHODS, where), ()
    if not isinstance(value, Mapping):
        raise wrong("method is neither a name nor a table", where, value, "write conservative")
    known = ("default", *dict.fromkeys(v.short_name for v in source.variables))
    mapping(value, known, where)
    chosen = {str(k): choice(v, METHODS, f"{where}.{k}") for k, v in value.items()}
    return chosen.pop("default", "auto"), tuple(sorted(chosen.items()))


def _paths(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    paths = [value] if isinstance(value, str) else value
    if not isinstance(paths, list) or not paths or not all(isinstance(p, str) for p in paths):
        raise wrong("path must be a glob or a list of globs", where, value, 'write "data/*.grib"')
    return tuple(paths)
