"""Claim: an output belongs to one recipe, and to one run at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.records import Status
from aurora_prep.manifest.query import Manifest
from aurora_prep.pipelines.dataset.layout import BEGUN, DATASET
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.providers.locks import locked
from aurora_prep.sources.spec import RecipeError, WriteError


@contextmanager
def alone(root: str) -> Iterator[None]:
    """Keep a second run away from a local output; the lock dies with its process.

    Raises:
        WriteError: Another run writes there, or the place cannot be written.
    """
    folder = durable.local_path(root)
    if folder is None:
        yield
        return

    def refuse(_: float) -> None:
        raise WriteError(
            "another run writes to this output",
            root,
            f"{folder}.lock is held by a living process",
            "wait for it, stop it, or give another --out",
        )

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = locked(folder.with_name(f"{folder.name}.lock"), waiting=refuse)
    except OSError as error:
        raise _unwritable(root, error) from error
    with ExitStack() as stack:
        try:
            stack.enter_context(lock)
        except OSError as error:
            raise _unwritable(root, error) from error
        yield


def _unwritable(root: str, error: OSError) -> WriteError:
    reason = error.strerror or str(error)
    return WriteError("the output cannot be written", root, reason, "give another --out")


def frames_there(context: RunContext) -> int:
    """Frames that the output holds already, of this recipe.

    Raises:
        WriteError: The output holds something else.
    """
    place = durable.join(context.root, BEGUN)
    if durable.exists(place):
        found = _claim(place)
        if (found["digest"], found["synthetic"]) != (context.recipe.digest, context.synthetic):
            was = "synthetic, " if found["synthetic"] else ""
            raise WriteError(
                "the output holds a dataset of another recipe",
                context.root,
                f"{was}recipe {found['digest'][:12]}, this one is {context.recipe.digest[:12]}",
                "give another --out, or --overwrite to remove what is there",
            )
    elif durable.listing(context.root):
        raise WriteError(
            "the output is not empty and holds no dataset of ours",
            context.root,
            f"{durable.listing(context.root)[:5]}",
            "give another --out, or empty the folder yourself",
        )
    if not durable.exists(durable.join(context.root, DATASET)):
        return 0
    with Manifest.open(context.root) as manifest:
        return int(manifest.query(status=Status.WRITTEN).num_rows)


def claim(context: RunContext) -> None:
    """Write the note that claims an output for this recipe, where it is not there yet.

    Raises:
        WriteError: The output cannot be written.
    """
    place = durable.join(context.root, BEGUN)
    note = {
        "recipe": context.recipe.decisive,
        "digest": context.recipe.digest,
        "synthetic": context.synthetic,
    }
    if not durable.exists(place):
        durable.put(place, (json.dumps(note, indent=1, sort_keys=True) + "\n").encode())


def _claim(place: str) -> dict[str, Any]:
    """What the dataset at the output was made of.

    Raises:
        WriteError: The note is damaged.
    """
    text = durable.get(place)
    try:
        found: dict[str, Any] = json.loads(text)
        _ = found["digest"], found["synthetic"]
    except (ValueError, TypeError, KeyError) as error:
        raise WriteError(
            "the note of the dataset's recipe is damaged",
            place,
            f"{text[:40]!r} ({type(error).__name__})",
            "bring the file back, give --overwrite to start anew, or another --out",
        ) from error
    return found


def remove(root: str) -> None:
    """Remove a dataset that this software made; refuse anything else.

    Raises:
        RecipeError: The folder holds no dataset of ours.
    """
    if not durable.listing(root):
        return
    if not durable.exists(durable.join(root, BEGUN)):
        raise RecipeError(
            "--overwrite removes datasets only",
            root,
            f"no {BEGUN} among {durable.listing(root)[:5]}",
            "empty the folder yourself, if that is what you want",
        )
    # The claim goes last: an interrupted removal can be repeated.
    durable.clear(root, last=BEGUN)
