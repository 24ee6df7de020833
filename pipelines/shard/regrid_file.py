"""Regrid a whole file: GRIB or NetCDF in, NetCDF or Zarr out, one field at a time."""

from __future__ import annotations

import os
from pathlib import Path

from aurora_prep.pipelines.reading.file_index import sniff
from aurora_prep.pipelines.shard.groups import VECTORS
from aurora_prep.pipelines.shard.regrid_grib import regrid_grib
from aurora_prep.pipelines.shard.regrid_job import RegridJob
from aurora_prep.pipelines.shard.regrid_netcdf import regrid_netcdf
from aurora_prep.pipelines.shard.regrid_output import check_output
from aurora_prep.sources.spec import Grid, RegridError, WriteError


def regrid_file(
    input: str | os.PathLike[str],  # noqa: A002  # the command's word
    output: str | os.PathLike[str],
    grid: str,
    method: str = "auto",
    *,
    valid_fraction: float = 0.5,
    cache: Path | None = None,
    winds: str = VECTORS,
) -> None:
    """Move every field of a file to a global regular grid.

    Winds that come in pairs are moved as vectors, and turned to east and north where the
    file has them along the axes of a projected grid; directions are moved as unit vectors,
    those of waves by height; soil types and other categories by majority. A run moves
    fields by the same functions, and so to the same bytes.

    Fields are read, moved and written one group at a time: memory is a few fields of the
    source and of the target, and the weights, however many fields there are.

    Args:
        input: GRIB or NetCDF file.
        output: NetCDF file, or a Zarr store if the name ends in ``.zarr``;
            replaced if it is there.
        grid: Step in degrees, for example ``"0.25"``.
        method: One of ``regridding.METHODS``.
        valid_fraction: A target cell is missing when less than this part of it
            holds valid values.
        cache: Folder for weights.
        winds: ``vectors``, or ``components`` to move each component by itself.

    Raises:
        RegridError: The file has no fields on a grid, they cannot be moved so, or the
            output would be of another kind or replace the input.
        DecodeError: The file is damaged.
        SpecError: ``grid`` is not the step of a global grid.
        WriteError: The output cannot be written.
    """
    path, target = Path(input), Path(output)
    if not path.is_file():
        raise RegridError("there is no such file", "regrid", str(path), "check the path")
    job = RegridJob(Grid.regular(grid), method, valid_fraction, cache, winds)
    kind = sniff(path)
    check_output(target, path)
    history = f"aurora-prep regrid {path.name} --grid {grid} --method {method}"
    move = regrid_grib if kind == "grib" else regrid_netcdf
    try:
        move(path, target, job, history)
    except MemoryError as error:
        field = job.target.rows * job.target.columns * 4 / 1e6
        raise RegridError(
            "there is not enough memory",
            str(path),
            f"{error}; a field of grid {grid} takes {field:.0f} MB",
            "take a coarser grid, or a machine with more memory",
        ) from error
    except OSError as error:
        raise WriteError(
            "the output cannot be written",
            str(target),
            error.strerror or str(error),
            "check the folder and the room on its disk",
        ) from error
