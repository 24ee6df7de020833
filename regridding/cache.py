"""Weights on disk: named by the digests of both grids, checked, rebuilt when damaged."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aurora_prep.regridding.operators import Nearest, Operator, Reorder, Sparse
from aurora_prep.regridding.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS: dict[str, type[Operator]] = {
    kind.__name__: kind for kind in (Rows, Sparse, Nearest, Reorder)
}
MAGIC = b"AURORAWT"
ALIGN = 64  # bytes: arrays start on a cache line
CHECKSUM = hashlib.sha256().digest_size


def kept(folder: Path, digest: str, make: Callable[[], Operator]) -> Operator:
    """The weights named ``digest``: from the folder, or made and put there.

    A file that is damaged, cut short or of other weights is made anew. Several
    processes may do this at the same time: files appear whole.

    Args:
        folder: Where weights are kept; it is made if absent.
        digest: Name of the weights.
        make: Builds them.
    """
    path = folder / f"{digest}.weights"
    operator = load(path, digest)
    if operator is None:
        operator = make()
        if type(operator).__name__ in KINDS:
            save(path, digest, operator)
    return operator


def save(path: Path, digest: str, operator: Operator) -> None:
    """Write weights under another name and rename them."""
    state = operator.state()
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    table: dict[str, Any] = {
        "digest": digest,
        "kind": type(operator).__name__,
        "numbers": {name: value for name, value in state.items() if name not in arrays},
        "arrays": [
            [name, value.dtype.newbyteorder("<").str, list(value.shape)]
            for name, value in arrays.items()
        ],
    }
    text = json.dumps(table, sort_keys=True).encode()
    text += b" " * (-(len(MAGIC) + 8 + len(text)) % ALIGN)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    check = hashlib.sha256()
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces(text, arrays):
                check.update(piece)
                file.write(piece)
            file.write(check.digest())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def pieces(text: bytes, arrays: dict[str, np.ndarray]) -> list[bytes | memoryview]:
    """Parts of a file in order."""
    parts: list[bytes | memoryview] = [MAGIC, struct.pack("<Q", len(text)), text]
    for value in arrays.values():
        little = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        parts.append(little.reshape(-1).view(np.uint8).data)
        parts.append(bytes(-little.nbytes % ALIGN))
    return parts


def load(path: Path, digest: str) -> Operator | None:
    """Weights read back; ``None`` if the file is absent, damaged or of other weights."""
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except OSError:
        return None
    head = len(MAGIC) + 8
    body = content[:-CHECKSUM]
    if content.size < head + CHECKSUM or body[: len(MAGIC)].tobytes() != MAGIC:
        return None
    if hashlib.sha256(body.data).digest() != content[-CHECKSUM:].tobytes():
        return None
    (length,) = struct.unpack("<Q", body[len(MAGIC) : head].tobytes())
    table = json.loads(body[head : head + length].tobytes())
    if table["digest"] != digest or table["kind"] not in KINDS:
        return None
    state, place = dict(table["numbers"]), head + length
    for name, dtype, shape in table["arrays"]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        state[name] = body[place : place + size].view(dtype).reshape(shape)
        place += size + -size % ALIGN
    return KINDS[table["kind"]].restored(state)
