"""The embedded provider, the real client, a decoder of GRIB, and a source nobody declares."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cdsapi
import numpy as np
import pytest
from numpy.typing import NDArray

from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.sources.spec import (
    Cds,
    Collection,
    Grid,
    Kind,
    Levels,
    Native,
    Nature,
    Product,
    Source,
    StepType,
    Unit,
    Variable,
)

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first

SINGLE = "reanalysis-era5-single-levels"
PRESSURE = "reanalysis-era5-pressure-levels"
DAY = {
    "product_type": ["reanalysis"],
    "year": ["2020"],
    "month": ["01"],
    "day": ["01"],
    "time": ["00:00", "06:00"],
    "area": [60, -20, 30, 40],
    "grid": [2.5, 2.5],
}
SURFACE = {**DAY, "variable": ["2m_temperature", "10m_u_component_of_wind"]}
LEVELS = {**DAY, "variable": ["temperature", "geopotential"], "pressure_level": ["500", "850"]}

KEYS = (
    "edition",
    "paramId",
    "levtype",
    "level",
    "dataDate",
    "dataTime",
    "validityDate",
    "validityTime",
    "class",
    "stream",
    "type",
    "expver",
    "stepRange",
    "stepType",
    "packingType",
    "bitsPerValue",
    "gridType",
    "Ni",
    "Nj",
    "bitmapPresent",
    "binaryScaleFactor",
    "decimalScaleFactor",
)


@dataclass(frozen=True)
class Message:
    """One GRIB message, decoded by ecCodes alone; missing values are NaN."""

    keys: dict[str, Any]
    values: NDArray[np.float64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]

    @property
    def step(self) -> float:
        """Distance between two packed values."""
        return 2.0 ** self.keys["binaryScaleFactor"] * 10.0 ** -self.keys["decimalScaleFactor"]

    @property
    def valid_time(self) -> datetime:
        date, hour = self.keys["validityDate"], self.keys["validityTime"] // 100
        return datetime.strptime(f"{date}", "%Y%m%d") + timedelta(hours=hour)


def _read_grib(path: Path | str) -> list[Message]:
    found = []
    with Path(path).open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            keys = {key: eccodes.codes_get(handle, key) for key in KEYS}
            eccodes.codes_set(handle, "missingValue", 1e35)
            values = eccodes.codes_get_values(handle).reshape(keys["Nj"], keys["Ni"])
            values[values == 1e35] = np.nan
            first = eccodes.codes_get(handle, "longitudeOfFirstGridPointInDegrees")
            step = eccodes.codes_get(handle, "iDirectionIncrementInDegrees")
            latitude = np.sort(eccodes.codes_get_array(handle, "distinctLatitudes"))[::-1]
            found.append(Message(keys, values, latitude, first + step * np.arange(keys["Ni"])))
            eccodes.codes_release(handle)
    return found


@pytest.fixture
def read_grib() -> Callable[[Path | str], list[Message]]:
    return _read_grib


@pytest.fixture
def start() -> Iterator[Callable[..., EmbeddedProvider]]:
    """Start providers; they are closed after the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(EmbeddedProvider(**options))


@pytest.fixture
def provider(start: Callable[..., EmbeddedProvider]) -> EmbeddedProvider:
    return start()


@pytest.fixture
def client() -> Callable[..., Any]:
    """The real client of a provider, in a hurry."""

    def make(provider: EmbeddedProvider, **options: Any) -> Any:
        settings = {"quiet": True, "progress": False, "sleep_max": 0.05, "retry_max": 4}
        return cdsapi.Client(url=provider.url, **{"key": provider.key, **settings, **options})

    return make


@pytest.fixture
def surface() -> tuple[str, dict[str, Any]]:
    """Two surface variables at two times, 13 x 25 points: collection and request."""
    return SINGLE, dict(SURFACE)


@pytest.fixture
def levels() -> tuple[str, dict[str, Any]]:
    """Two variables on two levels at two times: collection and request."""
    return PRESSURE, dict(LEVELS)


@pytest.fixture
def invented() -> Source:
    return INVENTED


WAVE = Variable(
    short_name="swh",
    kind=Kind.SURFACE,
    param=140229,
    units="m",
    long_name="significant wave height",
    standard_name="sea_surface_wave_significant_height",
    plausible=(0.0, 30.0),
    may_be_missing=True,
)
DIRECTION = Variable(
    short_name="mwd",
    kind=Kind.SURFACE,
    param=140230,
    units="degree",
    long_name="mean wave direction",
    standard_name="sea_surface_wave_from_direction",
    plausible=(0.0, 360.0),
    nature=Nature.DIRECTION,
)
RAIN = Variable(
    short_name="tp",
    kind=Kind.SURFACE,
    param=228,
    units="m",
    long_name="total precipitation",
    standard_name=None,
    plausible=(0.0, 0.5),
    step_type=StepType.ACCUMULATED,
)
OZONE = Variable(
    short_name="go3",
    kind=Kind.ATMOSPHERIC,
    param=210203,
    units="kg kg-1",
    long_name="ozone mass mixing ratio",
    standard_name="mass_fraction_of_ozone_in_air",
    plausible=(-1e-8, 5e-5),
)
INVENTED = Source(
    name="invented",
    title="A source that no file declares",
    product=Product.REANALYSIS,
    grid=Grid.regular("10"),
    levels=Levels((100, 500)),
    first=datetime(2000, 1, 1),
    cadence=timedelta(hours=3),
    natives=(
        Native(variable=WAVE, request="wave_height", fields=("swh",), units="m"),
        Native(variable=DIRECTION, request="wave_direction", fields=("mwd",), units="Degree true"),
        Native(variable=RAIN, request="total_precipitation", fields=("tp",), units="m"),
        Native(variable=OZONE, request="ozone", fields=("go3",), units="kg kg**-1"),
    ),
    accesses=(
        Cds(
            (
                Collection(
                    dataset="invented-surface",
                    kinds=(Kind.SURFACE,),
                    constants=(("product_type", "any"),),
                    unit=Unit.DAY,
                    max_fields=100,
                ),
                Collection(
                    dataset="invented-levels",
                    kinds=(Kind.ATMOSPHERIC,),
                    constants=(),
                    unit=Unit.DAY,
                    max_fields=100,
                ),
            )
        ),
    ),
    licence="none",
    attribution="none",
)
