"""Grids, exact integrals and real files for the tests of regridding."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyproj  # noqa: F401  # must be loaded before ecCodes
import pytest

from aurora_prep.regridding import KEYS, Geometry, geometry_from_grib, in_rows, of_grid
from aurora_prep.regridding.weights import sines
from aurora_prep.sources.spec import Grid

ERA5 = {"centre": "ecmf", "dataDate": 20200101, "dataTime": 0}
LAMBERT = {
    "gridType": "lambert",
    "LoVInDegrees": 262.5,
    "LaDInDegrees": 38.5,
    "Latin1InDegrees": 38.5,
    "Latin2InDegrees": 38.5,
    "latitudeOfFirstGridPointInDegrees": 25.0,
    "longitudeOfFirstGridPointInDegrees": 255.0,
    "jScansPositively": 1,
}


def regional(north, west, step, rows, columns):
    """Regular grid from texts."""
    return Grid(Fraction(step), Fraction(step), Fraction(north), Fraction(west), rows, columns)


def cell_areas(grid):
    """Areas of the cells of a target grid, steradians, ``shape``."""
    cells = of_grid(grid)
    rows = np.abs(sines(*np.sort([cells.latitude_edges[1:], cells.latitude_edges[:-1]], axis=0)))
    return rows[:, None] * np.radians(np.abs(np.diff(cells.longitude_edges)))


def source_areas(geometry):
    """Areas of the cells of a rectilinear or reduced source, flat."""
    low, high = np.sort([geometry.latitude_edges[1:], geometry.latitude_edges[:-1]], axis=0)
    rows = sines(low, high)
    if hasattr(geometry, "counts"):
        return np.repeat(rows * np.radians(geometry.step), geometry.counts)
    return (rows[:, None] * np.radians(np.abs(np.diff(geometry.longitude_edges)))).ravel()


def read_messages(path):
    """``(geometry, values in rows, keys)`` of every message of a GRIB file."""
    eccodes = pytest.importorskip("eccodes", reason="install eccodes to decode GRIB")
    fields = []
    with Path(path).open("rb") as file:
        while (message := eccodes.codes_grib_new_from_file(file)) is not None:
            keys = {}
            for key in (*KEYS, "shortName"):
                try:
                    array = key == "pl"
                    get = eccodes.codes_get_array if array else eccodes.codes_get
                    keys[key] = get(message, key)
                except eccodes.CodesInternalError:
                    continue
            eccodes.codes_set(message, "missingValue", -1e30)
            values = eccodes.codes_get_values(message)
            values[values == -1e30] = np.nan
            eccodes.codes_release(message)
            fields.append((keys, values))
    return fields


def read_grib(path, number=0, short_name=None) -> tuple[Geometry, np.ndarray]:
    """Geometry and values of one message."""
    fields = read_messages(path)
    chosen = [f for f in fields if short_name in (None, f[0]["shortName"])][number]
    return geometry_from_grib(chosen[0]), in_rows(chosen[1], chosen[0])


def octahedral_rows(order: int) -> list[int]:
    """Points in each row of an octahedral grid."""
    half = [20 + 4 * row for row in range(order)]
    return half + half[::-1]


def octahedral(order: int) -> dict[str, Any]:
    """Grid keys of an octahedral grid."""
    pl = octahedral_rows(order)
    return {"gridType": "reduced_gg", "N": order, "Nj": 2 * order, "pl": pl}


def classic(order: int, pl: list[int]) -> dict[str, Any]:
    """Grid keys of a reduced Gaussian grid with given rows."""
    return {"gridType": "reduced_gg", "N": order, "Nj": 2 * order, "pl": pl}


def rows_of(order: int) -> list[int]:
    """Points in each row of ECMWF's classic reduced grid N48, N80, N160, N320, N400 or N640."""
    ec = pytest.importorskip("eccodes", reason="install eccodes for its samples")
    handle = ec.codes_grib_new_from_samples(f"reduced_gg_pl_{order}_grib2")
    try:
        return ec.codes_get_array(handle, "pl").tolist()
    finally:
        ec.codes_release(handle)


