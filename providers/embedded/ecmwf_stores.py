"""ECMWF's own Zarr stores behind a bearer token: virtual ones, axes and traps as the real ones."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from aurora_prep.providers.embedded.call import Call, Reply
from aurora_prep.providers.embedded.cds import KEY
from aurora_prep.providers.embedded.faults import Faults
from aurora_prep.providers.embedded.weatherbench import VirtualStore
from aurora_prep.sources.spec import Source, Zarr

PREFIX = "/arco"


class EcmwfStores:
    """The stores of all ``Zarr`` accesses that a key opens.

    Args:
        sources: Declarations that say what is held.
        faults: What goes wrong: ``busy``.
        preliminary_from: Final data end before this time.
    """

    def __init__(
        self, sources: Iterable[Source], faults: Faults, preliminary_from: datetime
    ) -> None:
        self._faults = faults
        self._stores = {
            urlsplit(url).path: store
            for source in sources
            for access in source.accesses
            if isinstance(access, Zarr) and access.key_of
            for declared in access.stores
            for url, store in _apart(source, access, declared.urls, preliminary_from)
        }

    def answer(self, call: Call) -> Reply:
        """An object of a store, for who shows the key."""
        if call.key is None or not hmac.compare_digest(call.key.encode(), KEY.encode()):
            return Reply(401, {"title": "permission denied"})
        if self._faults.take("busy"):
            return Reply(503, {"title": "service unavailable"})
        path = call.path.removeprefix(PREFIX)
        for place, store in self._stores.items():
            if path.startswith(f"{place}/"):
                make = store.find(path.removeprefix(f"{place}/"))
                if make is not None:
                    return Reply(200, content=make())
        return Reply(404, {"title": "not found"})

    def close(self) -> None:
        """Nothing is kept."""


def _apart(
    source: Source, access: Zarr, urls: tuple[str, ...], preliminary_from: datetime
) -> Iterable[tuple[str, VirtualStore]]:
    """A store of what has levels, and beside it one of what has none."""
    (declared,) = (store for store in access.stores if store.urls == urls)
    for position, url in enumerate(urls):
        others = tuple(
            native.variable.path
            for native in source.natives
            if native.variable.has_levels is bool(position)
        )
        one = replace(declared, url=url, beside=(), lacks=(*declared.lacks, *others))
        yield url, VirtualStore(source, access, one, preliminary_from)
