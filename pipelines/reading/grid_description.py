"""How a file describes the grid of its fields: frozen, hashable and told apart by a digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from aurora_prep.sources.spec import digest_of


class GridDescription(Mapping[str, Any]):
    """Keys of a GRIB grid, or ``gridType: axes`` with the axes of NetCDF and Zarr.

    It reads as a mapping. Two descriptions are equal when their keys and values are.

    Args:
        keys: Plain values; lists become tuples.

    Attributes:
        digest: Stands for all keys and values.
    """

    __slots__ = ("_keys", "digest")
    digest: str
    _keys: Mapping[str, Any]

    def __init__(self, keys: Mapping[str, Any]) -> None:
        frozen = {
            key: tuple(value) if isinstance(value, list) else value for key, value in keys.items()
        }
        plain = {
            key: list(value) if isinstance(value, tuple) else value for key, value in frozen.items()
        }
        object.__setattr__(self, "_keys", MappingProxyType(frozen))
        object.__setattr__(self, "digest", digest_of(plain))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __getitem__(self, key: str) -> Any:
        return self._keys[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GridDescription) and self.digest == other.digest

    def __repr__(self) -> str:
        return f"GridDescription({self.get('gridType', '')!r}, {self.digest[:12]})"

    def __reduce__(self) -> tuple[type[GridDescription], tuple[dict[str, Any]]]:
        return GridDescription, (dict(self._keys),)
