"""What the loader is made of: orders, the cache that knows the future, memory used again."""

import gc
from collections import OrderedDict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aurora_prep.manifest.training.buffers import Buffers
from aurora_prep.manifest.training.cache import Cache
from aurora_prep.manifest.training.order import NEVER, in_batches, next_uses

ACCESSES = st.lists(st.integers(0, 9), max_size=60)


@given(st.integers(0, 12), st.integers(1, 4), st.randoms(use_true_random=False))
def test_next_uses_are_those_brute_force_finds(samples, frames, random):
    rows = np.array([random.sample(range(8), frames) for _ in range(samples)], np.int64)
    rows = rows.reshape(samples, frames)
    expected = [
        [
            next((later for later in range(i + 1, samples) if row in rows[later]), NEVER)
            for row in rows[i]
        ]
        for i in range(samples)
    ]
    assert next_uses(rows).tolist() == expected


def hits_of(accesses, budget):
    """Hits of the cache, each value 1 byte big; checks what must hold on the way."""
    cache, hits = Cache(budget), 0
    following = next_uses(np.array(accesses, np.int64).reshape(-1, 1)).ravel().tolist()
    for key, next_use in zip(accesses, following, strict=True):
        value = cache.use(key, next_use)
        if value is None:
            if cache.admit(1, next_use):
                cache.put(key, str(key), 1, next_use)
        else:
            hits += 1
            assert value == str(key)
        assert len(cache) <= budget
    assert len(cache) == 0
    return hits


def hits_of_least_recently_used(accesses, budget):
    held, hits = OrderedDict(), 0
    for key in accesses:
        hits += key in held
        held[key] = None
        held.move_to_end(key)
        if len(held) > budget:
            held.popitem(last=False)
    return hits


@given(ACCESSES, st.integers(0, 6))
def test_the_cache_beats_one_that_does_not_know_the_future(accesses, budget):
    assert hits_of(accesses, budget) >= hits_of_least_recently_used(accesses, budget)


@given(ACCESSES)
def test_with_room_for_all_everything_is_read_once(accesses):
    assert hits_of(accesses, 10) == len(accesses) - len(set(accesses))


def test_what_is_needed_last_goes_first():
    cache = Cache(2)
    for key, next_use in ((0, 9), (1, 5)):
        assert cache.admit(1, next_use)
        cache.put(key, key, 1, next_use)
    assert not cache.admit(1, 10)
    assert not cache.admit(3, 1)
    assert cache.admit(1, 6)
    cache.put(2, 2, 1, 6)
    assert [cache.use(key, NEVER) for key in range(3)] == [None, 1, 2]


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(1, 4))
def test_batches_are_of_one_kind_and_keep_the_order(kinds, size):
    kinds = np.array(kinds, np.int64)
    order = np.random.default_rng(0).permutation(len(kinds))
    batches = in_batches(order, kinds, size)
    assert batches.shape == (sum((kinds == k).sum() // size for k in range(3)), size)
    places = np.argsort(order)[batches]
    assert all(len(set(kinds[batch])) == 1 for batch in batches)
    assert (np.diff(places, axis=1) > 0).all()
    assert (np.diff(places[:, -1]) > 0).all()
    assert len(set(batches.ravel().tolist())) == batches.size


def test_memory_is_used_again_when_nobody_holds_it_and_not_before():
    buffers = Buffers()
    first = buffers.take((2, 3))
    assert first.dtype == np.float32
    assert first.flags.writeable
    where, view = first.ctypes.data, first[1:, ::2]
    first[...] = 7
    del first
    other = buffers.take((3, 2))
    other[...] = 1
    assert other.ctypes.data != where
    assert view.tolist() == [[7, 7]]
    del view
    gc.collect()
    assert buffers.take((6,)).ctypes.data == where
    assert buffers.take((7,)).shape == (7,)
    assert buffers.take((0, 4)).size == 0
