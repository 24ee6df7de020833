"""Inputs: the user's own files are what they were, or what was made of them is made again.

The dataset keeps a fingerprint of every own file. A file that has another content when the
recipe is run again has its shards taken out of the ledger, so that this run makes them anew.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger import parts
from aurora_prep.pipelines.dataset.layout import DATASET, INDEX, INPUTS
from aurora_prep.pipelines.plan.recipe_plan import Plan
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.pipelines.plan.units import Block
from aurora_prep.pipelines.run.work import blocks_of_files
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.providers.fingerprint import fingerprint
from aurora_prep.providers.zarr_store import StoreAddress
from aurora_prep.sources.spec import ManifestError, WriteError

LOGGER = logging.getLogger(__name__)
AT_ONCE = 4
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Inputs:
    """The user's own files as they are now.

    Attributes:
        said: Their fingerprints, by name.
        stale: Number of shards that were taken out of the ledger for files that changed.
    """

    said: Mapping[str, str]
    stale: int = 0

    def note(self, root: str) -> None:
        """Keep the fingerprints with the dataset, where they are not kept yet.

        Raises:
            WriteError: The output cannot be written.
        """
        place = durable.join(root, INPUTS)
        if self.said and self.said != _known(place):
            text = json.dumps(self.said, indent=1, sort_keys=True) + "\n"
            durable.put(place, text.encode())


def compare(context: RunContext, plan: Plan) -> Inputs:
    """Compare the user's own files with those that the dataset was made of.

    Shards of files that have another content are taken out of the ledger.

    Raises:
        WriteError: A file cannot be read, or the output not written.
    """
    files = sorted({name for entry in plan.sources for name in _own(entry)})
    if not files:
        return Inputs({})
    base = Path(context.recipe.base)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="inputs") as pool:
        found = dict(zip(files, pool.map(_of, files), strict=True))
    said = {_name(file, base): value for file, value in found.items()}
    known = _known(durable.join(context.root, INPUTS))
    changed = {file for file in files if known.get(_name(file, base), found[file]) != found[file]}
    stale = [task for entry in plan.sources for task in _stale(entry, changed, context)]
    if stale:
        names = sorted(_name(file, base) for file in changed)
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        LOGGER.warning(
            "%d input files changed since they were used (%s%s): %d shards are made again",
            len(names), ", ".join(names[:SHOWN]), more, len(stale),
        )  # fmt: skip
        # As after a repair: killed half-way, the dataset counts as unfinished.
        durable.delete(durable.join(context.root, DATASET))
        durable.delete(durable.join(context.root, INDEX))
        for task in stale:
            _forget(context.root, task)
    return Inputs(said, len(stale))


def _forget(root: str, task: tuple[str, str, str]) -> None:
    """Remove what was made of another content: objects first, so that none is left unknown."""
    with suppress(ManifestError):  # of a damaged part the objects are replaced by the new ones
        for item in parts.read_part(root, *task).objects:
            durable.delete(durable.join(root, item.key))
    parts.discard(root, *task)


def _own(entry: SourcePlan) -> Iterable[str]:
    """The files on this machine that an entry reads."""
    names = (*entry.files, *entry.static_files)
    return (name for name in names if not StoreAddress.is_address(name))


def _of(file: str) -> str:
    try:
        return fingerprint(Path(file))
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError("an input file cannot be read", file, reason, "check it") from error


def _name(file: str, base: Path) -> str:
    """A file as the recipe would name it."""
    return os.path.relpath(file, base) if Path(file).is_relative_to(base) else file


def _known(place: str) -> Mapping[str, Any]:
    """The fingerprints of the run before; none where the note is absent or damaged."""
    if not durable.exists(place):
        return {}
    try:
        found = json.loads(durable.get(place))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _stale(entry: SourcePlan, changed: set[str], context: RunContext) -> list[tuple[str, str, str]]:
    """Finished shards that hold fields of files that have changed, or had held some."""
    source, grid = entry.source.name, entry.grid.name
    if not changed & set(_own(entry)):
        return []
    done = parts.finished(context.root, source, grid)
    blocks: set[Block] = {()} if changed & set(entry.static_files) else set()
    held = blocks_of_files(entry, context)
    blocks |= {block for name, found in held.items() if name in changed for block in found}
    everywhere: set[Block] = set().union(*held.values())
    tasks = (task for task in entry.tasks() if task.name in done)
    return [
        (source, grid, task.name)
        for task in tasks
        if task.block in blocks or (task.block and task.block not in everywhere)
    ]
