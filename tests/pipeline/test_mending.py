"""Which answers of an earlier run are asked again."""

from datetime import datetime
from pathlib import Path

import pytest

from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.answers import Answers
from aurora_prep.pipelines.run.events import Events
from aurora_prep.pipelines.run.run import run
from aurora_prep.pipelines.run.work import Work
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.credentials import Service

from .conftest import surface_recipe, written


@pytest.mark.parametrize("kind", ["none", "lacking", "rejected"])
def test_answers_of_damaged_frames_are_forgotten_and_whole_ones_kept(
    tmp_path: Path, kind: str
) -> None:
    """An answer may hold every field, and one of them be damaged: the run before knows."""
    recipe = Recipe.load(written(surface_recipe(), tmp_path))
    folder = tmp_path / "cache"
    outcome = run(recipe, embedded=True, cache=str(folder), show=False)
    context = RunContext(
        root=outcome.root,
        cache=folder,
        recipe=recipe,
        synthetic=True,
        created=datetime(2020, 1, 1),
        software_version="1",
    )
    shards = frozenset({"era5/0.25/20200228T22+000h"})
    work = Work(
        context,
        Service(),
        shards if kind != "none" else frozenset(),
        shards if kind == "rejected" else frozenset(),
    )
    (plan,) = work.plan.sources
    requests = list(plan.requests(synthetic=True))
    cache = context.answers
    assert isinstance(cache, Cache)
    assert all(cache.lookup(request) for request in requests)
    answers = Answers(work, Events())
    for request in requests:
        answers.forget_useless(plan, request)
    kept = [request for request in requests if cache.lookup(request)]
    concerned = [
        r for r in requests if any(t.isoformat() == "2020-02-28T22:00:00" for t in r.times)
    ]
    assert 0 < len(concerned) < len(requests)
    gone = concerned if kind == "rejected" else []
    assert kept == [request for request in requests if request not in gone]
