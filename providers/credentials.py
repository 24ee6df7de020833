"""Who we are to a store: found where it is used, never carried along."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

from cdsapi.api import get_url_key_verify

from aurora_prep.sources.spec import CredentialsError

HIDDEN = "***"


class ServiceKind(StrEnum):
    """Which service answers."""

    CDS = "cds"
    EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class CdsService:
    """Address and key of a store, for the process that talks to it.

    It neither shows nor pickles its key: send a ``Service`` and resolve it at
    the other end.

    Attributes:
        url: Address of the store's API.
        key: The user's personal access token.
        verify: Whether TLS certificates are verified.
        promises_md5: Whether the checksum the store gives is known to be the
            MD5 of the whole file.
    """

    url: str
    key: str = field(repr=False)
    verify: bool = True
    promises_md5: bool = False

    def __reduce__(self) -> NoReturn:
        raise CredentialsError(
            "a key was about to leave its process",
            repr(self),
            "an attempt to pickle resolved credentials",
            "send the Service, and resolve it where it is used",
        )

    def hide(self, text: object) -> str:
        """The text without the key."""
        return str(text).replace(self.key, HIDDEN)


@dataclass(frozen=True, slots=True)
class Service:
    """Which store to talk to; small, and safe to send to workers.

    Attributes:
        kind: ``cds`` takes what is not given from the environment or the rc
            file of the machine it is resolved on; ``embedded`` is complete.
        url: Address, where given.
        key: Key, where given. Only the embedded provider's is pickled.
    """

    kind: ServiceKind = ServiceKind.CDS
    url: str | None = None
    key: str | None = field(default=None, repr=False)

    @classmethod
    def embedded(cls, url: str, key: str) -> Service:
        """The embedded provider, whose key opens nothing else."""
        return cls(ServiceKind.EMBEDDED, url, key)

    def __reduce__(self) -> tuple[Any, ...]:
        key = self.key if self.kind is ServiceKind.EMBEDDED else None
        return Service, (self.kind, self.url, key)

    def resolve(self) -> CdsService:
        """Address and key, found in the order of ``cdsapi`` itself.

        First what is given here, then ``CDSAPI_URL`` and ``CDSAPI_KEY``, then
        the file named by ``CDSAPI_RC`` or ``~/.cdsapirc``.

        Raises:
            CredentialsError: Nothing usable is found.
        """
        where = f"credentials of {self.kind}"
        try:
            url, key, verify = get_url_key_verify(self.url, self.key, None)
        except Exception as error:  # noqa: BLE001  # cdsapi raises it bare
            raise CredentialsError(
                "no address or no key of the Climate Data Store",
                where,
                self._seen(error),
                "log in at https://cds.climate.copernicus.eu/profile and write the two lines"
                " 'url: ...' and 'key: ...' shown there to ~/.cdsapirc; or rehearse with"
                " --embedded, which needs no account",
            ) from None
        if not key or ":" in key:
            raise CredentialsError(
                "the key is not a personal access token",
                where,
                "an empty key" if not key else "a key of the former store, 'UID:KEY'",
                "copy the token from https://cds.climate.copernicus.eu/profile to ~/.cdsapirc",
            )
        promised = self.kind is ServiceKind.EMBEDDED
        return CdsService(url.rstrip("/"), key, bool(verify), promises_md5=promised)

    def _seen(self, error: Exception) -> str:
        """What was there to be found, without any of it."""
        names = [name for name in ("CDSAPI_URL", "CDSAPI_KEY") if os.environ.get(name)]
        rc = Path(os.environ.get("CDSAPI_RC") or "~/.cdsapirc")
        exists = "exists" if rc.expanduser().exists() else "does not exist"
        return (
            f"environment: {names or 'neither CDSAPI_URL nor CDSAPI_KEY'};"
            f" {rc} {exists} ({type(error).__name__})"
        )
