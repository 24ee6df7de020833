"""Progress: frames done, rate and time left; one line on a terminal, plain lines in a log.

What is done in this very process is counted as it happens; what other
processes do is looked up where they leave it (``ledger_watch.py``).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self, TextIO

from aurora_prep.providers.progress import Progress, Step

TERMINAL_SECONDS = 0.5
LOG_SECONDS = 15.0
MINUTE = 60
LOOKING = 20  # seconds of pause for a second of looking


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


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a run is.

    Attributes:
        frames: Frames done, those of former runs included.
        stored: Requests answered in this run.
        cached: Requests whose answers were in the cache.
        bytes: Bytes downloaded.
        text: What happens, for as long as no frame is done.
    """

    frames: int = 0
    stored: int = 0
    cached: int = 0
    bytes: int = 0
    text: str = ""


def counted() -> Counts:
    """What this process has counted."""
    with COUNT.lock:
        return Counts(
            COUNT.frames,
            COUNT.stored,
            COUNT.cached,
            COUNT.bytes + sum(COUNT.on_their_way.values()),
            COUNT.text,
        )


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
        look: Tells how far the run is.
    """

    def __init__(
        self,
        frames: int,
        before: int = 0,
        stream: TextIO | None = None,
        look: Callable[[], Counts] = counted,
    ) -> None:
        self.frames, self.before, self.look = frames, before, look
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
        counts = self.look()
        done, megabytes = min(counts.frames, self.frames), counts.bytes / 1e6
        fresh = done - self.before
        parts = [f"{done}/{self.frames} frames"]
        if fresh > 0 and seconds:
            rate = fresh / seconds
            parts.append(f"{rate:.2f} frames/s" if rate < 100 else f"{rate:.0f} frames/s")  # noqa: PLR2004
            parts.append(f"{_clock((self.frames - done) / rate)} left")
        elif counts.text:
            parts.append(counts.text)
        if counts.stored or megabytes:
            parts.append(f"{counts.stored} downloads, {megabytes:.0f} MB")
        if counts.cached:
            parts.append(f"{counts.cached} from the cache")
        return ", ".join([*parts, f"{_clock(seconds)} gone"])

    def _run(self) -> None:
        pause = TERMINAL_SECONDS if self.terminal else LOG_SECONDS
        while not self.stop.wait(pause):
            begin = time.monotonic()
            self._show()
            # Looking must not become the work: a ledger in a bucket is slow to list.
            took = time.monotonic() - begin
            pause = max(TERMINAL_SECONDS if self.terminal else LOG_SECONDS, LOOKING * took)

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
