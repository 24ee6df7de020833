"""The JSON API of Cloud Storage, as far as its clients here use it."""

from __future__ import annotations

import email
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aurora_prep.providers.embedded.gcs.bucket import Bucket
from aurora_prep.providers.embedded.gcs.folder import FolderObjects
from aurora_prep.providers.embedded.gcs.objects import Objects, Stat
from aurora_prep.providers.embedded.gcs.resource import (
    about_of,
    bucket_resource,
    media_headers,
    object_resource,
)
from aurora_prep.providers.embedded.gcs.uploads import Uploads
from aurora_prep.providers.embedded.gcs.wire import (
    PIECE,
    Call,
    RefusedError,
    Reply,
    Span,
    refused,
    span_of,
    told,
)

BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
MOST_COMPOSED = 32
STORAGE = "/storage/v1/b"
ROUTES = re.compile(
    r"(?:/download|/upload)?/storage/v1/b"
    r"(?:/(?P<bucket>[^/]+)(?:/(?P<objects>o)(?:/(?P<name>[^/]+)(?P<verb>/.+)?)?|(?P<layout>/.+))?)?/?"
)
COPY = re.compile(r"/(rewriteTo|copyTo)/b/([^/]+)/o/([^/]+)|/(moveTo)/o/([^/]+)")


