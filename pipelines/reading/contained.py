"""Read files here, or by a helper process where a process before this one ended on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aurora_prep.pipelines.reading import apart, readers
from aurora_prep.pipelines.reading.fields import GribField, NetcdfField, StoredField, ZarrField
from aurora_prep.pipelines.reading.file_index import Contents, FileContents, dump, load
from aurora_prep.pipelines.reading.suspects import SCAN, refused, watching


def index(path: Path, kind: str) -> FileContents:
    """The fields of a file of a known format.

    Raises:
        DecodeError: The file is damaged, or ends the decoder.
    """
    watch, file = watching(str(path)), str(path)
    if watch is None:
        return readers.index(path, kind)
    suspect = watch.suspect(file, SCAN)
    if suspect is None:
        with watch.reading(file, SCAN):
            return readers.index(path, kind)
    if suspect.why:
        raise refused(file, SCAN, suspect.why)
    try:
        found = load(apart.scan(file, kind), file)
    except apart.EndedError as error:
        watch.convict(file, SCAN, str(error))
        raise refused(file, SCAN, str(error)) from error
    watch.acquit(file, SCAN)
    return found


def read(field: StoredField) -> NDArray[np.float32]:
    """One field.

    Raises:
        DecodeError: The field cannot be read, or ends the decoder.
        FetchError: It is in a Zarr store that has not got it, or does not answer.
    """
    watch = watching(field.file)
    if watch is None or isinstance(field, ZarrField):
        return readers.read(field)
    place = _place(field)
    suspect = watch.suspect(field.file, place)
    if suspect is None:
        with watch.reading(field.file, place):
            return readers.read(field)
    if suspect.why:
        raise refused(field.file, place, suspect.why)
    try:
        values = apart.read(_note(field), field.file)
    except apart.EndedError as error:
        watch.convict(field.file, place, str(error))
        raise refused(field.file, place, str(error)) from error
    watch.acquit(field.file, place)
    return values


def _place(field: GribField | NetcdfField) -> str:
    """Where a field lies in its file, in words."""
    if isinstance(field, GribField):
        return f"{field.name} at byte {field.ranges[-2] if len(field.ranges) > 1 else 0}"
    return f"{field.variable} at {list(field.index)}"


def _note(field: GribField | NetcdfField) -> str:
    """The note of a file's contents that holds one field alone."""
    if isinstance(field, GribField):
        return dump(Contents(field.file, "grib", (field,), ()))
    return dump(Contents(field.file, "netcdf", (field,), ()))
