"""Interruption: Ctrl-C and SIGTERM end a command within seconds, with one line.

What is done is in the ledger, so a command may end at any instant. A thread of its own hears
the signal, whatever the main thread does; it says the one line, and gives the main thread a
moment to end by itself, for example to cancel a job of a cluster. Then the process ends. Its
children, its lock files and its folder of temporary files go with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
from types import FrameType, TracebackType
from typing import Self

from aurora_prep.providers import locks
from aurora_prep.providers.kin import descendants
from aurora_prep.providers.places import TEMPORARY

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE_SECONDS = 3.0
CLUSTER_PATIENCE_SECONDS = 20.0
LINE = "aurora-prep: interrupted; what is done stays done: run again to go on\n"
CLEAR = "\r\x1b[2K"
BASE = 128


class Interruption:
    """Hears signals in the block, and keeps temporary files in one folder until its end.

    Args:
        patience: Seconds that the main thread has to end by itself after a signal.
    """

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self.patience = patience
        self.heard = 0
        self._ends = threading.Event()
        self._said = threading.Lock()
        self._active = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        if not self._active:  # only the main thread may set handlers
            return self
        self._place = tempfile.tempdir, os.environ.get("TMPDIR"), os.environ.get(TEMPORARY)
        os.environ.setdefault(TEMPORARY, tempfile.gettempdir())
        self.folder = tempfile.mkdtemp(prefix="aurora-prep-")
        tempfile.tempdir = os.environ["TMPDIR"] = self.folder
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)  # as os declares it
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        self._wakeup = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._active:
            return
        if self.heard:
            self._say_once()
            self._end()
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._writing)
        self._thread.join()
        os.close(self._reading)
        folder, *values = self._place
        tempfile.tempdir = folder
        for name, value in zip(("TMPDIR", TEMPORARY), values, strict=True):
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(self.folder, ignore_errors=True)

    def _listen(self) -> None:
        """Wait for a signal, in a thread of its own; it ends the process, or the block does."""
        while told := os.read(self._reading, 1):
            if told[0] not in SIGNALS:
                continue
            self.heard = self.heard or told[0]
            if self._say_once():
                threading.Thread(target=self._watch, name="patience", daemon=True).start()
            else:
                self._end()  # told twice: at once

    def _watch(self) -> None:
        self._ends.wait(self.patience)
        self._end()

    def _end(self) -> None:
        """Leave nothing behind, and end the process."""
        for child in descendants():
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
        locks.forget()
        shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(BASE + self.heard)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.heard = self.heard or number
        raise KeyboardInterrupt

    def _say_once(self) -> bool:
        """Say the one line, unless it is said; what threads say of their end goes nowhere."""
        if not self._said.acquire(blocking=False):
            return False
        with contextlib.suppress(OSError, ValueError):
            clear = CLEAR if os.isatty(2) else ""
            sys.stdout.flush()
            os.write(2, f"{clear}{LINE}".encode())
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.dup2(nowhere, 1)
        return True
