"""The plan of a dataset, made again from the recipe stored in it.

A dataset holds its recipe, and a plan needs no network. So what should be in the dataset is
known without trusting any file of it but the recipe.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import aurora_prep
from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.planned import PlannedFrames
from aurora_prep.pipelines.dataset.create import set_up_stores
from aurora_prep.pipelines.dataset.finish import planned
from aurora_prep.pipelines.dataset.layout import BEGUN
from aurora_prep.pipelines.plan.recipe_plan import Plan, make_plan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.providers.cache import Cache
from aurora_prep.sources.spec import ManifestError, RecipeError


@dataclass(frozen=True, slots=True)
class Replanned:
    """What a dataset was meant to be.

    Attributes:
        plan: The plan.
        context: Where the run worked.
    """

    plan: Plan
    context: RunContext

    def frames(self) -> list[PlannedFrames]:
        """The planned frames, for a verification; they can be read once."""
        return [planned(entry, self.context, {}) for entry in self.plan.sources]

    def restore_metadata(self, paths: Collection[str]) -> tuple[str, ...]:
        """Write the stores' metadata and coordinates again; no shard is changed.

        Args:
            paths: Paths relative to the dataset.

        Returns:
            Those of the paths that were written; the plan knows no others.

        Raises:
            WriteError: The dataset cannot be written.
        """
        if not paths:
            return ()
        with TemporaryDirectory() as scratch:
            set_up_stores(
                scratch, self.plan.sources, self.context.recipe, self.context.is_synthetic
            )
            found = tuple(path for path in sorted(paths) if (Path(scratch) / path).is_file())
            for path in found:
                data = (Path(scratch) / path).read_bytes()
                durable.put(durable.join(self.context.root, path), data)
        return found


def replan(url: str, recipe: str | None = None, cache: str | None = None) -> Replanned:
    """Make the plan of a dataset again.

    Args:
        url: The dataset.
        recipe: The recipe's file; by default the recipe that lies in the dataset. One that
            reads the user's files by relative paths must be given: the dataset does not
            know what they are relative to.
        cache: Folder in which the contents of the user's files are kept.

    Raises:
        ManifestError: The dataset carries no recipe.
        RecipeError: The recipe is not the dataset's, or its files are not to be found.
        DecodeError: One of the user's files is damaged.
    """
    root = url.rstrip("/")
    place = durable.join(root, BEGUN)
    try:
        claim = json.loads(durable.get(place))
        text, digest, synthetic = claim["recipe"], claim["digest"], bool(claim["synthetic"])
    except (ManifestError, ValueError, KeyError, TypeError) as error:
        raise ManifestError(
            "the dataset carries no recipe",
            place,
            f"{type(error).__name__}: {error}".splitlines()[0],
            "bring the file back",
        ) from error
    if recipe is None:
        wanted = Recipe.parse(text, where=place, output=root)
        _refuse_relative(wanted, place)
    else:
        wanted = Recipe.load(recipe, output=root)
    if wanted.digest != digest:
        raise RecipeError(
            "the recipe is not the one that the dataset was made by",
            recipe or place,
            f"recipe {wanted.digest[:12]}, the dataset's is {digest[:12]}",
            "give the file that the dataset was made from",
        )
    context = RunContext(
        root=root,
        cache=Cache.open(cache).root,
        recipe=wanted,
        synthetic=synthetic,
        created=datetime.min,  # no record is made here
        software_version=aurora_prep.__version__,
    )
    return Replanned(make_plan(wanted, context.contents), context)


def _refuse_relative(recipe: Recipe, place: str) -> None:
    paths = [path for entry in recipe.sources for path in entry.paths]
    relative = [path for path in paths if "://" not in path and not Path(path).is_absolute()]
    if relative:
        raise RecipeError(
            "the recipe reads files by relative paths",
            place,
            ", ".join(relative[:4]),
            "give the recipe's own file: --recipe RECIPE",
        )
