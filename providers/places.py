"""Folders of the user's, where there may be no home and no right to write."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from functools import lru_cache
from pathlib import Path

from platformdirs import user_cache_path

LOGGER = logging.getLogger(__name__)
TEMPORARY = "AURORA_PREP_MACHINE_TEMPORARY"
"""Where the machine's temporary folder is, while a command has one of its own in it."""


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with ``~`` as the home folder; as it is written where no home is known."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path's own raises


@lru_cache(maxsize=8)
def user_cache(name: str) -> Path:
    """The user's cache folder of a program, made if need be.

    Without a home folder, or where that cannot be written, a folder in the machine's
    temporary one, which is this user's alone.
    """
    try:
        chosen = user_cache_path(name)
        if not chosen.is_absolute():
            raise FileNotFoundError(f"no home folder is known, for {chosen}")
        chosen.mkdir(parents=True, exist_ok=True)
        if not os.access(chosen, os.W_OK | os.X_OK):
            raise PermissionError(f"{chosen} cannot be written")
    except (OSError, RuntimeError) as error:
        instead = _own_temporary(name)
        LOGGER.warning("the user's cache cannot be used (%s); it is %s instead", error, instead)
        return instead
    return chosen


def _own_temporary(name: str) -> Path:
    """A folder of this user's in the temporary one; another user's of that name is not used."""
    usual = machine_temporary() / f"{name.replace('/', '-')}-{os.getuid()}"
    try:
        usual.mkdir(mode=0o700, exist_ok=True)
        found = usual.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            return usual
    except OSError:
        LOGGER.debug("%s cannot be used", usual)
    return Path(tempfile.mkdtemp(prefix=f"{usual.name}-", dir=usual.parent))


def machine_temporary() -> Path:
    """The machine's temporary folder, for what is to outlive a command."""
    return Path(os.environ.get(TEMPORARY) or tempfile.gettempdir())
