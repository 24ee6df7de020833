"""Inputs of a shard: where the bytes of its fields are, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file of an answer in the cache.

    Attributes:
        path: The file, or its name in the bucket of a shared cache.
        request_digest: Digest of the request that it answers.
    """

    path: str
    request_digest: str


@dataclass(frozen=True, slots=True)
class OwnFile:
    """One of the user's own files.

    Attributes:
        path: The file.
    """

    path: str


@dataclass(frozen=True, slots=True)
class Store:
    """A Zarr store that is read in place.

    Attributes:
        address: Its address, as ``StoreAddress`` writes it.
    """

    address: str


@dataclass(frozen=True, slots=True)
class NotDelivered:
    """Nothing came, and why.

    Attributes:
        error: The four parts of the error.
        word: Stable word for the reason, one of ``outcome.WORDS``.
        request_digest: Digest of the request; ``None`` where none was needed.
    """

    error: tuple[str, ...]
    word: str
    request_digest: str | None = None

    @property
    def reason(self) -> str:
        """One line for the record of a frame: the word, then problem and finding."""
        return f"{self.word}: {self.error[0]}: {self.error[2]}"


Input = Fetched | OwnFile | Store | NotDelivered
