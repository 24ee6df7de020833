"""The loader over several stores: companions, members, static fields."""

import subprocess
import sys
from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest
import xarray as xr
import zarr

from aurora_prep.manifest.loader import Loader
from aurora_prep.manifest.samples import Window, samples_of
from aurora_prep.sources.spec import HOUR, Grid, ManifestError

from .test_manifest_samples import START, frame, opened

GRID = Grid.regular("30")
WAVE, LEVELS = "wave/30.zarr", (500, 850)
WEATHER = ("surface/2t", "atmospheric/t")


def store_of(root, name, axes, arrays, *, grid=GRID, cut=1):
    """Write a store: ``arrays`` by name, with or without levels; returns their values."""
    group = zarr.open_group(root / name, mode="w", zarr_format=3)
    hours = {"units": "hours since 2020-01-01"}
    coordinates = {
        **axes,
        "level": np.array(LEVELS),
        "latitude": grid.latitude,
        "longitude": grid.longitude,
    }
    for axis, values in coordinates.items():
        timed = {"time": hours, "init_time": hours, "lead_time": {"units": "hours"}}
        group.create_array(
            axis, data=np.asarray(values), dimension_names=[axis], attributes=timed.get(axis, {})
        )
    outer, values = tuple(map(len, axes.values())), {}
    for number, (array, depth) in enumerate(arrays.items()):
        levels = (len(LEVELS),) if depth else ()
        ones = tuple(1 for _ in (*outer, *levels))
        stored = group.create_array(
            array,
            shape=(*outer, *levels, *grid.shape),
            shards=(*ones[: len(outer) - 1], cut, *levels, *grid.shape),
            chunks=(*ones, *grid.shape),
            dtype="f4",
            fill_value=np.nan,
            compressors=zarr.codecs.BloscCodec(cname="lz4"),
            dimension_names=[*axes, *(["level"] if depth else []), "latitude", "longitude"],
        )
        values[array] = (
            np.random.default_rng([number, crc32(name.encode())])
            .normal(size=stored.shape)
            .astype("f4")
        )
        stored[...] = values[array]
    return values


@pytest.fixture
def joined(tmp_path):
    """Six frames of waves and of weather; returns the folder, its samples and the values."""
    times = {"time": np.arange(6) * 6}
    values = store_of(tmp_path, WAVE, times, {"swh": False})
    values |= store_of(tmp_path, "era5/30.zarr", times, {"2t": False, "t": True})
    frames = [
        frame(
            source, 6 * i, grid="30", variables=variables, levels=levels, store=f"{source}/30.zarr"
        )
        for i in range(6)
        for source, variables, levels in (
            ("wave", ("surface/swh",), ()),
            ("era5", WEATHER, LEVELS),
        )
    ]
    with opened(tmp_path, frames) as manifest:
        samples = samples_of(manifest, source="wave", companions=["era5"])
    return tmp_path, samples, values


def load(root, samples, **options):
    options = {"order": np.arange(len(samples)), **options}
    return Loader(url=str(root), samples=samples, **options)


def test_an_example_holds_its_source_and_its_companions(joined):
    root, samples, values = joined
    examples = list(load(root, samples, order=samples.order(2, block=2)))
    assert len(examples) == len(samples) == 4
    for example in examples:
        first = (example.input_times[0] - np.datetime64(START)) // np.timedelta64(6, "h")
        assert set(example.inputs) == set(example.targets) == {"surface/swh", *WEATHER}
        for path in example.inputs:
            own = values[path.rpartition("/")[2]]
            np.testing.assert_array_equal(example.inputs[path], own[first : first + 2])
            np.testing.assert_array_equal(example.targets[path], own[first + 2 : first + 3])
        assert example.levels == LEVELS
        assert example.sample.companions[0][0].source == "era5"


def test_companions_on_other_points_are_refused(joined):
    root, samples, _ = joined
    moved = replace(GRID, west=GRID.longitude_step / 2)
    store_of(root, WAVE, {"time": np.arange(6) * 6}, {"swh": False}, grid=moved)
    with pytest.raises(ManifestError, match="different points"):
        list(load(root, samples))


