"""The plan of a dataset, made anew from the recipe that lies in it.

A dataset carries its recipe, and a plan needs no network: what ought to be there is known
without believing anything that is there.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import aurora_prep
from aurora_prep.manifest import storage
from aurora_prep.manifest.planned import PlannedFrames
from aurora_prep.pipelines.finish import planned
from aurora_prep.pipelines.plan import Plan, make_plan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run import BEGUN
from aurora_prep.pipelines.stages.site import Site
from aurora_prep.pipelines.stages.store import set_up_stores
from aurora_prep.providers.cache import Cache
from aurora_prep.sources.spec import ManifestError, RecipeError


@dataclass(frozen=True, slots=True)
class Replanned:
    """What a dataset was meant to be.

    Attributes:
        plan: The plan.
        site: Where the run worked.
    """

    plan: Plan
    site: Site

    def frames(self) -> list[PlannedFrames]:
        """The planned frames, for a verification; they can be read once."""
        return [planned(entry, self.site, {}) for entry in self.plan.sources]

    def restore_metadata(self, paths: Collection[str]) -> tuple[str, ...]:
        """Write files of the stores' metadata and coordinates anew; no shard is touched.

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
            set_up_stores(scratch, self.plan.sources, self.site.recipe, self.site.is_synthetic)
            found = tuple(path for path in sorted(paths) if (Path(scratch) / path).is_file())
            for path in found:
                data = (Path(scratch) / path).read_bytes()
                storage.put(storage.join(self.site.root, path), data)
        return found


def replan(url: str, recipe: str | None = None, cache: str | None = None) -> Replanned:
    """Make the plan of a dataset anew.

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
    place = storage.join(root, BEGUN)
    try:
        claim = json.loads(storage.get(place))
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
    site = Site(
        root=root,
        cache=Cache.open(cache).root,
        recipe=wanted,
        synthetic=synthetic,
        created=datetime.min,  # no record is made here
        software_version=aurora_prep.__version__,
    )
    return Replanned(make_plan(wanted, site.contents), site)


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
