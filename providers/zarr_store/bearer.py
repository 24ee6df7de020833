"""Objects behind a plain web server that a bearer token opens: ECMWF's own Zarr stores."""

from __future__ import annotations

import threading
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from fsspec import AbstractFileSystem

from aurora_prep.providers.credentials import Service, ServiceKind
from aurora_prep.providers.retry import Policy
from aurora_prep.providers.trouble import FORBIDDEN, NOT_FOUND, UNAUTHORISED, is_transient
from aurora_prep.sources.spec import CredentialsError

POLICY = Policy(attempts=6, first_wait_seconds=0.5, longest_wait_seconds=30.0)
PARTIAL = 206
FIX = (
    "check the key in ~/.cdsapirc, and accept the store's terms and the licence of ERA5 on the"
    " Climate Data Store; access zarr and access cds read the same data"
)


class BearerFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Reads objects by their addresses; nothing else.

    Args:
        endpoint: Who answers in the real one's place, ``http://KEY@HOST:PORT/PATH``; without
            it the key of the Climate Data Store is looked up in this process.
    """

    protocol = "https"

    def __init__(self, endpoint: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._key = ""

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return path

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        """An object, or bytes ``start`` to ``end`` of it, the latter excluded.

        Raises:
            FileNotFoundError: There is no such object.
            CredentialsError: The key is refused.
            OSError: The server does not answer.
        """
        url, key = self._place(path)
        headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
        if start is not None or end is not None:
            first = "" if start is None else str(start)
            headers["Range"] = f"bytes={first}-{'' if end is None else end - 1}"
        response = self._asked(url, headers)
        content = response.content
        if "Range" in headers and response.status_code != PARTIAL:
            return content[start:end]
        return content

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """The size of an object."""
        return {"name": path, "type": "file", "size": len(self.cat_file(path))}

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: ARG002, FBT001, FBT002  # the base class's
        """Nothing: such a server has no lists."""
        return []

    def _place(self, path: str) -> tuple[str, str]:
        """The address to ask, and the key to show."""
        address = path if "://" in path else f"https://{path}"
        if self._endpoint is not None:
            parts = urlsplit(self._endpoint)
            host = parts.netloc.rpartition("@")[2]
            return (
                f"{parts.scheme}://{host}{parts.path}{urlsplit(address).path}",
                parts.username or "",
            )
        with self._lock:
            self._key = self._key or Service(ServiceKind.CDS).resolve().key
        return address, self._key

    def _asked(self, url: str, headers: dict[str, str]) -> requests.Response:
        """A good answer, after as many tries as it takes within reason."""
        for tries in range(1, POLICY.attempts + 1):
            try:
                response = requests.get(
                    url, headers=headers, timeout=(POLICY.connect_seconds, POLICY.read_seconds)
                )
                if response.status_code == NOT_FOUND:
                    raise FileNotFoundError(url)
                if response.status_code in (UNAUTHORISED, FORBIDDEN):
                    raise CredentialsError(
                        "ECMWF's Zarr store refuses the key",
                        url,
                        f"status {response.status_code}",
                        FIX,
                    )
                response.raise_for_status()
            except requests.RequestException as error:
                if tries == POLICY.attempts or not is_transient(error):
                    raise OSError(f"{type(error).__name__} after {tries} tries at {url}") from None
                time.sleep(POLICY.wait(tries))
            else:
                return response
        raise OSError(url)
