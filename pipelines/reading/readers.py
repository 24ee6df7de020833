"""One reader a format, all alike: ``index`` finds the fields of a file, ``read`` decodes one.

A Zarr store is indexed by :class:`zarr_index.ZarrReader`, which is told what is wanted of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from aurora_prep.pipelines.reading.fields import GribField, NetcdfField, StoredField, ZarrField
from aurora_prep.pipelines.reading.file_index import Contents, FileContents
from aurora_prep.pipelines.reading.grib import read_grib, read_ranges, scan_grib
from aurora_prep.pipelines.reading.netcdf import read_netcdf, scan_netcdf
from aurora_prep.pipelines.reading.zarr import read_zarr

One = TypeVar("One", GribField, NetcdfField, ZarrField)


class Reader(Protocol[One]):
    """What can be asked of a format."""

    def index(self, place: Path) -> Contents[One]:
        """The fields of a file, found by its headers.

        Raises:
            DecodeError: The file is damaged.
        """

    def read(self, field: One) -> NDArray[np.float32]:
        """One field, in the order of its file: NaN where the file says missing.

        Raises:
            DecodeError: The field cannot be read.
        """


class GribReader:
    """GRIB by ecCodes; fields have shape ``(points,)``."""

    def index(self, place: Path) -> Contents[GribField]:
        """The fields of a GRIB file."""
        return scan_grib(place)

    def read(self, field: GribField) -> NDArray[np.float32]:
        """One field, shape ``(points,)``."""
        return read_grib(field, read_ranges(field))


class NetcdfReader:
    """NetCDF in every flavour; fields have shape ``(rows, columns)``."""

    def index(self, place: Path) -> Contents[NetcdfField]:
        """The fields of a NetCDF file."""
        return scan_netcdf(place)

    def read(self, field: NetcdfField) -> NDArray[np.float32]:
        """One field, shape ``(rows, columns)``."""
        return read_netcdf(field)


GRIB: Reader[GribField] = GribReader()
NETCDF: Reader[NetcdfField] = NetcdfReader()
FILES: Mapping[str, Reader[GribField] | Reader[NetcdfField]] = MappingProxyType(
    {"grib": GRIB, "netcdf": NETCDF}
)


def index(path: Path, kind: str) -> FileContents:
    """The fields of a file of a known format.

    Raises:
        DecodeError: The file is damaged.
    """
    return FILES[kind].index(path)


def read(field: StoredField) -> NDArray[np.float32]:
    """One field of whichever format.

    Raises:
        DecodeError: The field cannot be read.
        FetchError: It is in a Zarr store that has not got it, or does not answer.
    """
    if isinstance(field, GribField):
        return GRIB.read(field)
    return NETCDF.read(field) if isinstance(field, NetcdfField) else read_zarr(field)
