"""Orders in which samples are visited, the same for the same arguments on every machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aurora_prep.manifest.training.series import Positions
from aurora_prep.sources.spec import ManifestError

NEVER = int(np.iinfo(np.int64).max)


def shuffled(numbers: Positions, rng: np.random.Generator, block: int) -> Positions:
    """Numbers in a random order of blocks, shuffled within each block."""
    if block <= 1:
        return rng.permutation(numbers)
    blocks = np.array_split(numbers, range(block, len(numbers), block))
    return np.concatenate([rng.permutation(blocks[i]) for i in rng.permutation(len(blocks))])


def mixed(
    chain: Positions,
    codes: Positions,
    shares: NDArray[np.float64],
    rng: np.random.Generator,
    block: int,
) -> Positions:
    """As many numbers as there are, drawn by group, in blocks.

    Args:
        chain: All numbers, neighbours beside each other.
        codes: The group of each number.
        shares: Probability of each group.
        rng: Source of chance.
        block: Numbers that stay together.
    """
    runs = -(-len(chain) // block)
    drawn = rng.choice(len(shares), size=runs, p=shares)
    order = np.empty(runs * block, np.int64)
    for code in np.unique(drawn):
        own, places = chain[codes[chain] == code], np.flatnonzero(drawn == code)
        needed = len(places) * block
        cycles = [shuffled(own, rng, block) for _ in range(-(-needed // len(own)))]
        slots = (places[:, None] * block + np.arange(block)).ravel()
        order[slots] = np.concatenate(cycles)[:needed]
    return order[: len(chain)]


def shares_of(
    names: Sequence[tuple[str, str]], codes: Positions, weights: Mapping[str, float]
) -> NDArray[np.float64]:
    """Probability of each group: a source's weight, spread over its grids by samples.

    Args:
        names: ``(source, grid)`` of each group.
        codes: The group of each sample.
        weights: Of sources, in any unit.

    Raises:
        ManifestError: The weights are not positive, or name a source without samples.
    """
    sizes = np.bincount(codes, minlength=len(names))
    of_source: dict[str, int] = {}
    for (source, _), size in zip(names, sizes, strict=True):
        of_source[source] = of_source.get(source, 0) + int(size)
    unknown = sorted(set(weights) - set(of_source))
    if unknown or not weights or any(w < 0 for w in weights.values()):
        raise ManifestError(
            "the weights do not fit the samples",
            "weights",
            f"{dict(weights)}; sources with samples: {sorted(of_source)}",
            "give a weight that is not negative to some of these sources",
        )
    shares = np.array(
        [
            weights.get(source, 0) * size / of_source[source]
            for (source, _), size in zip(names, sizes, strict=True)
        ]
    )
    if not shares.sum() > 0:
        raise ManifestError(
            "every weight is zero", "weights", str(dict(weights)), "give one a weight above 0"
        )
    return np.asarray(shares / shares.sum(), np.float64)


def share(order: Positions, rank: int, ranks: int, *, block: int = 1) -> Positions:
    """The part of an order that one of several workers takes, blocks kept whole."""
    turns = np.arange(len(order)) // block
    return np.asarray(order[turns % ranks == rank], np.int64)


def in_batches(order: Positions, kinds: Positions, size: int) -> Positions:
    """An order cut into batches of samples of one kind, shape ``(batches, size)``.

    A batch stands where its last sample stood. Samples left over, fewer than ``size`` of
    each kind, are left out.
    """
    codes, places = kinds[order], np.arange(len(order))
    batches, ends = [np.empty((0, size), np.int64)], [np.empty(0, np.int64)]
    for code in np.unique(codes):
        own = places[codes == code]
        own = own[: len(own) // size * size].reshape(-1, size)
        batches.append(order[own])
        ends.append(own[:, -1])
    return np.concatenate(batches)[np.argsort(np.concatenate(ends), kind="stable")]


def next_uses(rows: Positions) -> Positions:
    """When each frame of each sample is needed again.

    Args:
        rows: Frames of the samples to come, in order, ``(samples, frames)``; a frame comes
            once in a sample.

    Returns:
        Index of the next sample with the same frame, :data:`NEVER` if there is none;
        the shape of ``rows``.
    """
    flat = rows.ravel()
    order = np.argsort(flat, kind="stable")
    again = flat[order[1:]] == flat[order[:-1]]
    following = np.full(flat.shape, NEVER)
    following[order[:-1][again]] = order[1:][again] // max(rows.shape[1], 1)
    return following.reshape(rows.shape)
