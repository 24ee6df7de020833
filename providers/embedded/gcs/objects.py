"""What is behind a bucket: any ordered map from names to bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

OCTETS = "application/octet-stream"
NOTHING: Mapping[str, str] = MappingProxyType({})


class ReadOnlyError(Exception):
    """The bucket cannot be written; the emulator answers 403."""


@dataclass(frozen=True, slots=True)
class About:
    """What an object says of itself besides its bytes.

    Attributes:
        content_type: Media type.
        metadata: The user's own keys and values.
    """

    content_type: str = OCTETS
    metadata: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """One version of an object.

    Attributes:
        size: Bytes.
        generation: Number of the version; larger for a later one, never 0.
        updated: When it was written, UTC without a zone.
        metageneration: Number of the version of its metadata.
        md5: MD5 of the bytes, 16 bytes; ``None`` where nobody knows it.
        crc32c: CRC-32C of the bytes; ``None`` where nobody knows it.
        about: What it says of itself.
    """

    size: int
    generation: int
    updated: datetime
    metageneration: int = 1
    md5: bytes | None = None
    crc32c: int | None = None
    about: About = field(default_factory=About)


class Objects(Protocol):
    """The objects of one bucket. Called from several threads at once.

    Names are as in the bucket: no leading slash, any depth. For one object the
    emulator never calls ``write`` or ``delete`` from two threads at once.
    """

    def names(self, prefix: str, start: str) -> Iterator[str]:
        """Names that begin with ``prefix`` and are not less than ``start``, ascending.

        The order is that of the UTF-8 bytes. It is read lazily, a page at a
        time, and asked again with a later ``start`` to skip a common prefix:
        an implementation with very many names should jump to ``start``.
        """

    def stat(self, name: str) -> Stat | None:
        """The current version of an object, ``None`` where there is none."""

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Bytes ``start`` to ``stop``, the latter excluded; both lie within the object."""

    def write(self, name: str, content: Path, about: About) -> Stat:
        """Make the file ``content`` the object, at once and whole; the file is consumed.

        Raises:
            ReadOnlyError: The bucket cannot be written.
        """

    def describe(self, name: str, about: About) -> Stat:
        """Replace what an object says of itself.

        Raises:
            ReadOnlyError: The bucket cannot be written.
        """

    def delete(self, name: str) -> None:
        """Remove an object that is there.

        Raises:
            ReadOnlyError: The bucket cannot be written.
        """


class ReadOnly:
    """Base of buckets that are only read: subclasses give ``names``, ``stat`` and ``read``."""

    def write(self, name: str, content: Path, about: About) -> Stat:  # noqa: ARG002
        """Refuse."""
        raise ReadOnlyError(name)

    def describe(self, name: str, about: About) -> Stat:  # noqa: ARG002
        """Refuse."""
        raise ReadOnlyError(name)

    def delete(self, name: str) -> None:
        """Refuse."""
        raise ReadOnlyError(name)
