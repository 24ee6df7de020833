"""Run: the main job, from a recipe to a dataset; an unfinished one is resumed."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam
from apache_beam.runners.runner import PipelineResult, PipelineState

import aurora_prep
from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.records import Status
from aurora_prep.manifest.query import Manifest
from aurora_prep.pipelines.dataset.create import set_up_stores
from aurora_prep.pipelines.dataset.layout import BEGUN
from aurora_prep.pipelines.dataset.statistics import DATASET
from aurora_prep.pipelines.engines import dataflow, failure
from aurora_prep.pipelines.engines.choice import is_in_process, options_of, tune_memory
from aurora_prep.pipelines.plan.recipe_plan import Plan, make_plan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.ledger_watch import LedgerWatch
from aurora_prep.pipelines.run.pipeline import Prepare
from aurora_prep.pipelines.run.progress import Display, counted
from aurora_prep.pipelines.run.work import Work
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.providers import credentials_bucket
from aurora_prep.providers.cache import Cache, bucket_of
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.providers.locks import locked
from aurora_prep.sources.spec import (
    AuroraPrepError,
    EngineError,
    RecipeError,
    StatisticsError,
    WriteError,
)

LOGGER = logging.getLogger(__name__)
LOGGER_OF_WORKERS = logging.getLogger("apache_beam.runners.common")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        root: The dataset.
        frames: Frames planned.
        done: Frames that were there before the run began.
        absent: Planned frames that are not written.
        quirks: What is known to be odd about the planned times and variables.
    """

    root: str
    frames: int
    done: int
    absent: int
    quirks: tuple[str, ...] = ()

    @property
    def had_nothing_to_do(self) -> bool:
        """Whether every frame was there already."""
        return self.done == self.frames and not self.absent


def run(
    recipe: Recipe,
    *,
    overwrite: bool = False,
    embedded: bool = False,
    beam_options: Sequence[str] = (),
    cache: str | os.PathLike[str] | None = None,
    threads: int = 0,
    show: bool = True,
) -> Outcome:
    """Do what a recipe says, or what is left of it.

    Args:
        recipe: The recipe.
        overwrite: Whether a dataset at the output is removed first.
        embedded: Whether the embedded provider answers instead of the real ones.
        beam_options: Words for Beam, such as ``--runner=FlinkRunner``.
        cache: Folder for raw files, or the URL of one in a bucket, for workers that
            share no disk; the user's cache where not given.
        threads: Threads of a worker; 0 means one for each processor.
        show: Whether progress is shown.

    Raises:
        AuroraPrepError: In its four parts, whatever stops the run.
    """
    cache = None if cache is None else os.fspath(cache)
    options = options_of(beam_options)
    dataflow.check(
        options,
        output=recipe.output,
        bucket=bucket_of(cache),
        embedded=embedded,
        inputs=[path for entry in recipe.sources for path in (*entry.paths, *entry.statics)],
    )
    tune_memory()
    folder = Cache.open(cache).root
    context = RunContext(
        root=recipe.output.rstrip("/"),
        cache=folder,
        recipe=recipe,
        synthetic=embedded,
        created=_now(),
        software_version=aurora_prep.__version__,
        threads=threads or dataflow.threads_of(options),
        bucket=bucket_of(cache),
        credentials=credentials_bucket.chosen(),
    )
    plan = make_plan(recipe, context.contents)
    _check_statistics(plan)
    with _alone(context.root):
        if overwrite:
            _remove(context.root)
        written = _begin(context)
        if written == plan.frames:
            return Outcome(context.root, plan.frames, written, 0, plan.quirks)
        durable.sweep(context.root)
        set_up_stores(context.root, plan.sources, recipe, context.is_synthetic)
        with _provider(embedded=embedded and any(not e.files for e in plan.sources)) as service:
            work = Work(context, service, *_incomplete(context.root))
            done = sum(len(task.frames) for entry in plan.sources for task in work.done(entry))
            with ExitStack() as stack:
                if show:
                    look = counted if is_in_process(options) else LedgerWatch(work)
                    stack.enter_context(Display(plan.frames, done, look=look))
                _run_pipeline(work, options)
    with Manifest.open(context.root) as manifest:
        absent = manifest.missing().num_rows
    return Outcome(context.root, plan.frames, done, absent, plan.quirks)


