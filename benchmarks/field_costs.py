"""What a field costs, step by step: the figures that ``aurora-prep plan`` counts with.

Run: AURORA_PREP_REAL_DATA=FOLDER python benchmarks/field_costs.py [--rounds 5] [--write]

Seconds are core-seconds (waiting aside), for a million values, the median of the rounds. Fields
are the embedded provider's with noise of a few packing steps, since smooth fields would flatter
every codec. Bytes for a value and compression ratios are those of real files. ``--write`` puts
the result where ``plan`` reads it: pipelines/estimates/costs.yaml.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aurora_prep  # noqa: F401  the front door first: it settles the order of native libraries

import eccodes  # isort: skip
import netCDF4
import numpy as np
import yaml
import zarr
from numcodecs import Blosc
from numpy.typing import NDArray

from aurora_prep.manifest import durable
from aurora_prep.normalisation import area_weights, reduce_changes
from aurora_prep.pipelines.engines.memory import tune_memory
from aurora_prep.pipelines.reading import match
from aurora_prep.pipelines.shard import encode
from aurora_prep.pipelines.shard.reduce import reduce
from aurora_prep.providers.embedded import truth
from aurora_prep.regridding import octahedral, regridder
from aurora_prep.sources import load
from aurora_prep.sources.spec import HOUR, FrameKey, Grid

TARGET = Path(__file__).parents[1] / "pipelines" / "estimates" / "costs.yaml"
START = datetime(2020, 1, 1)
LEVELS = (50, 300, 500, 850)
MILLION = 1e6
NOISE_STEPS = 6.0
MISSING = 9.9e8

Field = NDArray[np.float32]

# Real files of each family: packed size, and how well their values compress.
REAL = {
    "weather": (
        "era5_pl/era5_tz_1deg_test4.grib1",
        "era5_pl/ERA5_N30_N40_E120_E140_20101017_14.grb1",
        "gaussian/ifs_F80_t_ml.grib2",
    ),
    "composition": ("cams/cams_eac4_go3_25lev_uk.grib1",),
    "waves": ("wave/ecwam_reduced_ll_swh_20080206.grib2",),
}
DELIVERED = ("era5_pl/era5_pl_norway_202506_newcds.nc", "era5_sfc/era5_sfc_norway_202506_newcds.nc")


def main() -> None:
    """Measure, print, and with ``--write`` keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"write {TARGET.name}")
    args = parser.parse_args()
    real = Path(os.environ["AURORA_PREP_REAL_DATA"])
    tune_memory()
    with tempfile.TemporaryDirectory() as name:
        seconds = measure_seconds(Path(name), args.rounds)
    result = {
        "measured": {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": f"{processor()}, {os.cpu_count()} virtual cores",
            "python": platform.python_version(),
            "command": "python benchmarks/field_costs.py --write",
        },
        **seconds,
        "bytes_per_value": {
            "grib": {family: rounded(packed(real, files)) for family, files in REAL.items()},
            "netcdf": rounded(delivered(real)),
        },
        "compression_ratio": {family: ratios(real, files) for family, files in REAL.items()},
    }
    text = yaml.safe_dump(result, sort_keys=False)
    print(text, end="")
    if args.write:
        note = "# Measured, not guessed: benchmarks/field_costs.py writes this file.\n"
        TARGET.write_text(note + text, encoding="utf-8")


