"""Where engines are installed, and how an engine starts a worker process."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from aurora_prep.providers.places import expanded, user_cache

VARIABLE = "AURORA_PREP_ENGINES"


def folder() -> Path:
    """The folder of engines: ``AURORA_PREP_ENGINES``, else one in the user's cache."""
    chosen = os.environ.get(VARIABLE)
    return expanded(chosen).absolute() if chosen else user_cache("aurora-prep/engines")


def prism() -> Path | None:
    """Prism's program, where it is installed."""
    ours = folder() / "bin" / "prism"
    found = str(ours) if ours.exists() else shutil.which("prism")
    return Path(found) if found else None


def flink_jars() -> Path:
    """Folder of Flink's and Beam's jars."""
    return folder() / "flink" / "lib"


def flink_job_server() -> Path:
    """The jar that starts Beam's job server for Flink."""
    return folder() / "flink" / "job-server.jar"


def worker_command() -> Path:
    """A program by which an engine on this machine starts a worker in this environment."""
    text = f'#!/bin/sh\nexec "{sys.executable}" -m aurora_prep.pipelines.engines.worker "$@"\n'
    name = f"worker-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    path = folder() / "bin" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{name}~{os.getpid()}")
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o755)
        fresh.replace(path)
    return path
