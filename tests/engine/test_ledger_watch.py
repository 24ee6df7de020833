"""How far a run is, told from its ledger and its cache."""

import io
from datetime import datetime
from pathlib import Path

import pytest

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.parts import write_part
from aurora_prep.manifest.ledger.records import Part
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.ledger_watch import LedgerWatch
from aurora_prep.pipelines.run.progress import Display
from aurora_prep.pipelines.run.work import Work
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.providers.credentials import Service

from .conftest import FRAMES, RECIPE, REQUESTS

GRIB = b"GRIB" + bytes(96)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    recipe = Recipe.parse({**RECIPE, "output": str(tmp_path / "out")})
    context = RunContext(
        root=recipe.output,
        cache=tmp_path / "cache",
        recipe=recipe,
        synthetic=False,
        created=datetime(2020, 1, 1),
        software_version="0",
    )
    return Work(context, Service())


def answer(work: Work, number: int) -> None:
    """Another process puts an answer into the cache."""
    request = list(work.needed(work.plan.sources[0]))[number]
    cache = work.context.answers
    temporary = cache.temporary(request)
    temporary.write_bytes(GRIB)
    cache.store(request, temporary)


def finish(work: Work, number: int) -> None:
    """Another process finishes a shard."""
    plan = work.plan.sources[0]
    task = list(plan.tasks())[number]
    write_part(
        work.context.root,
        Part(
            source=plan.source.name, grid=plan.grid.name, shard=task.name,
            frames=(), details=(), objects=(), statistics=b"",
        ),
    )  # fmt: skip


def test_what_other_processes_leave_is_seen(work: Work) -> None:
    look = LedgerWatch(work)
    assert look().text == f"waiting for {REQUESTS} requests"
    answer(work, 0)
    answer(work, 3)
    counts = look()
    assert (counts.stored, counts.bytes, counts.cached) == (2, 2 * len(GRIB), 0)
    assert counts.text == f"waiting for {REQUESTS - 2} requests"
    finish(work, 5)
    assert look().frames == 1
    assert look().stored == 2


def test_what_was_there_before_is_told_apart(work: Work) -> None:
    answer(work, 1)
    finish(work, 2)
    look = LedgerWatch(work)
    assert (look().frames, look().cached, look().stored) == (1, 1, 0)
    display = Display(FRAMES, 1, io.StringIO(), look)
    display.start -= 10
    finish(work, 3)
    finish(work, 4)
    assert display.line().startswith("3/12 frames, 0.20 frames/s, 0:4")


def test_a_storage_that_does_not_answer_leaves_the_last_look(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(work, 0)
    look = LedgerWatch(work)
    before = look()

    def broken(_: str) -> list[str]:
        raise OSError

    monkeypatch.setattr(durable, "listing", broken)
    assert look() == before
