"""Credentials for machines without a home: rc files in a folder of a private bucket.

A key never travels with a job. Who may read the folder, which the bucket's own
access rules say, may ask in the user's name; a worker on Dataflow reads it as its
service account.
"""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path

from aurora_prep.providers import remote
from aurora_prep.sources.spec import CredentialsError

VARIABLE = "AURORA_PREP_CREDENTIALS"
# The file in the folder, and the variable by which its client finds a copy.
FILES = {
    "cdsapirc": "CDSAPI_RC",
    "adsapirc": "ADSAPI_RC",
    "ecmwfapirc": "ECMWF_API_RC_FILE",
}


def chosen() -> str | None:
    """The folder that the user's environment names."""
    return os.environ.get(VARIABLE) or None


def bring(url: str | None) -> None:
    """Lead the clients of this process to copies of the rc files in a folder.

    What the environment of the process says already stays. Without a folder
    nothing happens.

    Args:
        url: The folder, holding ``cdsapirc``, ``adsapirc`` or ``ecmwfapirc``.

    Raises:
        CredentialsError: The folder holds none of them, or may not be read.
    """
    if url is not None:
        for variable, path in _copies(url.rstrip("/")):
            os.environ.setdefault(variable, path)


@lru_cache(maxsize=4)
def _copies(url: str) -> tuple[tuple[str, str], ...]:
    """Variables and local paths of the files, copied once in a process."""
    found = []
    folder = Path(tempfile.mkdtemp(prefix="aurora-prep-rc-"))  # for this user's eyes only
    for name, variable in FILES.items():
        try:
            content = remote.read(f"{url}/{name}")
        except FileNotFoundError:
            continue
        except Exception as error:
            raise _failed(url, f"{type(error).__name__}: {error}") from error
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        found.append((variable, str(path)))
    if not found:
        raise _failed(url, f"none of {sorted(FILES)}")
    return tuple(found)


def _failed(url: str, found: str) -> CredentialsError:
    return CredentialsError(
        "no credentials in the bucket",
        f"{VARIABLE}={url}",
        found,
        "copy your rc file there without its leading dot, and let the workers' service account"
        " read the folder, and nobody else",
    )
