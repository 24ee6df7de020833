"""Weights on disk: found again, checked, rebuilt when they are not what they should be."""

import numpy as np
import pytest

from aurora_prep.regridding import Projected, RotatedPole, cache, octahedral, regridder
from aurora_prep.regridding import regridder as regridder_function
from aurora_prep.sources.spec import Grid

TARGET = Grid.regular("3")
SOURCES = [
    octahedral(24),
    Projected(RotatedPole(-39.25, 18.0), np.arange(-20, 21, 1.0), np.arange(15, -16, -1.0)),
]


@pytest.fixture
def builds(monkeypatch):
    """Counts how often weights are built."""
    from aurora_prep.regridding import build  # noqa: PLC0415

    calls = []
    module = __import__("sys").modules[regridder_function.__module__]

    def counted(*arguments):
        calls.append(arguments)
        return build.build(*arguments)

    monkeypatch.setattr(module, "build", counted)
    return calls


@pytest.mark.parametrize("source", SOURCES, ids=["reduced", "rotated"])
@pytest.mark.parametrize("method", ["conservative", "bilinear", "nearest", "majority"])
def test_weights_are_read_back_and_give_the_same_bits(tmp_path, builds, source, method):
    field = np.random.default_rng(1).normal(size=source.shape)
    first = regridder(source, TARGET, method, cache=tmp_path)(field)
    again = regridder(source, TARGET, method, cache=tmp_path)(field)
    assert len(builds) == 1
    assert again.tobytes() == first.tobytes()
    assert [path.suffix for path in tmp_path.iterdir()] == [".weights"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda _: b"",
        lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
        lambda data: b"x" + data[1:],
        lambda data: data + b"more",
    ],
    ids=["cut", "empty", "one bit", "other file", "longer"],
)
def test_damaged_weights_are_built_anew(tmp_path, builds, damage):
    source = SOURCES[0]
    field = np.random.default_rng(1).normal(size=source.shape)
    expected = regridder(source, TARGET, "conservative", cache=tmp_path)(field)
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()
    path.write_bytes(damage(good))
    result = regridder(source, TARGET, "conservative", cache=tmp_path)(field)
    assert len(builds) == 2
    assert result.tobytes() == expected.tobytes()
    assert path.read_bytes() == good


def test_weights_of_other_grids_are_never_used(tmp_path, builds):
    """A whole, sound file under the wrong name: the digest inside it decides."""
    source, other = octahedral(24), octahedral(25)
    field = np.random.default_rng(1).normal(size=source.shape)
    expected = regridder(source, TARGET, "bilinear", cache=tmp_path)(field)
    (mine,) = tmp_path.iterdir()
    regridder(other, TARGET, "bilinear", cache=tmp_path)
    (theirs,) = set(tmp_path.iterdir()) - {mine}
    mine.write_bytes(theirs.read_bytes())
    result = regridder(source, TARGET, "bilinear", cache=tmp_path)(field)
    assert len(builds) == 3
    assert result.tobytes() == expected.tobytes()


def test_conservative_and_majority_share_their_weights(tmp_path, builds):
    for method in ("conservative", "majority"):
        regridder(SOURCES[0], TARGET, method, cache=tmp_path)
    assert len(builds) == 1


def test_a_file_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    def broken(*_):
        message = "disk full"
        raise OSError(message)

    monkeypatch.setattr(cache, "pieces", broken)
    with pytest.raises(OSError, match="disk full"):
        regridder(SOURCES[0], TARGET, "bilinear", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_weights_of_the_largest_pair_are_quick_to_build_and_to_load(tmp_path):
    from time import perf_counter  # noqa: PLC0415

    source, target = octahedral(1280), Grid.regular("0.1")
    for method in ("conservative", "bilinear"):
        begin = perf_counter()
        regridder(source, target, method, cache=tmp_path)
        built = perf_counter()
        regridder(source, target, method, cache=tmp_path)
        loaded = perf_counter()
        assert built - begin < 60
        assert loaded - built < 1
