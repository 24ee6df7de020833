"""Files at any URL fsspec knows: the right client, patience, whole reads.

Writing relies on what object stores promise, and on no more: an object appears
whole when its upload ends, or not at all. Nothing is ever renamed.
"""

from __future__ import annotations

import base64
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import fsspec
import google_crc32c
import requests
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from aurora_prep.providers.retry import Policy
from aurora_prep.providers.trouble import TRANSIENT_STATUS

LOGGER = logging.getLogger(__name__)

CLIENT = "aurora_prep.providers.gcs.CheckedGcs"
PROTOCOLS = ("gs", "gcs")
DEFAULT_CLASS = "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"
POLICY = Policy(attempts=4, first_wait_seconds=1.0, longest_wait_seconds=20.0)
PIECE = 16 << 20
AT_ONCE = 4
GLOB = frozenset("*?[")
PASSING_MODULE = "aiohttp."  # its errors come from the network
PASSING_NAMES = frozenset({"ChecksumError", "RefreshError", "ShortReadError", "TransportError"})

Result = TypeVar("Result")

if DEFAULT_CLASS not in os.environ:
    for protocol in PROTOCOLS:
        fsspec.register_implementation(protocol, CLIENT, clobber=True)


@dataclass(frozen=True, slots=True)
class Found:
    """A file somewhere.

    Attributes:
        url: Where it is.
        bytes: Its size.
        tag: What changes when its content does: a checksum where the store knows one.
    """

    url: str
    bytes: int
    tag: str


def filesystem(url: str | os.PathLike[str]) -> tuple[Any, str]:
    """The fsspec client for a URL, and the path it knows the file by.

    A path without a scheme is a file of this machine, whatever signs its name holds.
    Clients of Cloud Storage keep no listings: other machines write there too.
    """
    url = os.fspath(url)
    if "://" not in url:
        return LocalFileSystem(), os.path.abspath(url)  # noqa: PTH100  # keeps links
    scheme = url.partition("://")[0]
    options = {"use_listings_cache": False} if scheme in PROTOCOLS else {}
    files, path = url_to_fs(url, **options)
    return files, str(path)


def is_remote(url: str) -> bool:
    """Whether a URL names anything but a file of this machine."""
    scheme, found, _ = url.partition("://")
    return bool(found) and scheme not in ("file", "local")


def patiently(work: Callable[[], Result], *, policy: Policy = POLICY) -> Result:
    """Do something, again after a while when the network is to blame.

    Args:
        work: What to do; it must be safe to do twice.
        policy: How often, and with what waits.
    """
    for failures in range(1, policy.attempts):
        try:
            return work()
        except Exception as error:
            if not is_transient(error):
                raise
            LOGGER.info("%s: %s, again", type(error).__name__, error)
            time.sleep(policy.wait(failures))
    return work()


def is_transient(error: BaseException) -> bool:
    """Whether the same call may work a little later."""
    if isinstance(error, (TimeoutError, ConnectionError, requests.ConnectionError)):
        return True
    kind = type(error)
    if kind.__name__ in PASSING_NAMES or f"{kind.__module__}.".startswith(PASSING_MODULE):
        return True
    status = getattr(error, "code", getattr(error, "status", None))
    return str(status).isdecimal() and int(str(status)) in TRANSIENT_STATUS


def read(url: str) -> bytes:
    """The whole content of a file."""
    files, path = filesystem(url)
    return patiently(lambda: bytes(files.cat_file(path)))


def pieces(url: str, size: int = PIECE) -> Iterator[bytes]:
    """The content of a file in pieces of ``size`` bytes, a few on their way at once.

    Raises:
        OSError: The file is another one at the end than at the beginning.
    """
    files, path = filesystem(url)
    info = patiently(lambda: files.info(path))
    total, crc = int(info["size"]), 0
    for start in range(0, total, size * AT_ONCE):
        starts = list(range(start, min(start + size * AT_ONCE, total), size))
        stops = [min(first + size, total) for first in starts]

        def together(starts: list[int] = starts, stops: list[int] = stops) -> list[bytes]:
            found = files.cat_ranges([path] * len(starts), starts, stops, on_error="raise")
            return [_of_length(b, n - a) for b, a, n in zip(found, starts, stops, strict=True)]

        for piece in patiently(together):
            crc = int(google_crc32c.extend(crc, piece))
            yield piece
    stated = info.get("crc32c")
    if isinstance(stated, str) and base64.b64decode(stated) != crc.to_bytes(4, "big"):
        raise OSError(f"the CRC-32C is {crc:08x}, the store states another: it changed meanwhile")


def download(url: str, path: Path) -> None:
    """Copy a file to a local path, whole or not at all the same as the remote one."""

    def once() -> None:
        with path.open("wb") as file:
            for piece in pieces(url):
                file.write(piece)

    patiently(once)


def upload(source: Path, url: str) -> None:
    """Copy a local file to a URL; on an object store it appears when it is complete."""
    files, path = filesystem(url)
    patiently(lambda: _put(files, source, path))


def write(data: bytes, url: str) -> None:
    """Put bytes at a URL; on an object store they appear when they are complete."""
    files, path = filesystem(url)
    checked = {"consistency": "md5"} if _is_gcs(files) else {}
    patiently(lambda: files.pipe_file(path, data, **checked))


def find(pattern: str) -> list[Found]:
    """The files a URL names: itself, those a glob matches, or those in a folder; sorted."""
    files, path = filesystem(pattern)
    scheme = pattern.partition("://")[0]

    def once() -> dict[str, Any]:
        try:  # a name may hold the signs of a pattern
            info = files.info(path)
        except FileNotFoundError:
            if not GLOB & set(path):
                raise
            return dict(files.glob(path, detail=True))
        if info["type"] != "directory":
            return {path: info}
        return {str(entry["name"]): entry for entry in files.ls(path, detail=True)}

    try:
        found = patiently(once)
    except FileNotFoundError:
        return []
    return sorted(
        (
            Found(f"{scheme}://{name.lstrip('/')}", int(info["size"]), _tag(info))
            for name, info in found.items()
            if info["type"] == "file"
        ),
        key=lambda item: item.url,
    )


def _tag(info: dict[str, Any]) -> str:
    for key in ("md5Hash", "crc32c", "ETag", "etag", "generation", "mtime", "created"):
        if info.get(key) is not None:
            return f"{key}={info[key]}"
    return ""


def _of_length(piece: bytes, length: int) -> bytes:
    if len(piece) != length:
        raise ConnectionError(f"{len(piece)} bytes of {length}")
    return bytes(piece)


def _put(files: Any, source: Path, path: str) -> None:
    checked = {"consistency": "md5"} if _is_gcs(files) else {}
    files.put_file(str(source), path, **checked)


def _is_gcs(files: Any) -> bool:
    return bool(set(PROTOCOLS) & {files.protocol, *files.protocol})


def is_local(files: Any) -> bool:
    """Whether a client of fsspec is that of this machine's disks."""
    return isinstance(files, LocalFileSystem)
