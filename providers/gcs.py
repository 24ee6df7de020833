"""Cloud Storage by gcsfs, with answers that are checked.

Importing :mod:`aurora_prep.providers.remote` makes this the client of ``gs://``
in the process, for Zarr and xarray too. Two things differ from the default of
gcsfs, which

- asks for the type of each bucket over gRPC, to serve zonal buckets. Where that
  question is not answered (an emulator, a public bucket without credentials)
  every operation waits for it, up to half a minute. Set
  ``GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT`` to have the default class all the same;
- returns what it got of a read. A proxy or a connection in trouble may send
  less than was asked for and say so, which passes as a whole answer.

gcsfs itself repeats a call up to five times, after 1 to 17 seconds, for the
statuses 408, 429 and 500 to 504, refused and broken connections and bodies
that end before their announced length.
"""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import os
import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import google_crc32c

with warnings.catch_warnings():
    # Google's libraries announce the end of a Python version a year ahead.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")
    from gcsfs.core import GCSFileSystem

from aurora_prep.providers.retry import Policy

LOGGER = logging.getLogger(__name__)

POLICY = Policy(attempts=5, first_wait_seconds=0.5, longest_wait_seconds=16.0)
CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
ASKED = re.compile(r"bytes=(\d*)-(\d*)")
CRC32C_BYTES = 4
LARGE = 1 << 19
CLOSING_SECONDS = 2.0


CLOSING: set[asyncio.Task[None]] = set()  # a task that nobody holds may vanish


class ShortReadError(OSError):
    """An answer that is not all that was asked for, or not what is stored."""


class _Body(io.BytesIO):
    """The body of a call, which is sent again when the call is repeated."""

    def close(self) -> None:
        """Go back to the beginning instead."""
        self.seek(0)


class CheckedGcs(GCSFileSystem):  # type: ignore[misc]  # untyped
    """gcsfs for every bucket but zonal ones; reads are compared with what was asked for.

    Credentials are found as gcsfs finds them: application default credentials,
    then those of the machine, then none, which does for public buckets. An
    emulator needs none, so none are looked for.
    """

    def __init__(self, *args: Any, token: Any = None, **kwargs: Any) -> None:
        emulated = bool(os.environ.get("STORAGE_EMULATOR_HOST"))
        super().__init__(*args, token="anon" if emulated and token is None else token, **kwargs)

    @staticmethod
    def close_session(loop: Any, session: Any, asynchronous: bool = False) -> None:  # noqa: ARG004, FBT001, FBT002  # the base class's
        """End the connections in the loop they belong to, which for Zarr's is not fsspec's."""
        owner = getattr(session, "_loop", None)
        if session is None or session.closed or owner is None or not owner.is_running():
            return
        try:
            inside = asyncio.get_running_loop() is owner
        except RuntimeError:
            inside = False
        if inside:
            CLOSING.add(task := owner.create_task(session.close()))
            task.add_done_callback(CLOSING.discard)
            return
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(session.close(), owner).result(CLOSING_SECONDS)

    async def _call(
        self,
        method: str,
        path: str,
        *args: Any,
        json_out: bool = False,
        info_out: bool = False,
        **kwargs: Any,
    ) -> Any:
        """As in the base class, once more for what it does not repeat."""
        data = kwargs.get("data")
        if isinstance(data, (bytes, bytearray, memoryview)) and len(data) > LARGE:
            kwargs["data"] = _Body(data)  # sent in pieces: other calls go on meanwhile
        failures = 0
        while True:
            try:
                answer = await super()._call(
                    method, path, *args, json_out=json_out, info_out=info_out, **kwargs
                )
                if method == "GET" and "alt=media" in path and not info_out:
                    headers, content = answer
                    check_read((kwargs.get("headers") or {}).get("Range"), headers, content)
            except (TimeoutError, ShortReadError) as error:
                failures += 1
                if failures == POLICY.attempts:
                    raise
                LOGGER.info("%s %s: %s, again", method, path, str(error) or "no answer in time")
                await asyncio.sleep(POLICY.wait(failures))
            else:
                return answer


def check_read(asked: str | None, headers: Mapping[str, str], content: bytes) -> None:
    """Compare the answer to a read with what was asked for and what is stored.

    Args:
        asked: The ``Range`` header of the call.
        headers: Headers of the answer.
        content: Body of the answer.

    Raises:
        ShortReadError: Bytes lack, or are others than those stored.
    """
    if "Content-Encoding" in headers:
        return  # decoded on the way: lengths and checksums are those of other bytes
    partial = CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if partial is None:
        stored = headers.get("X-Goog-Stored-Content-Length")
        if stored is not None and int(stored) != len(content):
            raise ShortReadError(f"{len(content)} bytes of {stored}")
        wanted = _crc32c(headers)
        if wanted is not None and google_crc32c.value(content) != wanted:
            raise ShortReadError("the CRC-32C differs from that of the object")
        return
    match = ASKED.fullmatch(asked or "")
    if match is None:
        return
    total = int(partial[3])
    if match[1]:
        start = int(match[1])
        stop = min(int(match[2]) + 1, total) if match[2] else total
    else:
        start, stop = max(total - int(match[2] or 0), 0), total
    if len(content) != stop - start:
        raise ShortReadError(f"{len(content)} bytes of {stop - start}")


def _crc32c(headers: Mapping[str, str]) -> int | None:
    for part in headers.get("X-Goog-Hash", "").split(","):
        name, _, value = part.strip().partition("=")
        if name == "crc32c":
            return int.from_bytes(base64.b64decode(value)[:CRC32C_BYTES], "big")
    return None
