"""The loader hands out exactly what the store holds, once read and shared."""

import shutil
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr
import zarr

from aurora_prep.manifest import Manifest
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.manifest.loader import Loader, share
from aurora_prep.manifest.samples import Window, samples_of
from aurora_prep.manifest.store_reader import Store
from aurora_prep.manifest.training.reader import ShardReader
from aurora_prep.sources.spec import ManifestError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, small_of):
    """Twelve frames in a row, and static fields."""
    dataset = replace(small_of(tmp_path_factory.mktemp("loader") / "dataset"), frames=12)
    dataset.create()
    dataset.publish(*range(12))
    static = zarr.open_group(dataset.root / "static/30.zarr", mode="w", zarr_format=3)
    for name in ("latitude", "longitude"):
        values = getattr(dataset.grid, name)
        static.create_array(name, data=values, dimension_names=[name])
    lsm = np.arange(84, dtype="f4").reshape(7, 12)
    static.create_array("lsm", data=lsm, dimension_names=["latitude", "longitude"])
    compact(str(dataset.root), [dataset.plan()])
    return dataset


@pytest.fixture(scope="module")
def samples(dataset):
    """Samples of both splits: history 2, rollout 2."""
    with Manifest.open(str(dataset.root)) as manifest:
        return samples_of(manifest, Window(rollout=2))


def load(dataset, samples, order=None, **options):
    order = samples.order(3) if order is None else order
    return Loader(url=str(dataset.root), samples=samples, order=order, **options)


def test_values_times_and_coordinates_are_those_of_the_store(dataset, samples):
    truth = xr.open_zarr(dataset.root / dataset.store, consolidated=False).load()
    examples = list(load(dataset, samples))
    assert len(examples) == len(samples) == 1 + 5
    for example in examples:
        assert example.sample == samples[example.number]
        for times, fields in (
            (example.input_times, example.inputs),
            (example.target_times, example.targets),
        ):
            expected = truth.sel(time=times)
            np.testing.assert_array_equal(fields["surface/2t"], expected["2t"])
            np.testing.assert_array_equal(fields["atmospheric/t"], expected["t"])
        assert example.inputs["atmospheric/t"].shape == (2, 2, 7, 12)
        assert example.inputs["surface/2t"].dtype == np.float32
        assert example.levels == (500, 850)
        np.testing.assert_array_equal(example.latitude, dataset.grid.latitude)
        np.testing.assert_array_equal(example.longitude, dataset.grid.longitude)
        assert list(example.static) == ["static/lsm"]
        assert example.static["static/lsm"][6, 11] == 83
        assert np.diff(example.input_times).tolist() == [timedelta(hours=6)]


def test_samples_come_in_the_order_given(dataset, samples):
    order = samples.order(5)
    assert [e.number for e in load(dataset, samples, order)] == order.tolist()


@pytest.mark.parametrize("stop", [0, 1, 3, 6])
def test_a_loader_resumes_exactly_where_it_was(dataset, samples, stop):
    order = samples.order(5)
    loader = load(dataset, samples, order, prefetch=3)
    first = [e.number for e, _ in zip(loader, range(stop), strict=False)] if stop else []
    resumed = load(dataset, samples, order, position=stop)
    assert len(resumed) == len(order) - stop
    assert first + [e.number for e in resumed] == order.tolist()
    assert resumed.position == len(order)


def test_neighbours_share_what_was_read(dataset, samples):
    loader = load(dataset, samples, samples.chain)
    examples = list(loader)
    frames = {key for e in examples for key in (*e.sample.inputs, *e.sample.targets)}
    frame_bytes = 3 * 7 * 12 * 4
    assert loader.bytes_read == len(frames) * frame_bytes
    assert loader.bytes_used == len(examples) * 4 * frame_bytes


def test_without_a_cache_what_is_not_ahead_is_read_again(dataset, samples):
    shared, alone = (load(dataset, samples, samples.chain, cache_bytes=n) for n in (1 << 30, 0))
    assert [e.number for e in shared] == [e.number for e in alone]
    assert alone.bytes_read >= shared.bytes_read
    none_ahead = load(dataset, samples, samples.chain, cache_bytes=0, prefetch=0)
    list(none_ahead)
    assert none_ahead.bytes_read == none_ahead.bytes_used


