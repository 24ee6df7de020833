"""Lanes: what is asked when, and what is removed when."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aurora_prep.pipelines.plan.inputs import Fetched, NotDelivered, OwnFile
from aurora_prep.pipelines.plan.units import Unit, UnitShard
from aurora_prep.pipelines.run.lanes import Answer, Key, Lane, inputs_of, keys_of, not_delivered
from aurora_prep.sources.spec import FetchError, Request

SIZE, WIDE = 10, 0
SECONDS = 20.0


def unit(number: int, *requests: int) -> Unit:
    return Unit(0, number, (UnitShard((number,), requests),), lane="cds")


class Provider:
    """Answers when it is told to; counts what the cache would hold."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.asked: list[int] = []
        self.held: set[int] = set()
        self.most = 0
        self.lock = threading.Lock()
        self.woken = threading.Condition()
        self.gate = threading.Event()
        if at_once:
            self.gate.set()

    def fetch(self, key: Key) -> Answer:
        with self.lock:
            self.asked.append(key[1])
        assert self.gate.wait(SECONDS)
        with self.lock:
            self.held.add(key[1])
            self.most = max(self.most, len(self.held))
        return Answer((Fetched(f"file {key[1]}", f"digest {key[1]}"),), SIZE)

    def forget(self, key: Key) -> None:
        with self.lock:
            self.held.remove(key[1])

    def wake(self) -> None:
        with self.woken:
            self.woken.notify_all()

    @contextmanager
    def lane(self, units: list[Unit], budget: int | None, at_once: int = 2) -> Iterator[Lane]:
        lane = Lane(
            units, at_once=at_once, fetch=self.fetch, forget=self.forget,
            expected=lambda _: SIZE, budget=budget, wake=self.wake,
        )  # fmt: skip
        try:
            yield lane
        finally:
            self.gate.set()
            lane.close()

    def head(self, lane: Lane) -> Unit:
        with self.woken:
            assert self.woken.wait_for(lambda: lane.head() is not None, SECONDS)
        found = lane.take()
        assert lane.answers(found).keys() == set(keys_of(found))
        return found


UNITS = [unit(n, WIDE, n + 1) for n in range(6)]


@pytest.mark.parametrize("budget", [2 * SIZE, 3 * SIZE])
def test_a_bounded_lane_never_holds_more_and_asks_each_once(budget: int) -> None:
    provider = Provider()
    with provider.lane(UNITS, budget) as lane:
        made = []
        while lane.units:
            found = provider.head(lane)
            assert set(found.requests) <= provider.held
            made.append(found.number)
            lane.release(found)
    assert made == list(range(6))
    assert sorted(provider.asked) == list(range(7))
    assert provider.most <= budget // SIZE
    assert provider.held == set()


def test_an_unbounded_lane_keeps_everything() -> None:
    provider = Provider()
    with provider.lane(UNITS, None) as lane:
        while lane.units:
            assert lane.release(provider.head(lane)) == []
    assert provider.held == set(range(7))


def test_what_the_next_unit_needs_is_asked_even_where_the_bound_is_too_small() -> None:
    provider = Provider()
    with provider.lane(UNITS, SIZE) as lane:
        while lane.units:
            lane.release(provider.head(lane))
    assert provider.most == 2


def test_a_lane_asks_ahead_and_gives_up_when_it_is_closed() -> None:
    provider = Provider(at_once=False)
    with provider.lane([unit(n, n) for n in range(20)], None, at_once=2) as lane:
        assert lane.head() is None
        closing = threading.Thread(target=lane.close)
        closing.start()
        while not lane.closed:
            threading.Event().wait(0.001)
        provider.gate.set()
        closing.join(SECONDS)
    assert len(provider.asked) <= 4


def test_an_error_that_is_no_answer_comes_out() -> None:
    provider = Provider()

    def broken(_: Key) -> Answer:
        raise FetchError("no key", "here", "none", "give one")

    provider.fetch = broken  # type: ignore[method-assign]
    with provider.lane([unit(0, 1)], None) as lane:
        with provider.woken:
            assert provider.woken.wait_for(lambda: lane.head() is not None, SECONDS)
        with pytest.raises(FetchError, match="no key"):
            lane.answers(lane.take())


def test_inputs_come_in_one_order_with_what_did_not_come() -> None:
    request = Request(source="s", access="cds", dataset="d", body={}, times=(), fields=())
    refused = not_delivered(FetchError("busy", "there", "queue full", "wait"), request)
    (item,) = refused.inputs
    assert isinstance(item, NotDelivered)
    assert item.reason == "refused: busy: queue full"
    shard = UnitShard((0,), (1, 2), at_hand=(OwnFile("own"),))
    some = Unit(0, 0, (shard,), lane="cds")
    answers = {(0, 1): Answer((Fetched("b", "x"), Fetched("a", "x"))), (0, 2): refused}
    found = inputs_of(some, shard, answers)
    assert found == inputs_of(some, shard, dict(reversed(answers.items())))
    assert {type(item) for item in found} == {OwnFile, Fetched, NotDelivered}
