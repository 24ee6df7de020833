"""A process that reads suspect files, so that a decoder that crashes ends only that process.

It is kept for as long as its owner lives, and begun again when it ended.
Requests and answers are lengths of four bytes and JSON; a field follows its
answer as float32 in the machine's order.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from aurora_prep.sources.spec import DecodeError

PATIENCE = 120.0  # seconds for one field or one file
LENGTH = struct.Struct(">I")
SERVANT = "aurora_prep.pipelines.reading.serve"


class EndedError(Exception):
    """The process ended, or did not answer: ``args[0]`` says how, in words."""


class Helper:
    """A process that reads for this one; safe to use from several threads."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Have something read.

        Returns:
            The answer, and the bytes of the field that it tells of.

        Raises:
            EndedError: The process ended, or did not answer in time.
            DecodeError: The file is damaged, and the decoder said so.
        """
        with self._lock:
            process = self._process or self._begin()
            data = json.dumps(request).encode()
            deadline = time.monotonic() + self._patience
            try:
                asked = cast("IO[bytes]", process.stdin)
                asked.write(LENGTH.pack(len(data)) + data)
                asked.flush()
                answer = json.loads(self._message(process, deadline))
                body = self._exactly(process, int(answer.get("bytes", 0)), deadline)
            except TimeoutError as error:  # an OSError too, so it comes first
                self._end(process)
                raise EndedError(f"no answer after {self._patience:.0f} s") from error
            except (OSError, ValueError, EOFError) as error:
                raise EndedError(self._ended(process)) from error
        if "error" in answer:
            raise DecodeError(*answer["error"])
        return answer, body

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._process is not None:
                self._end(self._process)

    def _begin(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", SERVANT]
        self._process = subprocess.Popen(  # noqa: S603  our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        return self._process

    def _message(self, process: subprocess.Popen[bytes], deadline: float) -> bytes:
        (size,) = LENGTH.unpack(self._exactly(process, LENGTH.size, deadline))
        return self._exactly(process, size, deadline)

    def _exactly(self, process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
        """So many bytes of the answer.

        Raises:
            EOFError: The process ended.
            TimeoutError: It is too late.
        """
        file, left = cast("IO[bytes]", process.stdout).fileno(), size
        parts: list[bytes] = []
        while left:
            waiting = max(0.0, deadline - time.monotonic())
            if not select.select([file], [], [], waiting)[0]:
                raise TimeoutError
            data = os.read(file, min(left, 2**20))
            if not data:
                raise EOFError
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def _ended(self, process: subprocess.Popen[bytes]) -> str:
        code = self._end(process)
        if code < 0:
            return f"the decoder crashed with {signal.Signals(-code).name}"
        return f"the decoder ended with exit code {code}"

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        self._process = None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # it is gone already
        try:
            return process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


HELPER = Helper()
atexit.register(HELPER.close)


def scan(path: str, kind: str) -> str:
    """The contents of a file as a note keeps them, found apart.

    Raises:
        EndedError: The decoder crashed or did not end.
        DecodeError: The file is damaged.
    """
    answer, _ = HELPER.ask({"scan": path, "kind": kind})
    return str(answer["contents"])


def read(note: str, path: str) -> NDArray[np.float32]:
    """A field, of which ``note`` is the note of its file's contents with it alone, read apart.

    Raises:
        EndedError: The decoder crashed or did not end.
        DecodeError: The field cannot be read.
    """
    answer, body = HELPER.ask({"read": note, "path": path})
    return np.frombuffer(body, np.float32).reshape(answer["shape"]).copy()
