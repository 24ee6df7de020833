"""Units of work, their lanes, and the room that their answers need."""

import pytest

from aurora_prep.pipelines.estimates.disk import least_budgets, shares
from aurora_prep.pipelines.plan import provider_limits
from aurora_prep.pipelines.plan.provider_limits import LIMITS, Limit, limit_of
from aurora_prep.pipelines.plan.recipe_plan import make_plan
from aurora_prep.pipelines.plan.units import Unit, UnitShard, fetched_units
from aurora_prep.pipelines.recipe import Recipe


def unit(number: int, *requests: int, lane: str = "cds") -> Unit:
    return Unit(0, number, (UnitShard((number,), requests),), lane=lane)


@pytest.fixture
def plan(tmp_path):
    """Eight days at the surface and on levels: the surface comes by the month."""
    entry = {
        "source": "era5",
        "access": "cds",
        "grid": "0.25",
        "period": {"start": "2020-01-01T00", "end": "2020-01-08T18", "step": "6h"},
    }
    text = {"name": "units", "output": "out", "sources": [entry]}
    (found,) = make_plan(Recipe.parse(text), tmp_path).sources
    return found


def test_a_unit_is_what_the_narrowest_request_serves(plan):
    requests = tuple(plan.requests(synthetic=False))
    blocks = {task.block for task in plan.tasks()}
    static, *moving = fetched_units(plan, requests, blocks)
    assert [shard.block for shard in static.shards] == [()]
    month = [n for n, r in enumerate(requests) if len({t.day for t in r.times}) == 8 and r.fields]
    assert len(moving) > 1
    for some in moving:
        days = {plan.task_at(shard.block).frames[0].init_time.date() for shard in some.shards}
        own = [n for n in some.requests if n not in month]
        assert {t.date() for n in own for t in requests[n].times} >= days
        assert set(month) <= set(some.requests)


def test_each_service_has_lanes_of_its_own():
    assert limit_of("cds").slots == limit_of("ads").slots == limit_of("mars").slots == 1
    assert limit_of("other") == provider_limits.DEFAULT
    assert all(limit_of(access).in_flight >= 1 for access in LIMITS)


def test_requests_that_serve_a_shard_together_are_in_one_lane(plan, monkeypatch):
    requests = tuple(plan.requests(synthetic=False))
    blocks = {task.block for task in plan.tasks()} - {()}
    monkeypatch.setitem(LIMITS, "cds", Limit(at_once=1, slots=3))
    lanes = {u.lane for u in fetched_units(plan, requests, blocks)}
    assert len(lanes) == 1  # the month joins them
    assert lanes == {u.lane for u in fetched_units(plan, requests, blocks)}
    surface = [n for n, r in enumerate(requests) if len({t.day for t in r.times}) == 8]
    apart = tuple(r for n, r in enumerate(requests) if n not in surface)
    spread = {u.lane for u in fetched_units(plan, apart, blocks)}
    assert spread <= {"cds-0", "cds-1", "cds-2"}
    assert len(spread) > 1


@pytest.mark.parametrize(
    ("units", "least"),
    [
        ([unit(0, 0), unit(1, 1)], 10),
        ([unit(0, 0, 9), unit(1, 1, 9), unit(2, 2)], 100),
        ([unit(0, 0, 1), unit(1, 1, 2), unit(2, 2, 3)], 20),
        ([unit(0, 9), unit(1, 0), unit(2, 9)], 100),
        ([], 0),
    ],
)
def test_the_least_room_is_what_has_to_be_there_at_once(units, least):
    def size(_: int, number: int) -> int:
        return 90 if number == 9 else 10

    assert sum(least_budgets(units, size).values()) == least


def test_lanes_share_a_bound():
    assert shares({"cds": 30, "mars": 10}, 100) == {"cds": 60, "mars": 40}
    assert shares({}, 100) == {}
