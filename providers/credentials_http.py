"""Credentials for a tree of files: none, unless the user gives some."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aurora_prep.providers.credentials import Known, Service, ServiceKind

# The embedded provider has every host of a tree under its name.
EMBEDDED_PATH = "/files"
EMBEDDED_HOSTS = "/hosts"


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


def resolve_http(service: Service, dataset: str, *urls: str) -> tuple[HttpService, ...]:
    """Addresses of a tree and what to show at its door, from the environment.

    ``AURORA_PREP_<DATASET>_URL`` replaces the declared addresses, for a mirror;
    ``AURORA_PREP_<DATASET>_AUTHORIZATION`` is sent as the ``Authorization``
    header, to the first address alone. Without it, ``requests`` itself looks
    into ``~/.netrc``.

    Args:
        service: Whom to ask; the embedded provider needs no environment.
        dataset: The provider's name of the collection.
        urls: The declared addresses, the best first.
    """
    prefix = f"AURORA_PREP_{dataset.upper()}"
    variable = f"{prefix}_AUTHORIZATION"
    if service.kind is ServiceKind.EMBEDDED:
        places = [urlsplit(url) for url in urls]
        return tuple(
            HttpService(service.beside(f"{EMBEDDED_PATH}/{p.netloc}{p.path}"), "", variable)
            for p in places
        )
    mirror = os.environ.get(f"{prefix}_URL")
    token = os.environ.get(variable, "")
    first, *others = (mirror,) if mirror else urls
    # What opens one door is not shown at another.
    return (
        HttpService(first.rstrip("/"), token, variable),
        *(HttpService(url.rstrip("/"), "", variable) for url in others),
    )


def resolve_hosts(service: Service, dataset: str, hosts: Sequence[str]) -> tuple[HttpService, ...]:
    """Hosts of one tree of files, and what to show at their doors.

    ``AURORA_PREP_<DATASET>_URL`` replaces them all, several addresses apart by commas; the
    data set's name has underscores in place of hyphens. ``AURORA_PREP_<DATASET>_AUTHORIZATION``
    is sent as the ``Authorization`` header to the hosts that it names, and to no others.

    Args:
        service: Whom to ask; the embedded provider stands for every host.
        dataset: The provider's name of the collection.
        hosts: The declared addresses, the preferred one first.
    """
    prefix = f"AURORA_PREP_{dataset.upper().replace('-', '_')}"
    variable = f"{prefix}_AUTHORIZATION"
    if service.kind is ServiceKind.EMBEDDED:
        places = (service.beside(f"{EMBEDDED_HOSTS}/{n}/{dataset}") for n in range(len(hosts)))
        return tuple(HttpService(place, "", variable) for place in places)
    own = os.environ.get(f"{prefix}_URL", "")
    shown = os.environ.get(variable, "") if own else ""
    addresses = [text.strip() for text in own.split(",") if text.strip()] or hosts
    return tuple(HttpService(one.rstrip("/"), shown, variable) for one in addresses)