class Api:
    """Answers calls about the buckets it holds.

    Args:
        folder: Where buckets that clients create have their folders.
        staging: Where uploads are gathered.
        buckets: Buckets that are there from the start.
        private: Names of the buckets for which a call needs credentials.
    """

    def __init__(
        self,
        folder: Path,
        staging: Path,
        buckets: Mapping[str, Objects],
        private: frozenset[str] = frozenset(),
    ) -> None:
        self._folder = folder
        self._private = private
        self._uploads = Uploads(staging)
        self._buckets: dict[str, Bucket] = {}
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                self._add(path.name, FolderObjects(path))
        for name, objects in buckets.items():
            self._add(name, objects)

    def answer(self, call: Call) -> Reply:
        """The reply to a call."""
        try:
            return self._route(call)
        except RefusedError as error:
            return refused(error)

    def _route(self, call: Call) -> Reply:
        match = ROUTES.fullmatch(call.path)
        if match is None:
            batch = call.path.startswith("/batch/")
            return self._batch(call) if batch else self._public(call)
        if match["bucket"] is None:
            return self._all_buckets(call)
        bucket = self._bucket(unquote(match["bucket"]), call)
        if match["objects"] is None:
            return self._of_bucket(bucket, call, match["layout"])
        if match["name"] is None:
            uploads = call.path.startswith("/upload/")
            return self._upload(bucket, call) if uploads else self._list(bucket, call)
        return self._of_object(bucket, unquote(match["name"]), match["verb"] or "", call)

    def _all_buckets(self, call: Call) -> Reply:
        if call.method == "POST":
            name = str(call.json().get("name", ""))
            if not BUCKET_NAME.fullmatch(name):
                raise RefusedError(400, f"Invalid bucket name: {name!r}")
            if name in self._buckets:
                raise RefusedError(409, "Your previous request to create the bucket succeeded.")
            self._add(name, FolderObjects(self._folder / name))
            return told(bucket_resource(name, self._buckets[name].created, call.base))
        found = [bucket_resource(b.name, b.created, call.base) for b in self._buckets.values()]
        return told({"kind": "storage#buckets", "items": found})

    def _of_bucket(self, bucket: Bucket, call: Call, layout: str | None) -> Reply:
        if layout == "/storageLayout":
            found = {"kind": "storage#storageLayout", "bucket": bucket.name, "location": "LOOPBACK"}
            return told({**found, "locationType": "region"})
        if layout is not None:
            raise RefusedError(404, f"this emulator has no {layout}")
        if call.method == "DELETE":
            if next(iter(bucket.objects.names("", "")), None) is not None:
                raise RefusedError(409, "The bucket you tried to delete is not empty.")
            del self._buckets[bucket.name]
            return Reply(204)
        return told(bucket_resource(bucket.name, bucket.created, call.base))

    def _upload(self, bucket: Bucket, call: Call) -> Reply:
        if "upload_id" in call.query:
            return self._uploads.carry_on(call)
        return self._uploads.begin(bucket, call)

    def _list(self, bucket: Bucket, call: Call) -> Reply:
        page = bucket.page(call.query)
        stats = ((name, bucket.objects.stat(name)) for name in page.names)
        found: dict[str, Any] = {"kind": "storage#objects"}
        if page.token is not None:
            found["nextPageToken"] = page.token
        if page.prefixes:
            found["prefixes"] = page.prefixes
        items = [object_resource(bucket.name, n, s, call.base) for n, s in stats if s is not None]
        if items:
            found["items"] = items
        return told(found)

    def _of_object(self, bucket: Bucket, name: str, verb: str, call: Call) -> Reply:
        if verb == "/compose":
            return self._compose(bucket, name, call)
        if match := COPY.fullmatch(verb):
            return self._copy(bucket, name, match, call)
        if verb:
            raise RefusedError(404, f"this emulator has no {verb}")
        if call.method == "DELETE":
            bucket.delete(name, call.query)
            return Reply(204)
        if call.method in ("PATCH", "PUT"):
            before = bucket.find(name, call.query).about if call.method == "PATCH" else None
            stat = bucket.describe(name, about_of(call.json(), None, before), call.query)
            return told(object_resource(bucket.name, name, stat, call.base))
        stat = bucket.find(name, call.query, reading=True)
        if call.query.get("alt") == "media":
            return self._media(bucket, name, stat, call)
        return told(object_resource(bucket.name, name, stat, call.base))

    def _public(self, call: Call) -> Reply:
        """``/bucket/name``: an object at its public address."""
        owner, _, name = call.path.removeprefix("/").partition("/")
        if not name or call.method not in ("GET", "HEAD"):
            raise RefusedError(404, f"this emulator has no {call.method} {call.path}")
        bucket, name = self._bucket(unquote(owner), call), unquote(name)
        return self._media(bucket, name, bucket.find(name, call.query, reading=True), call)

    def _media(self, bucket: Bucket, name: str, stat: Stat, call: Call) -> Reply:
        """An object's bytes, or those of a range."""
        headers = media_headers(stat)
        span = span_of(call.headers.get("range"), stat.size)
        if span is None:
            return Reply(200, Span(bucket.objects, name, 0, stat.size), headers)
        start, stop = span
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{stat.size}"
        return Reply(206, Span(bucket.objects, name, start, stop), headers)

    def _copy(self, bucket: Bucket, name: str, match: re.Match[str], call: Call) -> Reply:
        verb = match[1] or match[4]
        target = self._bucket(unquote(match[2]), call) if match[2] else bucket
        wanted = unquote(match[3] or match[5])
        source = {
            "if" + key.removeprefix("ifSource"): value
            for key, value in call.query.items()
            if key.startswith("ifSource")
        }
        if "sourceGeneration" in call.query:
            source["generation"] = call.query["sourceGeneration"]
        stat = bucket.find(name, source)
        about = about_of(call.json(), None, stat.about)
        path = self._uploads.fresh()
        with path.open("wb") as file:
            for piece in Span(bucket.objects, name, 0, stat.size).pieces():
                file.write(piece)
        try:
            made = target.put(wanted, path, about, call.query)
        finally:
            path.unlink(missing_ok=True)
        if verb == "moveTo" and (bucket, name) != (target, wanted):
            bucket.delete(name, {})
        resource = object_resource(target.name, wanted, made, call.base)
        if verb != "rewriteTo":
            return told(resource)
        done = {"kind": "storage#rewriteResponse", "done": True, "resource": resource}
        return told({**done, "totalBytesRewritten": str(stat.size), "objectSize": str(stat.size)})

    def _compose(self, bucket: Bucket, name: str, call: Call) -> Reply:
        asked = call.json()
        parts = asked.get("sourceObjects", [])
        if not 1 <= len(parts) <= MOST_COMPOSED:
            raise RefusedError(400, f"The number of source components is {len(parts)}.")
        path = self._uploads.fresh()
        try:
            with path.open("wb") as file:
                for part in parts:
                    wanted = {k: str(part[k]) for k in ("generation",) if k in part}
                    wanted |= {k: str(v) for k, v in part.get("objectPreconditions", {}).items()}
                    stat = bucket.find(part["name"], wanted)
                    for start in range(0, stat.size, PIECE):
                        stop = min(start + PIECE, stat.size)
                        file.write(bucket.objects.read(part["name"], start, stop))
            about = about_of(asked.get("destination", {}), None)
            made = bucket.put(name, path, about, call.query)
        finally:
            path.unlink(missing_ok=True)
        return told(object_resource(bucket.name, name, made, call.base))

    def _batch(self, call: Call) -> Reply:
        """Several calls in one, answered one after the other."""
        typed = f"Content-Type: {call.headers.get('content-type', '')}\r\n\r\n".encode()
        message = email.message_from_bytes(typed + call.content)
        parts = message.get_payload()
        if not isinstance(parts, list):
            raise RefusedError(400, "Failed to parse batch request")
        boundary = f"batch_{secrets.token_hex(12)}"
        out = []
        for part in parts:
            if not isinstance(part, Message):
                continue
            inner = _inner(str(part.get_payload()), call)
            reply = self.answer(inner)
            lines = [f"HTTP/1.1 {reply.status} {'OK' if reply.status < 400 else 'Error'}"]  # noqa: PLR2004  # HTTP
            lines += [f"{name}: {value}" for name, value in reply.headers.items()]
            body = reply.body if isinstance(reply.body, bytes) else b"".join(reply.body.pieces())
            own = str(part.get("Content-ID", "")).strip("<>")
            head = f"Content-Type: application/http\r\nContent-ID: <response-{own}>\r\n\r\n"
            text = f"--{boundary}\r\n{head}" + "\r\n".join(lines) + "\r\n\r\n"
            out.append(text.encode() + body + b"\r\n")
        out.append(f"--{boundary}--\r\n".encode())
        return Reply(200, b"".join(out), {"Content-Type": f"multipart/mixed; boundary={boundary}"})

    def _bucket(self, name: str, call: Call) -> Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            raise RefusedError(404, "The specified bucket does not exist.")
        if bucket.private and "authorization" not in call.headers:
            text = f"Anonymous caller does not have access to the bucket {name}."
            raise RefusedError(401, text)
        return bucket

    def _add(self, name: str, objects: Objects) -> None:
        now = datetime.now(UTC).replace(tzinfo=None)
        self._buckets[name] = Bucket(name, objects, name in self._private, now)


def _inner(text: str, call: Call) -> Call:
    """One of the calls of a batch."""
    head, _, body = text.replace("\r\n", "\n").lstrip("\n").partition("\n\n")
    first, *rest = head.split("\n")
    try:
        method, target, *_ = first.split(" ")
    except ValueError:
        raise RefusedError(400, "Failed to parse batch request") from None
    pairs = (line.partition(":") for line in rest)
    headers = {name.strip(): value.strip() for name, _, value in pairs}
    if "authorization" in call.headers:
        headers.setdefault("authorization", call.headers["authorization"])
    path = target if target.startswith("/") else "/" + target.split("/", 3)[-1]
    return Call.of(method, path, headers, body.rstrip("\n").encode(), call.base)
