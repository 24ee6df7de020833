"""The two checksums of Cloud Storage."""

from __future__ import annotations

import hashlib
from pathlib import Path

import google_crc32c

BLOCK = 1 << 20


def checksums_of(path: Path) -> tuple[bytes, int]:
    """MD5, 16 bytes, and CRC-32C of a file."""
    md5, crc32c = hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            md5.update(block)
            crc32c = int(google_crc32c.extend(crc32c, block))
    return md5.digest(), crc32c
