"""The user's own files: what a recipe takes of them, and what it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from aurora_prep.pipelines.reading.derived import is_derived
from aurora_prep.pipelines.reading.match import Holdings
from aurora_prep.pipelines.reading.product import Choice, described
from aurora_prep.pipelines.recipe import SourceRecipe
from aurora_prep.sources.spec import DecodeError, Kind, RecipeError, Source

SHOWN = 8
STATIC = f"{Kind.STATIC}/"


def choice_of(entry: SourceRecipe) -> Choice:
    """Which fields of files an entry takes."""
    is_own_choice = entry.accept_product and bool(entry.members)
    return Choice(entry.accept_product, entry.members if is_own_choice else (), entry.area)


def source_of(entry: SourceRecipe, source: Source, held: Holdings) -> Source:
    """The source, with title and licence of the product that the recipe accepts in its place."""
    if not entry.accept_product:
        return source
    said = "; ".join(map(described, held.products[:SHOWN]))
    return replace(
        source,
        title=entry.title or f"fields accepted as {source.name}, by their headers: {said}",
        licence=entry.licence or f"unknown; the headers say: {said}",
        attribution=entry.attribution or f"Made of fields whose headers say: {said}.",
    )


def contradictions(held: Holdings) -> tuple[str, ...]:
    """Places that two different fields claim, in words; their frames will be rejected."""
    said = [f"{problem}: {found}" for problem, _, found, _ in held.conflicts.values()]
    more = [f"{len(said) - SHOWN} more such places"] if len(said) > SHOWN else []
    return (*said[:SHOWN], *more)


def check_held(
    entry: SourceRecipe, source: Source, files: Sequence[str], held: Holdings, where: str
) -> None:
    """Refuse files of which an entry can take no variable or no time.

    Raises:
        RecipeError: They hold no frame, only static fields, only variables that a recipe must
            name, or times at no whole hour.
        DecodeError: Two different fields claim every place.
    """
    if held.off_hours and entry.period is None:
        raise RecipeError(
            "the files hold times at no whole hour",
            where,
            "; ".join(held.off_hours[:SHOWN]),
            "leave the file out of path, or give a period: other times are then left out",
        )
    if not held.moments:
        raise no_frame(source, files, held.ignored, where, held)
    _check_variables(entry, source, held, where)
    moving = {key for key in held.fields if not key[0][0].startswith(STATIC)}
    if moving and moving <= set(held.conflicts):
        raise DecodeError(*next(iter(held.conflicts.values())))


def _check_variables(entry: SourceRecipe, source: Source, held: Holdings, where: str) -> None:
    """Raises where none of what is held is among the variables that the entry means."""
    present = {path for path, _ in held.places if not path.startswith(STATIC)}
    optional = {n.variable.path for n in source.natives if n.optional}
    named = {*(entry.variables or ()), *entry.extra_variables}
    usual = set() if entry.variables is not None else present - optional
    if present & (named | usual):
        return
    known = [v.path for v in source.variables if v.path in present]
    names = [source.native(path).variable.short_name for path in known]
    if entry.variables is None:
        raise RecipeError(
            "the files hold only variables that a recipe must name",
            where,
            ", ".join(known),
            f"add extra_variables: [{', '.join(names)}]",
        )
    wanted = [path for path in entry.variables if not is_derived(path)]
    raise RecipeError(
        "the files hold none of the variables that the recipe names",
        where,
        f"wanted {', '.join(wanted)}; the files hold {', '.join(known)}",
        "name variables that the files hold, or other files",
    )


def no_frame(
    source: Source,
    files: Sequence[str],
    ignored: Sequence[str],
    where: str,
    held: Holdings | None = None,
) -> RecipeError:
    """Nothing of the files changes in time, or is of the source: says which, and names files."""
    named = ", ".join(Path(file).name for file in files[:SHOWN])
    statics = sorted({path for path, _ in held.places}) if held else []
    if statics and not ignored:
        return RecipeError(
            "the files hold only static fields",
            where,
            f"{', '.join(statics)} in {named}",
            "name files of fields that change in time, and give these as statics:",
        )
    beside = f"beside {', '.join(statics)} they hold" if statics else "they hold"
    more = f" and {len(ignored) - SHOWN} more" if len(ignored) > SHOWN else ""
    return RecipeError(
        "the files hold no frame of the source",
        where,
        f"{len(files)} files ({named}); {beside} {list(ignored[:SHOWN])}{more}",
        f"name files of {source.name}, or another source; where they are of another product that"
        " shall stand for it, accept_product: true takes them",
    )