def measure_seconds(folder: Path, rounds: int) -> dict[str, Any]:
    """Core-seconds of every step."""
    grid = load("era5").grid
    fields = synthetic(grid)
    values = sum(field.size for field in fields) / MILLION

    def cost(work: Callable[[], object], amount: float = values) -> float:
        work()
        return rounded(statistics.median(timed(work) for _ in range(rounds)) / amount)

    files = {
        "grib": make_grib(folder / "day.grib", fields),
        "netcdf": make_netcdf(folder / "day.nc", fields, grid),
    }
    held = {
        name: match.holdings_of((str(path),), load("era5"), folder / "contents")
        for name, path in files.items()
    }

    def read(name: str) -> Callable[[], object]:
        return lambda: [match.decode(ref) for ref in held[name].fields.values()]

    codec = Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE)
    compressed = [encode.encode_field(field, codec) for field in fields]
    shard = make_shard(folder / "shard.zarr", fields)
    keys = [FrameKey("era5", START + hours * HOUR) for hours in range(len(fields))]
    weights = area_weights(grid)
    sixteen = os.urandom(2**20) * 16

    def changes() -> object:
        return reduce_changes(
            lambda key: np.asarray(shard[keys.index(key), 0]),
            keys,
            HOUR,
            forecast=False,
            row_weights=weights,
        )

    coarse = regridder(grid, Grid.regular("0.4"), "conservative")
    fine = regridder(Grid.regular("0.75"), Grid.regular("0.4"), "bilinear")
    small = synthetic(Grid.regular("0.75"))
    gaussian = regridder(octahedral(640), Grid.regular("0.2"), "conservative")
    points = np.random.default_rng(1).random(octahedral(640).size).astype(np.float32)
    fifth = Grid.regular("0.2").rows * Grid.regular("0.2").columns / MILLION
    fourth = len(fields) * 451 * 900 / MILLION
    return {
        "seconds_per_million_values": {
            "decode": {
                **{name: cost(read(name)) for name in files},
                "zarr": cost(lambda: [codec.decode(chunk) for chunk in compressed]),
            },
            "regrid": {
                "regular": max(
                    cost(lambda: [coarse(field) for field in fields], fourth),
                    cost(lambda: [fine(field) for field in small], fourth),
                ),
                "reduced": cost(lambda: gaussian(points), fifth),
            },
            "statistics": cost(lambda: [reduce(field, grid) for field in fields]),
            "encode": cost(lambda: [encode.encode_field(field, codec) for field in fields]),
            "change": cost(changes, values * (len(fields) - 1) / len(fields)),
        },
        "seconds_per_megabyte": {
            "write": cost(
                lambda: (encode.checksum(sixteen), durable.put(str(folder / "object"), sixteen)),
                16 * 2**20 / MILLION,
            ),
        },
    }


def synthetic(grid: Grid) -> list[Field]:
    """Temperature at a few levels, two times, with noise of a few packing steps."""
    random = np.random.default_rng(20200101)
    found = []
    temperature = load("era5").native("atmospheric/t").variable
    for hour in (0, 6):
        for level in LEVELS:
            field = truth(
                temperature, level, START.replace(hour=hour), grid.latitude, grid.longitude
            )
            step = (field.max() - field.min()) / 2**16
            noisy = field + NOISE_STEPS * step * random.standard_normal(field.shape)
            found.append(noisy.astype(np.float32))
    return found


