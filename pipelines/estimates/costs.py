"""Costs: what a field costs, as measured; ``costs.yaml`` says when and on what machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from aurora_prep.sources.spec import Variable
from aurora_prep.sources.spec.spellings import POLLUTION_SURFACE, POLLUTION_UPPER_AIR, WAVES

WEATHER, COMPOSITION, SEA = "weather", "composition", "waves"
FAMILY = {
    **{native.variable.path: COMPOSITION for native in POLLUTION_SURFACE + POLLUTION_UPPER_AIR},
    **{native.variable.path: SEA for native in WAVES},
}
GRIB, NETCDF, ZARR = "grib", "netcdf", "zarr"
FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True)
class Costs:
    """What a field costs in core-seconds and bytes.

    Attributes:
        measured: Date, machine and command of the measurement.
        decode: Core-seconds for a million values, by format.
        regrid: Core-seconds for a million values that are made, by sort of source grid:
            ``regular`` or ``reduced``.
        statistics: Core-seconds to reduce a million values.
        encode: Core-seconds to compress a million values.
        change: Core-seconds to read a million stored values and reduce their change.
        write: Core-seconds to check and write a million bytes.
        packed: Bytes for a value in GRIB, by family.
        netcdf: Bytes for a value in NetCDF.
        ratio: Uncompressed by compressed bytes, by family and then ``native`` or
            ``regridded``.
    """

    measured: Mapping[str, str]
    decode: Mapping[str, float]
    regrid: Mapping[str, float]
    statistics: float
    encode: float
    change: float
    write: float
    packed: Mapping[str, float]
    netcdf: float
    ratio: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, text: Mapping[str, Any]) -> Costs:
        """The costs as the benchmark writes them."""
        seconds, size = text["seconds_per_million_values"], text["bytes_per_value"]
        return cls(
            measured=text["measured"],
            decode=seconds["decode"],
            regrid=seconds["regrid"],
            statistics=seconds["statistics"],
            encode=seconds["encode"],
            change=seconds["change"],
            write=text["seconds_per_megabyte"]["write"],
            packed=size["grib"],
            netcdf=size["netcdf"],
            ratio=text["compression_ratio"],
        )

    def delivered(self, variable: Variable, form: str) -> float:
        """Bytes for a value of a variable as a provider sends it in a format."""
        if form == NETCDF:
            return self.netcdf
        if form == ZARR:
            return FLOAT32_BYTES / self.ratio[family(variable)]["native"]
        return self.packed[family(variable)]

    def stored(self, variable: Variable, *, regridded: bool) -> float:
        """Bytes for a value of a variable as it is written."""
        return FLOAT32_BYTES / self.ratio[family(variable)]["regridded" if regridded else "native"]


def family(variable: Variable) -> str:
    """What a variable's values are like: ``weather``, ``composition`` or ``waves``."""
    return FAMILY.get(variable.path, WEATHER)


@lru_cache(maxsize=1)
def measured_costs() -> Costs:
    """The costs that come with this software."""
    path = Path(__file__).with_name("costs.yaml")
    return Costs.of(yaml.safe_load(path.read_text(encoding="utf-8")))
