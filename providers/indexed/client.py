"""Fetching parts of files: the index first, then only the bytes of the wanted fields.

Every part must be one whole GRIB message of the field asked for, since an index may be
older or newer than its file. What the index of one host does not bring is asked of the
next; what no index brings is cut out of the whole file. The answer is a GRIB file of
the wanted messages.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from aurora_prep.providers.credentials import Service
from aurora_prep.providers.credentials_http import resolve_hosts
from aurora_prep.providers.delivery import Delivery
from aurora_prep.providers.indexed.host import AbsentError, Host, HostFaultError, ShutError
from aurora_prep.providers.indexed.listing import IndexFaultError, Listing, read
from aurora_prep.providers.indexed.messages import END, Head, MessageFaultError, heads, whole
from aurora_prep.providers.indexed.ranges import Range, coalesce
from aurora_prep.providers.indexed.wanted import Ask, Key
from aurora_prep.providers.progress import Progress, Step, Watch, nobody
from aurora_prep.providers.retry import Patience, Policy
from aurora_prep.sources.spec import (
    CredentialsError,
    DamagedError,
    FetchError,
    IncompleteError,
    NotArchivedError,
    NotAskedError,
    NotYetError,
    Request,
)
from aurora_prep.sources.spec.index_access import IndexForm

LOGGER = logging.getLogger(__name__)

# A run that began this long ago may still be on its way to the hosts.
FRESH = timedelta(hours=24)
# Readings of one index: the second one is fresh, should the first have been overtaken.
READINGS = 2


def download(
    request: Request,
    service: Service,
    target: Path,
    *,
    policy: Policy | None = None,
    watch: Watch = nobody,
    stop: threading.Event | None = None,
) -> Delivery:
    """Fetch the wanted fields of a file.

    Hosts are asked in their order: one that does not answer, has not got the file, sends a
    web page in its place or an index that is not the file's is followed by the next. When
    none has brought everything they are asked again, with back-off, as long as one of them
    may only be resting.

    Args:
        request: Which file, and which fields of it.
        service: Whom to ask.
        target: Where the answer goes; an existing file is replaced.
        policy: How long and how often to try.
        watch: Called at every step.
        stop: Set from outside to give up.

    Raises:
        NotYetError: No host has the file, and its run is of the last day.
        NotArchivedError: No host has the file.
        DamagedError: Every wanted field is damaged on each host.
        IncompleteError: The file has none of the wanted fields.
        NotAskedError: No host answered as it should.
        CredentialsError: Every host wants to know who asks.
        FetchError: The answer cannot be written.
    """
    ask = Ask.of(request)
    where = f"{request.dataset}, {ask.files[0]}"
    patience = Patience(policy or Policy(), where, stop or threading.Event())
    try:
        with target.open("wb") as file:
            return _Fetch(request, ask, service, where, file, patience, watch).run()
    except OSError as error:
        raise FetchError(
            "a download cannot be written",
            str(target),
            str(error),
            "free some space, or choose another cache folder",
        ) from None


@dataclass(slots=True)
class _Fetch:
    """One answer on its way.

    Attributes:
        found: Fields that are in the answer.
        damaged: Fields that came, but not as they should: why.
        troubles: What each host last did wrong.
        is_there: Whether a host had the file.
        is_resting: Whether a host may do better a little later.
        is_shut: Whether a host wants to know who asks.
    """

    request: Request
    ask: Ask
    service: Service
    where: str
    file: IO[bytes]
    patience: Patience
    watch: Watch
    found: set[Key] = field(default_factory=set)
    damaged: dict[Key, str] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    is_there: bool = False
    is_resting: bool = False
    is_shut: bool = False

    def run(self) -> Delivery:
        """Fetch until every field is there, or nobody has it."""
        ask = self.ask
        known = resolve_hosts(self.service, self.request.dataset, self.request.mirrors)
        hosts = [Host(one, self.patience) for one in known]
        try:
            first = ask.keys(choice.first for choice in ask.choices)
            instead = self._instead(first)
            self._bring(hosts, ask.files, first, instead)
            lacking = self._lacking(first)
            if lacking and ask.secondary and self.is_there:
                self._bring(hosts, ask.secondary, lacking, [])
            # What is there but damaged is not computed from others: it may be whole later.
            absent = [key for key in self._lacking(first) if key not in self.damaged]
            needed = [key for one in absent for key in instead_of(ask, one)]
            if wanted := self._lacking(list(dict.fromkeys(needed))):
                self._bring(hosts, ask.files, wanted, [])
        finally:
            for host in hosts:
                host.close()
        return self._delivered(first)

    def _instead(self, first: Sequence[Key]) -> list[Key]:
        return list(dict.fromkeys(key for one in first for key in instead_of(self.ask, one)))

    def _lacking(self, keys: Sequence[Key]) -> list[Key]:
        return [key for key in keys if key not in self.found]

    def _bring(
        self,
        hosts: Sequence[Host],
        files: Sequence[str],
        keys: Sequence[Key],
        more: Sequence[Key],
    ) -> None:
        """Bring fields of one file, from whichever host has it.

        Args:
            hosts: Whom to ask, in their order.
            files: Where the file may be.
            keys: The fields.
            more: What may be wanted too, and is kept where the whole file goes by.
        """
        policy = self.patience.policy
        for failures in range(1, policy.attempts + 1):
            self.is_resting = False
            is_listed = self._by_indexes(hosts, files, keys)
            left = self._lacking(keys)
            if not left:
                return
            if not is_listed or any(key in self.damaged for key in left):
                is_listed = self._by_whole_files(hosts, files, [*left, *more])
            if not self._lacking(keys) or not self.is_resting or failures == policy.attempts:
                return
            wait = policy.wait(failures)
            text = f"{'; '.join(self.troubles.values())}; next try in {wait:.0f} s"
            LOGGER.warning("%s: %s", self.where, text)
            self.watch(Progress(self.request, Step.RETRYING, text=text))
            self.patience.pause(wait)

    def _by_indexes(self, hosts: Sequence[Host], files: Sequence[str], keys: Sequence[Key]) -> bool:
        """Bring fields by the first index that serves; whether one listed all there is."""
        if self.ask.form is IndexForm.NONE:
            return False
        is_listed = False
        for host in hosts:
            for path in files:
                left = self._lacking(keys)
                if not left:
                    return True
                try:
                    is_listed = self._by_index(host, path, left) or is_listed
                    self.is_there |= files is self.ask.files
                    break
                except (AbsentError, ShutError, HostFaultError, IndexFaultError) as error:
                    self._note(host, path, error)
        return is_listed

    def _by_index(self, host: Host, path: str, keys: Sequence[Key]) -> bool:
        """Bring fields by one index, which is read once more where it is not the file's.

        Returns:
            Whether the index was whole, and all that it lists came as it should.
        """
        name = self.ask.form.beside(path)
        bad: dict[Key, str] = {}
        listing: Listing | None = None
        for _ in range(READINGS):
            text = host.text(name)
            fresh = read(text, self.ask.form, self.ask.init_time, self.ask.member)
            if listing is not None and fresh.spans == listing.spans and not bad:
                break
            listing = fresh
            bad = self._by_spans(host, path, listing, self._lacking(keys))
            if not bad:
                break
        self.damaged.update(bad)
        if bad:
            some = next(iter(bad.items()))
            self._note(host, path, IndexFaultError(f"{some[0]}: {some[1]} ({len(bad)} fields)"))
        return listing is not None and not listing.is_cut and not bad

    def _by_spans(
        self, host: Host, path: str, listing: Listing, keys: Sequence[Key]
    ) -> dict[Key, str]:
        """Fetch what an index lists; which fields did not come as they should, and why."""
        places = listing.find(keys)
        asked: dict[int, list[Key]] = {}
        for key, span in places.items():
            asked.setdefault(span.start, []).append(key)
        bad: dict[Key, str] = {}
        for part, raw in host.ranges(path, coalesce(places.values())):
            for start, message in _cut(part, raw):
                wanted = [key for key in asked[start] if key not in self.found]
                if isinstance(message, str):
                    bad |= dict.fromkeys(wanted, message)
                else:
                    bad |= self._keep(message, wanted)
            self._tell()
        return bad

    def _by_whole_files(
        self, hosts: Sequence[Host], files: Sequence[str], keys: Sequence[Key]
    ) -> bool:
        """Cut fields out of the first whole file that comes; whether one came."""
        for host in hosts:
            for path in files:
                try:
                    for message in host.messages(path):
                        self._keep_any(message, keys)
                        self._tell()
                    self.is_there |= files is self.ask.files
                except (AbsentError, ShutError, HostFaultError) as error:
                    self._note(host, path, error)
                else:
                    return True
        return False

    def _keep_any(self, message: bytes, keys: Sequence[Key]) -> None:
        """Keep a message if it is of any wanted field."""
        is_whole = message.endswith(END)
        try:
            fields = heads(message if is_whole else message[: -len(END)] + END)
        except MessageFaultError:
            return
        wanted = [k for k in self._lacking(keys) if any(self._is(head, k) for head in fields)]
        if wanted and is_whole:
            self._write(message, wanted)
        elif wanted:
            self.damaged |= dict.fromkeys(wanted, "the message does not end with 7777")

    def _keep(self, message: bytes, keys: Sequence[Key]) -> dict[Key, str]:
        """Keep a message that must be of wanted fields; which it is not of, and why."""
        if not keys:
            return {}
        try:
            fields = heads(message)
        except MessageFaultError as error:
            return dict.fromkeys(keys, str(error))
        held = [key for key in keys if any(self._is(head, key) for head in fields)]
        if held:
            self._write(message, held)
        said = " and ".join(map(str, fields))
        return {key: f"the message is of {said}" for key in keys if key not in held}

    def _is(self, head: Head, key: Key) -> bool:
        return head.is_of(key, self.ask.init_time, self.ask.member)

    def _write(self, message: bytes, keys: Sequence[Key]) -> None:
        self.file.write(message)
        self.found.update(keys)
        for key in keys:
            self.damaged.pop(key, None)

    def _note(self, host: Host, path: str, error: Exception) -> None:
        if isinstance(error, HostFaultError):
            self.is_resting |= error.may_pass
        self.is_shut |= isinstance(error, ShutError)
        self.troubles[f"{host.url}/{path}"] = f"{host.url}: {error}"
        LOGGER.info("%s/%s: %s", host.url, path, error)

    def _tell(self) -> None:
        self.patience.check()
        self.watch(Progress(self.request, Step.DOWNLOADING, self.file.tell()))

    def _delivered(self, first: Sequence[Key]) -> Delivery:
        """The answer, or why there is none.

        Raises:
            FetchError: It would be empty.
        """
        size = self.file.tell()
        lacking = [key for key in first if not self._is_had(key)]
        if self.found:
            left_out = tuple(
                f"{key}: {self.damaged.get(key, 'not in the file')}" for key in lacking
            )
            for text in left_out:
                LOGGER.warning("%s: left out: %s", self.where, text)
            return Delivery(size, None, left_out)
        found = "; ".join(self.troubles.values()) or "no trouble with any host"
        raise self._failure(found)

    def _is_had(self, key: Key) -> bool:
        instead = instead_of(self.ask, key)
        return key in self.found or (bool(instead) and self.found.issuperset(instead))

    def _failure(self, found: str) -> FetchError:
        again = "run again: the hosts may be back"
        if self.damaged:
            problem, fix = "every field of the file is damaged", "run again later, or leave it out"
            return DamagedError(problem, self.where, found, fix)
        if self.is_there:
            problem = "the file has none of the wanted fields"
            return IncompleteError(problem, self.where, found, "leave it out, or take other fields")
        if self.is_resting:
            return NotAskedError("no host delivers the file", self.where, found, again)
        if self.is_shut:
            problem = "the hosts do not let this account in"
            return CredentialsError(problem, self.where, found, "name a mirror that is open")
        now = datetime.now(UTC).replace(tzinfo=None)
        if self.ask.init_time > now - FRESH:
            return NotYetError("the file is not released yet", self.where, found, "run again later")
        problem = "no host has the file"
        return NotArchivedError(problem, self.where, found, "leave the time out")


def instead_of(ask: Ask, key: Key) -> list[Key]:
    """What takes the place of a field; nothing where it cannot be computed."""
    for choice in ask.choices:
        if choice.first == key.named:
            return [Key(named, key.step) for named in choice.instead]
    return []


def _cut(part: Range, raw: bytes) -> list[tuple[int, bytes | str]]:
    """The wanted messages of a range by their first byte, or what is wrong with one."""
    messages: list[tuple[int, bytes | str]] = []
    for span in part.spans:
        end = None if span.end is None else span.end - part.start
        try:
            messages.append((span.start, whole(raw[span.start - part.start : end])))
        except MessageFaultError as error:
            messages.append((span.start, str(error)))
    return messages
