"""Context: where and as what a run works; and what is recorded of a frame that is not there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from aurora_prep.manifest import durable
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.shared_cache import SharedCache
from aurora_prep.sources.spec import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """Where and as what a run works; travels to every worker.

    Attributes:
        root: The dataset.
        cache: Local folder for raw files, contents and weights.
        recipe: The recipe.
        synthetic: Whether the embedded provider made the values up.
        created: Time of the run, for the manifest.
        software_version: Version of this software.
        threads: Threads of a worker; 0 means one for each processor.
        bucket: Folder of a bucket behind the cache, for workers that share no disk.
        credentials: Folder of a private bucket with credentials, for the same workers.
        is_one_process: Whether all the work is done in one process, by which providers are
            asked side by side.
        budgets: Lane and most bytes that its answers may hold of the cache, for a run whose
            cache is bounded; empty where answers are kept.
        events: File for the run's events; ``None`` for none.
        strict: Whether a frame that would be rejected stops the run.
        servers: Who answers the requests of an entry, by its position, where that is
            neither the well-known server nor the embedded provider.
        job: Tells one run from another: what a process remembers of one, such as the plan,
            is not taken for the next, whose files may be others.
    """

    root: str
    cache: Path
    recipe: Recipe
    synthetic: bool
    created: datetime
    software_version: str
    threads: int = 0
    bucket: str | None = None
    credentials: str | None = None
    is_one_process: bool = False
    budgets: tuple[tuple[str, int], ...] = field(default=(), compare=False)
    events: Path | None = None
    strict: bool = False
    servers: tuple[tuple[int, str], ...] = ()
    job: str = field(default_factory=lambda: uuid.uuid4().hex)

    def is_synthetic(self, plan: SourcePlan) -> bool:
        """Whether the embedded provider makes, or made, up the values of a source."""
        return plan.synthetic or (self.synthetic and not plan.files)

    def requests(self, plan: SourcePlan) -> Iterator[Request]:
        """What is asked for a source, of whom this run asks."""
        server = dict(self.servers).get(plan.position, "")
        requests = plan.requests(synthetic=self.synthetic)
        return (replace(request, server=server) if server else request for request in requests)

    @property
    def answers(self) -> Cache:
        """The cache of raw answers."""
        root = self.cache / "requests"
        if self.bucket is None:
            return Cache(root)
        return SharedCache.beside(root, durable.join(self.bucket, "requests"))

    @property
    def contents(self) -> Path:
        """Folder for the contents of raw files."""
        return self.cache / "contents"

    @property
    def weights(self) -> Path:
        """Folder for regridding weights."""
        return self.cache / "weights"


@dataclass(frozen=True, slots=True)
class Absence:
    """A planned frame, or the static fields, of which nothing could be written.

    Attributes:
        position: Of the source's entry in the recipe.
        frame: Text form of the frame; ``None`` for the static fields.
        reason: Why, in words a user can act on.
    """

    position: int
    frame: str | None
    reason: str
