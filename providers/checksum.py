"""The checksum a store states, and what it can be."""

from __future__ import annotations

import hashlib
from pathlib import Path

MIB = 1 << 20
PART_SIZES = tuple(size * MIB for size in (5, 8, 16, 32, 50, 64, 100))


def md5_of(path: Path) -> str:
    """MD5 of a file, hexadecimal; for comparison, not for security."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def agrees(path: Path, md5: str, stated: str) -> bool:
    """Whether the store's checksum confirms a file.

    The store keeps answers as objects and states their tag as a number in
    hexadecimal, so leading zeros are lost. The tag is the MD5 of the file, or,
    for a file sent up in parts, the MD5 of the parts' MD5s.
    """
    try:
        wanted = int(stated, 16)
    except ValueError:
        return False
    if wanted == int(md5, 16):
        return True
    size = path.stat().st_size
    return any(wanted == int(_tag(path, part), 16) for part in PART_SIZES if part < size)


def _tag(path: Path, part: int) -> str:
    """MD5 of the MD5s of the parts of a file."""
    whole = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(part):
            whole.update(hashlib.md5(piece, usedforsecurity=False).digest())
    return whole.hexdigest()
