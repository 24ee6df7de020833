"""Which of a tree's hosts is asked next, and when to believe one that has nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from aurora_prep.providers.credentials_http import HttpService
from aurora_prep.providers.retry import Policy
from aurora_prep.providers.trouble import NOT_FOUND, retry_after, status_of

# Addresses of trees that have given a file to this process, the latest last.
_GIVING: dict[str, None] = {}


@dataclass(slots=True)
class Round:
    """The hosts that may still give one file.

    A host that fails for a while goes to the end of the row, one that refuses
    leaves it. While bytes come, the host stays.

    Attributes:
        hosts: Hosts of the tree, the best first.
        policy: How often to try, over all hosts; each is tried once at least.
        tries: Calls that failed.
        errors: The last error of each host that refused, or that was left at the end.
        is_believed: Whether a host that has given files before says this one is not there.
    """

    hosts: tuple[HttpService, ...]
    policy: Policy
    tries: int = 0
    is_believed: bool = False
    _row: list[HttpService] = field(init=False)
    _last: dict[str, Exception] = field(default_factory=dict)
    _failures: int = 0
    _asked_to_wait: float = 0.0

    def __post_init__(self) -> None:
        giving = [host for host in self.hosts if host.url in _GIVING]
        self._row = [*giving, *(host for host in self.hosts if host not in giving)]

    @property
    def host(self) -> HttpService:
        """Whom to ask now."""
        return self._row[0]

    @property
    def errors(self) -> list[tuple[HttpService, Exception]]:
        """What each host said last, in the order of the hosts; some may not have been asked."""
        return [(host, self._last[host.url]) for host in self.hosts if host.url in self._last]

    def delivered(self) -> None:
        """Note that the host gives files."""
        _GIVING[self.host.url] = None

    def failed(self, error: Exception, *, passing: bool, progress: bool) -> float | None:
        """Note a failure of the host.

        Args:
            error: What went wrong.
            passing: Whether the same call may work a little later.
            progress: Whether bytes came before.

        Returns:
            Seconds to wait before the next call; ``None`` when all is lost.
        """
        host = self._row.pop(0)
        self._last[host.url] = error
        self.tries += 1
        if not passing:
            self.is_believed = status_of(error) == NOT_FOUND and host.url in _GIVING
            return None if self.is_believed or not self._row else 0.0
        if progress:
            self._failures = 1
            self._row.insert(0, host)
            return self.policy.wait(1)
        self._failures += 1
        self._row.append(host)
        self._asked_to_wait = max(self._asked_to_wait, retry_after(error))
        # Where one host says that the file is not there, the others are asked once.
        is_said = any(status_of(e) == NOT_FOUND for e in self._last.values())
        if self._failures >= (len(self._row) if is_said else self._most):
            return None
        if self._failures % len(self._row):
            return 0.0
        wait = max(self.policy.wait(self._failures // len(self._row)), self._asked_to_wait)
        self._asked_to_wait = 0.0
        return wait

    @property
    def _most(self) -> int:
        return max(self.policy.attempts, len(self._row))
