"""Run: the main job, from a recipe to a dataset; an unfinished one is resumed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.runners.runner import PipelineResult, PipelineState

import aurora_prep
from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.records import Status
from aurora_prep.manifest.query import Manifest
from aurora_prep.pipelines.dataset.create import set_up_stores
from aurora_prep.pipelines.dataset.layout import INDEX
from aurora_prep.pipelines.engines import dataflow, failure
from aurora_prep.pipelines.engines.choice import is_in_process, options_of
from aurora_prep.pipelines.engines.memory import tune_memory
from aurora_prep.pipelines.plan.recipe_plan import Plan, make_plan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.answers import forget_finished
from aurora_prep.pipelines.run.claim import alone, claim, frames_there, remove
from aurora_prep.pipelines.run.inputs import compare
from aurora_prep.pipelines.run.ledger_watch import LedgerWatch
from aurora_prep.pipelines.run.outcome import Outcome
from aurora_prep.pipelines.run.pipeline import Prepare
from aurora_prep.pipelines.run.progress import Display, counted
from aurora_prep.pipelines.run.rehearsal import recognised
from aurora_prep.pipelines.run.room import bounded, check_room, need_of
from aurora_prep.pipelines.run.work import Work
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.providers import credentials_bucket
from aurora_prep.providers.cache import Cache, bucket_of
from aurora_prep.providers.credentials import Service
from aurora_prep.providers.desk import remarks
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.sources.spec import (
    AuroraPrepError,
    EngineError,
    StatisticsError,
)

__all__ = ["Outcome", "run"]

LOGGER = logging.getLogger(__name__)
LOGGER_OF_WORKERS = logging.getLogger("apache_beam.runners.common")


def run(
    recipe: Recipe,
    *,
    overwrite: bool = False,
    embedded: bool = False,
    beam_options: Sequence[str] = (),
    cache: str | os.PathLike[str] | None = None,
    cache_limit: int | None = None,
    threads: int = 0,
    events: str | os.PathLike[str] | None = None,
    strict: bool = False,
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
        cache_limit: Most bytes that raw files may hold of the cache at any time; by default
            the recipe's, and without one raw files are kept.
        threads: Threads of a worker; 0 means one for each processor.
        events: File to which the run's events are appended, as lines of JSON.
        strict: Whether a frame that would be rejected stops the run.
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
        is_one_process=is_in_process(options),
        strict=strict,
        events=None if events is None else Path(events).absolute(),
    )
    plan = make_plan(recipe, context.contents)
    context = recognised(context, plan)
    _check_statistics(plan)
    with alone(context.root):
        if overwrite:
            remove(context.root)
        written = frames_there(context)
        inputs = compare(context, plan)
        if written == plan.frames and not inputs.stale:
            return Outcome(context.root, plan.frames, written, 0, plan.quirks, _ignored(plan))
        limit = recipe.cache_limit if cache_limit is None else cache_limit
        work = Work(context, Service(), *_incomplete(context.root))
        need = need_of(work, limit)
        check_room(work, need)
        claim(context)
        inputs.note(context.root)
        durable.sweep(context.root)
        set_up_stores(context.root, plan.sources, recipe, context.is_synthetic)
        with _provider(embedded=embedded and any(not e.files for e in plan.sources)) as service:
            work = bounded(replace(work, service=service), need)
            if limit is not None:
                forget_finished(work)
            done = sum(len(task.frames) for entry in plan.sources for task in work.done(entry))
            with ExitStack() as stack:
                if show:
                    look = counted if is_in_process(options) else LedgerWatch(work)
                    stack.enter_context(Display(plan.frames, done, look=look))
                _run_pipeline(work, options)
    for text in remarks(context.job):
        LOGGER.warning("%s", text)
    with Manifest.open(context.root) as manifest:
        absent = manifest.missing().num_rows
    return Outcome(context.root, plan.frames, done, absent, plan.quirks, _ignored(plan))


def _ignored(plan: Plan) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((entry.source.name, entry.ignored) for entry in plan.sources if entry.ignored)


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


def _incomplete(root: str) -> tuple[frozenset[str], frozenset[str]]:
    """Shards that lack frames, which providers may have by now; and those with damaged ones."""
    if not durable.exists(durable.join(root, INDEX)):
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