def make_grib(path: Path, fields: list[Field]) -> Path:
    """The fields as the stores deliver them: GRIB 1, simple packing, 16 bits."""
    rows, columns = fields[0].shape
    with path.open("wb") as file:
        for number, field in enumerate(fields):
            handle = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib1")
            for key, value in {
                "Ni": columns, "Nj": rows, "latitudeOfFirstGridPointInDegrees": 90.0,
                "latitudeOfLastGridPointInDegrees": -90.0,
                "longitudeOfFirstGridPointInDegrees": 0.0,
                "longitudeOfLastGridPointInDegrees": 359.75,
                "iDirectionIncrementInDegrees": 0.25, "jDirectionIncrementInDegrees": 0.25,
                "packingType": "grid_simple", "bitsPerValue": 16, "dataType": "an", "paramId": 130,
                "level": LEVELS[number % len(LEVELS)], "dataDate": int(f"{START:%Y%m%d}"),
                "dataTime": 600 * (number // len(LEVELS)),
            }.items():  # fmt: skip
                eccodes.codes_set(handle, key, value)
            eccodes.codes_set_values(handle, field.ravel().astype(np.float64))
            eccodes.codes_write(handle, file)
            eccodes.codes_release(handle)
    return path


def make_netcdf(path: Path, fields: list[Field], grid: Grid) -> Path:
    """The fields as the Climate Data Store's NetCDF: deflated float32, a chunk a field."""
    with netCDF4.Dataset(path, "w") as data:
        axes = {
            "valid_time": (np.array([0, 6]), f"hours since {START:%Y-%m-%d}"),
            "pressure_level": (np.array(LEVELS, np.float64), "hPa"),
            "latitude": (grid.latitude, "degrees_north"),
            "longitude": (grid.longitude, "degrees_east"),
        }
        for name, (values, units) in axes.items():
            data.createDimension(name, len(values))
            axis = data.createVariable(name, values.dtype, (name,))
            axis.units, axis[:] = units, values
        shape = (1, 1, grid.rows, grid.columns)
        field = data.createVariable(
            "t", "f4", tuple(axes), zlib=True, complevel=1, chunksizes=shape
        )
        field.units = "K"
        field[:] = np.stack(fields).reshape(2, len(LEVELS), grid.rows, grid.columns)
    return path


def make_shard(path: Path, fields: list[Field]) -> Any:
    """The fields as times of one variable, as this software stores them."""
    whole = np.stack(fields)[:, None]
    array = zarr.create_array(
        str(path),
        shape=whole.shape,
        chunks=(1, *whole.shape[1:]),
        shards=(1, *whole.shape[1:]),
        dtype="float32",
        compressors=zarr.codecs.BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"),
    )
    array[:] = whole
    return array


def fields_of(real: Path, files: tuple[str, ...]) -> Iterator[Field]:
    """Values of real files, as they are stored: float32, NaN where missing."""
    for name in files:
        path = real / name
        if path.suffix == ".nc":
            with netCDF4.Dataset(path) as data:
                for variable in data.variables.values():
                    if variable.ndim >= 2:
                        array = np.ma.filled(variable[...].astype(np.float32), np.nan)
                        yield np.asarray(array).reshape(-1, *variable.shape[-2:])
            continue
        for handle in messages(path):
            eccodes.codes_set(handle, "missingValue", MISSING)
            values = eccodes.codes_get_values(handle)
            yield np.where(values == MISSING, np.nan, values).astype(np.float32)


def messages(path: Path) -> Iterator[int]:
    """Handles of a file's messages, released in turn."""
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            yield handle
            eccodes.codes_release(handle)


def packed(real: Path, files: tuple[str, ...]) -> float:
    """Bytes of simply packed GRIB for a value: its bits, and a bitmap's bit where there is one."""
    bits = points = 0
    for name in files:
        for handle in messages(real / name):
            size = eccodes.codes_get(handle, "numberOfDataPoints")
            coded = eccodes.codes_get(handle, "numberOfCodedValues")
            bits += coded * eccodes.codes_get(handle, "bitsPerValue")
            bits += size if coded < size else 0
            points += size
    return bits / 8 / points


def delivered(real: Path) -> float:
    """Bytes of the Climate Data Store's NetCDF for a value."""
    values = size = 0
    for name in DELIVERED:
        size += (real / name).stat().st_size
        with netCDF4.Dataset(real / name) as data:
            values += sum(v.size for v in data.variables.values() if v.ndim >= 3)
    return size / values


def ratios(real: Path, files: tuple[str, ...]) -> dict[str, float]:
    """Compression of values as delivered, and of the means of four that regridding makes."""
    return {
        "native": rounded(ratio(fields_of(real, files))),
        "regridded": rounded(ratio(map(averaged, fields_of(real, files)))),
    }


def averaged(field: Field) -> Field:
    """A field as an interpolation leaves it: no longer on the packing's steps."""
    flat = field.reshape(-1)
    return (0.7 * flat[:-1].astype(np.float64) + 0.3 * flat[1:]).astype(np.float32)


def ratio(fields: Iterator[Field]) -> float:
    """Uncompressed by compressed bytes."""
    codec = Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE)
    before = after = 0
    for field in fields:
        before += field.nbytes
        after += len(encode.encode_field(field, codec))
    return before / after


def timed(work: Callable[[], object]) -> float:
    """Core-seconds a call takes, on all threads together; waiting costs none."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def rounded(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")


def processor() -> str:
    """Name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "x86")


if __name__ == "__main__":
    main()
