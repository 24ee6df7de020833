"""Static fields of sources that have none: asked of another source, which the recipe names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aurora_prep import sources
from aurora_prep.pipelines.reading.derived import is_derived
from aurora_prep.pipelines.recipe import SourceRecipe
from aurora_prep.providers.planner import plan_requests
from aurora_prep.sources.spec import (
    HOUR,
    Cds,
    Http,
    Index,
    Kind,
    Levels,
    Mars,
    RecipeError,
    Request,
    Source,
    Timeline,
)

ASKED = Cds | Http | Index | Mars


def donor_of(name: str) -> tuple[Source, ASKED]:
    """The source that static fields come from, and the first of its accesses that is asked.

    Raises:
        RecipeError: There is no such access.
    """
    source = sources.load(name)
    for access in source.accesses:
        if isinstance(access, ASKED):
            return source, access
    raise RecipeError(
        "static fields cannot be asked of this source",
        f"statics_from: {name}",
        f"accesses {[access.name for access in source.accesses]}",
        "write statics_from: era5, or name a file as statics:",
    )


def borrowed(entry: SourceRecipe, source: Source, where: str) -> tuple[str, ...]:
    """Static variables of a source that the other one brings; of named ones, those.

    Raises:
        RecipeError: It brings none of them, or lacks one that is named.
    """
    donor, access = donor_of(entry.statics_from)
    brought = {n.variable.path for n in donor.delivered(access)}
    declared = [n.variable.path for n in source.of_kind(Kind.STATIC)]
    named = [path for path in entry.variables or () if path in declared]
    paths = tuple(path for path in named or declared if path in brought or is_derived(path))
    absent = [path for path in named if path not in paths]
    if not paths or absent:
        raise RecipeError(
            "the source of static fields lacks what is wanted",
            f"{where}, statics_from",
            f"{', '.join(absent) or 'every static field'}; {donor.name} by {access.name} has"
            f" {sorted(path for path in brought if path in declared)}",
            "leave the variable out, or name a file as statics:",
        )
    return paths


def requests(name: str, paths: Sequence[str], *, synthetic: bool) -> Iterator[Request]:
    """The requests that bring static fields, the same for every recipe.

    They are asked at the first time of their source, which is the same whatever the period:
    a source may not have reached the time that the recipe wants.
    """
    donor, access = donor_of(name)
    once = Timeline(donor.first, donor.first, HOUR)
    fetched = [path for path in paths if not is_derived(path)]
    if not fetched:
        return iter(())
    leads = donor.lead_times[:1]
    return plan_requests(
        donor, access, once, fetched, Levels(()), lead_times=leads, synthetic=synthetic
    )
