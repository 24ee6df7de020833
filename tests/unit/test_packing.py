"""Fill values, scales and offsets mean what xarray takes them to mean."""

import warnings

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from aurora_prep.pipelines.reading.match import decode
from aurora_prep.pipelines.reading.netcdf import scan_netcdf
from aurora_prep.providers.packing import number_of, unpack
from aurora_prep.providers.zarr_store import ChunkMemory, OpenStore, StoreAddress
from aurora_prep.sources.spec import DecodeError, FetchError

TYPES = ("i1", "i2", "i4", "u1", "u2", "f4", "f8")
SHAPE = (2, 3, 4)
COORDS = {
    "time": np.array([0, 6], "m8[h]").astype("m8[ns]") + np.datetime64("2020-01-01", "ns"),
    "latitude": [10.0, 0.0, -10.0],
    "longitude": [0.0, 10.0, 20.0, 30.0],
}
DIMS = tuple(COORDS)


def numbers(dtype):
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return st.floats(-1e6, 1e6, width=32).map(kind.type)
    limits = np.iinfo(kind)
    return st.integers(int(limits.min), int(limits.max)).map(kind.type)


@st.composite
def packed(draw):
    """Stored numbers, and attributes in every combination."""
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    raw = draw(arrays.arrays(dtype, (3, 4), elements=numbers(dtype), fill=st.nothing()))
    attributes = {}
    sentinel = draw(st.sampled_from([None, raw[0, 0], raw[2, 3]]))
    if sentinel is not None:
        keys = st.sampled_from(
            [("_FillValue",), ("missing_value",), ("_FillValue", "missing_value")]
        )
        attributes |= dict.fromkeys(draw(keys), sentinel)
    if draw(st.booleans()):
        attributes["scale_factor"] = draw(st.sampled_from([0.5, -0.01, 1e-6, 2.0]))
    if draw(st.booleans()):
        attributes["add_offset"] = draw(st.sampled_from([0.0, 273.15, -1e3]))
    if dtype.kind in "iu" and draw(st.booleans()):
        attributes["_Unsigned"] = "true" if dtype.kind == "i" else "false"
    return raw, attributes


@settings(max_examples=150, deadline=None)
@given(packed())
def test_every_combination_is_as_xarray_reads_it(case):
    raw, attributes = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = xr.conventions.decode_cf_variable("x", xr.Variable(("a", "b"), raw, attributes))
    values = wanted.values.astype(np.float64)
    # xarray scales small integers in float32.
    np.testing.assert_allclose(unpack(raw, attributes), values, rtol=2e-6, atol=1e-3)


@pytest.mark.parametrize("form", ["NETCDF3_CLASSIC", "NETCDF4"])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_netcdf_is_as_xarray_reads_it(tmp_path_factory, form, data):
    types = ("i2", "i4", "f4", "f8", "i1") if form == "NETCDF3_CLASSIC" else TYPES
    raw, attributes = data.draw(packed().filter(lambda case: case[0].dtype.str[1:] in types))
    path = tmp_path_factory.mktemp("packed") / "a.nc"
    with netCDF4.Dataset(path, "w", format=form) as file:
        for name in ("latitude", "longitude"):
            file.createDimension(name, len(COORDS[name]))
            file.createVariable(name, "f8", (name,))[:] = COORDS[name]
        variable = file.createVariable(
            "lsm", raw.dtype, ("latitude", "longitude"),
            fill_value=attributes.get("_FillValue", False if form == "NETCDF4" else None),
        )  # fmt: skip
        variable.set_auto_maskandscale(False)
        variable.setncatts({k: v for k, v in attributes.items() if k != "_FillValue"})
        variable[:] = raw
    (ref,) = scan_netcdf(path).fields
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with xr.open_dataset(path) as wanted:
            values = wanted["lsm"].values.astype(np.float32)
    np.testing.assert_allclose(decode(ref), values, rtol=2e-6, atol=1e-3)


def opened(folder):
    return OpenStore(StoreAddress.of_path(str(folder), folder), ChunkMemory())


def stored(folder, values, *, zarr_format, **encoding):
    coords = {**COORDS, "time": COORDS["time"][: len(values)]}
    data = xr.Dataset({"t": (DIMS, values, {"units": "K"})}, coords)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.to_zarr(folder, zarr_format=zarr_format, encoding={"t": encoding}, consolidated=False)
    return folder


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "encoding",
    [
        {"_FillValue": np.float32(-9999)},
        {"_FillValue": np.float32(np.nan)},
        {"_FillValue": None},
        {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": np.int16(-32767)},
        {"dtype": "u2", "scale_factor": 0.01, "_FillValue": np.uint16(65535)},
        {"dtype": "f8", "_FillValue": 1e20},
    ],
    ids=str,
)
def test_zarr_is_as_xarray_reads_it(tmp_path, zarr_format, encoding):
    values = np.random.default_rng(1).uniform(200, 300, SHAPE).astype(np.float32)
    values[0, 1] = np.nan if encoding["_FillValue"] is not None else 250
    folder = stored(tmp_path / "s.zarr", values, zarr_format=zarr_format, **encoding)
    store = opened(folder)
    with xr.open_zarr(folder, consolidated=False) as wanted:
        for at in range(2):
            expected = wanted["t"].values[at].astype(np.float32)
            np.testing.assert_allclose(store.read("t", (at,)), expected, rtol=2e-7)
            np.testing.assert_array_equal(np.isnan(store.read("t", (at,))), np.isnan(expected))


