"""Answers on disk: one file for each distinct request, whole before it is named."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from aurora_prep.providers.embedded import grib
from aurora_prep.providers.embedded.apart import write_apart
from aurora_prep.providers.embedded.netcdf import Older, members
from aurora_prep.providers.embedded.selection import Field, Selection
from aurora_prep.sources.spec import digest_of

# Faults that change the file; the others concern how it is handed over.
FLAWS = (
    "corrupt_message",
    "duplicate_message",
    "expver_dimension",
    "missing_message",
    "scaled_integers",
    "shuffled_messages",
    "truncated",
    "wrong_checksum",
    "zip_for_netcdf",
)
MEDIA = {
    ".grib": "application/x-grib",
    ".nc": "application/x-netcdf",
    ".zip": "application/zip",
}
# The end mark of a message and a little of what stands before it.
DAMAGED = 16
# The oldest date a ZIP can hold: the clock must not reach the bytes.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file to download.

    Attributes:
        path: Where it is.
        size: Bytes.
        checksum: MD5 in hexadecimal, as the store gives it.
        media: Its media type.
    """

    path: Path
    size: int
    checksum: str
    media: str


@dataclass(frozen=True, slots=True)
class Virtual:
    """A file to download that is made as it is read.

    Attributes:
        size: Bytes.
        checksum: Something that no other file has.
        media: Its media type.
        read: Gives the bytes from the first to before the last.
    """

    size: int
    checksum: str
    media: str
    read: Callable[[int, int], bytes]


def suits(flaw: str, selection: Selection) -> bool:
    """Whether a flaw can show in an answer to this request."""
    if flaw.endswith(("_message", "_messages")):
        return selection.data_format == "grib"
    if flaw == "expver_dimension":
        by_reference = any(wanted.dialect.by_reference for wanted in selection.wanted)
        return selection.data_format == "netcdf" and not by_reference
    if flaw in ("scaled_integers", "zip_for_netcdf"):
        return selection.data_format == "netcdf"
    return True


def produce(
    selection: Selection, flaws: Collection[str], folder: Path, stop: threading.Event
) -> Asset:
    """Make the answer to a request; the same request gives the same bytes.

    Args:
        selection: What the request selects.
        flaws: Names among ``FLAWS`` that the file is to have.
        folder: Where the file goes.
        stop: Set it to give up.

    Raises:
        InterruptedError: ``stop`` was set.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as name:
        room = Path(name)
        if selection.data_format == "grib":
            files = [_grib(selection, flaws, room / "data.grib", stop)]
        else:
            files = _netcdf(selection, flaws, room)
        path = files[0]
        if selection.zipped or len(files) > 1 or "zip_for_netcdf" in flaws:
            path = _zipped(files, room / "all.zip")
        if "truncated" in flaws and selection.data_format == "netcdf":
            os.truncate(path, path.stat().st_size * 3 // 4)
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "md5").hexdigest()
        if "wrong_checksum" in flaws:
            _flip(path, path.stat().st_size // 2)
        final = folder / f"{_digest(selection, flaws)}{path.suffix}"
        path.replace(final)
    return Asset(final, final.stat().st_size, checksum, MEDIA[final.suffix])


def _grib(selection: Selection, flaws: Collection[str], path: Path, stop: threading.Event) -> Path:
    fields: Sequence[Field] = tuple(selection.fields())
    middle = len(fields) // 2
    if "missing_message" in flaws:
        fields = (*fields[:middle], *fields[middle + 1 :])
    if "duplicate_message" in flaws:
        fields = (*fields[: middle + 1], *fields[middle:])
    if "shuffled_messages" in flaws:
        fields = (*fields[1::2], *fields[::2])
    ends = grib.write(selection, fields, path, stop)
    if "corrupt_message" in flaws:
        with path.open("r+b") as file:
            file.seek(ends[middle] - DAMAGED)
            file.write(bytes(DAMAGED))
    if "truncated" in flaws:
        os.truncate(path, sum([0, *ends][-2:]) // 2)
    return path


def _netcdf(selection: Selection, flaws: Collection[str], room: Path) -> list[Path]:
    older = Older("expver_dimension" in flaws, "scaled_integers" in flaws)
    files = []
    for name, wanted in members(selection).items():
        files.append(room / name)
        write_apart(selection, wanted, files[-1], older)
    return files


def _zipped(files: Sequence[Path], path: Path) -> Path:
    """One ZIP of the files, stored as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name, ZIP_DATE)
            with file.open("rb") as whole, archive.open(entry, "w", force_zip64=True) as part:
                shutil.copyfileobj(whole, part, 1 << 20)
    return path


def _flip(path: Path, offset: int) -> None:
    """Turn the bits of one byte round."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0xFF]))


def _digest(selection: Selection, flaws: Collection[str]) -> str:
    wanted = selection.wanted
    return digest_of(
        [
            selection.dataset,
            [w.native.variable.path for w in wanted],
            list(selection.levels),
            [moment.isoformat() for moment in selection.times],
            [lead.total_seconds() for lead in selection.lead_times],
            [str(w.points) for w in wanted],
            [sorted(w.dialect.labels) for w in wanted],
            [selection.data_format, selection.zipped, selection.edition],
            selection.preliminary_from.isoformat(),
            sorted(flaws),
        ]
    )[:32]
