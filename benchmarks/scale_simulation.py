"""Discrete events of a run: queue, networks, cores, bucket. Used by ``scale.py``."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from aurora_prep.pipelines.estimates.load import Load
from aurora_prep.pipelines.estimates.prices import Setting
from aurora_prep.pipelines.estimates.times import in_flight, workers_of
from aurora_prep.pipelines.plan.provider_limits import limit_of
from aurora_prep.providers.retry import Policy

MOST_BUNDLES = 12_000
SPREAD = 0.25  # of the time of a request or a shard, as a fraction of it
FAILURES = 0.02
BACKOFF_SECONDS = 30.0
MEGABYTE = 1e6

Process = Generator[Any, None, None]


class Engine:
    """Processes that wait: for a moment, or for a slot."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Process]] = []
        self._number = 0

    def start(self, process: Process) -> None:
        """Begin a process now."""
        self.resume(process, self.now)

    def resume(self, process: Process, moment: float) -> None:
        """Go on with a process at a moment."""
        self._number += 1
        heapq.heappush(self._events, (moment, self._number, process))

    def run(self) -> float:
        """Until nothing is left to do; the moment of the last event."""
        while self._events:
            self.now, _, process = heapq.heappop(self._events)
            self._step(process)
        return self.now

    def _step(self, process: Process) -> None:
        for wish in process:
            if isinstance(wish, Slots):
                if not wish.take(process):
                    return
            elif wish > self.now:
                self.resume(process, wish)
                return


class Slots:
    """So many at a time; the others wait in order."""

    def __init__(self, engine: Engine, number: float) -> None:
        self._engine, self._free = engine, number
        self._waiting: deque[Process] = deque()
        self.busy = 0.0

    def take(self, process: Process) -> bool:
        """A slot at once, or a place in the queue."""
        if self._free >= 1:
            self._free -= 1
            return True
        self._waiting.append(process)
        return False

    def give(self, held: float) -> None:
        """A slot back, after so many seconds."""
        self.busy += held
        if self._waiting:
            self._engine.resume(self._waiting.popleft(), self._engine.now)
        else:
            self._free += 1


@dataclass
class Server:
    """Takes work first come first served, so much a second."""

    rate: float
    free: float = 0.0
    busy: float = 0.0

    def serve(self, now: float, amount: float) -> float:
        """When the work will be done."""
        taken = amount / self.rate
        self.free = max(now, self.free) + taken
        self.busy += taken
        return self.free


@dataclass(frozen=True)
class Model:
    """What is simulated beside load and setting.

    Attributes:
        seed: Of the spread and the failures.
        spread: Of the time of a request or a shard, as a fraction.
        failures: Fraction of requests and of writes that fail.
        poll: Whether a client looks now and then only, as ours does, and not at the instant.
    """

    seed: int = 1
    spread: float = SPREAD
    failures: float = FAILURES
    poll: bool = False


@dataclass
class Result:
    """A simulated run.

    Attributes:
        seconds: Of each phase.
        use: How busy each resource was while its phase lasted, at most 1, by phase.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    use: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Seconds from start to end: shards are made while answers are fetched."""
        work = max(s for name, s in self.seconds.items() if name != "finish")
        return work + self.seconds["finish"]

    @property
    def busiest(self) -> tuple[str, float]:
        """The resource that was busiest in the longest phase, and how busy."""
        longest = max(self.seconds, key=self.seconds.__getitem__)
        return max(self.use[longest].items(), key=lambda item: item[1])


