"""Events: what began and ended in a run, as lines of JSON that other programs can follow."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Events:
    """Appends a line for each event to a file; without a file nothing is noted.

    Attributes:
        path: The file; ``None`` for none.
    """

    path: Path | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def __call__(self, event: str, **facts: Any) -> None:
        """Note an event.

        Args:
            event: What happened, in two words such as ``fetch begins``.
            **facts: What it happened to; values that JSON can hold.
        """
        if self.path is None:
            return
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts}) + "\n"
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            file.write(line)