def regular(step: float) -> dict[str, Any]:
    """Grid keys of a global regular grid."""
    rows, columns = round(180 / step) + 1, round(360 / step)
    return {
        "gridType": "regular_ll",
        "Ni": columns,
        "Nj": rows,
        "latitudeOfFirstGridPointInDegrees": 90.0,
        "latitudeOfLastGridPointInDegrees": -90.0,
        "longitudeOfFirstGridPointInDegrees": 0.0,
        "longitudeOfLastGridPointInDegrees": 360.0 - step,
        "iDirectionIncrementInDegrees": step,
        "jDirectionIncrementInDegrees": step,
    }


def lambert(size: int, metres: float, *, relative: bool) -> dict[str, Any]:
    """Grid keys of a Lambert grid over North America."""
    return {
        **LAMBERT,
        "Nx": size,
        "Ny": size,
        "DxInMetres": metres,
        "DyInMetres": metres,
        "uvRelativeToGrid": int(relative),
    }


def write_grib(
    path: Path, fields: list[tuple[dict[str, Any], dict[str, Any], np.ndarray]], bits: int = 24
) -> Path:
    """Write messages of edition 2.

    Args:
        path: The file.
        fields: Grid keys, other keys, and values in the order of the grid; NaN is missing.
        bits: Bits a value.
    """
    ec = pytest.importorskip("eccodes", reason="install eccodes to write GRIB")
    with path.open("wb") as file:
        for grid, keys, values in fields:
            handle = ec.codes_grib_new_from_samples("GRIB2")
            try:
                plain = {k: v for k, v in grid.items() if k != "pl"}
                if grid["gridType"] == "reduced_gg":
                    ec.codes_release(handle)
                    handle = ec.codes_grib_new_from_samples("reduced_gg_sfc_grib2")
                    plain.pop("gridType")
                    ec.codes_set(handle, "N", plain.pop("N"))
                    ec.codes_set(handle, "Nj", plain.pop("Nj"))
                    ec.codes_set_array(handle, "pl", grid["pl"])
                    first = _gaussian(grid["N"])
                    ec.codes_set(handle, "latitudeOfFirstGridPointInDegrees", first)
                    ec.codes_set(handle, "latitudeOfLastGridPointInDegrees", -first)
                    ec.codes_set(handle, "longitudeOfFirstGridPointInDegrees", 0.0)
                    east = 360.0 - 360.0 / max(grid["pl"])
                    ec.codes_set(handle, "longitudeOfLastGridPointInDegrees", east)
                for key, value in {**plain, **ERA5, **keys}.items():
                    ec.codes_set(handle, key, value)
                ec.codes_set(handle, "bitsPerValue", bits)
                missing = np.isnan(values)
                if missing.any():
                    ec.codes_set(handle, "bitmapPresent", 1)
                    ec.codes_set(handle, "missingValue", 9999.0)
                packed = np.where(missing, 9999.0, values).astype(np.float64).ravel()
                ec.codes_set_values(handle, packed)
                ec.codes_write(handle, file)
            finally:
                ec.codes_release(handle)
    return path


def _gaussian(order: int) -> float:
    sines = np.polynomial.legendre.leggauss(2 * order)[0]
    return float(np.degrees(np.arcsin(sines.max())))


@pytest.fixture(scope="session")
def grib() -> SimpleNamespace:
    """Writes GRIB files, and the keys of grids for them."""
    return SimpleNamespace(
        octahedral=octahedral,
        classic=classic,
        rows_of=rows_of,
        regular=regular,
        lambert=lambert,
        write=write_grib,
    )


@pytest.fixture(scope="session")
def tools() -> SimpleNamespace:
    """The functions of this file, for tests."""
    return SimpleNamespace(
        regional=regional,
        cell_areas=cell_areas,
        source_areas=source_areas,
        read_grib=read_grib,
        read_messages=read_messages,
    )


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real files."""
    folder = os.environ.get("AURORA_PREP_REAL_DATA")
    if not folder:
        pytest.skip("set AURORA_PREP_REAL_DATA to the folder of real files")
    return Path(folder)


@pytest.fixture(scope="session")
def cdo() -> str:
    """Path of CDO."""
    path = shutil.which("cdo")
    if path is None:
        pytest.skip("install CDO to compare with it: apt-get install cdo")
    return path
