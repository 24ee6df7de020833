"""Samples as ``aurora.Batch``, an iterable dataset of PyTorch; the extra ``[torch]``.

Importing this module imports PyTorch and Aurora where they are installed. Nothing else of
aurora-prep does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurora_prep.manifest.training.buffers import Field
from aurora_prep.manifest.training.loader import GIB, Example, Loader
from aurora_prep.manifest.training.names import (
    COMPUTED,
    SHORT_NAMES,
    Names,
    chosen,
    lacking,
    static_as_aurora,
)
from aurora_prep.manifest.training.order import in_batches, share
from aurora_prep.manifest.training.samples import Samples
from aurora_prep.manifest.training.series import Positions
from aurora_prep.manifest.training.statics import Given
from aurora_prep.sources.spec import ManifestError

if TYPE_CHECKING:
    ABSENT: str | None
    import torch
    from aurora import Batch, Metadata
    from aurora.insolation import insolation
    from torch.utils.data import IterableDataset, get_worker_info
else:
    try:
        import torch
        from aurora import Batch, Metadata
        from aurora.insolation import insolation
        from torch.utils.data import IterableDataset, get_worker_info
    except ModuleNotFoundError as missing:
        IterableDataset, ABSENT = object, missing.name
    else:
        ABSENT = None


class TrainingBatch(NamedTuple):
    """What a model gets, and what it should make of it.

    Attributes:
        inputs: The history: surface ``(b, t, h, w)``, pressure levels ``(b, t, c, h, w)``.
        targets: One batch a step of the roll-out, nearest first, each with ``t`` of 1.
    """

    inputs: Batch
    targets: Sequence[Batch]


class BatchDataset(IterableDataset):  # type: ignore[type-arg, misc, unused-ignore]
    """Batches of the samples of a dataset, for ``DataLoader(dataset, batch_size=None)``.

    An iteration is one epoch in an order of its own, or the rest of one: a loop that is left
    and begun again goes on where it was. Batches hold samples of one source, grid, and set
    of variables and levels; what is left over at the end of an epoch, less than a batch a
    source and less than a block a rank, is left out, so that all ranks take equally many.

    With workers, each takes whole blocks, and the copy in the main process does not see how
    far they are: say so with :meth:`start_at`. Threads alone (``num_workers=0``) decode as
    fast without another copy of every sample.

    Attributes:
        epoch: The current epoch.
        position: Batches of this epoch that this rank has taken.
        bytes_read: Decoded size of the shards read by the last iteration.
        bytes_used: Bytes of the samples it handed out.
    """

    def __init__(
        self,
        url: str,
        samples: Samples,
        *,
        names: Names | None = None,
        seed: int = 0,
        batch_size: int = 1,
        block: int = 8,
        weights: Mapping[str, float] | None = None,
        statics: Given | None = None,
        prefetch: int = 2,
        threads: int = 2,
        cache_bytes: int = 2 * GIB,
        rank: int | None = None,
        ranks: int | None = None,
    ) -> None:
        """Describe the batches; nothing is read yet.

        Args:
            url: The dataset.
            samples: Which samples there are.
            names: What the model takes: :meth:`Names.of` a model. ``None``: every field.
            seed: Of the order.
            batch_size: Samples a batch.
            block: Samples that stay neighbours in the order, to share what is read; 1 for
                a full shuffle.
            weights: Share of each source; see :meth:`Samples.order`.
            statics: The user's own static fields; see :class:`Loader`.
            prefetch: Samples read ahead.
            threads: Threads that read and decode, in each worker.
            cache_bytes: Decoded bytes kept for samples to come, in each worker.
            rank: This process among ``ranks``; ``None`` for what ``torch.distributed`` says.
            ranks: Processes that train together.

        Raises:
            ManifestError: PyTorch or Aurora is not installed, or a number makes no sense.
        """
        if ABSENT is not None:
            raise ManifestError(
                "batches need PyTorch and Aurora",
                "BatchDataset",
                f"no module {ABSENT!r}",
                'pip install "aurora-prep[torch]"',
            )
        super().__init__()
        self.rank, self.ranks = _place(rank, ranks)
        if batch_size < 1 or block < 1:
            raise ManifestError(
                "there is no such batch or block",
                "BatchDataset",
                f"batch_size {batch_size}, block {block}",
                "give 1 or more",
            )
        self.url, self.samples = url, samples
        self.names = names or Names()
        self.seed, self.batch_size, self.block, self.weights = seed, batch_size, block, weights
        self.reading: dict[str, Any] = {
            "statics": statics,
            "prefetch": prefetch * batch_size,
            "threads": threads,
            "cache_bytes": cache_bytes,
        }
        self.epoch = self.position = self.bytes_read = self.bytes_used = 0
        self._static: dict[str, dict[str, torch.Tensor]] = {}

    def __len__(self) -> int:
        """Batches of this epoch that this rank has still to take."""
        return max(len(self._of_rank()) - self.position, 0)

    def __iter__(self) -> Iterator[TrainingBatch]:
        """Hand out the batches of the epoch, from ``position`` on.

        Raises:
            ManifestError: A shard is absent or damaged, or a sample lacks what is named.
        """
        batches = self._to_read()
        loader = Loader(url=self.url, samples=self.samples, order=batches.ravel(), **self.reading)
        gathered: list[Example] = []
        for example in loader:
            gathered.append(example)
            if len(gathered) == self.batch_size:
                self.position += 1
                self.bytes_read, self.bytes_used = loader.bytes_read, loader.bytes_used
                yield self.batch_of(gathered)
                gathered = []
        self.start_at(self.epoch + 1)

    def start_at(self, epoch: int, position: int = 0) -> None:
        """Begin the next iteration there: ``position`` batches of ``epoch`` are done."""
        self.epoch, self.position = epoch, position

    def state_dict(self) -> dict[str, int]:
        """Where this rank is; without workers, exactly what the loop has taken."""
        return {"epoch": self.epoch, "position": self.position, **self._order()}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where a state was taken.

        Raises:
            ManifestError: The state is of another order.
        """
        order = self._order()
        if {name: state.get(name) for name in order} != order:
            raise ManifestError(
                "the position was saved with another order",
                "BatchDataset.load_state_dict",
                f"{dict(state)}, here {order}",
                "make the dataset with the arguments it was saved with",
            )
        self.start_at(state["epoch"], state["position"])

    def batch_of(self, examples: Sequence[Example]) -> TrainingBatch:
        """Examples of one kind as a batch, and one a step to predict.

        Raises:
            ManifestError: A field that is named is not there.
        """
        first, names = examples[0], self.names
        inputs = self._batch(
            [example.inputs for example in examples],
            [example.input_times for example in examples],
            first,
            names.surf,
        )
        surf = names.surf
        if surf is not None:
            held = {path.rpartition("/")[2] for path in first.targets}
            surf += tuple(n for n in names.targets_only if SHORT_NAMES.get(n, n) in held)
        targets = [
            self._batch(
                [
                    {path: field[step : step + 1] for path, field in example.targets.items()}
                    for example in examples
                ],
                [example.target_times[step : step + 1] for example in examples],
                first,
                surf,
            )
            for step in range(len(first.target_times))
        ]
        return TrainingBatch(inputs, targets)

    def _batch(
        self,
        fields: Sequence[Mapping[str, Field]],
        times: Sequence[NDArray[np.datetime64]],
        like: Example,
        surf: tuple[str, ...] | None,
    ) -> Batch:
        """A batch of one mapping of fields ``(t, [c,] h, w)`` a sample, at these times ``(t,)``."""
        own = None if surf is None else tuple(name for name in surf if name != COMPUTED)
        surface = _together([chosen(one, "surface", own) for one in fields])
        if surf is not None and COMPUTED in surf:
            surface[COMPUTED] = torch.from_numpy(
                np.stack([_sun(moments, like) for moments in times])
            )
        return Batch(
            surf_vars=surface,
            static_vars=self._static_of(like),
            atmos_vars=_together([chosen(one, "atmospheric", self.names.atmos) for one in fields]),
            metadata=Metadata(
                lat=torch.tensor(like.latitude),
                lon=torch.tensor(like.longitude),
                time=tuple(moments[-1].astype("datetime64[us]").item() for moments in times),
                atmos_levels=like.levels,
            ),
        )

    def _static_of(self, example: Example) -> dict[str, torch.Tensor]:
        grid = example.sample.grid
        if grid not in self._static:
            fields = static_as_aurora(example.static, self.names.static)
            if not fields:
                raise lacking("static/z", ())
            self._static[grid] = {name: torch.from_numpy(field) for name, field in fields.items()}
        return dict(self._static[grid])

    def _order(self) -> dict[str, int]:
        return {
            "seed": self.seed,
            "samples": len(self.samples),
            "batch_size": self.batch_size,
            "block": self.block,
            "ranks": self.ranks,
        }

    @property
    def _batches_a_block(self) -> int:
        return max(self.block // self.batch_size, 1)

    def _of_rank(self) -> Positions:
        """The batches of this rank in this epoch, ``(batches, batch_size)``."""
        order = self.samples.order(
            self.seed, epoch=self.epoch, weights=self.weights, block=self.block
        )
        batches = in_batches(order, self.samples.kinds, self.batch_size)
        block = self._batches_a_block
        fewest = min(
            len(share(batches, rank, self.ranks, block=block)) for rank in range(self.ranks)
        )
        return share(batches, self.rank, self.ranks, block=block)[:fewest]

    def _to_read(self) -> Positions:
        """The batches that this process, or this worker of it, has still to read."""
        batches, info = self._of_rank(), get_worker_info()
        if info is None:
            return batches[self.position :]
        own, count, block = int(info.id), int(info.num_workers), self._batches_a_block
        parts = [share(batches, worker, count, block=block) for worker in range(count)]
        # A DataLoader takes one batch of each worker in turn, and passes over those that ended.
        workers = np.repeat(np.arange(count), [len(part) for part in parts])
        turns = np.concatenate([np.arange(len(part)) for part in parts])
        taken = workers[np.lexsort((workers, turns))][: self.position]
        return parts[own][int((taken == own).sum()) :]


def _place(rank: int | None, ranks: int | None) -> tuple[int, int]:
    """This process among those that train together."""
    if rank is None and ranks is None:
        group = torch.distributed
        together = group.is_available() and group.is_initialized()
        return (group.get_rank(), group.get_world_size()) if together else (0, 1)
    if rank is None or ranks is None or not 0 <= rank < ranks:
        raise ManifestError(
            "there is no such rank",
            "BatchDataset",
            f"rank {rank} of {ranks}",
            "give both, the first rank being 0, or neither",
        )
    return rank, ranks


def _together(samples: Sequence[Mapping[str, Field]]) -> dict[str, torch.Tensor]:
    """Fields of several samples, a first axis for the samples; a single one is not copied."""
    if len(samples) == 1:
        return {name: torch.from_numpy(field)[None] for name, field in samples[0].items()}
    return {
        name: torch.from_numpy(np.stack([sample[name] for sample in samples]))
        for name in samples[0]
    }


def _sun(moments: NDArray[np.datetime64], like: Example) -> Field:
    """Insolation as Aurora 1.5 computes it for what it predicts, ``(t, h, w)``."""
    axes = (like.latitude.astype(np.float32), like.longitude.astype(np.float32))
    found: Field = insolation(moments, *axes, enforce_2d=True).astype(np.float32)
    return found
