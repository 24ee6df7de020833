"""One bucket: versions, preconditions, pages of names."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aurora_prep.providers.embedded.gcs.objects import About, Objects, ReadOnlyError, Stat
from aurora_prep.providers.embedded.gcs.wire import RefusedError

MOST_RESULTS = 1000
PRECONDITIONS = {
    "ifGenerationMatch": ("generation", True),
    "ifGenerationNotMatch": ("generation", False),
    "ifMetagenerationMatch": ("metageneration", True),
    "ifMetagenerationNotMatch": ("metageneration", False),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a bucket's names.

    Attributes:
        names: Names of objects.
        prefixes: What names have in common up to the delimiter.
        token: Where the next page begins; ``None`` at the end.
    """

    names: list[str]
    prefixes: list[str]
    token: str | None


@dataclass(frozen=True)
class Bucket:
    """A named bucket; changes are made one at a time.

    Attributes:
        name: Its name.
        objects: What is in it.
        private: Whether a call needs credentials; any will do.
    """

    name: str
    objects: Objects
    private: bool = False
    created: datetime = field(
        default_factory=lambda: datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    )
    lock: threading.RLock = field(default_factory=threading.RLock)

    def find(self, name: str, query: Mapping[str, str], *, reading: bool = False) -> Stat:
        """The version of an object that a call means.

        Raises:
            RefusedError: There is none (404), or a precondition fails.
        """
        stat = self.objects.stat(name)
        if stat is None or query.get("generation", str(stat.generation)) != str(stat.generation):
            raise RefusedError(404, f"No such object: {self.name}/{name}")
        self.check(stat, query, reading=reading)
        return stat

    def check(self, stat: Stat | None, query: Mapping[str, str], *, reading: bool = False) -> None:
        """Compare the preconditions of a call with a version; ``None`` where there is none.

        Raises:
            RefusedError: 412; 304 for a read of a version that the client has.
        """
        for name, (attribute, wanted) in PRECONDITIONS.items():
            if name not in query:
                continue
            try:
                given = int(query[name])
            except ValueError:
                raise RefusedError(400, f"{name} is not a number: {query[name]!r}") from None
            found = 0 if stat is None else getattr(stat, attribute)
            if (given == found) is not wanted:
                text = "At least one of the pre-conditions you specified did not hold."
                raise RefusedError(304 if reading and not wanted else 412, text)

    def put(self, name: str, content: Path, about: About, query: Mapping[str, str]) -> Stat:
        """Make a file an object, if the preconditions hold.

        Raises:
            RefusedError: They do not, or the bucket cannot hold it.
        """
        _check_name(name)
        with self.lock:
            self.check(self.objects.stat(name), query)
            try:
                return self.objects.write(name, content, about)
            except ReadOnlyError:
                raise self._forbidden() from None
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                text = f"this bucket cannot hold an object at the prefix of another: {error}"
                raise RefusedError(400, text) from error

    def describe(self, name: str, about: About, query: Mapping[str, str]) -> Stat:
        """Replace what an object says of itself, if the preconditions hold."""
        with self.lock:
            self.find(name, query)
            try:
                return self.objects.describe(name, about)
            except ReadOnlyError:
                raise self._forbidden() from None

    def delete(self, name: str, query: Mapping[str, str]) -> None:
        """Remove an object, if it is there and the preconditions hold."""
        with self.lock:
            self.find(name, query)
            try:
                self.objects.delete(name)
            except ReadOnlyError:
                raise self._forbidden() from None

    def page(self, query: Mapping[str, str]) -> Page:
        """The names a listing asks for: prefix, delimiter, offsets, page.

        Raises:
            RefusedError: A parameter makes no sense.
        """
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        start, end = query.get("startOffset", ""), query.get("endOffset", "")
        try:
            most = min(int(query.get("maxResults") or MOST_RESULTS), MOST_RESULTS)
            if token := query.get("pageToken"):
                start = max(start, base64.b64decode(token, validate=True).decode())
        except ValueError as error:
            raise RefusedError(400, f"Invalid argument: {error}") from error
        names: list[str] = []
        prefixes: list[str] = []
        position: str | None = start
        while position is not None:
            walk = self.objects.names(prefix, position)
            position = None
            for name in walk:
                if end and name >= end:
                    break
                if len(names) + len(prefixes) == most:
                    return Page(names, prefixes, base64.b64encode(name.encode()).decode())
                cut = name.find(delimiter, len(prefix)) if delimiter else -1
                if cut < 0:
                    names.append(name)
                    continue
                prefixes.append(name[: cut + len(delimiter)])
                position = _beyond(prefixes[-1])
                break
        return Page(names, prefixes, None)

    def _forbidden(self) -> RefusedError:
        return RefusedError(403, f"the caller may not write to the bucket {self.name}")


def _beyond(prefix: str) -> str:
    """The least name greater than every name with this prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _check_name(name: str) -> None:
    """Raise for names that Cloud Storage does not take."""
    wrong = not name or len(name.encode()) > 1024 or "\n" in name or "\r" in name  # noqa: PLR2004  # its limit
    if wrong or name in (".", "..") or name.startswith(".well-known/acme-challenge/"):
        raise RefusedError(400, f"Invalid object name: {name!r}")


def resource_name(described: Mapping[str, Any], query: Mapping[str, str]) -> str:
    """The name an upload gives, in its address or its resource.

    Raises:
        RefusedError: It gives none.
    """
    name = query.get("name") or described.get("name")
    if not name:
        raise RefusedError(400, "Required object name")
    return str(name)
