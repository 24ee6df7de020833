"""Finished answers, each for its time."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Collection
from pathlib import Path

from aurora_prep.providers.embedded.asset import Asset, produce
from aurora_prep.providers.embedded.selection import Selection


class Handout:
    """Makes answers, and hands them out until their time is over.

    Args:
        folder: Where files are made.
        keep_seconds: How long a file can be downloaded.
        stop: Set it to give up what is being made.
    """

    def __init__(self, folder: Path, keep_seconds: float, stop: threading.Event) -> None:
        self._folder = folder
        self._keep_seconds = keep_seconds
        self._stop = stop
        self._assets: dict[str, tuple[Asset, float]] = {}

    def make(self, selection: Selection, flaws: Collection[str]) -> Asset:
        """Make the file, and drop those whose time is over.

        Raises:
            InterruptedError: ``stop`` was set.
        """
        now = time.monotonic()
        for name, (asset, until) in list(self._assets.items()):
            if until < now:
                del self._assets[name]
                asset.path.unlink(missing_ok=True)
        asset = produce(selection, flaws, self._folder, self._stop)
        self._assets[asset.path.name] = (asset, time.monotonic() + self._keep_seconds)
        return asset

    def make_text(self, text: str) -> Asset:
        """Make a file of text."""
        content = text.encode()
        checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
        path = self._folder / f"{checksum}.txt"
        path.write_bytes(content)
        asset = Asset(path, len(content), checksum, "text/plain")
        self._assets[path.name] = (asset, time.monotonic() + self._keep_seconds)
        return asset

    def get(self, name: str) -> Asset | None:
        """The file of that name, if its time is not over."""
        asset, until = self._assets.get(name, (None, 0.0))
        return asset if until >= time.monotonic() else None
