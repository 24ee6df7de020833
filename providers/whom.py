"""Whom a request goes to: a real store, a mirror of one, or the embedded provider."""

from __future__ import annotations

import os
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from ecmwfapi import api

from aurora_prep.providers.credentials import ADDRESS, Service, ServiceKind
from aurora_prep.providers.credentials_http import resolve_hosts, resolve_http
from aurora_prep.sources.spec import (
    Access,
    AuroraPrepError,
    Cds,
    Http,
    Index,
    IndexedFiles,
    Mars,
    Zarr,
)

MARS_ADDRESS = "https://api.ecmwf.int/v1"
EMBEDDED = "aurora-prep-embedded"
PATIENCE = (5.0, 10.0)


def server_of(access: Access) -> str:
    """The address that requests of an access go to; empty for the one that is known well.

    It is part of what a request is, so that an answer of another server is never taken
    for the well-known one's. Credentials are no part of it.
    """
    known, found = "", ""
    if isinstance(access, Cds):
        kind = ServiceKind(access.name)
        known, found = ADDRESS[kind], _of_store(kind)
    elif isinstance(access, Mars):
        known, found = MARS_ADDRESS, _of_mars()
    elif isinstance(access, Zarr):
        found = os.environ.get("STORAGE_EMULATOR_HOST", "")
    elif isinstance(access, Http):
        known = access.addresses[0]
        found = resolve_http(Service(ServiceKind.HTTP), access.dataset, *access.addresses)[0].url
    elif isinstance(access, Index):
        for files in access.files:
            known, found = files.hosts[0], _first_host(files)
            if _plain(found) != _plain(known):
                break
    place = _plain(found)
    return "" if place == _plain(known) else place


def _first_host(files: IndexedFiles) -> str:
    return resolve_hosts(Service(ServiceKind.INDEX), files.dataset, files.hosts)[0].url


def is_embedded(server: str) -> bool:
    """Whether the embedded provider answers at an address; ``False`` where nobody says so."""
    if not server.startswith(("http://", "https://")):
        return False
    with requests.Session() as session:
        session.trust_env = not _is_loopback(server)
        try:
            with session.get(server, timeout=PATIENCE, stream=True) as answer:
                return answer.headers.get("Server", "").startswith(EMBEDDED)
        except requests.RequestException:
            return False


def _of_store(kind: ServiceKind) -> str:
    try:
        return Service(kind).resolve().url
    except AuroraPrepError:
        return ""  # whoever asks the store is told what lacks


def _of_mars() -> str:
    try:
        url = api.get_apikey_values()[1]
    except (api.APIKeyFetchError, api.APIKeyNotFoundError):
        return ""
    return url if isinstance(url, str) else ""


def _plain(url: str) -> str:
    """An address without user, password and query, in one spelling."""
    parts = urlsplit(url.strip())
    if not parts.hostname:
        return ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme.lower()}://{parts.hostname.lower()}{port}{parts.path.rstrip('/')}"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
