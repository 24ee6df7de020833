"""One circuit breaker for each service: when it is away, one asks and all others wait.

An outage ends no request before its deadline, costs no tries, and is told of at most once
a minute.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from aurora_prep.providers.retry import Patience
from aurora_prep.sources.spec import NotAskedError

LOGGER = logging.getLogger(__name__)
Answer = TypeVar("Answer")
TOLD_EVERY_SECONDS = 60.0
# How often those who wait look whether they were stopped.
GLANCE_SECONDS = 0.5


class Breaker:
    """Whether a service is there, as far as all threads of a process know.

    Args:
        name: The service, for messages.

    Attributes:
        ever_worked: Whether it answered in a way that only the service itself does.
    """

    def __init__(self, name: str) -> None:
        self.ever_worked = False
        self._name = name
        self._changed = threading.Condition()
        self._since: float | None = None
        self._failures = 0
        self._next = 0.0
        self._probing = False
        self._told = float("-inf")
        self._quiet_until = 0.0

    @contextmanager
    def turn(self, patience: Patience) -> Iterator[None]:
        """Wait for one's turn to call; inside, tell ``worked`` or ``failed``.

        Raises:
            NotAskedError: Time is up, or the run was stopped.
        """
        probing = self._enter(patience)
        try:
            yield
        finally:
            if probing:
                with self._changed:
                    self._probing = False
                    self._changed.notify_all()

    def worked(self) -> None:
        """The service answered."""
        with self._changed:
            if self._since is not None:
                LOGGER.warning("%s answers again", self._name)
            self.ever_worked = True
            self._since, self._failures, self._told = None, 0, float("-inf")
            self._changed.notify_all()

    def failed(self, patience: Patience, text: str) -> None:
        """The service seems to be away: the next call waits.

        Args:
            patience: Of the request that found out.
            text: What was seen, without secrets.

        Raises:
            NotAskedError: It has been away longer than the deadline of a request.
        """
        now = time.monotonic()
        with self._changed:
            if self._since is None:
                self._since = now
            self._failures += 1
            wait = patience.policy.wait(self._failures)
            self._next = now + wait
            away = now - self._since
            tells = now - self._told >= TOLD_EVERY_SECONDS
            if tells:
                self._told = now
        if tells:
            LOGGER.warning(
                "%s does not answer as it should, for %.0f s now: %s; next try in %.0f s",
                self._name,
                away,
                text,
                wait,
            )
        if away > patience.policy.deadline_seconds:
            raise NotAskedError(
                "the service was away",
                patience.where,
                f"{text}; for {away:.0f} s, the deadline is"
                f" {patience.policy.deadline_seconds:.0f} s",
                "check the address and the network, and run again: what has come is kept",
            ) from None

    def hush(self, seconds: float) -> None:
        """The service asks for silence: every thread waits so long."""
        with self._changed:
            self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)

    def _enter(self, patience: Patience) -> bool:
        """Return when a call may be made: whether it is the one that probes."""
        while True:
            patience.check()
            with self._changed:
                now = time.monotonic()
                wait = self._quiet_until - now
                if wait <= 0:
                    if self._since is None:
                        return False
                    wait = self._next - now
                    if wait <= 0 and not self._probing:
                        self._probing = True
                        return True
                self._changed.wait(min(max(wait, 0.01), GLANCE_SECONDS, patience.left() + 0.001))


def outlasting(call: Callable[[], Answer], breaker: Breaker, patience: Patience) -> Answer:
    """Call until the service is there, or the deadline.

    Args:
        call: Raises ``NotAskedError`` when the service is away.
        breaker: Of the service.
        patience: How long to try.

    Raises:
        NotAskedError: Time is up, or the run was stopped.
    """
    while True:
        with breaker.turn(patience):
            try:
                answer = call()
            except NotAskedError as error:
                patience.check()
                breaker.failed(patience, str(error.args[2]))
            except Exception:
                breaker.worked()
                raise
            else:
                breaker.worked()
                return answer
