"""Runs of single sources, and decoders that share no code with ours."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from aurora_prep.manifest.query import Manifest
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import Outcome, run

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first


@dataclass(frozen=True)
class Prepared:
    """A dataset just made."""

    outcome: Outcome
    source: str

    @property
    def frames(self) -> xr.Dataset:
        (store,) = Path(self.outcome.root, self.source).glob("*.zarr")
        return xr.open_zarr(store)

    def rows(self, **conditions: Any) -> list[dict[str, Any]]:
        with Manifest.open(self.outcome.root) as manifest:
            return list(manifest.query(**conditions).to_pylist())


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., Prepared]:
    """Run one source of a recipe, from the embedded provider or from files."""

    def make(source: str, *, embedded: bool = False, **entry: Any) -> Prepared:
        entry = {"source": source, "grid": "native", **entry}
        recipe = Recipe.parse(
            {"name": "one", "output": str(tmp_path / "out"), "sources": [entry]},
            base=str(tmp_path),
        )
        cache = str(tmp_path / "cache")
        return Prepared(run(recipe, embedded=embedded, cache=cache, show=False), source)

    return make


@dataclass(frozen=True)
class Read:
    """One field as an independent decoder gives it, points in no particular order."""

    name: str
    level: int | None
    init: dt.datetime
    lead: dt.timedelta
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    values: NDArray[np.float64]
    member: int | None = None


def _moment(day: int, time: int) -> dt.datetime:
    return dt.datetime.strptime(f"{day}{time:04d}", "%Y%m%d%H%M")


def _by_eccodes(path: Path) -> Iterator[Read]:
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            get = eccodes.codes_get
            eccodes.codes_set(handle, "missingValue", 1e30)
            values = eccodes.codes_get_values(handle)
            on_levels = get(handle, "typeOfLevel") == "isobaricInhPa"
            init = _moment(get(handle, "dataDate"), get(handle, "dataTime"))
            valid = _moment(get(handle, "validityDate"), get(handle, "validityTime"))
            yield Read(
                get(handle, "shortName"),
                get(handle, "level") if on_levels else None,
                init,
                valid - init,
                eccodes.codes_get_array(handle, "latitudes"),
                eccodes.codes_get_array(handle, "longitudes"),
                np.where(values == 1e30, np.nan, values),
                get(handle, "number") if eccodes.codes_is_defined(handle, "number") else None,
            )
            eccodes.codes_release(handle)


def _by_netcdf4(path: Path) -> Iterator[Read]:
    with netCDF4.Dataset(path) as data:
        time = data["time"]
        moments = netCDF4.num2date(time[:], time.units, only_use_cftime_datetimes=False)
        latitude, longitude = np.meshgrid(data["latitude"][:], data["longitude"][:], indexing="ij")
        for name, variable in data.variables.items():
            if variable.dimensions[-2:] != ("latitude", "longitude"):
                continue
            levels = data["level"][:].tolist() if "level" in variable.dimensions else [None]
            whole = np.ma.filled(variable[:].astype(np.float64), np.nan)
            for i, moment in enumerate(moments):
                for k, level in enumerate(levels):
                    field = whole[i] if level is None else whole[i, k]
                    yield Read(
                        name,
                        level,
                        dt.datetime.fromisoformat(str(moment)),
                        dt.timedelta(0),
                        latitude.ravel(),
                        longitude.ravel(),
                        field.ravel(),
                    )


@pytest.fixture
def independent() -> Callable[[Path], list[Read]]:
    """Every field of a file, by ecCodes or netCDF4 alone."""

    def read(path: Path) -> list[Read]:
        return list(_by_netcdf4(path) if path.suffix == ".nc" else _by_eccodes(path))

    return read


def _ordered(read: Read) -> NDArray[np.float64]:
    places = np.round(-read.latitude, 3), np.round(read.longitude % 360.0, 2)
    return read.values[np.lexsort(places[::-1])]


@pytest.fixture
def same_points() -> Callable[[xr.DataArray, Read], None]:
    """Holds a stored field against an independent decode, point by place on the globe."""

    def check(stored: xr.DataArray, read: Read) -> None:
        latitude, longitude = np.meshgrid(stored["latitude"], stored["longitude"], indexing="ij")
        mine = Read(
            read.name,
            read.level,
            read.init,
            read.lead,
            latitude.ravel(),
            longitude.ravel(),
            stored.values.ravel().astype(np.float64),
        )
        wanted = _ordered(read).astype(np.float32)
        np.testing.assert_array_equal(_ordered(mine).astype(np.float32), wanted)
        assert (np.diff(stored["latitude"]) < 0).all()
        assert (np.diff(stored["longitude"]) > 0).all()

    return check
