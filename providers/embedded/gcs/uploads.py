"""Uploads: in one piece, with their description, or resumable in chunks."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aurora_prep.providers.embedded.gcs.bucket import Bucket, resource_name
from aurora_prep.providers.embedded.gcs.checksums import checksums_of
from aurora_prep.providers.embedded.gcs.objects import Stat
from aurora_prep.providers.embedded.gcs.resource import (
    about_of,
    check_hashes,
    hashes_of,
    object_resource,
)
from aurora_prep.providers.embedded.gcs.wire import Call, RefusedError, Reply, told

QUANTUM = 256 << 10
CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
GONE = 499


@dataclass(slots=True)
class Session:
    """A resumable upload.

    Attributes:
        bucket: Where the object will be.
        name: Its name.
        described: The resource its client sent.
        media: Media type.
        query: Preconditions.
        path: File with what has arrived.
        received: Bytes of that.
        done: The finished object.
    """

    bucket: Bucket
    name: str
    described: Mapping[str, Any]
    media: str | None
    query: Mapping[str, str]
    path: Path
    received: int = 0
    done: Stat | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Uploads:
    """Takes uploads in.

    Args:
        folder: Where they are gathered.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sessions: dict[str, Session] = {}

    def begin(self, bucket: Bucket, call: Call) -> Reply:
        """``POST`` to a bucket: the whole object, or the start of a session."""
        kind = call.query.get("uploadType", "media")
        if kind == "resumable":
            return self._open(bucket, call)
        described: Mapping[str, Any] = {}
        media: str | None = call.headers.get("content-type")
        content = call.content
        if kind == "multipart":
            described, media, content = _related(call)
        name = resource_name(described, call.query)
        path = self.fresh()
        path.write_bytes(content)
        hashes = {**hashes_of(call.headers.get("x-goog-hash")), **described}
        stat = self._commit(bucket, name, path, hashes, media, call.query)
        return told(object_resource(bucket.name, name, stat, call.base))

    def carry_on(self, call: Call) -> Reply:
        """A call to a session: a chunk, a question how far it is, or its end.

        Raises:
            RefusedError: There is no such session, or the chunk does not fit.
        """
        session = self._sessions.get(call.query["upload_id"])
        if session is None:
            raise RefusedError(404, "No such upload session")
        with session.lock:
            if call.method == "DELETE":
                del self._sessions[call.query["upload_id"]]
                session.path.unlink(missing_ok=True)
                return Reply(GONE)
            if session.done is None:
                whole = self._take(session, call)
                if not whole:
                    return _so_far(session)
                hashes = {**hashes_of(call.headers.get("x-goog-hash")), **session.described}
                session.done = self._commit(
                    session.bucket,
                    session.name,
                    session.path,
                    hashes,
                    session.media,
                    session.query,
                )
            return told(object_resource(session.bucket.name, session.name, session.done, call.base))

    def fresh(self) -> Path:
        """A path that no other upload uses."""
        return self._folder / secrets.token_hex(12)

    def _open(self, bucket: Bucket, call: Call) -> Reply:
        described = call.json()
        name = resource_name(described, call.query)
        bucket.check(bucket.objects.stat(name), call.query)
        media = call.headers.get("x-upload-content-type")
        path = self.fresh()
        path.touch()
        key = secrets.token_hex(24)
        self._sessions[key] = Session(bucket, name, described, media, call.query, path)
        place = f"{call.base}/upload/storage/v1/b/{bucket.name}/o"
        location = f"{place}?uploadType=resumable&upload_id={key}"
        return Reply(200, b"", {"Location": location, "X-GUploader-UploadID": key})

    def _take(self, session: Session, call: Call) -> bool:
        """Add a chunk to what has arrived; whether that is the whole."""
        header = call.headers.get("content-range")
        if header is None:
            start, total = 0, len(call.content)
        else:
            match = CONTENT_RANGE.fullmatch(header)
            if match is None:
                raise RefusedError(400, f"Failed to parse Content-Range header: {header!r}")
            total = -1 if match[3] == "*" else int(match[3])
            if match[1] is None:
                return session.received == total
            start = int(match[1])
            if int(match[2]) + 1 - start != len(call.content):
                raise RefusedError(400, "the body has another length than Content-Range says")
        if start > session.received:
            raise RefusedError(503, f"a gap after byte {session.received}")
        fresh = call.content[session.received - start :]
        last = start + len(call.content) == total
        if not last:
            fresh = fresh[: len(fresh) - (session.received + len(fresh)) % QUANTUM]
        with session.path.open("ab") as file:
            file.write(fresh)
        session.received += len(fresh)
        return last

    def _commit(
        self,
        bucket: Bucket,
        name: str,
        path: Path,
        described: Mapping[str, Any],
        media: str | None,
        query: Mapping[str, str],
    ) -> Stat:
        try:
            check_hashes(described, *checksums_of(path))
            return bucket.put(name, path, about_of(described, media), query)
        finally:
            path.unlink(missing_ok=True)


def _so_far(session: Session) -> Reply:
    held = {"Range": f"bytes=0-{session.received - 1}"} if session.received else {}
    return Reply(308, b"", held)


def _related(call: Call) -> tuple[dict[str, Any], str | None, bytes]:
    """Resource, media type and content of a ``multipart/related`` body."""
    match = BOUNDARY.search(call.headers.get("content-type", ""))
    parts = [] if match is None else call.content.split(b"--" + match[1].encode())
    try:
        # The content may hold the boundary by chance: only the first and the last count.
        first, second = parts[1], (b"--" + match[1].encode()).join(parts[2:-1])  # type: ignore[index]
        _, described = _part(first)
        headers, content = _part(second)
        resource = json.loads(described)
    except (IndexError, TypeError, ValueError) as error:
        raise RefusedError(400, "Invalid multipart request") from error
    if not isinstance(resource, dict):
        raise RefusedError(400, "Invalid multipart request: no resource")
    return resource, headers.get("content-type"), content


def _part(data: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and content of one part, line ends of either kind."""
    newline = b"\r\n" if data.startswith(b"\r\n") else b"\n"
    head, found, content = data.removeprefix(newline).partition(newline * 2)
    if not found:
        raise ValueError
    lines = (line.decode().partition(":") for line in head.split(newline))
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    return headers, content.removesuffix(newline)
