"""Progress: frames done, rate and time left; one line on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Self, TextIO

from aurora_prep.providers.progress import Progress, Step

TERMINAL_SECONDS = 0.5
LOG_SECONDS = 15.0
MINUTE = 60


@dataclass(slots=True)
class _Count:
    """What this process has done of the run it takes part in."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    frames: int = 0
    stored: int = 0
    cached: int = 0
    bytes: int = 0
    on_their_way: dict[str, int] = field(default_factory=dict)
    text: str = ""


COUNT = _Count()


def watch(step: Progress) -> None:
    """Take note of a step of a fetch in this process."""
    with COUNT.lock:
        digest = step.request.digest
        if step.step is Step.CACHED:
            COUNT.cached += 1
        elif step.step is Step.DOWNLOADING:
            COUNT.on_their_way[digest] = step.done
        elif step.step is Step.STORED:
            COUNT.stored += 1
            COUNT.bytes += step.done or COUNT.on_their_way.get(digest, 0)
            COUNT.on_their_way.pop(digest, None)
        COUNT.text = f"{step.step}: {step.text}" if step.text else str(step.step)


def shard_done(frames: int) -> None:
    """Take note of a shard done in this process."""
    with COUNT.lock:
        COUNT.frames += frames


class Display:
    """Shows how far a run is, from a thread of its own, until the block ends.

    Args:
        frames: Frames planned.
        before: Frames done before this run.
        stream: Where to write; the standard error stream by default.
    """

    def __init__(self, frames: int, before: int = 0, stream: TextIO | None = None) -> None:
        self.frames, self.before = frames, before
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self.start = time.monotonic()
        self.last = ""

    def __enter__(self) -> Self:
        with COUNT.lock:
            COUNT.frames = COUNT.stored = COUNT.cached = COUNT.bytes = 0
            COUNT.on_their_way.clear()
            COUNT.text = ""
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()
        self._show(final=True)

    def line(self) -> str:
        """The state of the run in one line."""
        seconds = max(0.0, time.monotonic() - self.start)
        with COUNT.lock:
            done, stored, cached = min(COUNT.frames, self.frames), COUNT.stored, COUNT.cached
            fresh = done - self.before
            megabytes = (COUNT.bytes + sum(COUNT.on_their_way.values())) / 1e6
            step = COUNT.text
        parts = [f"{done}/{self.frames} frames"]
        if fresh > 0 and seconds:
            rate = fresh / seconds
            parts.append(f"{rate:.2f} frames/s" if rate < 100 else f"{rate:.0f} frames/s")  # noqa: PLR2004
            parts.append(f"{_clock((self.frames - done) / rate)} left")
        elif step:
            parts.append(step)
        if stored or megabytes:
            parts.append(f"{stored} downloads, {megabytes:.0f} MB")
        if cached:
            parts.append(f"{cached} from the cache")
        return ", ".join([*parts, f"{_clock(seconds)} gone"])

    def _run(self) -> None:
        while not self.stop.wait(TERMINAL_SECONDS if self.terminal else LOG_SECONDS):
            self._show()

    def _show(self, *, final: bool = False) -> None:
        line = self.line()
        if self.terminal:
            self.stream.write(f"\r\x1b[2K{line}" + ("\n" if final else ""))
        elif final or line != self.last:
            self.stream.write(f"{line}\n")
        self.last = line
        self.stream.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
