"""Grids, exact integrals and real files for the tests of regridding."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyproj  # noqa: F401  # must be loaded before ecCodes
import pytest

from aurora_prep.regridding import KEYS, Geometry, geometry_from_grib, in_rows, of_grid
from aurora_prep.regridding.weights import sines
from aurora_prep.sources.spec import Grid


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
