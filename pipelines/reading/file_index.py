"""What a raw file holds: every field, where it lies and what it says it is.

The contents of a file are found once, by reading headers only, and kept
beside the cache; a worker then reads just the fields of its shard.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from aurora_prep.pipelines.reading.fields import (
    PRESSURE,
    SURFACE,
    FieldRef,
    GribField,
    Headers,
    NetcdfField,
    ZarrField,
)
from aurora_prep.pipelines.reading.grid_description import GridDescription
from aurora_prep.pipelines.reading.suspects import watch
from aurora_prep.providers import marks
from aurora_prep.providers.formats import holds_grib
from aurora_prep.sources.spec import DecodeError, digest_of

__all__ = ["PRESSURE", "SURFACE", "Contents", "FieldRef", "contents_of", "sniff"]

FORMAT = 5  # raised when the form of the kept contents changes
MAGIC = {
    b"GRIB": "grib",
    b"\x89HDF": "netcdf",
    b"CDF\x01": "netcdf",
    b"CDF\x02": "netcdf",
    b"CDF\x05": "netcdf",
}
CLASSES: dict[str, type[GribField | NetcdfField]] = {"grib": GribField, "netcdf": NetcdfField}


FieldType_co = TypeVar("FieldType_co", GribField, NetcdfField, ZarrField, covariant=True)


@dataclass(frozen=True, slots=True)
class Contents(Generic[FieldType_co]):
    """All fields of a file.

    Attributes:
        file: The file's path.
        format: ``grib`` or ``netcdf``.
        fields: In the order of the file.
        grids: Description of each grid met.
        skipped: What the file holds that is no field on a horizontal grid.
        synthetic: Whether the embedded provider made any of it.
    """

    file: str
    format: str
    fields: tuple[FieldType_co, ...]
    grids: tuple[GridDescription, ...]
    skipped: tuple[str, ...] = ()
    synthetic: bool = False


FileContents = Contents[GribField] | Contents[NetcdfField]


def sniff(path: Path) -> str:
    """``grib`` or ``netcdf``, told by the first bytes.

    Raises:
        DecodeError: The file is empty, or neither of the two.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DecodeError("the file cannot be read", str(path), reason, "check it") from error
    kind = MAGIC.get(head[:4])
    if kind is None and holds_grib(path):
        kind = "grib"
    if kind is None:
        found = f"{head[:24]!r}" if head else "an empty file"
        is_zip = head.startswith(b"PK\x03\x04")
        raise DecodeError(
            "the file is neither GRIB nor NetCDF",
            str(path),
            f"a ZIP, {found}" if is_zip else found,
            "unpack it, and give a file that is in it" if is_zip else "download it again",
        )
    return kind


def contents_of(path: Path, kept: Path, scan: Callable[[Path, str], FileContents]) -> FileContents:
    """The contents of a file: remembered, read from ``kept``, or scanned and kept.

    Args:
        path: The raw file.
        kept: Folder in which contents are kept, keyed by path, size and time.
        scan: Finds the contents of ``(path, format)``.

    Raises:
        DecodeError: The file is damaged.
    """
    try:
        note = _note_of(path, kept)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DecodeError("the file cannot be read", str(path), reason, "check it") from error
    watch(str(path), kept)
    return _remembered(path, note, scan)


def forget_contents(path: Path, kept: Path) -> None:
    """Remove the note of a file's contents; the file must still be there."""
    with suppress(OSError):
        _note_of(path, kept).unlink(missing_ok=True)


def _note_of(path: Path, kept: Path) -> Path:
    state = path.stat()
    times = state.st_mtime_ns, state.st_ctime_ns
    name = digest_of([FORMAT, str(path.resolve()), state.st_size, *times])
    return kept / name[:2] / f"{name}.json"


@lru_cache(maxsize=64)
def _remembered(path: Path, note: Path, scan: Callable[[Path, str], FileContents]) -> FileContents:
    try:
        return load(note.read_text(encoding="utf-8"), str(path))
    except (OSError, ValueError, KeyError, TypeError):
        contents = replace(scan(path, sniff(path)), synthetic=marks.is_synthetic(path))
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=note.parent, delete=False, suffix=".tmp") as file:
            file.write(dump(contents))
        Path(file.name).replace(note)
    except OSError:
        return contents  # a note saves time, it is not needed
    return contents


def dump(contents: FileContents) -> str:
    """Contents as text, the form of the kept notes."""
    headers = {ref.headers: None for ref in contents.fields}
    numbers = {one: number for number, one in enumerate(headers)}
    names = _names(CLASSES[contents.format])
    plain = {
        "format": contents.format,
        "grids": [dict(grid) for grid in contents.grids],
        "skipped": contents.skipped,
        "synthetic": contents.synthetic,
        "headers": [asdict(one) for one in headers],
        "fields": [_row(ref, names, numbers[ref.headers]) for ref in contents.fields],
    }
    return json.dumps(plain)


def _row(ref: FieldRef, names: tuple[str, ...], headers: int) -> list[Any]:
    """The values of a field in the order of its class, but for the file."""
    row = [getattr(ref, name) for name in names]
    return [
        value.isoformat() if isinstance(value, datetime)
        else value.total_seconds() if isinstance(value, timedelta)
        else headers if isinstance(value, Headers)
        else value
        for value in row
    ]  # fmt: skip


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name != "file")


def load(text: str, file: str) -> FileContents:
    """Read a note; the file goes by the name it is asked for now, which may be another."""
    plain = json.loads(text)
    kind = CLASSES[plain["format"]]
    names = _names(kind)
    headers = [Headers(**one) for one in plain["headers"]]
    found: list[Any] = []
    for row in plain["fields"]:
        said = dict(zip(names, row, strict=True))
        said["init_time"] = datetime.fromisoformat(said["init_time"])
        said["lead_time"] = timedelta(seconds=said["lead_time"])
        said["headers"] = headers[said["headers"]]
        for name in ("ranges", "index", "axes"):
            if name in said:
                said[name] = tuple(said[name])
        found.append(kind(file=file, **said))
    grids = tuple(GridDescription(grid) for grid in plain["grids"])
    skipped, synthetic = tuple(plain["skipped"]), bool(plain["synthetic"])
    return Contents(file, plain["format"], tuple(found), grids, skipped, synthetic)
