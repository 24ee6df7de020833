"""Shards: whole Zarr objects, read back by zarr-python."""

import hashlib
import json
import struct
from itertools import product

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec

from aurora_prep.pipelines.shard.encode import (
    CODECS,
    Layout,
    assemble_shard,
    checksum,
    encode_field,
)
from aurora_prep.sources.spec import WriteError

LAYOUTS = [
    Layout((7, 12), (7, 12)),
    Layout((5, 7, 12), (2, 7, 12)),
    Layout((1, 3, 7, 12), (1, 3, 7, 12)),
    Layout((5, 3, 7, 12), (2, 3, 7, 12), "blosc-zstd"),
    Layout((2, 5, 3, 7, 12), (1, 2, 3, 7, 12)),
    Layout((3, 3, 181, 360), (2, 3, 181, 360), "blosc-lz4"),
]


def made(folder, layout):
    """An array of this layout as zarr-python makes it."""
    name, level = CODECS[layout.codec]
    return zarr.create_array(
        store=folder,
        shape=layout.shape,
        shards=layout.shard,
        chunks=layout.chunk,
        dtype="float32",
        fill_value=float("nan"),
        compressors=[BloscCodec(typesize=4, cname=name, clevel=level, shuffle="shuffle")],
        zarr_format=3,
    )


def values_of(layout):
    generator = np.random.default_rng(7)
    return generator.normal(280, 20, layout.shape).astype(np.float32)


def blocks(layout):
    """Positions of all shards along the axes before the horizontal ones."""
    outer = zip(layout.shape[:-2], layout.shard[:-2], strict=True)
    return product(*(range(-(-length // size)) for length, size in outer))


def cut(values, layout, block):
    """The part of the whole array that lies in a shard; short at the end."""
    outer = zip(block, layout.shard[:-2], strict=True)
    return values[tuple(slice(b * size, (b + 1) * size) for b, size in outer)]


def encoded(part, layout, missing=()):
    fields = part.reshape(-1, *layout.shape[-2:])
    compressor = layout.compressor()
    return [
        None if position in missing else encode_field(field, compressor)
        for position, field in enumerate(fields)
    ]


def write(folder, values, layout, missing=()):
    for block in blocks(layout):
        data = assemble_shard(encoded(cut(values, layout, block), layout, missing), layout)
        path = folder.joinpath("c", *map(str, block), "0", "0")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_zarr_reads_back_what_was_written(tmp_path, layout):
    made(tmp_path / "a", layout)
    values = values_of(layout)
    write(tmp_path / "a", values, layout)
    found = zarr.open_array(tmp_path / "a", mode="r")
    np.testing.assert_array_equal(found[...], values)


@pytest.mark.parametrize("layout", LAYOUTS[1:], ids=str)
def test_a_missing_frame_reads_as_nan(tmp_path, layout):
    made(tmp_path / "a", layout)
    values = values_of(layout)
    write(tmp_path / "a", values, layout, missing={0})
    found = zarr.open_array(tmp_path / "a", mode="r")[...]
    wanted = values.copy()
    for block in blocks(layout):
        part = cut(wanted, layout, block)
        part[(0,) * (part.ndim - 2)] = np.nan
    np.testing.assert_array_equal(found, wanted)
    assert np.isnan(found).any()


def test_a_shard_of_missing_frames_alone_is_an_index():
    layout = LAYOUTS[3]
    data = assemble_shard([None] * layout.chunks_per_shard, layout)
    assert len(data) == layout.chunks_per_shard * 16 + 4
    assert set(data[:-4]) == {0xFF}


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_the_bytes_are_those_that_zarr_writes(tmp_path, layout):
    """Same inner chunks in the same order: only zarr-python's own order of writing may differ."""
    theirs = made(tmp_path / "theirs", layout)
    values = values_of(layout)
    theirs[...] = values
    ours = zarr.open_array(tmp_path / "theirs", mode="r")
    first = next(iter(blocks(layout)))
    path = tmp_path.joinpath("theirs", "c", *map(str, first), "0", "0")
    chunks = encoded(cut(values, layout, first), layout)
    assert len(assemble_shard(chunks, layout)) == path.stat().st_size
    raw = path.read_bytes()
    for chunk in chunks:
        assert chunk in raw
    assert ours.shape == layout.shape


def test_the_same_bytes_every_time():
    layout = LAYOUTS[3]
    part = values_of(layout)[:2]
    one, other = (assemble_shard(encoded(part, layout), layout) for _ in range(2))
    assert one == other
    backwards = np.ascontiguousarray(part[..., ::-1])[..., ::-1]
    assert assemble_shard(encoded(backwards, layout), layout) == one
    big_endian = part.astype(">f4")
    assert assemble_shard(encoded(big_endian, layout), layout) == one


def test_the_index_by_hand():
    layout = Layout((4, 2, 2), (4, 2, 2))
    data = assemble_shard([b"abc", None, b"de"], layout)
    absent = 2**64 - 1
    assert data[:5] == b"abcde"
    assert struct.unpack("<8Q", data[5:-4]) == (0, 3, absent, absent, 3, 2, absent, absent)
    assert crc32c(data[5:-4]) == int.from_bytes(data[-4:], "little")


def crc32c(data):
    """CRC-32C, bit by bit: Castagnoli's polynomial, reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_a_damaged_shard_is_noticed(tmp_path):
    layout = LAYOUTS[0]
    made(tmp_path / "a", layout)
    write(tmp_path / "a", values_of(layout), layout)
    path = tmp_path / "a" / "c" / "0" / "0"
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="checksum"):
        zarr.open_array(tmp_path / "a", mode="r")[...]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_metadata_of_zarr_pass_the_check(tmp_path, layout):
    made(tmp_path / "a", layout)
    metadata = json.loads((tmp_path / "a" / "zarr.json").read_text())
    layout.check(metadata, "a")


@pytest.mark.parametrize(
    "other",
    [
        Layout((6, 3, 7, 12), (2, 3, 7, 12), "blosc-zstd"),
        Layout((5, 3, 7, 12), (1, 3, 7, 12), "blosc-zstd"),
        Layout((5, 3, 7, 12), (2, 3, 7, 12), "blosc-lz4"),
    ],
    ids=["shape", "shard", "codec"],
)
def test_metadata_of_another_layout_are_refused(tmp_path, other):
    made(tmp_path / "a", LAYOUTS[3])
    metadata = json.loads((tmp_path / "a" / "zarr.json").read_text())
    with pytest.raises(WriteError) as raised:
        other.check(metadata, "somewhere/zarr.json")
    assert raised.value.args[1] == "somewhere/zarr.json"
    assert "--overwrite" in raised.value.args[3]


def test_metadata_of_another_type_are_refused(tmp_path):
    made(tmp_path / "a", LAYOUTS[0])
    metadata = json.loads((tmp_path / "a" / "zarr.json").read_text())
    with pytest.raises(WriteError):
        LAYOUTS[0].check({**metadata, "data_type": "float64"}, "somewhere")


def test_the_checksum_is_sha256():
    assert checksum(b"abc") == hashlib.sha256(b"abc").hexdigest()
