"""Counting GRIB messages by their heads, without decoding any.

Source: WMO Manual on Codes, section 0 of GRIB editions 1 and 2; for messages of edition 1
above 8 or 16 MiB, ECMWF's extension, by which the length counts 120 bytes where the length of
the data section is below 120.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

BEGIN = b"GRIB"
HEAD = 16
LARGE, UNIT = 1 << 23, 120
FIRST_EDITION = 1
SECTION_1, FLAGS = 8, 7
GRID_FLAG, BITMAP_FLAG = 128, 64


def message_count(path: Path) -> int:
    """Messages of a file; bytes that belong to none are passed over.

    A message that the file ends in the middle of is counted: whether messages are whole is
    for who decodes them.
    """
    found = 0
    size = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        while position < size:
            file.seek(position)
            head = file.read(HEAD)
            start = head.find(BEGIN)
            if start != 0:
                position += start if start > 0 else max(1, len(head) - len(BEGIN) + 1)
                continue
            found += 1
            position += max(_length(file, position, head), len(BEGIN))
    return found


def _length(file: BinaryIO, position: int, head: bytes) -> int:
    """Length of the message that begins at a position."""
    if len(head) < HEAD:
        return len(head)
    if head[7] != FIRST_EDITION:
        return int.from_bytes(head[8:16], "big")
    length = int.from_bytes(head[4:7], "big")
    if length < LARGE:
        return length
    place = position + SECTION_1
    flags = _at(file, place + FLAGS, 1)
    place += _at(file, place)
    for flag in (GRID_FLAG, BITMAP_FLAG):
        place += _at(file, place) if flags & flag else 0
    rest = _at(file, place)
    # Only where the data section gives no length that could be one does the head count units.
    return (length - LARGE) * UNIT - rest + 4 if rest < UNIT else length


def _at(file: BinaryIO, position: int, size: int = 3) -> int:
    """A whole number of the file."""
    file.seek(position)
    return int.from_bytes(file.read(size), "big")
