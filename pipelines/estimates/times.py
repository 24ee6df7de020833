"""Times: how long some workers take, and what bounds them.

Answers are fetched while shards are made of those that have come, so the resource that takes
longest decides; then one process finishes the dataset. What a queueing provider brings is made
by the workers of its lanes, and only by those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from aurora_prep.pipelines.estimates.load import Load
from aurora_prep.pipelines.estimates.prices import Setting
from aurora_prep.pipelines.plan.provider_limits import limit_of

HOUR_SECONDS = 3600.0
MEGABYTE = 1e6
GIBIBYTE = 2.0**30
THOUSAND = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long a number of workers takes for some sources.

    Attributes:
        workers: The workers.
        queue: Hours for which the provider's queue holds up the fetching.
        fetch_network: Hours for which the traffic of the workers that fetch does: as many
            as the provider has lanes.
        shard_network: Hours for which traffic holds up the making of shards.
        cores: Hours for which cores do.
        writing: Hours for which the bucket's rates of writes and reads do.
        finish: Hours that one process works alone at the end.
    """

    workers: int
    queue: float
    fetch_network: float
    shard_network: float
    cores: float
    writing: float
    finish: float

    @property
    def network(self) -> float:
        """Hours for which traffic holds up the work."""
        return max(self.fetch_network, self.shard_network)

    @property
    def hours(self) -> float:
        """From the start to the end."""
        return max(self.queue, self.network, self.cores, self.writing) + self.finish

    @property
    def bound(self) -> str:
        """What bounds the time: the resource that takes the most of it."""
        taken = {
            "queue": self.queue,
            "network": self.network,
            "cores": self.cores,
            "writing": self.writing,
            "finish": self.finish,
        }
        return max(taken.items(), key=lambda item: item[1])[0]


def times_of(loads: Iterable[Load], setting: Setting, workers: int) -> Times:
    """The time that some workers take: no less than any resource needs.

    Args:
        loads: Sources that are worked on together.
        setting: Workers, providers and bucket.
        workers: How many workers there are.
    """
    loads = tuple(loads)
    worker = setting.worker
    down = worker.download_megabytes_per_second * MEGABYTE
    up = worker.upload_megabytes_per_second * MEGABYTE
    queues: defaultdict[str, float] = defaultdict(float)
    fetches: defaultdict[str, float] = defaultdict(float)
    makings: defaultdict[str, float] = defaultdict(float)
    traffics: defaultdict[str, float] = defaultdict(float)
    for load in loads:
        makers = workers_of(load, workers)
        makings[load.provider] += load.core_seconds / (makers * worker.cores)
        traffics[load.provider] += max(load.download_bytes / down, load.output_bytes / up) / makers
        if load.is_fetched:
            queues[load.provider] += _queue_seconds(load, setting)
            fetches[load.provider] += load.download_bytes / (makers * down)
    busy = sum(load.core_seconds for load in loads) / (workers * worker.cores)
    inward = sum(load.download_bytes for load in loads) / (workers * down)
    outward = sum(load.output_bytes for load in loads) / (workers * up)
    objects = sum(load.objects for load in loads)
    reads = sum(load.reads for load in loads)
    return Times(
        workers=workers,
        queue=max(queues.values(), default=0.0) / HOUR_SECONDS,
        fetch_network=max(fetches.values(), default=0.0) / HOUR_SECONDS,
        shard_network=max(inward, outward, *traffics.values()) / HOUR_SECONDS,
        cores=max(busy, *makings.values()) / HOUR_SECONDS,
        writing=max(
            objects / setting.bucket.writes_per_second, reads / setting.bucket.reads_per_second
        )
        / HOUR_SECONDS,
        finish=sum(load.parts for load in loads) * setting.finish.seconds_per_part / HOUR_SECONDS,
    )


def workers_of(load: Load, workers: int) -> int:
    """How many of some workers make what a load asks for: all, or those of its lanes."""
    return min(workers, limit_of(load.provider).slots) if load.is_fetched else workers


def dollars_of(times: Times, loads: Iterable[Load], setting: Setting) -> float:
    """What it costs to keep the workers from the start to the end, with traffic and requests."""
    prices = setting.prices
    loads = tuple(loads)
    objects = sum(load.objects for load in loads)
    reads = sum(load.reads for load in loads)
    return (
        times.hours * times.workers * setting.worker_hour
        + objects / THOUSAND * prices.writes_per_thousand
        + reads / THOUSAND * prices.reads_per_thousand
        + sum(load.download_bytes for load in loads) / GIBIBYTE * prices.download_gib
    )


def in_flight(provider: str, setting: Setting) -> float:
    """Requests in flight: what the provider takes, and no more than the pipeline asks."""
    asked = limit_of(provider).in_flight
    return min(asked, setting.providers[provider].in_flight or asked)


def _queue_seconds(load: Load, setting: Setting) -> float:
    if not load.requests:
        return 0.0
    queue = setting.providers[load.provider]
    each = queue.seconds(load.fields / load.requests, load.download_bytes / load.requests)
    return load.requests * each / in_flight(load.provider, setting)
