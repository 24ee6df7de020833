"""Sessions of HTTP that never send what is meant for this machine through a proxy."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests


def is_loopback(url: str | None) -> bool:
    """Whether an address is on this machine."""
    try:
        host = urlsplit(url or "").hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def environment_for(url: str) -> dict[str, str]:
    """The environment for a program that talks to an address: no proxy for this machine."""
    if not is_loopback(url):
        return dict(os.environ)
    host = urlsplit(url).hostname or ""
    bypassed = ",".join(filter(None, [os.environ.get("no_proxy"), host]))
    return {**os.environ, "no_proxy": bypassed, "NO_PROXY": bypassed}


class Session(requests.Session):
    """As ``requests`` has it, proxies of the environment included, but for loopback."""

    def merge_environment_settings(
        self,
        url: str | bytes | None,
        proxies: MutableMapping[str, str] | None,
        stream: bool | None,  # noqa: FBT001  # the base class's signature
        verify: Any,
        cert: Any,
    ) -> Any:
        """As in the base class, without proxies for this machine."""
        found = super().merge_environment_settings(url, proxies or {}, stream, verify, cert)
        if is_loopback(_text(url)):
            found["proxies"] = {}
        return found

    def rebuild_proxies(
        self, prepared_request: requests.PreparedRequest, proxies: Mapping[str, str] | None
    ) -> Any:
        """As in the base class, for an answer that leads to this machine."""
        if is_loopback(prepared_request.url):
            return {}
        return super().rebuild_proxies(prepared_request, proxies)  # type: ignore[no-untyped-call]


def _text(url: str | bytes | None) -> str | None:
    return url.decode() if isinstance(url, bytes) else url
