"""Who we are to a store: found where it is used, never carried along."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from cdsapi.api import get_url_key_verify, read_config

from aurora_prep.providers.places import expanded
from aurora_prep.sources.spec import CredentialsError

HIDDEN = "***"
# Where the embedded provider has ECMWF's own Zarr stores.
BEARER_PATH = "/arco"


class ServiceKind(StrEnum):
    """Which service answers."""

    CDS = "cds"
    ADS = "ads"
    MARS = "mars"
    HTTP = "http"
    INDEX = "index"
    EMBEDDED = "embedded"


ADDRESS = {
    ServiceKind.CDS: "https://cds.climate.copernicus.eu/api",
    ServiceKind.ADS: "https://ads.atmosphere.copernicus.eu/api",
}
ADS_HOST = "ads.atmosphere.copernicus.eu"


class Known:
    """Address and credentials of a service; secrets are neither shown nor pickled.

    Send a ``Service`` and resolve it at the other end.
    """

    __slots__ = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not show."""
        raise NotImplementedError

    def __reduce__(self) -> NoReturn:
        raise CredentialsError(
            "a key was about to leave its process",
            repr(self),
            "an attempt to pickle resolved credentials",
            "send the Service, and resolve it where it is used",
        )

    def hide(self, text: object) -> str:
        """The text without the secrets."""
        shown = str(text)
        for secret in self.secrets:
            shown = shown.replace(secret, HIDDEN) if secret else shown
        return shown


@dataclass(frozen=True, slots=True)
class CdsService(Known):
    """Address and key of a store, for the process that talks to it.

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

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key."""
        return (self.key,)


@dataclass(frozen=True, slots=True)
class Service:
    """Whom to talk to; small, and safe to send to workers.

    Attributes:
        kind: All but ``embedded`` take what is not given from the environment or
            the rc file of the machine they are resolved on; ``embedded`` is
            complete, and stands for every service.
        url: Address, where given.
        key: Key, where given. Only the embedded provider's is pickled.
        buckets: Who answers for public buckets in Google's place, where somebody does.
    """

    kind: ServiceKind = ServiceKind.CDS
    url: str | None = None
    key: str | None = field(default=None, repr=False)
    buckets: str | None = None

    @classmethod
    def embedded(cls, url: str, key: str, buckets: str | None = None) -> Service:
        """The embedded provider, whose key opens nothing else."""
        return cls(ServiceKind.EMBEDDED, url, key, buckets)

    def towards(self, access: str) -> Service:
        """The service that answers the requests of an access.

        Args:
            access: Name of the access: ``cds``, ``ads``, ``mars``, ``http`` or ``index``.

        Raises:
            CredentialsError: No service is known by that name.
        """
        if self.kind is ServiceKind.EMBEDDED or self.kind == access:
            return self
        known = sorted(set(ServiceKind) - {ServiceKind.EMBEDDED})
        if access not in known:
            raise CredentialsError(
                "no service is known by this name",
                "credentials",
                f"{access!r} not among {[str(name) for name in known]}",
                "name the access of the source as its service",
            )
        return Service(ServiceKind(access))

    def __reduce__(self) -> tuple[Any, ...]:
        key = self.key if self.kind is ServiceKind.EMBEDDED else None
        return Service, (self.kind, self.url, key, self.buckets)

    def beside(self, path: str) -> str:
        """Another address of the embedded provider, which lies beside its data store."""
        return f"{(self.url or '').removesuffix('/api')}{path}"

    @property
    def bearer_stores(self) -> str | None:
        """Who answers in the place of ECMWF's own Zarr stores, with the key in front."""
        if self.kind is not ServiceKind.EMBEDDED:
            return None
        return self.beside(BEARER_PATH).replace("://", f"://{self.key or ''}@", 1)

    def resolve(self) -> CdsService:
        """Address and key of a data store, found in the order of ``cdsapi`` itself.

        For the Climate Data Store: what is given here, then ``CDSAPI_URL`` and
        ``CDSAPI_KEY``, then the file named by ``CDSAPI_RC`` or ``~/.cdsapirc``.
        For the Atmosphere Data Store the same with ``ADSAPI_...`` and
        ``~/.adsapirc``; what is still missing then is the store's own address,
        and the key of the Climate Data Store, since both stores know the same
        users. A ``~/.cdsapirc`` that was edited to point to the Atmosphere Data
        Store serves both too.

        Raises:
            CredentialsError: Nothing usable is found.
        """
        where = f"credentials of {self.kind}"
        try:
            url, key, verify = self._found()
        except Exception as error:  # noqa: BLE001  # cdsapi raises it bare
            raise CredentialsError(
                "no address or no key of the store",
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

    def _found(self) -> tuple[str, str, Any]:
        """Address, key and whether to verify, as found."""
        if self.kind is ServiceKind.ADS:
            return self._found_for_ads()
        url, key, verify = get_url_key_verify(self.url, self.key, None)
        if self.kind is ServiceKind.CDS and self.url is None and _host(url) == ADS_HOST:
            url = ADDRESS[ServiceKind.CDS]
        return url, key, verify

    def _found_for_ads(self) -> tuple[str, str, Any]:
        url = self.url or os.environ.get("ADSAPI_URL")
        key = self.key or os.environ.get("ADSAPI_KEY")
        verify: Any = True
        named = os.environ.get("ADSAPI_RC")
        path = expanded(named or "~/.adsapirc")
        if (url is None or key is None) and (named or path.exists()):
            config = read_config(str(path))
            url, key = url or config.get("url"), key or config.get("key")
            verify = int(config.get("verify", 1))
        url = url or ADDRESS[ServiceKind.ADS]
        if key is None:
            url, key, verify = get_url_key_verify(url, None, None)
        return url, key, verify

    def _seen(self, error: Exception) -> str:
        """What was there to be found, without any of it."""
        prefixes = ("ADS", "CDS") if self.kind is ServiceKind.ADS else ("CDS",)
        wanted = [f"{prefix}API_{part}" for prefix in prefixes for part in ("URL", "KEY")]
        names = [name for name in wanted if os.environ.get(name)]
        files = []
        for prefix in prefixes:
            rc = Path(os.environ.get(f"{prefix}API_RC") or f"~/.{prefix.lower()}apirc")
            files.append(f"{rc} {'exists' if expanded(rc).exists() else 'does not exist'}")
        return (
            f"environment: {names or f'none of {wanted}'};"
            f" {', '.join(files)} ({type(error).__name__})"
        )


def _host(url: str) -> str | None:
    return urlsplit(url).hostname