class Simulation:
    """One run of one source.

    Args:
        load: What it asks for.
        setting: Workers, providers, bucket.
        workers: How many workers.
        model: Spread, failures, seed.
    """

    def __init__(self, load: Load, setting: Setting, workers: int, model: Model) -> None:
        self.load, self.setting, self.workers, self.model = load, setting, workers, model
        self.random = random.Random(model.seed)  # noqa: S311  a simulation
        self.result = Result()

    def run(self) -> Result:
        """Fetch, make shards, finish."""
        if self.load.is_fetched and self.load.requests:
            self.fetch()
        self.make()
        finish = self.load.parts * self.setting.finish.seconds_per_part
        self.result.seconds["finish"] = finish
        self.result.use["finish"] = {"finish": 1.0}
        return self.result

    def _varied(self, value: float) -> float:
        """A value with its spread; the mean stays."""
        if not self.model.spread:
            return value
        return value * self.random.gammavariate(1 / self.model.spread**2, self.model.spread**2)

    def _fails(self) -> bool:
        return self.random.random() < self.model.failures

    def _inward(self) -> Server:
        return Server(self.setting.worker.download_megabytes_per_second * MEGABYTE)

    def _outward(self) -> Server:
        return Server(self.setting.worker.upload_megabytes_per_second * MEGABYTE)

    def fetch(self) -> None:
        """Bring all answers into the cache, by as many workers as the throttle lets."""
        engine = Engine()
        limit = limit_of(self.load.provider)
        most = in_flight(self.load.provider, self.setting)
        slots = Slots(engine, most)
        requests = round(self.load.requests)
        fetchers = workers_of(self.load, self.workers)
        networks = [self._inward() for _ in range(fetchers)]
        for number in range(limit.slots):
            left = iter(range(number, requests, limit.slots))
            for _ in range(limit.at_once):
                engine.start(self._client(engine, left, networks[number % fetchers], slots))
        taken = engine.run()
        self.result.seconds["fetch"] = taken
        self.result.use["fetch"] = {
            "queue": slots.busy / most / taken,
            "network in": sum(n.busy for n in networks) / fetchers / taken,
        }

    def _client(
        self, engine: Engine, left: Iterator[int], network: Server, slots: Slots
    ) -> Process:
        queue = self.setting.providers[self.load.provider]
        size = self.load.download_bytes / self.load.requests
        asked = self.load.fields / self.load.requests
        for _ in left:
            while True:
                yield slots
                begun = engine.now
                yield begun + self._noticed(self._varied(queue.seconds(asked, 0)))
                alone = engine.now + self._varied(size / queue.megabytes_per_second / MEGABYTE)
                yield max(alone, network.serve(engine.now, size))
                slots.give(engine.now - begun)
                if not self._fails():
                    break
                yield engine.now + BACKOFF_SECONDS

    def _noticed(self, seconds: float) -> float:
        """When a client that looks now and then sees that a job is done."""
        if not self.model.poll:
            return seconds
        seen, pause = 0.0, Policy().first_poll_seconds
        while seen < seconds:
            seen, pause = seen + pause, min(pause * 1.5, Policy().longest_wait_seconds)
        return seen

    def make(self) -> None:
        """Make all shards."""
        engine = Engine()
        worker, bucket = self.setting.worker, self.setting.bucket
        shards = max(1, round(self.load.parts))
        makers = workers_of(self.load, self.workers)
        count = min(shards, max(MOST_BUNDLES, 4 * makers * int(worker.cores)))
        share = 1 / count
        bundles = iter(range(count))
        inward = [self._inward() for _ in range(makers)]
        outward = [self._outward() for _ in range(makers)]
        writes, reads = Server(bucket.writes_per_second), Server(bucket.reads_per_second)
        cores = Slots(engine, float("inf"))
        for number in range(makers):
            for _ in range(int(worker.cores)):
                engine.start(
                    self._maker(
                        engine, bundles, share, cores,
                        (inward[number], outward[number], writes, reads),
                    )
                )  # fmt: skip
        taken = engine.run()
        self.result.seconds["shards"] = taken
        self.result.use["shards"] = {
            "cores": cores.busy / (makers * int(worker.cores)) / taken,
            "network in": sum(n.busy for n in inward) / makers / taken,
            "network out": sum(n.busy for n in outward) / makers / taken,
            "writing": max(writes.busy, reads.busy) / taken,
        }

    def _maker(
        self,
        engine: Engine,
        bundles: Iterator[int],
        share: float,
        cores: Slots,
        servers: tuple[Server, Server, Server, Server],
    ) -> Process:
        inward, outward, writes, reads = servers
        load, written = self.load, 0.0
        for _ in bundles:
            read = reads.serve(engine.now, load.reads * share) if load.reads else engine.now
            yield max(read, inward.serve(engine.now, load.download_bytes * share))
            busy = self._varied(load.core_seconds * share)
            cores.busy += busy
            yield engine.now + busy
            yield written  # the shard before must be durable first
            written = outward.serve(engine.now, load.output_bytes * share)
            again = 2 if self._fails() else 1
            for _ in range(again):
                written = max(written, writes.serve(engine.now, load.objects * share))
            written += BACKOFF_SECONDS * (again - 1)
        yield written


def simulate(load: Load, setting: Setting, workers: int, model: Model) -> Result:
    """One run."""
    return Simulation(load, setting, workers, model).run()
