"""Which Zarr store brings the frames of a plan, by arithmetic on the declaration alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aurora_prep.pipelines.plan.source_plan import ShardTask, SourcePlan
from aurora_prep.pipelines.reading.derived import is_derived
from aurora_prep.pipelines.reading.match import STATIC, Place
from aurora_prep.pipelines.reading.zarr_index import Wanted
from aurora_prep.pipelines.recipe import ZARR, Recipe, SourceRecipe
from aurora_prep.providers import marks
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.zarr_store import StoreAddress
from aurora_prep.sources.spec import (
    AuroraPrepError,
    RecipeError,
    Source,
    Variable,
    Zarr,
    ZarrStore,
)


def own_store(entry: SourceRecipe, recipe: Recipe, where: str) -> tuple[str, ...]:
    """The address of the user's own store; nothing where the recipe names none.

    Raises:
        RecipeError: The recipe names several.
        FetchError: There is no such folder.
    """
    if len(entry.paths) > 1:
        raise RecipeError(
            "access zarr reads one store",
            f"{where}, path",
            ", ".join(entry.paths),
            "name one store; for the public one leave path out",
        )
    base = Path(recipe.base)
    return tuple(str(StoreAddress.of_path(path, base)) for path in entry.paths)


def is_synthetic_store(address: str) -> bool:
    """Whether the user's own store, on this machine, says that it is synthetic."""
    url = StoreAddress.parse(address).url
    return url.startswith("file://") and marks.is_synthetic_store(Path(url.removeprefix("file://")))


def public_store(
    source: Source, entry: SourceRecipe, paths: Iterable[str], where: str
) -> ZarrStore | None:
    """The public store that has every time of an entry and every variable.

    Args:
        source: The source of the entry.
        entry: The entry.
        paths: Variables that are read from it.
        where: The place to name in errors.

    Returns:
        The store; ``None`` where the access is not Zarr.

    Raises:
        RecipeError: No store has it all.
    """
    access, period = source.access(entry.access), entry.period
    if not isinstance(access, Zarr) or period is None:
        return None
    fetched = (path for path in paths if not is_derived(path))
    try:
        return access.store_of(period[0], period[-1], period.step, fetched, source.name)
    except AuroraPrepError as error:
        problem, _, found, fix = error.args
        raise RecipeError(problem, where, found, fix) from None


def addresses_of(plan: SourcePlan, service: Service | None = None) -> tuple[StoreAddress, ...]:
    """The stores that a plan reads; none where its access is not Zarr.

    Args:
        plan: The plan of a source.
        service: Who answers in the real ones' place.
    """
    access = plan.source.access(plan.recipe.access)
    if plan.recipe.access == ZARR and plan.files:
        return (StoreAddress.parse(plan.files[0]),)
    elsewhere = plan.static_files or plan.recipe.statics_from
    static = () if elsewhere else plan.static_paths
    store = public_store(plan.source, plan.recipe, (*plan.paths, *static), plan.source.name)
    if store is None or not isinstance(access, Zarr):
        return ()
    endpoint = None
    if service is not None:
        endpoint = service.bearer_stores if access.key_of else service.buckets
    return tuple(
        StoreAddress(url, is_anonymous=not access.key_of, endpoint=endpoint, key_of=access.key_of)
        for url in store.urls
    )


def wanted_of(plan: SourcePlan, task: ShardTask) -> Wanted:
    """The fields of a shard, in the order in which they are done."""
    if task.is_static:
        fetched = [v for v in plan.static_variables if not is_derived(v.path)]
        return Wanted(_places(plan, fetched), (STATIC,))
    moments = tuple((frame.init_time, frame.lead_time, frame.member) for frame in task.frames)
    return Wanted(_places(plan, plan.variables), moments)


def _places(plan: SourcePlan, variables: Iterable[Variable]) -> tuple[Place, ...]:
    return tuple((v.path, level) for v in variables for level in plan.levels_of(v))
