"""How requests to a store are written, and how its files are laid out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Dates(StrEnum):
    """How a request names its days."""

    PARTS = "parts"
    RANGES = "ranges"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What differs between collections that are asked by the same protocol.

    The planner writes requests by it, and the embedded provider reads requests
    and lays out its files by it. Decoding does not depend on it: files are
    taken as they are.

    Attributes:
        dates: ``year``, ``month`` and ``day``, each a list, or ``date`` as a
            list of ``first/last``.
        netcdf: What a request calls NetCDF in ``data_format``.
        asks_packaging: Whether a request says ``download_format`` too.
        lead_key: Request key of lead times in hours; ``None`` where there are none.
        by_reference: Whether NetCDF has the axes ``forecast_period`` and
            ``forecast_reference_time`` in place of ``valid_time``.
        split_by_level: Whether NetCDF comes as ``data_sfc.nc`` and
            ``data_plev.nc``, always in a ZIP, and not as one file for each
            stream and step type.
        labels: GRIB keys in which messages differ from those of ERA5, as
            ``(key, value)`` pairs.
    """

    dates: Dates = Dates.PARTS
    netcdf: str = "netcdf"
    asks_packaging: bool = True
    lead_key: str | None = None
    by_reference: bool = False
    split_by_level: bool = False
    labels: tuple[tuple[str, str], ...] = ()

    def spelling(self, data_format: str) -> str:
        """What a request says for ``grib`` or ``netcdf``."""
        return self.netcdf if data_format == "netcdf" else data_format


CLIMATE = Dialect()
CLIMATE_WAVES = Dialect(labels=(("stream", "wave"),))
ATMOSPHERE = Dialect(
    dates=Dates.RANGES,
    netcdf="netcdf_zip",
    asks_packaging=False,
    split_by_level=True,
    labels=(("class", "mc"),),
)
ATMOSPHERE_FORECASTS = Dialect(
    dates=Dates.RANGES,
    netcdf="netcdf_zip",
    asks_packaging=False,
    lead_key="leadtime_hour",
    by_reference=True,
    split_by_level=True,
    labels=(("class", "mc"), ("type", "fc")),
)
