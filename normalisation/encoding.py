"""Canonical bytes: equal values have equal bytes, on every machine and version.

Whole numbers are written in base 128, low digits first, the top bit of a byte
saying that more follow. Integers of any size drop their trailing zero bits, which
exact sums have many of. No compressor is used: their output differs by version.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from aurora_prep.sources.spec import StatisticsError

CHECKSUM_BYTES = 4
MORE = 0x80
"""Flag of a byte that is not the last of its number."""


class Writer:
    """Appends values to a growing byte string."""

    def __init__(self, header: bytes) -> None:
        self._parts = bytearray(header)

    def whole(self, value: int) -> None:
        """A whole number from 0 on, small ones in one byte."""
        while value >= MORE:
            self._parts.append(value % MORE | MORE)
            value >>= 7
        self._parts.append(value)

    def integer(self, value: int) -> None:
        """An integer of any size and sign."""
        size = abs(value)
        zeros = (size & -size).bit_length() - 1 if size else 0
        digits = (size >> zeros).to_bytes(((size >> zeros).bit_length() + 7) // 8, "little")
        self.whole(2 * len(digits) + (value < 0))
        if size:
            self.whole(zeros)
        self._parts += digits

    def float32(self, value: float) -> None:
        """A float32, bit for bit."""
        self._parts += struct.pack("<f", value)

    def text(self, value: str) -> None:
        """Text in UTF-8."""
        encoded = value.encode()
        self.whole(len(encoded))
        self._parts += encoded

    def counts(self, values: NDArray[np.int64]) -> None:
        """Whole numbers, their number first."""
        self.whole(values.size)
        for value in values.tolist():
            self.whole(value)

    def finish(self) -> bytes:
        """Everything written, and its CRC-32."""
        return bytes(self._parts) + zlib.crc32(self._parts).to_bytes(CHECKSUM_BYTES, "little")


class Reader:
    """Reads back what a ``Writer`` wrote.

    Raises:
        StatisticsError: From the constructor, when the bytes are not those of a
            ``Writer`` with this header, or have been damaged.
    """

    def __init__(self, data: bytes, header: bytes) -> None:
        body, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
        if not data.startswith(header) or zlib.crc32(body).to_bytes(4, "little") != checksum:
            raise StatisticsError(
                "statistics partials are damaged, or of another version",
                "ShardStatistics.from_bytes",
                f"{len(data)} bytes that start with {data[: len(header)]!r}, expected {header!r}",
                "compute them again from the shards: aurora-prep statistics DATASET --recompute",
            )
        self._data, self._at = body, len(header)

    def whole(self) -> int:
        """A whole number from 0 on."""
        value, shift = 0, 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= byte % MORE << shift
            shift += 7
            if byte < MORE:
                return value

    def integer(self) -> int:
        """An integer of any size and sign."""
        length, negative = divmod(self.whole(), 2)
        zeros = self.whole() if length else 0
        size = int.from_bytes(self._take(length), "little") << zeros
        return -size if negative else size

    def float32(self) -> float:
        """A float32."""
        return float(struct.unpack("<f", self._take(4))[0])

    def text(self) -> str:
        """Text in UTF-8."""
        return self._take(self.whole()).decode()

    def counts(self) -> NDArray[np.int64]:
        """Whole numbers, shape ``(size,)``."""
        return np.array([self.whole() for _ in range(self.whole())], dtype=np.int64)

    def _take(self, length: int) -> bytes:
        self._at += length
        return self._data[self._at - length : self._at]
