"""Chunks in memory: fetched once, ahead of need, within a budget."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from aurora_prep.providers.zarr_store import ChunkMemory, Piece
from aurora_prep.sources.spec import FetchError

SIZE = 4096


class Loads:
    """Chunks that note when they are loaded."""

    def __init__(self):
        self.lock = threading.Lock()
        self.done = []
        self.seconds = 0.0
        self.gate = threading.Event()
        self.gate.set()

    def piece(self, key, size=SIZE):
        def load():
            self.gate.wait(10)
            time.sleep(self.seconds)
            with self.lock:
                self.done.append(key)
            return np.full(size // 4, float(key), np.float32)

        return Piece(key, size, load)


@pytest.fixture
def loads():
    return Loads()


def _until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_many_threads_that_want_one_chunk_share_one_fetch(loads):
    memory = ChunkMemory()
    loads.seconds = 0.05
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: memory.get(loads.piece(3)), range(32)))
    assert loads.done == [3]
    assert all(chunk is found[0] for chunk in found)


def test_chunks_that_were_announced_come_before_they_are_asked_for(loads):
    memory = ChunkMemory(ahead=2)
    pieces = [loads.piece(key) for key in range(6)]
    memory.expect(pieces)
    _until(lambda: sorted(loads.done) == [0, 1])
    memory.get(pieces[0])
    _until(lambda: sorted(loads.done) == [0, 1, 2])
    memory.get(pieces[1])
    _until(lambda: sorted(loads.done) == [0, 1, 2, 3])
    assert [memory.get(piece)[0] for piece in pieces] == list(range(6))
    assert sorted(loads.done) == list(range(6))


def test_nothing_is_fetched_ahead_beyond_the_budget(loads):
    memory = ChunkMemory(budget=2 * SIZE, ahead=4)
    pieces = [loads.piece(key) for key in range(8)]
    memory.expect(pieces)
    _until(lambda: sorted(loads.done) == [0, 1])
    time.sleep(0.05)
    assert sorted(loads.done) == [0, 1]
    assert memory.size == 2 * SIZE


def test_the_longest_unused_chunk_makes_room(loads):
    memory = ChunkMemory(budget=3 * SIZE, ahead=0)
    for key in (0, 1, 2, 0, 3):
        memory.get(loads.piece(key))
    assert memory.size == 3 * SIZE
    memory.get(loads.piece(0))
    assert loads.done == [0, 1, 2, 3]
    memory.get(loads.piece(1))
    assert loads.done == [0, 1, 2, 3, 1]


def test_a_chunk_larger_than_the_budget_is_fetched_and_stands_alone(loads):
    memory = ChunkMemory(budget=SIZE)
    memory.get(loads.piece(0))
    assert memory.get(loads.piece(1, 10 * SIZE)).size == 10 * SIZE // 4
    assert memory.size == 10 * SIZE


def test_a_chunk_on_its_way_never_makes_room(loads):
    memory = ChunkMemory(budget=SIZE, ahead=0)
    loads.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(memory.get, loads.piece(key)) for key in (0, 1))
        _until(lambda: memory.size == 2 * SIZE)
        loads.gate.set()
        assert (first.result()[0], second.result()[0]) == (0, 1)
    assert sorted(loads.done) == [0, 1]


def test_a_fetch_that_fails_is_told_to_all_and_tried_again():
    memory = ChunkMemory()
    tries = []

    def load():
        tries.append(1)
        time.sleep(0.02)
        if len(tries) == 1:
            raise FetchError("away", "bucket", "503", "wait")
        return np.zeros(SIZE // 4, np.float32)

    piece = Piece("key", SIZE, load)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(memory.get, piece) for _ in range(4)]
        failed = [future.exception() for future in waiting]
    assert any(isinstance(error, FetchError) for error in failed)
    assert memory.get(piece).size == SIZE // 4
    assert len(tries) == 2
    assert memory.size == SIZE
