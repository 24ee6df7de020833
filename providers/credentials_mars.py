"""Who we are to ECMWF's archive: found as ``ecmwf-api-client`` finds it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ecmwfapi import api

from aurora_prep.providers.credentials import Known, Service, ServiceKind
from aurora_prep.providers.places import expanded
from aurora_prep.sources.spec import CredentialsError

WHERE = "credentials of mars"
VARIABLES = ("ECMWF_API_URL", "ECMWF_API_KEY", "ECMWF_API_EMAIL")
RC_VARIABLE = "ECMWF_API_RC_FILE"
FIX = (
    "log in at https://api.ecmwf.int/v1/key/ and save what is shown there as ~/.ecmwfapirc; or"
    " rehearse with --embedded, which needs no account"
)
EMBEDDED_PATH = "/v1"
EMBEDDED_EMAIL = "synthetic@localhost"


@dataclass(frozen=True, slots=True)
class MarsService(Known):
    """Address, key and e-mail address, for the process that talks to the archive.

    Attributes:
        url: Address of the web API.
        key: The user's key.
        email: The e-mail address the key belongs to.
    """

    url: str
    key: str = field(repr=False)
    email: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key and whom it belongs to."""
        return self.key, self.email


def resolve_mars(service: Service) -> MarsService:
    """Address, key and e-mail address, found in the order of ``ecmwf-api-client`` itself.

    That is ``ECMWF_API_URL``, ``ECMWF_API_KEY`` and ``ECMWF_API_EMAIL``, all
    three or none; then the file named by ``ECMWF_API_RC_FILE``; then
    ``~/.ecmwfapirc``. The client's anonymous account opens no archive and is
    not used.

    Raises:
        CredentialsError: Nothing usable is found.
    """
    if service.kind is ServiceKind.EMBEDDED:
        return MarsService(service.beside(EMBEDDED_PATH), service.key or "", EMBEDDED_EMAIL)
    try:
        found = api.get_apikey_values()
    except (api.APIKeyFetchError, api.APIKeyNotFoundError) as error:
        raise CredentialsError(
            "the credentials of ECMWF's archive cannot be read",
            WHERE,
            f"{_seen()} ({type(error).__name__})",
            FIX,
        ) from None
    key, url, email = (value if isinstance(value, str) else "" for value in found)
    if found == api.ANONYMOUS_APIKEY_VALUES or not (key and url and email):
        raise CredentialsError("no credentials for ECMWF's archive", WHERE, _seen(), FIX)
    return MarsService(url.rstrip("/"), key, email)


def _seen() -> str:
    """What was there to be found, without any of it."""
    names = [name for name in VARIABLES if os.environ.get(name)]
    rc = Path(os.environ.get(RC_VARIABLE) or api.DEFAULT_RCFILE_PATH)
    there = "exists" if expanded(rc).exists() else "does not exist"
    return f"environment: {names or f'none of {list(VARIABLES)}'}; {rc} {there}"
