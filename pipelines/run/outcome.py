"""Outcome: what a run did; and of a run that has nothing to do, without planning it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import aurora_prep
from aurora_prep.manifest import durable
from aurora_prep.pipelines.dataset.layout import BEGUN, DATASET
from aurora_prep.pipelines.recipe import FILES, ZARR, Recipe
from aurora_prep.sources.spec import AuroraPrepError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did.

    Attributes:
        root: The dataset.
        frames: Frames planned.
        done: Frames that were there before the run began.
        absent: Planned frames that are not written.
        quirks: What is known to be odd about the planned times and variables.
        ignored: What the user's own files hold beside what is read of them, by source.
    """

    root: str
    frames: int
    done: int
    absent: int
    quirks: tuple[str, ...] = ()
    ignored: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def had_nothing_to_do(self) -> bool:
        """Whether every frame was there already."""
        return self.done == self.frames and not self.absent


def finished_already(recipe: Recipe, *, embedded: bool) -> Outcome | None:
    """The outcome of a run whose dataset is finished and whole, from two small files of it.

    A plan and Beam take seconds to load. They are not needed where this version of the
    software finished the dataset from the same recipe with every frame written.

    Args:
        recipe: The recipe.
        embedded: Whether the embedded provider is to answer.

    Returns:
        The outcome; ``None`` where a plan has to tell: the dataset is remote, not finished,
        of another recipe or version, has frames missing, or depends on the user's files.
    """
    root = recipe.output.rstrip("/")
    depends_on_files = any(
        entry.statics or entry.access == FILES or (entry.access == ZARR and entry.paths)
        for entry in recipe.sources
    )
    if depends_on_files or durable.local_path(root) is None:
        return None
    try:
        claim: Any = json.loads(durable.get(durable.join(root, BEGUN)))
        document: Any = json.loads(durable.get(durable.join(root, DATASET)))
        found = claim["digest"], claim["synthetic"], document["recipe_digest"]
        version = document["software"]["aurora-prep"]
        frames = [entry["frames"] for entry in document["sources"]]
        planned = sum(int(counts["frames"]) for counts in frames)
        written = sum(int(counts["written"]) for counts in frames)
        quirks = tuple(
            f"{entry['source']}: {quirk}"
            for entry in document["sources"]
            for quirk in entry["quirks"]
        )
    except (AuroraPrepError, ValueError, KeyError, TypeError):
        return None
    if found != (recipe.digest, embedded, recipe.digest) or written != planned:
        return None
    if version != aurora_prep.__version__:
        return None
    return Outcome(root, planned, planned, 0, quirks)
