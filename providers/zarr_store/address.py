"""Where a Zarr store is and who answers for it, as one line of text that travels to workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from zarr.abc.store import Store
from zarr.storage import FsspecStore, LocalStore

from aurora_prep.providers.places import expanded
from aurora_prep.sources.spec import FetchError

GOOGLE = "gs://"
FOLDER = "file://"
ANONYMOUS = "anonymous"
BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """The address of a Zarr store.

    Its text is the URL, then after ``#`` how it is reached: nothing (with the
    user's own credentials), ``anonymous``, or the address of who answers in
    Google's place.

    Attributes:
        url: ``gs://BUCKET/...``, ``file:///...`` or another URL that fsspec knows.
        is_anonymous: Whether it is read without an account.
        endpoint: Who answers in the real one's place, ``http://HOST:PORT``; for a store that a
            key opens with that key in front, which opens nothing else.
        key_of: The access whose key opens it; it is looked up where the store is read.
    """

    url: str
    is_anonymous: bool = False
    endpoint: str | None = None
    key_of: str = ""

    def __str__(self) -> str:
        how = self.endpoint or (ANONYMOUS if self.is_anonymous else "")
        how = f"{BEARER}{how}" if self.key_of else how
        return f"{self.url}#{how}"

    @classmethod
    def of_path(cls, path: str, base: Path) -> Self:
        """The user's own store: a URL, or a folder relative to ``base``.

        Raises:
            FetchError: There is no such folder.
        """
        if "://" in path:
            return cls(path.rstrip("/"))
        folder = (base / expanded(path)).resolve()
        if not folder.is_dir():
            raise FetchError(
                "there is no such Zarr store",
                f"path {path!r} from {base}",
                f"{folder} is no folder",
                "give the folder or the URL of one Zarr store",
            )
        return cls(f"{FOLDER}{folder}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form back."""
        url, _, how = text.rpartition("#")
        if how.startswith(BEARER):
            return cls(url, endpoint=how.removeprefix(BEARER) or None, key_of="cds")
        return cls(url, bool(how), how if "://" in how else None)

    @staticmethod
    def is_address(text: str) -> bool:
        """Whether a text is that of an address, and not the path of a file."""
        return "://" in text and "#" in text

    def open(self) -> Store:
        """The store, to be read only; nothing is asked of it yet.

        Raises:
            FetchError: fsspec does not know the URL.
        """
        if self.url.startswith(FOLDER):
            return LocalStore(self.url.removeprefix(FOLDER), read_only=True)
        if self.key_of:
            from aurora_prep.providers.zarr_store.bearer import BearerFiles  # noqa: PLC0415  # slow

            files = AsyncFileSystemWrapper(
                BearerFiles(self.endpoint, skip_instance_cache=True), asynchronous=True
            )
            return FsspecStore(files, read_only=True, path=self.url)
        if self.url.startswith(GOOGLE):
            options: dict[str, Any] = {"token": "anon"} if self.is_anonymous else {}
            from aurora_prep.providers.gcs import CheckedGcs  # noqa: PLC0415  # slow to import

            buckets = CheckedGcs(
                asynchronous=True, endpoint_url=self.endpoint, skip_instance_cache=True, **options
            )
            return FsspecStore(buckets, read_only=True, path=self.url.removeprefix(GOOGLE))
        try:
            return FsspecStore.from_url(self.url, read_only=True)
        except (ValueError, ImportError) as error:
            raise FetchError(
                "no way to the Zarr store is known",
                self.url,
                str(error),
                "give a folder, or a URL such as gs://BUCKET/NAME.zarr",
            ) from error