def test_the_fill_value_of_format_2_means_missing(tmp_path):
    """xarray takes it for that, zeros too; in format 3 only ``_FillValue`` does."""
    values = np.full(SHAPE, 280, np.float32)
    values[0, 0, 0] = 0
    for zarr_format, missing in ((2, 1), (3, 0)):
        folder = tmp_path / f"{zarr_format}.zarr"
        group = zarr.open_group(folder, mode="w", zarr_format=zarr_format)
        for name, axis in COORDS.items():
            raw = np.asarray(axis if name != "time" else [1.0, 2.0])
            array = group.create_array(name, data=raw, chunks=raw.shape)
            array.attrs["_ARRAY_DIMENSIONS"] = [name]
            if name == "time":
                array.attrs["units"] = "hours since 2020-01-01"
        array = group.create_array("t", shape=SHAPE, chunks=(1, 3, 4), dtype="f4", fill_value=0.0)
        array.attrs["_ARRAY_DIMENSIONS"] = list(DIMS)
        array[:] = values
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert np.isnan(_decoded_by_xarray(array, zarr_format)[0]).sum() == missing
        found = opened(folder)
        dims = found.arrays["t"].dims or DIMS
        if dims == DIMS:
            assert np.isnan(found.read("t", (0,))).sum() == missing


def _decoded_by_xarray(array, zarr_format):
    attributes = {"_FillValue": array.fill_value} if zarr_format == 2 else {}
    return xr.conventions.decode_cf_variable("t", xr.Variable(DIMS, array[:], attributes)).values


def test_a_fill_value_that_is_no_number_is_refused_by_name(tmp_path):
    folder = stored(tmp_path / "s.zarr", np.zeros(SHAPE, "f4"), zarr_format=3)
    group = zarr.open_group(folder)
    group["t"].attrs["missing_value"] = "nothing"
    with pytest.raises(DecodeError) as raised:
        opened(folder)
    assert "missing_value is 'nothing'" in raised.value.args[2]


@pytest.mark.parametrize(
    ("text", "value"), [("-9999", -9999.0), ("AAAAAACIw8A=", -10000.0), ("1e20", 1e20)]
)
def test_numbers_in_text(text, value):
    assert number_of(text, "_FillValue") == value


@pytest.mark.parametrize("text", ["nothing", "AAAA", ""])
def test_text_that_is_no_number(text):
    with pytest.raises(ValueError, match="_FillValue"):
        number_of(text, "_FillValue")


@pytest.mark.parametrize("index_location", ["start", "end"])
@pytest.mark.parametrize("written", [(0,), (1,), (0, 3)])
def test_a_chunk_that_its_shard_lacks_is_not_there(tmp_path, index_location, written):
    folder = tmp_path / "s.zarr"
    times = COORDS["time"][0] + np.arange(4) * np.timedelta64(6, "h")
    stored(folder, np.full((1, 3, 4), 7, "f4"), zarr_format=3)
    group = zarr.open_group(folder)
    del group["t"], group["time"]
    axis = group.create_array("time", data=np.arange(4.0) + 1, dimension_names=["time"])
    axis.attrs["units"] = "hours since 2020-01-01"
    assert times.size == 4
    layout = zarr.codecs.ShardingCodec(
        chunk_shape=(1, 3, 2), index_location=index_location, codecs=[zarr.codecs.BytesCodec()]
    )
    array = group.create_array(
        "t", shape=(4, 3, 4), chunks=(4, 3, 4), dtype="f4", fill_value=0.0,
        dimension_names=list(DIMS), serializer=layout, compressors=None,
    )  # fmt: skip
    for at in written:
        array[at] = np.full((3, 4), 7, "f4")
    if 3 in written:
        array[3, :, 2:] = 0  # a chunk of fill values is taken out of its shard
    store = opened(folder)
    for at in range(4):
        if at in written and at != 3:
            assert (store.read("t", (at,)) == 7).all()
        else:
            with pytest.raises(FetchError, match="not in the Zarr store"):
                store.read("t", (at,))


def test_an_axis_that_is_not_all_there_is_refused(tmp_path):
    """Times that are not stored read as the fill value, each the same."""
    folder = stored(tmp_path / "s.zarr", np.ones((2, 3, 4), "f4"), zarr_format=3)
    group = zarr.open_group(folder)
    del group["time"]
    axis = group.create_array(
        "time", shape=(4,), chunks=(2,), dtype="i8", fill_value=0, dimension_names=["time"]
    )
    axis.attrs["units"] = "hours since 2020-01-01"
    axis[:2] = [6, 12]
    with pytest.raises(DecodeError) as raised:
        opened(folder).axes()
    assert "time has a value twice" in raised.value.args[2]


def test_an_axis_of_one_value_that_is_its_fill_value(tmp_path):
    folder = stored(tmp_path / "s.zarr", np.ones((1, 3, 4), "f4"), zarr_format=3)
    assert not list((folder / "time").glob("c/*"))
    (time,) = opened(folder).axes()["time"]
    assert time == COORDS["time"][0]
