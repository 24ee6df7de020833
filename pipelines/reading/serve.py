"""The process that reads suspect files for another one: run as a module, imported by none."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from aurora_prep.pipelines.reading import file_index, readers
from aurora_prep.pipelines.reading.apart import LENGTH
from aurora_prep.sources.spec import DecodeError


def serve() -> None:
    """Read what is asked on the standard input, until it ends."""
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print to it
    while head := sys.stdin.buffer.read(LENGTH.size):
        request = json.loads(sys.stdin.buffer.read(*LENGTH.unpack(head)))
        try:
            answer, body = _answer(request)
        except DecodeError as error:
            answer, body = {"error": list(error.args)}, b""
        data = json.dumps({**answer, "bytes": len(body)}).encode()
        whole = memoryview(LENGTH.pack(len(data)) + data + body)
        while whole:
            whole = whole[os.write(out, whole) :]


def _answer(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    if "scan" in request:
        contents = readers.FILES[request["kind"]].index(Path(request["scan"]))
        return {"contents": file_index.dump(contents)}, b""
    (field,) = file_index.load(request["read"], request["path"]).fields
    values = readers.read(field)
    return {"shape": list(values.shape)}, np.ascontiguousarray(values).tobytes()


if __name__ == "__main__":
    serve()
