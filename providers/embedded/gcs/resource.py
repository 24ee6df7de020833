"""Objects and buckets as the JSON API describes them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from aurora_prep.providers.embedded.gcs.objects import OCTETS, About, Stat
from aurora_prep.providers.embedded.gcs.wire import RefusedError

CRC32C_BYTES = 4


def object_resource(bucket: str, name: str, stat: Stat, base: str) -> dict[str, Any]:
    """The ``storage#object`` of one version."""
    stamp = _stamp(stat.updated)
    link = f"{base}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
    found: dict[str, Any] = {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{stat.generation}",
        "selfLink": link,
        "mediaLink": f"{base}/download{link.removeprefix(base)}?alt=media",
        "name": name,
        "bucket": bucket,
        "generation": str(stat.generation),
        "metageneration": str(stat.metageneration),
        "contentType": stat.about.content_type,
        "storageClass": "STANDARD",
        "size": str(stat.size),
        "etag": etag_of(stat),
        "timeCreated": stamp,
        "updated": stamp,
        "timeStorageClassUpdated": stamp,
    }
    found.update(_hashes(stat))
    if stat.about.metadata:
        found["metadata"] = dict(stat.about.metadata)
    return found


def bucket_resource(bucket: str, created: datetime, base: str) -> dict[str, Any]:
    """The ``storage#bucket``."""
    stamp = _stamp(created)
    return {
        "kind": "storage#bucket",
        "id": bucket,
        "selfLink": f"{base}/storage/v1/b/{bucket}",
        "projectNumber": "1",
        "name": bucket,
        "metageneration": "1",
        "location": "LOOPBACK",
        "locationType": "region",
        "storageClass": "STANDARD",
        "etag": "CAE=",
        "timeCreated": stamp,
        "updated": stamp,
    }


def media_headers(stat: Stat) -> dict[str, str]:
    """Headers of a reply with an object's bytes."""
    found = {
        "Content-Type": stat.about.content_type,
        "Accept-Ranges": "bytes",
        "ETag": etag_of(stat),
        "Last-Modified": stat.updated.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "X-Goog-Generation": str(stat.generation),
        "X-Goog-Metageneration": str(stat.metageneration),
        "X-Goog-Stored-Content-Length": str(stat.size),
    }
    hashes = _hashes(stat)
    names = {"crc32c": "crc32c", "md5Hash": "md5"}
    if hashes:
        found["X-Goog-Hash"] = ",".join(f"{names[key]}={value}" for key, value in hashes.items())
    return found


def about_of(described: Mapping[str, Any], media: str | None, before: About | None = None) -> About:
    """What a client says of an object; what it leaves out stays as it was.

    Args:
        described: The JSON resource the client sent.
        media: Media type, where the client gave one apart from the resource.
        before: What was said so far.
    """
    before = before or About()
    metadata = described.get("metadata", before.metadata)
    return About(
        str(described.get("contentType") or media or before.content_type or OCTETS),
        {str(key): str(value) for key, value in (metadata or {}).items() if value is not None},
    )


def check_hashes(described: Mapping[str, Any], md5: bytes, crc32c: int) -> None:
    """Compare an upload with the checksums its client gave.

    Raises:
        RefusedError: One differs: 400, and nothing is stored.
    """
    given = {"crc32c": _crc32c(crc32c), "md5Hash": base64.b64encode(md5).decode()}
    for key, value in given.items():
        if described.get(key, value) != value:
            text = f"Provided {key} {described[key]!r} doesn't match calculated {value!r}."
            raise RefusedError(400, text)


def hashes_of(header: str | None) -> dict[str, str]:
    """The checksums of an ``X-Goog-Hash`` header, under the names of the JSON resource."""
    names = {"crc32c": "crc32c", "md5": "md5Hash"}
    pairs = (part.strip().partition("=") for part in (header or "").split(","))
    return {names[key]: value for key, _, value in pairs if key in names}


def etag_of(stat: Stat) -> str:
    """A tag that changes with the version."""
    return base64.b64encode(f"{stat.generation}/{stat.metageneration}".encode()).decode()


def _hashes(stat: Stat) -> dict[str, str]:
    found = {}
    if stat.crc32c is not None:
        found["crc32c"] = _crc32c(stat.crc32c)
    if stat.md5 is not None:
        found["md5Hash"] = base64.b64encode(stat.md5).decode()
    return found


def _crc32c(value: int) -> str:
    return base64.b64encode(value.to_bytes(CRC32C_BYTES, "big")).decode()


def _stamp(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
