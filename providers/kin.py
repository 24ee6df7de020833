"""Processes of ours: which they are, and that none outlives us."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from pathlib import Path

DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


def descendants() -> list[int]:
    """Process ids of all children of this process, and theirs; parents first."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def end_with_parent() -> None:
    """In a child: leave Ctrl-C to the parent, and end when that ends, however it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):  # only Linux has it
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)


def _parents() -> list[tuple[int, int]]:
    """Every process of this machine that we may see, with its parent."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name stands in brackets and may hold anything.
            after = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            found.append((int(folder.name), int(after[1])))
    if not found:  # no such file system
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            listed = subprocess.run(
                ["/bin/ps", "-axo", "pid=,ppid="],
                capture_output=True,
                text=True,
                check=True,
                timeout=2,
            )
            found = [(int(a), int(b)) for a, b in map(str.split, listed.stdout.splitlines())]
    return found
