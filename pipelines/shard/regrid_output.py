"""The file that ``regrid`` writes, field by field: NetCDF, or a Zarr store by its ending."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import netCDF4
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from aurora_prep.pipelines.reading.netcdf import LOCK
from aurora_prep.sources.spec import Grid, RegridError

NETCDF, ZARR = (".nc", ".nc4", ".netcdf"), (".zarr",)
HORIZONTAL = ("latitude", "longitude")
CHUNK_BYTES = 2**28  # most of a chunk; HDF5 has none of 4 GiB
STORE_MARKS = ("zarr.json", ".zgroup", ".zmetadata")
Field = NDArray[np.floating[Any]]


def check_output(output: Path, source: Path) -> None:
    """Refuse a name that cannot become the output.

    Args:
        output: The file or store to write.
        source: The file that is read.

    Raises:
        RegridError: Its ending is not one that is written, its folder is not there, or
            something would be lost.
    """
    if output.suffix.lower() not in NETCDF + ZARR:
        raise RegridError(
            "no output of this kind is written",
            str(output),
            f"ending {output.suffix!r}",
            f"end the name in {', '.join(NETCDF)} for NetCDF, or in .zarr for a Zarr store",
        )
    if not output.parent.is_dir():
        raise RegridError(
            "the folder of the output is not there",
            str(output),
            str(output.parent),
            "make the folder, or give another name",
        )
    whole = output.resolve()
    if whole == source.resolve() or whole in source.resolve().parents:
        raise RegridError(
            "the output would replace its own input",
            str(output),
            f"the input is {source}",
            "give another name for the output",
        )
    is_store = output.suffix.lower() in ZARR
    ours = not is_store or any((output / mark).is_file() for mark in STORE_MARKS)
    if output.exists() and (output.is_dir() is not is_store or not (ours or _is_empty(output))):
        raise RegridError(
            "something else has the name of the output",
            str(output),
            "a folder that is no Zarr store" if output.is_dir() else "a file that is no store",
            "give another name, or remove it yourself",
        )


def _is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


class Output:
    """Variables on the target grid, written one field at a time under another name.

    Memory is that of one field. The file takes its own name once it is whole.

    Args:
        path: The file or store.
        frame: Coordinates and attributes of the whole.
    """

    def __init__(self, path: Path, frame: xr.Dataset) -> None:
        self.path, self.part = path, path.with_name(f".{path.name}.part")
        self.is_store = path.suffix.lower() in ZARR
        self.frame = frame
        self.file: Any = None

    def __enter__(self) -> Self:
        self._drop()
        if self.is_store:
            self.frame.to_zarr(self.part, mode="w", consolidated=False)
            self.file = zarr.open_group(str(self.part), mode="r+")
        else:
            self.frame.to_netcdf(self.part, engine="netcdf4")
            with LOCK:
                self.file = netCDF4.Dataset(self.part, "r+")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.is_store and self.file is not None:
            with LOCK:
                self.file.close()
        if kind is not None:
            self._drop()
            return
        if self.is_store and self.path.is_dir():
            shutil.rmtree(self.path)
        self.part.replace(self.path)

    def create(
        self, name: str, leading: Mapping[str, int], target: Grid, attributes: Mapping[str, Any]
    ) -> None:
        """Declare a variable; what is never put into it is missing.

        Args:
            name: Name of the variable.
            leading: Names and lengths of the dimensions before latitude and longitude.
            target: The grid.
            attributes: Attributes of the variable.
        """
        dims, shape = (*leading, *HORIZONTAL), (*leading.values(), *target.shape)
        rows = max(1, min(target.rows, CHUNK_BYTES // (4 * target.columns)))
        chunks = (*(1 for _ in leading), rows, target.columns)
        if self.is_store:
            self.file.create_array(
                name,
                shape=shape,
                chunks=chunks,
                dtype="float32",
                fill_value=float("nan"),
                dimension_names=dims,
                attributes=dict(attributes),
            )
            return
        with LOCK:
            for dim, length in zip(dims, shape, strict=True):
                if dim not in self.file.dimensions:
                    self.file.createDimension(dim, length)
            variable = self.file.createVariable(
                name,
                "f4",
                dims,
                compression="zlib",
                complevel=1,
                chunksizes=chunks,
                fill_value=np.float32(np.nan),
            )
            variable.setncatts(dict(attributes))

    def put(self, name: str, place: Sequence[int], field: Field) -> None:
        """Write one field.

        Args:
            name: Name of the variable.
            place: Position along the leading dimensions.
            field: ``target.shape``.
        """
        values = np.asarray(field, dtype=np.float32)
        if self.is_store:
            self.file[name][(*place, slice(None), slice(None))] = values
            return
        with LOCK:
            self.file[name][(*place, slice(None), slice(None))] = values

    def _drop(self) -> None:
        if self.part.is_dir():
            shutil.rmtree(self.part)
        self.part.unlink(missing_ok=True)


def axes(target: Grid) -> dict[str, Any]:
    """Coordinates of the target."""
    return {
        "latitude": (
            "latitude",
            target.latitude,
            {"units": "degrees_north", "standard_name": "latitude"},
        ),
        "longitude": (
            "longitude",
            target.longitude,
            {"units": "degrees_east", "standard_name": "longitude"},
        ),
    }
