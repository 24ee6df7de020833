"""Lanes: answers of a provider, fetched ahead of the worker that makes shards of them.

A lane owns some units of work in order. It keeps the provider busy, hands each unit over when
its last answer has come, and removes an answer from the cache when the last unit that needs it
is done, where the run bounds what the cache may hold.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from aurora_prep.pipelines.plan.inputs import Fetched, Input, NotDelivered
from aurora_prep.pipelines.plan.units import Unit, UnitShard
from aurora_prep.sources.spec import FetchError, Request

AHEAD = 2  # requests in the hands of threads, for each that is in flight
Key = tuple[int, int]  # position of the source, number of the request


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    Attributes:
        inputs: Files of the answer; a ``NotDelivered`` where none came.
        bytes: What the answer holds of the cache.
        error: The error, where the provider did not deliver.
    """

    inputs: tuple[Input, ...]
    bytes: int = 0
    error: FetchError | None = None


@dataclass(slots=True)
class _Ask:
    """A request of a lane: how many units still need it, and what came."""

    key: Key
    expected: int
    users: int = 0
    answer: Future[Answer] | None = None

    @property
    def held(self) -> int:
        """Bytes of the cache that are its own, or that it may still need."""
        if self.answer is None:
            return 0
        if not self.answer.done() or self.answer.cancelled() or self.answer.exception():
            return self.expected
        return self.answer.result().bytes

    @property
    def has_come(self) -> bool:
        return self.answer is not None and self.answer.done()


class Lane:
    """Fetches what some units need, in their order, as far ahead as there is room.

    Args:
        units: The units, in the order in which they are made.
        at_once: Requests in flight.
        fetch: Brings one answer into the cache; called from threads of the lane.
        forget: Removes an answer from the cache.
        expected: Bytes that an answer will hold of the cache, at most.
        budget: Most bytes that answers may hold of the cache; ``None`` for no bound, in
            which case no answer is removed.
        wake: Called whenever an answer has come.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        *,
        at_once: int,
        fetch: Callable[[Key], Answer],
        forget: Callable[[Key], None],
        expected: Callable[[Key], int],
        budget: int | None,
        wake: Callable[[], None],
    ) -> None:
        self.units = deque(units)
        self.fetch, self.forget, self.wake = fetch, forget, wake
        self.at_once, self.budget = at_once, budget
        self.lock = threading.RLock()
        self.closed = False
        self.asks: dict[Key, _Ask] = {}
        for unit in units:
            for key in keys_of(unit):
                ask = self.asks.get(key) or _Ask(key, expected(key))
                ask.users += 1
                self.asks[key] = ask
        self.queue = deque(self.asks.values())
        self.pool = ThreadPoolExecutor(at_once, thread_name_prefix="fetch")
        self.pump()

    def pump(self) -> None:
        """Ask for more, as far as threads and room allow."""
        with self.lock:
            if self.closed:
                return
            under_way = sum(a.answer is not None and not a.answer.done() for a in self._asked())
            while self.queue and under_way < AHEAD * self.at_once and self._has_room():
                ask = self.queue.popleft()
                ask.answer = self.pool.submit(self.fetch, ask.key)
                ask.answer.add_done_callback(self._has_come)
                under_way += 1

    def head(self) -> Unit | None:
        """The next unit, if all that it needs has come."""
        with self.lock:
            if not self.units or not all(self.asks[k].has_come for k in keys_of(self.units[0])):
                return None
            return self.units[0]

    def take(self) -> Unit:
        """Remove the next unit from the lane; it must be released when it is done."""
        with self.lock:
            return self.units.popleft()

    def answers(self, unit: Unit) -> Mapping[Key, Answer]:
        """What came for a unit that was taken.

        Raises:
            Exception: What stopped the lane: no error of a provider, for those are answers.
        """
        with self.lock:
            futures = {key: self.asks[key].answer for key in keys_of(unit)}
        return {key: future.result() for key, future in futures.items() if future is not None}

    def release(self, unit: Unit) -> list[Key]:
        """Forget the answers that no unit needs any more, where there is a budget.

        Returns:
            What was removed from the cache.
        """
        gone = []
        with self.lock:
            for key in keys_of(unit):
                ask = self.asks[key]
                ask.users -= 1
                if not ask.users:
                    gone.append(key)
            if self.budget is not None:
                for key in gone:
                    self.forget(key)
            for key in gone:
                del self.asks[key]
        self.pump()
        return gone if self.budget is not None else []

    def close(self) -> None:
        """Give up what is still on its way, and end the lane's threads."""
        with self.lock:
            self.closed = True
        self.pool.shutdown(wait=True, cancel_futures=True)

    def _asked(self) -> Iterable[_Ask]:
        return (ask for ask in self.asks.values() if ask.answer is not None)

    def _has_room(self) -> bool:
        """Whether the next request may be asked; what the next unit needs always may."""
        if self.budget is None:
            return True
        ask = self.queue[0]
        held = sum(other.held for other in self._asked())
        if held + ask.expected <= self.budget:
            return True
        return bool(self.units) and ask.key in keys_of(self.units[0])

    def _has_come(self, _: Future[Answer]) -> None:
        self.pump()
        self.wake()


def keys_of(unit: Unit) -> list[Key]:
    """The requests of a unit."""
    return [(unit.position, number) for number in unit.requests]


def inputs_of(unit: Unit, shard: UnitShard, answers: Mapping[Key, Answer]) -> tuple[Input, ...]:
    """What a shard of a unit is made of, in a fixed order."""
    came = (answers[unit.position, number].inputs for number in shard.requests)
    found = [*shard.at_hand, *(item for inputs in came for item in inputs)]
    return tuple(sorted(found, key=_order))


def not_delivered(error: FetchError, request: Request) -> Answer:
    """The answer that did not come."""
    return Answer((NotDelivered(tuple(error.args), error.word, request.digest),), error=error)


def _order(item: Input) -> tuple[str, str]:
    match item:
        case NotDelivered():
            return "", str(item.error)
        case Fetched():
            return item.path, item.request_digest
        case _:
            return str(item), ""
