"""Verification: the dataset against its plan, its ledger and its checksums."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from aurora_prep.manifest import durable
from aurora_prep.manifest.layout import DATASET, INDEX
from aurora_prep.manifest.ledger import parts
from aurora_prep.manifest.ledger.planned import PlannedFrames
from aurora_prep.manifest.verify.objects import Stores
from aurora_prep.manifest.verify.problems import Kind, Problem, Verification
from aurora_prep.manifest.verify.tables import Ledger
from aurora_prep.manifest.verify.values import check_values
from aurora_prep.sources.spec import ManifestError

__all__ = ["Kind", "Problem", "Verification", "repair", "verify"]


def verify(
    url: str,
    *,
    deep: bool = False,
    planned: Iterable[PlannedFrames] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Verification:
    """Check that everything a dataset promises is there, whole and right.

    What ought to be there comes from the plan and from the parts, never from what is found.
    Compared are: the manifest's tables with the digests of their index and of
    ``dataset.json``, and row by row with the parts; the parts with their digests; every
    object with its size, SHA-256 and shard index; store metadata and coordinates with their
    digests; and the stores with the list of what may be in them.

    Args:
        url: The dataset.
        deep: Also decode every field and compare its minimum, maximum, mean and missing
            fraction with the details.
        planned: The plan, made anew from the recipe. Without it, the number of planned
            frames is what the manifest's index and ``dataset.json`` agree on.
        progress: Called with ``("objects" or "fields", done, in all)``.

    Raises:
        ManifestError: There is no dataset at ``url``.
    """
    if not durable.exists(url):
        raise ManifestError(
            "there is no dataset", url, "no such folder", "check the path, or run a recipe first"
        )
    with Ledger(url, planned) as ledger:
        ledger.check()
        stores = Stores(ledger, progress)
        stores.check()
        fields = check_values(ledger, progress) if deep else 0
        frames_planned, frames_written = ledger.counts()
        problems = tuple(sorted(set(ledger.problems)))
        return Verification(
            problems=problems,
            frames_planned=frames_planned,
            frames_written=frames_written,
            objects_checked=stores.objects,
            bytes_checked=stores.bytes,
            fields_checked=fields,
            frames_to_rebuild=ledger.frames_of({p.task for p in problems if p.task}),
        )


def repair(
    url: str, verification: Verification, *, delete_orphans: bool = False
) -> tuple[tuple[str, str, str], ...]:
    """Make the next run do again exactly what is wrong; nothing else is lost.

    Discards the parts of the shard tasks that failed, and ``dataset.json`` with the
    manifest's index, so that the dataset counts as unfinished and the next run rebuilds its
    tables. Objects stay where they are until the run replaces them: a provider that no
    longer has the data must not cost what is still whole.

    Args:
        url: The dataset.
        verification: What is wrong with it.
        delete_orphans: Also delete what no part knows. Otherwise it is left: deleting is
            for the user to decide.

    Returns:
        The shard tasks that the next run will do.

    Raises:
        WriteError: The dataset cannot be written.
    """
    if any(problem.kind is not Kind.ORPHAN for problem in verification.problems):
        durable.delete(durable.join(url, DATASET))  # first: a killed repair is not a finished run
        durable.delete(durable.join(url, INDEX))
    for source, grid, shard in verification.tasks:
        parts.discard(url, source, grid, shard)
    for orphan in verification.orphans if delete_orphans else ():
        _delete(url, orphan)
    return verification.tasks


def _delete(url: str, orphan: str) -> None:
    """Delete a file, or a folder with all that is in it, and the folders that this empties."""
    place = durable.join(url, orphan)
    for name in durable.tree(place) or [""]:
        durable.delete(durable.join(place, name).rstrip("/"))
    root, path = durable.local_path(url), durable.local_path(place)
    if root is None or path is None:
        return  # a store of objects has no folders
    inside = sorted(path.rglob("*/"), reverse=True) if path.is_dir() else []
    above = [parent for parent in path.parents if parent.is_relative_to(root) and parent != root]
    for folder in (*inside, path, *above):
        with suppress(OSError):  # there is something else in it, which is why it stays
            folder.rmdir()