def test_giving_up_in_the_middle_is_quiet(dataset, samples):
    loader = iter(load(dataset, samples))
    next(loader)
    loader.close()


def test_workers_share_an_order_without_overlap(samples):
    order = np.arange(23)
    parts = [share(order, rank, 3, block=4) for rank in range(3)]
    assert sorted(np.concatenate(parts)) == order.tolist()
    assert parts[1].tolist() == [4, 5, 6, 7, 16, 17, 18, 19]
    assert len(samples) > 0


@pytest.mark.parametrize("position", [-1, 7])
def test_a_position_outside_the_order_is_refused(dataset, samples, position):
    with pytest.raises(ManifestError, match="position"):
        load(dataset, samples, position=position)


@pytest.mark.parametrize("harm", ["delete", "cut", "flip"])
def test_a_damaged_shard_is_an_error_and_never_nan(dataset, samples, tmp_path, harm):
    shutil.copytree(dataset.root, tmp_path / "dataset")
    hurt = replace(dataset, root=tmp_path / "dataset")
    path = hurt.root / "era5/30.zarr/t/c/2/0/0/0"
    data = path.read_bytes()
    if harm == "delete":
        path.unlink()
    else:
        path.write_bytes(data[:-9] if harm == "cut" else data[:3] + b"\xff\xff\xff\xff" + data[7:])
    with pytest.raises(ManifestError, match="2/0/0/0"):
        list(load(hurt, samples))


def several(root, *, compressors="auto", frames=5, cut=2):
    """A forecast store, two lead times a shard, the last shard short; one frame absent."""
    group = zarr.open_group(root, mode="w", zarr_format=3)
    hours = {"units": "hours"}
    group.create_array(
        "init_time",
        data=np.array([0, 12]),
        dimension_names=["init_time"],
        attributes={"units": "hours since 2020-01-01"},
    )
    group.create_array(
        "lead_time", data=np.arange(frames) * 6, dimension_names=["lead_time"], attributes=hours
    )
    group.create_array("level", data=np.array([500, 850]), dimension_names=["level"])
    array = group.create_array(
        "t",
        shape=(2, frames, 2, 4, 8),
        shards=(1, cut, 2, 4, 8),
        chunks=(1, 1, 1, 4, 8),
        dtype="f4",
        fill_value=np.nan,
        compressors=compressors,
        dimension_names=["init_time", "lead_time", "level", "latitude", "longitude"],
    )
    values = np.random.default_rng(1).normal(size=array.shape).astype("f4")
    values[0, 2] = np.nan
    array[...] = values
    return values


@pytest.mark.parametrize(
    "compressors",
    [zarr.codecs.BloscCodec(cname="zstd"), zarr.codecs.ZstdCodec(), None],
    ids=["blosc", "zstd", "plain"],
)
def test_shards_of_several_frames_read_as_zarr_reads_them(tmp_path, compressors):
    values = several(tmp_path / "s.zarr", compressors=compressors)
    store = Store(str(tmp_path / "s.zarr"))
    reader = ShardReader(str(tmp_path / "s.zarr"), store, "t")
    for init, start in enumerate(store.coordinates["init_time"]):
        for lead in range(5):
            begin = start.astype("datetime64[us]").item()
            block, inside = reader.locate(begin, timedelta(hours=6 * lead), None)
            assert (block, inside) == ((init, lead // 2), (0, lead % 2))
            out = np.empty(reader.frame_shape, np.float32)
            for keep in (True, False):
                out[...] = 0
                reader.decode(reader.fetch(block, keep=keep), block, inside, out)
                np.testing.assert_array_equal(out, values[init, lead])


def test_a_frame_that_is_not_in_the_store_is_named(tmp_path):
    several(tmp_path / "s.zarr")
    reader = ShardReader(str(tmp_path / "s.zarr"), Store(str(tmp_path / "s.zarr")), "t")
    start = Store(str(tmp_path / "s.zarr")).coordinates["init_time"][0].astype("datetime64[us]")
    with pytest.raises(ManifestError, match="lead_time"):
        reader.locate(start.item(), timedelta(hours=7), None)
