"""Who we are to a tree of files: nobody, unless the user says otherwise."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from aurora_prep.providers.credentials import Known, Service, ServiceKind

EMBEDDED_PATH = "/files"


@dataclass(frozen=True, slots=True)
class HttpService(Known):
    """Address of a tree, and what to show at its door.

    Attributes:
        url: Address of the tree.
        authorization: Value of the ``Authorization`` header; empty for none.
        variable: Environment variable the value is read from.
    """

    url: str
    authorization: str = field(repr=False)
    variable: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is shown at the door, whole and without the word for its kind."""
        return self.authorization, self.authorization.partition(" ")[2]

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": self.authorization} if self.authorization else {}


def resolve_http(service: Service, dataset: str, url: str) -> HttpService:
    """Address of a tree and what to show at its door, from the environment.

    ``AURORA_PREP_<DATASET>_URL`` replaces the declared address, for a mirror;
    ``AURORA_PREP_<DATASET>_AUTHORIZATION`` is sent as the ``Authorization``
    header. Without it, ``requests`` itself looks into ``~/.netrc``.

    Args:
        service: Whom to ask; the embedded provider needs no environment.
        dataset: The provider's name of the collection.
        url: The declared address.
    """
    prefix = f"AURORA_PREP_{dataset.upper()}"
    variable = f"{prefix}_AUTHORIZATION"
    if service.kind is ServiceKind.EMBEDDED:
        return HttpService(service.beside(f"{EMBEDDED_PATH}/{dataset}"), "", variable)
    address = os.environ.get(f"{prefix}_URL") or url
    return HttpService(address.rstrip("/"), os.environ.get(variable, ""), variable)