def test_the_latitudes_of_waves_are_masked_without_being_asked(joined):
    root, samples, _ = joined
    example = next(iter(load(root, samples)))
    assert list(example.static) == ["static/lat_mask"]
    mask = example.static["static/lat_mask"]
    assert mask.dtype == np.float32
    assert mask.shape == GRID.shape
    assert mask[:, 0].tolist() == mask[:, -1].tolist() == [1, 1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("cut", [1, 2, 3])
@pytest.mark.parametrize("cache_bytes", [0, 3000, 1 << 30])
def test_members_stay_apart(tmp_path, cut, cache_bytes):
    """Dims are init_time, member, lead_time; the last shard of a run is short."""
    axes = {"init_time": [0, 12], "member": [3, 7, 8], "lead_time": np.arange(5) * 6}
    values = store_of(tmp_path, "ens_forecast/30.zarr", axes, {"2t": False, "t": True}, cut=cut)
    frames = [
        frame(
            "ens_forecast",
            init,
            lead,
            grid="30",
            member=member,
            variables=WEATHER,
            levels=LEVELS,
            store="ens_forecast/30.zarr",
        )
        for init in (0, 12)
        for member in (3, 7, 8)
        for lead in range(0, 25, 6)
    ]
    with opened(tmp_path, frames) as manifest:
        samples = samples_of(manifest, Window(history=1, rollout=2))
    assert len(samples) == 2 * 3 * 3
    order = samples.order(4, block=3)
    for example in load(tmp_path, samples, order=order, cache_bytes=cache_bytes, threads=3):
        key = example.sample.inputs[0]
        init, member = (key.init_time - START) // (12 * HOUR), [3, 7, 8].index(key.member)
        lead = key.lead_time // (6 * HOUR)
        for path in WEATHER:
            own = values[path.rpartition("/")[2]][init, member]
            np.testing.assert_array_equal(example.inputs[path], own[lead : lead + 1])
            np.testing.assert_array_equal(example.targets[path], own[lead + 1 : lead + 3])


def test_a_shard_of_several_frames_is_read_once_for_neighbours(tmp_path):
    values = store_of(tmp_path, "era5/30.zarr", {"time": np.arange(12) * 6}, {"2t": False}, cut=4)
    frames = [frame("era5", 6 * i, grid="30", store="era5/30.zarr") for i in range(12)]
    with opened(tmp_path, frames) as manifest:
        samples = samples_of(manifest)
    loader = load(tmp_path, samples, order=samples.chain)
    assert len(list(loader)) == 10
    assert loader.bytes_read == values["2t"].nbytes


STATIC = np.arange(84, dtype="f4").reshape(7, 12)


def static_of(joined, statics):
    root, samples, _ = joined
    static = dict(next(iter(load(root, samples, statics=statics))).static)
    static.pop("static/lat_mask", None)
    return static


def test_static_fields_may_be_given_as_arrays(joined):
    found = static_of(joined, {"wmb": STATIC.tolist(), "static/z": STATIC})
    assert sorted(found) == ["static/wmb", "static/z"]
    for field in found.values():
        assert field.dtype == np.float32
        np.testing.assert_array_equal(field, STATIC)


def dataset_of(latitude=GRID.latitude, longitude=GRID.longitude, values=STATIC, names=None):
    axes = names or ("latitude", "longitude")
    data = {"wmb": (("time", *axes), values[None]), "other": ((), 1.0)}
    return xr.Dataset(data, {"time": [0], axes[0]: latitude, axes[1]: longitude})


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_static_fields_of_a_file_are_turned_the_right_way(joined, tmp_path, suffix):
    path = tmp_path / f"static.{suffix}"
    east = np.roll(STATIC[::-1], 6, axis=1)
    turned = dataset_of(GRID.latitude[::-1], GRID.longitude - 180, east, ("lat", "lon"))
    if suffix == "nc":
        turned.to_netcdf(path)
    else:
        turned.to_zarr(path, zarr_format=2)
    found = static_of(joined, path)
    assert list(found) == ["static/wmb"]
    np.testing.assert_array_equal(found["static/wmb"], STATIC)


def test_given_static_fields_come_before_those_of_the_dataset(joined):
    root = joined[0]
    static = zarr.open_group(root / "static/30.zarr", mode="w", zarr_format=3)
    for name in ("latitude", "longitude"):
        static.create_array(name, data=getattr(GRID, name), dimension_names=[name])
    for name in ("z", "lsm", "lat_mask"):
        static.create_array(name, data=STATIC, dimension_names=["latitude", "longitude"])
    example = next(iter(load(root, joined[1], statics={"z": STATIC + 1})))
    assert sorted(example.static) == ["static/lat_mask", "static/lsm", "static/z"]
    for name, difference in {"lat_mask": 0, "lsm": 0, "z": 1}.items():
        np.testing.assert_array_equal(example.static[f"static/{name}"], STATIC + difference)


def test_static_fields_on_other_points_are_refused(joined, tmp_path):
    with pytest.raises(ManifestError, match=r"\(7, 11\)"):
        static_of(joined, {"wmb": STATIC[:, 1:]})
    dataset_of(longitude=GRID.longitude + 15).to_netcdf(tmp_path / "moved.nc")
    with pytest.raises(ManifestError, match="moved"):
        static_of(joined, tmp_path / "moved.nc")
    with pytest.raises(ManifestError, match="nowhere"):
        static_of(joined, tmp_path / "nowhere.nc")
    dataset_of(names=("row", "column")).to_netcdf(tmp_path / "axes.nc")
    with pytest.raises(ManifestError, match="coordinates"):
        static_of(joined, str(tmp_path / "axes.nc"))


def test_batches_without_torch_say_what_to_install():
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from aurora_prep.manifest.batches import BatchDataset\n"
        "try:\n    BatchDataset('', None)\n"
        "except Exception as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 'pip install "aurora-prep[torch]"' in done.stdout


def test_samples_and_loader_know_no_torch():
    program = (
        "import sys, aurora_prep.manifest.loader, aurora_prep.manifest.samples\n"
        "print({'torch', 'aurora'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
