"""Part of a Blosc buffer, without the rest of it.

A Blosc buffer is a header of 16 bytes, the start of each block as 4 bytes, and
the blocks, which are decoded independently. The blocks that hold some bytes are
found from the front of the buffer alone; with a header and starts of their own
they are a Blosc buffer too.

Source: c-blosc, README_CHUNK_FORMAT.rst (format version 2).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numcodecs import Blosc
from numpy.typing import NDArray

from aurora_prep.sources.spec import DecodeError

HEADER = struct.Struct("<BBBBIII")
START = np.dtype("<i4")
VERSION = 2
IS_COPY = 0x02  # the blocks are not compressed, and there are no starts

Span = tuple[int, int]


@dataclass(frozen=True)
class Frame:
    """What the front of a Blosc buffer says of the rest.

    Attributes:
        kind: The first four bytes: versions, flags and size of an element.
        size: Bytes once decoded.
        block: Bytes of a decoded block; the last one may be shorter.
        length: Bytes of the whole buffer.
        starts: Where each block begins.
    """

    kind: bytes
    size: int
    block: int
    length: int
    starts: NDArray[np.int64]

    @staticmethod
    def front(head: bytes, where: str) -> int | None:
        """Bytes of header and starts; ``None`` where the buffer can only be read whole.

        Raises:
            DecodeError: These are not the first bytes of a Blosc buffer.
        """
        if len(head) < HEADER.size:
            raise _damaged(where, f"{len(head)} bytes")
        version, _, flags, _, size, block, length = map(int, HEADER.unpack_from(head))
        if version != VERSION or flags & IS_COPY or block == 0:
            return None
        front = HEADER.size + -(-size // block) * START.itemsize
        if front > length:
            raise _damaged(where, f"{length} bytes, of which {front} say where the others are")
        return front

    @classmethod
    def parse(cls, front: bytes, where: str) -> Frame:
        """Read header and starts.

        Raises:
            DecodeError: They contradict each other.
        """
        *_, size, block, length = HEADER.unpack_from(front)
        starts = np.frombuffer(front, START, offset=HEADER.size).astype(np.int64)
        if starts.size != -(-size // block) or starts.min() < len(front) or starts.max() >= length:
            raise _damaged(where, f"{starts.size} blocks, at {starts[:4].tolist()} of {length}")
        return cls(front[:4], size, block, length, starts)

    def blocks(self, start: int, stop: int) -> range:
        """The blocks that hold decoded bytes ``start`` to ``stop``."""
        first, last = start // self.block, -(-stop // self.block)
        # A short block alone would be taken for a whole one.
        is_short = self.size % self.block and first == self.starts.size - 1
        return range(first - 1 if is_short and first else first, last)

    def spans(self, blocks: Sequence[int]) -> dict[int, Span]:
        """Where each of some blocks lies in the buffer; they may lie in any order."""
        ordered = np.append(np.sort(self.starts), self.length)
        ends = ordered[np.searchsorted(ordered, self.starts[list(blocks)], side="right")]
        return {
            block: (int(self.starts[block]), int(end))
            for block, end in zip(blocks, ends, strict=True)
        }

    def decode(self, blocks: range, contents: Mapping[int, bytes], where: str) -> bytes:
        """Decode consecutive blocks.

        Args:
            blocks: As :meth:`blocks` gives them.
            contents: The encoded bytes of each.
            where: The place to name in errors.

        Raises:
            DecodeError: They are damaged.
        """
        parts = [contents[block] for block in blocks]
        ends = np.cumsum([HEADER.size + len(blocks) * START.itemsize, *map(len, parts)])
        size = min(blocks.stop * self.block, self.size) - blocks.start * self.block
        head = self.kind + struct.pack("<III", size, self.block, int(ends[-1]))
        try:
            return bytes(
                Blosc().decode(b"".join([head, ends[:-1].astype(START).tobytes(), *parts]))
            )
        except (RuntimeError, ValueError) as error:
            raise _damaged(where, f"blocks {blocks.start} to {blocks.stop - 1}: {error}") from error


def joined(spans: Sequence[Span], gap: int) -> list[Span]:
    """Spans in order, those at most ``gap`` bytes apart made one."""
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start - merged[-1][1] <= gap:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def _damaged(where: str, found: str) -> DecodeError:
    return DecodeError(
        "a chunk of the Zarr store is damaged",
        where,
        found,
        "tell the store's owner; leave the frame out meanwhile",
    )
