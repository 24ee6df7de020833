"""Part of a chunk is read as if it were all there was, or with an error; and little else is."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import Blosc

from aurora_prep.providers.embedded.gcs import GcsEmulator
from aurora_prep.providers.zarr_store import ChunkMemory, OpenStore, StoreAddress, partial
from aurora_prep.providers.zarr_store.blosc import Frame, joined
from aurora_prep.sources.spec import DecodeError, FetchError

SHAPE = (3, 10, 4, 37, 72)  # time, number, level, latitude, longitude


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """What pays off with chunks of half a gigabyte is to happen with those of a test."""
    monkeypatch.setattr(partial, "SMALLEST", 0)
    monkeypatch.setattr(partial, "GAP", 64)


@pytest.fixture
def values():
    noise = np.random.default_rng(5).normal(0, 1, SHAPE)
    return (280 + np.round(noise, 2)).astype(np.float32)


@pytest.fixture
def write(tmp_path, values):
    def make(compressor, *, order="C", zarr_format=2):
        folder = tmp_path / "buckets" / "bucket" / "store.zarr"
        shutil.rmtree(folder, ignore_errors=True)
        group = zarr.open_group(folder, mode="w", zarr_format=zarr_format)
        dims = ["time", "number", "level", "latitude", "longitude"]
        options = {"chunks": (1, *SHAPE[1:]), "compressors": compressor}
        if zarr_format == 2:
            options |= {"order": order, "attributes": {"_ARRAY_DIMENSIONS": dims}}
        else:
            options["dimension_names"] = dims
        array = group.create_array("t", shape=SHAPE, dtype="f4", **options)
        array[...] = values
        return folder

    return make


def _open(folder):
    return OpenStore(StoreAddress.of_path(str(folder), Path("/")), ChunkMemory())


def _blosc(name="lz4", blocksize=4096, shuffle=Blosc.SHUFFLE, level=5):
    return Blosc(cname=name, clevel=level, shuffle=shuffle, blocksize=blocksize)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_any_bytes_of_any_buffer_come_out_as_from_the_whole(data):
    count = data.draw(st.integers(1, 20_000))
    codec = _blosc(
        data.draw(st.sampled_from(["lz4", "zstd", "zlib", "blosclz", "lz4hc"])),
        data.draw(st.sampled_from([0, 512, 4096, 12_345])),
        data.draw(st.sampled_from([Blosc.NOSHUFFLE, Blosc.SHUFFLE, Blosc.BITSHUFFLE])),
        data.draw(st.integers(1, 9)),
    )
    values = np.arange(count, dtype=np.float32) // data.draw(st.integers(1, 50))
    encoded, plain = bytes(codec.encode(values)), values.tobytes()
    start = data.draw(st.integers(0, len(plain) - 1))
    stop = data.draw(st.integers(start + 1, len(plain)))
    front = Frame.front(encoded[:64], "here")
    if front is None:
        return
    frame = Frame.parse(encoded[:front], "here")
    blocks = frame.blocks(start, stop)
    spans = frame.spans(blocks)
    found = frame.decode(blocks, {b: encoded[a:z] for b, (a, z) in spans.items()}, "here")
    skipped = start - blocks.start * frame.block
    assert found[skipped : skipped + stop - start] == plain[start:stop]
    assert sorted(spans) == list(blocks)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 50)), min_size=1), st.integers(0, 60))
def test_joined_spans_cover_all_and_lie_apart(pairs, gap):
    spans = [(start, start + length) for start, length in pairs]
    merged = joined(spans, gap)
    assert all(any(a <= start and stop <= z for a, z in merged) for start, stop in spans)
    assert all(b - z > gap for (_, z), (b, _) in itertools.pairwise(merged))


FORMATS = {
    "lz4": ({"compressor": _blosc()}, True),
    "blocks larger than a field": ({"compressor": _blosc(blocksize=50_000)}, True),
    "one block": ({"compressor": _blosc(blocksize=2**21)}, True),
    "format 3": (
        {"compressor": zarr.codecs.BloscCodec(cname="zstd", blocksize=4096), "zarr_format": 3},
        True,
    ),
    "not Blosc": ({"compressor": None}, False),
    "columns first": ({"compressor": _blosc(), "order": "F"}, False),
    "Blosc without compression": ({"compressor": _blosc(level=0)}, True),
}


@pytest.mark.parametrize(("how", "in_part"), FORMATS.values(), ids=FORMATS)
def test_announced_fields_come_as_from_the_whole_chunk(how, in_part, write, values):
    options = dict(how)
    folder = write(options.pop("compressor"), **options)
    store = _open(folder)
    wanted = [(time, 7, level) for time in (2, 0) for level in (3, 1)]
    store.expect([("t", index) for index in wanted])
    for index in wanted:
        np.testing.assert_array_equal(store.read("t", index), values[index])
    np.testing.assert_array_equal(store.read("t", (1, 0, 0)), values[1, 0, 0])
    assert (len(store._parts) > 0) == in_part


def test_a_chunk_that_is_mostly_wanted_is_read_whole(write, values):
    store = _open(write(_blosc()))
    wanted = [(0, number, level) for number in range(6) for level in range(4)]
    store.expect([("t", index) for index in wanted])
    assert len(store._parts) == 0
    np.testing.assert_array_equal(store.read("t", (0, 9, 0)), values[0, 9, 0])


def test_two_shards_that_want_other_parts_of_a_chunk_have_theirs(write, values):
    store = _open(write(_blosc()))
    store.expect([("t", (0, 1, 0)), ("t", (0, 1, 1))])
    store.expect([("t", (0, 8, 0))])
    for index in ((0, 8, 0), (0, 1, 1), (0, 1, 0)):
        np.testing.assert_array_equal(store.read("t", index), values[index])


def test_little_more_than_the_part_is_downloaded(write, tmp_path, values):
    write(_blosc(blocksize=8192))
    size = (tmp_path / "buckets/bucket/store.zarr/t/0.0.0.0.0").stat().st_size
    with GcsEmulator(tmp_path / "buckets") as gcs:
        address = StoreAddress("gs://bucket/store.zarr", is_anonymous=True, endpoint=gcs.url)
        store = OpenStore(address, ChunkMemory())
        gcs.forget()
        store.expect([("t", (1, 4, 2))])
        np.testing.assert_array_equal(store.read("t", (1, 4, 2)), values[1, 4, 2])
        front, blocks = sorted(exchange.sent for exchange in gcs.requests)
    assert front == partial.HEAD
    assert blocks < size / 3  # two of seven


def test_a_chunk_that_is_not_there_is_an_error_in_part_too(write):
    folder = write(_blosc())
    (folder / "t" / "1.0.0.0.0").unlink()
    store = _open(folder)
    store.expect([("t", (1, 0, 0))])
    with pytest.raises(FetchError, match=r"(?s)a chunk is not in the Zarr store.*1\.0\.0\.0\.0"):
        store.read("t", (1, 0, 0))


@pytest.mark.parametrize("kept", [0, 10, 60, 4000, -10])
def test_a_chunk_cut_short_is_an_error_in_part_too(write, kept):
    folder = write(_blosc())
    chunk = folder / "t" / "1.0.0.0.0"
    chunk.write_bytes(chunk.read_bytes()[:kept])
    store = _open(folder)
    store.expect([("t", (1, 9, 3))])
    with pytest.raises((DecodeError, FetchError), match=r"damaged|does not answer"):
        store.read("t", (1, 9, 3))


def test_a_chunk_of_another_size_is_an_error(write, values):
    folder = write(_blosc())
    chunk = folder / "t" / "1.0.0.0.0"
    chunk.write_bytes(bytes(_blosc().encode(values[1, :5])))
    store = _open(folder)
    store.expect([("t", (1, 0, 0))])
    with pytest.raises(DecodeError, match="damaged"):
        store.read("t", (1, 0, 0))


def test_starts_that_make_no_sense_are_an_error(values):
    encoded = bytearray(_blosc().encode(values[0]))
    front = Frame.front(bytes(encoded[:16]), "here")
    encoded[16:20] = (2**31 - 1).to_bytes(4, "little")
    with pytest.raises(DecodeError, match="damaged"):
        Frame.parse(bytes(encoded[:front]), "here")
