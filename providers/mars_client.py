"""ECMWF's own client, run as a program: one request from standard input, one file.

``ecmwf-api-client`` waits and tries again by itself, sleeps a minute after
every trouble, and knows neither a deadline nor a way to be stopped. In a
process of its own it can be given both, and time limits on its sockets that
concern nobody else. Only the standard library and the client are imported
here, so the process starts at once.

Standard input carries one JSON object: ``url``, ``key``, ``email``,
``request``, ``target``, ``read_seconds`` and ``longest_wait_seconds``.
Standard output carries one JSON object a line: ``{"said": text}`` for what
the client says, then ``{"failed": {"type", "text", "status"}}`` or
``{"done": true}``.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from ecmwfapi import api

CODE = "Response code: "


class Speaker:
    """Passes on what the client says, and remembers the last HTTP status in it."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.heard = True

    def __call__(self, message: object) -> None:
        """Pass on one message of the client; without a listener there is nothing left to do.

        Raises:
            SystemExit: Nobody listens any more.
        """
        text = str(message)
        if text.startswith(CODE):
            self.status = int(text.removeprefix(CODE))
        self.tell({"said": text})

    def tell(self, event: dict[str, Any]) -> None:
        """Write one line."""
        if not self.heard:
            return
        try:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
        except OSError:
            self.heard = False
            raise SystemExit(1) from None


def main() -> None:
    """Do what standard input says; a request that is given up is withdrawn."""
    order = json.loads(sys.stdin.read())
    socket.setdefaulttimeout(order["read_seconds"])
    limit_sleep(order["longest_wait_seconds"])
    signal.signal(signal.SIGTERM, _stop)
    _end_with_parent()
    say = Speaker()
    try:
        # Verbose, since it tells the HTTP status in no other way.
        request = api.APIRequest(
            order["url"],
            "services/mars",
            email=order["email"],
            key=order["key"],
            log=say,
            verbose=True,
        )
        try:
            request.execute(order["request"], order["target"])
        except BaseException:
            # The client leaves its request in the archive's queue, of which a user has little.
            request.connection.cleanup()
            raise
    except Exception as error:  # noqa: BLE001  # whatever the client raises is reported
        status = getattr(error, "code", None) or say.status
        kind = [base.__name__ for base in type(error).__mro__]
        say.tell({"failed": {"type": kind, "text": str(error), "status": status}})
        raise SystemExit(1) from None
    say.tell({"done": True})


def limit_sleep(longest: float) -> None:
    """Let no sleep in this process be longer: how long to wait is the caller's policy."""
    sleep: Callable[[float], None] = time.sleep

    def limited(seconds: float) -> None:
        sleep(min(seconds, longest))

    vars(time)["sleep"] = limited


def _end_with_parent() -> None:
    """Leave Ctrl-C to the parent, and end when that ends, however it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):  # only Linux has it
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _stop(*_: object) -> NoReturn:
    raise SystemExit(1)


if __name__ == "__main__":
    main()
