"""Verification: the dataset against its plan, its ledger and its checksums."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aurora_prep.manifest import parts, storage
from aurora_prep.manifest.compact import INDEX
from aurora_prep.manifest.crosscheck import Ledger
from aurora_prep.manifest.planned import PlannedFrames
from aurora_prep.manifest.problems import Kind, Problem, Verification
from aurora_prep.manifest.stored import Stores
from aurora_prep.manifest.values import check_values
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
    if not storage.exists(url):
        raise ManifestError(
            "there is no dataset", url, "no such folder", "check the path, or run a recipe first"
        )
    with Ledger(url, planned) as ledger:
        ledger.check()
        stores = Stores(ledger, progress)
        stores.check()
        fields = check_values(ledger, progress) if deep else 0
        frames_planned, frames_written = ledger.counts()
        return Verification(
            problems=tuple(sorted(set(ledger.problems))),
            frames_planned=frames_planned,
            frames_written=frames_written,
            objects_checked=stores.objects,
            bytes_checked=stores.bytes,
            fields_checked=fields,
        )


def repair(url: str, verification: Verification) -> tuple[tuple[str, str, str], ...]:
    """Make the next run do again exactly what is wrong; nothing else is lost.

    Discards the parts of the shard tasks that failed, and the manifest's index, so that the
    tables are rebuilt. Orphans are left: deleting is for the user to decide.

    Returns:
        The shard tasks that the next run will do.

    Raises:
        WriteError: The dataset cannot be written.
    """
    for source, grid, shard in verification.tasks:
        parts.discard(url, source, grid, shard)
    if any(problem.kind is not Kind.ORPHAN for problem in verification.problems):
        storage.delete(storage.join(url, "manifest", INDEX))
    return verification.tasks