@contextmanager
def _alone(root: str) -> Iterator[None]:
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


def _now() -> datetime:
    """The time to record; ``SOURCE_DATE_EPOCH`` stands in for the clock."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.now(UTC) if fixed is None else datetime.fromtimestamp(int(fixed), UTC)
    return now.replace(tzinfo=None, microsecond=0)


def _run_pipeline(work: Work, options: Any) -> None:
    """Run the pipeline to its end; errors of workers come back as they were raised."""
    LOGGER_OF_WORKERS.addFilter(_not_ours)
    failure.quieten()
    runner = str(options.get_all_options(drop_default=True).get("runner"))
    pipeline = beam.Pipeline(options=options)
    _ = pipeline | "Prepare" >> Prepare(work)
    try:
        state = _finished(pipeline.run())
    except AuroraPrepError as error:
        raise failure.without_label(error) from error
    except Exception as error:
        told = failure.carried(error) or dataflow.failure(error)
        raise told or failure.of_engine(error, runner) or error from error
    if state != PipelineState.DONE:
        raise EngineError(
            "the pipeline did not finish",
            f"--runner={runner}",
            f"state {state}",
            "look at the engine's log, then run the recipe again: what is done stays done",
        )


def _finished(result: PipelineResult) -> str:
    """The state a job ends in; an interrupted launcher takes its job along."""
    try:
        return str(result.wait_until_finish())
    except KeyboardInterrupt:
        result.cancel()
        raise


def _not_ours(record: logging.LogRecord) -> bool:
    """Whether a worker's log record is about anything but an error that we report ourselves."""
    return LOGGER.isEnabledFor(logging.INFO) or not isinstance(record.msg, AuroraPrepError)


@contextmanager
def _provider(*, embedded: bool) -> Iterator[Service]:
    if not embedded:
        yield Service()
        return
    with EmbeddedProvider() as provider:
        LOGGER.info("the embedded provider answers: every value is synthetic")
        yield Service.embedded(provider.url, provider.key, provider.buckets)


def _begin(context: RunContext) -> int:
    """Claim the output for this recipe; the number of frames already written.

    Raises:
        WriteError: The output holds something else, or cannot be written.
    """
    place = durable.join(context.root, BEGUN)
    claim = {
        "recipe": context.recipe.decisive,
        "digest": context.recipe.digest,
        "synthetic": context.synthetic,
    }
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
    else:
        durable.put(place, (json.dumps(claim, indent=1, sort_keys=True) + "\n").encode())
    if not durable.exists(durable.join(context.root, DATASET)):
        return 0
    with Manifest.open(context.root) as manifest:
        return manifest.query(status=Status.WRITTEN).num_rows


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


def _incomplete(root: str) -> tuple[frozenset[str], frozenset[str]]:
    """Shards that lack frames, which providers may have by now; and those with damaged ones."""
    if not durable.exists(durable.join(root, "manifest", "index.json")):
        return frozenset(), frozenset()
    with Manifest.open(root) as manifest:
        rows = manifest.missing().select(["source", "grid", "shard", "status"]).to_pylist()
    named = [(f"{r['source']}/{r['grid']}/{r['shard']}", r["status"]) for r in rows]
    rejected = (name for name, status in named if status == Status.REJECTED)
    return frozenset(name for name, _ in named), frozenset(rejected)


def _check_statistics(plan: Plan) -> None:
    """Refuse statistics of a split that holds no frame, before any work is done."""
    split = plan.recipe.statistics.split
    for entry in plan.sources:
        if split is not None and not any(
            plan.recipe.enters_statistics(key.valid_time) for key in entry.frame_keys()
        ):
            raise StatisticsError(
                "the split of the statistics holds no frame",
                f"recipe {plan.recipe.name}, statistics.split, {entry.source.name}",
                f"split {split!r} and the period have no time in common",
                "move the split or the period, or name another split",
            )


def _remove(root: str) -> None:
    """Remove a dataset of ours, and nothing else.

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
