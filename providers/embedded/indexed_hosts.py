"""Hosts of files with an index beside them: all mirrors of every tree, on one port."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from string import Formatter
from urllib.parse import unquote

from aurora_prep.providers.embedded.asset import Virtual
from aurora_prep.providers.embedded.call import Call, Reply
from aurora_prep.providers.embedded.faults import Faults
from aurora_prep.providers.embedded.indexed_file import (
    RELATIVE_HUMIDITY,
    SPECIFIC_HUMIDITY,
    IndexedFile,
    Part,
)
from aurora_prep.providers.embedded.selection import RefusedError
from aurora_prep.sources.spec import Index, IndexedFiles, IndexForm, Native, Source
from aurora_prep.sources.spec.index_access import LEVEL

PREFIX = "/hosts/"
ROBOT = f"{PREFIX}robot"
PAGE = b"<!DOCTYPE html><html><body>Too many requests: are you a robot?</body></html>"
DIGITS = {"Y": 4, "m": 2, "d": 2, "H": 2}
RECENT = 64


@dataclass(frozen=True, slots=True)
class _File:
    """What a path stands for."""

    source: Source
    access: Index
    files: IndexedFiles
    init_time: datetime
    leads: tuple[timedelta, ...]
    member: int | None
    natives: tuple[Native, ...]
    is_secondary: bool
    path: str

    @property
    def stream(self) -> str:
        """ECMWF's stream, which its paths tell."""
        return next((word for word in ("scda", "enfo") if f"/{word}/" in self.path), "oper")


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What is odd about a file, as long as the faults are switched on.

    Attributes:
        shares: u and v share a message.
        is_damaged: One field is damaged.
        is_apart: Specific humidity is in the secondary file alone.
        is_lacking: Specific humidity is nowhere.
    """

    shares: bool
    is_damaged: bool
    is_apart: bool
    is_lacking: bool


class Hosts:
    """The trees of all ``Index`` accesses, on as many hosts as they declare.

    Args:
        sources: Declarations that say what is held.
        faults: What goes wrong.
        base: Address of the provider.
    """

    def __init__(self, sources: Sequence[Source], faults: Faults, base: str) -> None:
        self._held = [
            (source, access)
            for source in sources
            for access in source.accesses
            if isinstance(access, Index)
        ]
        self._faults = faults
        self._base = base
        self._shared: set[str] = set()
        self._find = lru_cache(maxsize=4 * RECENT)(self._found)
        self._files = lru_cache(maxsize=RECENT)(self._file)

    def close(self) -> None:
        """Nothing is under way."""

    def answer(self, call: Call) -> Reply:
        """The reply to a call; a refusal is also returned as a reply."""
        try:
            return self._route(call)
        except RefusedError as refused:
            return Reply(refused.status, {"message": refused.detail}, refused.headers)

    def _route(self, call: Call) -> Reply:
        if call.method not in ("GET", "HEAD"):
            raise RefusedError(405, "method not allowed", f"{call.method} is not allowed")
        if call.path == ROBOT:
            return Reply(200, asset=_virtual(PAGE, "text/html"))
        host, _, place = unquote(call.path.removeprefix(PREFIX)).partition("/")
        if host == "0" and self._faults.take("mirror_down"):
            raise RefusedError(503, "service unavailable", "the host is down")
        if self._faults.take("busy"):
            raise RefusedError(503, "service unavailable", "try again later")
        if self._faults.take("too_many_requests"):
            raise RefusedError(429, "too many requests", "slow down", {"Retry-After": "1"})
        if self._faults.take("licence"):
            raise RefusedError(403, "forbidden", "log in first")
        if self._faults.take("robot_page"):
            return Reply(302, None, {"Location": f"{self._base}{ROBOT}"})
        dataset, _, path = place.partition("/")
        return self._index(dataset, path) or self._data(dataset, path)

    def _index(self, dataset: str, path: str) -> Reply | None:
        """The index at a path; ``None`` where the path is not that of one."""
        found = None
        for form in (IndexForm.NOAA, IndexForm.ECMWF):
            if path.endswith(form):
                names = path.removesuffix(form), f"{path.removesuffix(form)}.grib2"
                for name in names:
                    there = self._find(dataset, name)
                    if (
                        there is not None
                        and there.files.form is form
                        and (form.beside(name) == path)
                    ):
                        found = there
        if found is None:
            return None
        if self._faults.take("no_index"):
            raise RefusedError(404, "not found", f"there is no {path}")
        if self._faults.take("shared_range"):
            self._shared.add(found.path)
        stale, cut = self._faults.take("stale_index"), self._faults.take("index_cut")
        text = self._made(found).index(found.files.form, stale=stale, cut=cut)
        return Reply(200, asset=_virtual(text.encode(), "text/plain"))

    def _data(self, dataset: str, path: str) -> Reply:
        found = self._find(dataset, path)
        if found is None or self._faults.take("no_file") or self._faults.take("not_archived"):
            raise RefusedError(404, "not found", f"there is no {path}")
        file = self._made(found)
        return Reply(200, asset=Virtual(file.size, path, "application/octet-stream", file.read))

    def _made(self, found: _File) -> IndexedFile:
        left = self._faults.left
        state = _State(
            shares=found.path in self._shared,
            is_damaged=bool(left("damaged_field")),
            is_apart=bool(left("humidity_apart")),
            is_lacking=bool(left("humidity_lacking")),
        )
        return self._files(found, state)

    def _file(self, found: _File, state: _State) -> IndexedFile:
        is_elsewhere = bool(found.files.secondary) and not found.is_secondary and state.is_apart
        without = state.is_lacking or is_elsewhere
        parts = [p for p in _parts(found) if not (without and p.param == SPECIFIC_HUMIDITY)]
        if not parts:
            raise RefusedError(404, "not found", f"there is no {found.path}")
        damaged = len(parts) // 2 if state.is_damaged else None
        return IndexedFile(parts, shares=state.shares, damaged=damaged)

    def _found(self, dataset: str, path: str) -> _File | None:
        now = datetime.now(UTC).replace(tzinfo=None)
        for source, access in self._held:
            for files in access.files:
                if files.dataset != dataset:
                    continue
                for pattern in (*files.patterns, *files.secondary):
                    found = _read(source, access, files, pattern, path)
                    if found is not None and source.first <= found.init_time <= now:
                        return found
        return None


def _virtual(content: bytes, media: str) -> Virtual:
    return Virtual(len(content), "text", media, lambda start, stop: content[start:stop])


def _read(
    source: Source, access: Index, files: IndexedFiles, pattern: str, path: str
) -> _File | None:
    """What a path stands for, if it follows a pattern."""
    match = re.fullmatch(_expression(pattern), path)
    if match is None:
        return None
    parts = match.groupdict()
    try:
        year, month, day, hour = (int(parts.get(key) or 0) for key in ("Y", "m", "d", "H"))
        init = datetime(year, month, day, hour)
    except ValueError:
        return None
    lead = timedelta(hours=int(parts["lead"])) if parts.get("lead") else None
    members = {label: member for member, label in access.labels}
    names = dict(files.names)
    natives = tuple(
        native
        for native in source.natives
        if native.variable.path in files.paths
        and access.serves(native.variable)
        and parts.get("name") in (None, names.get(native.variable.path))
    )
    is_known = (parts.get("member") is None) == (not access.labels)
    is_held = natives and any(files.holds(p, None, init) for p in files.paths)
    off_cadence = (init - source.first) % source.cadence
    if not is_known or not is_held or off_cadence or lead not in (None, *source.lead_times):
        return None
    return _File(
        source=source,
        access=access,
        files=files,
        init_time=init,
        leads=source.lead_times if lead is None else (lead,),
        member=members.get(parts.get("member") or ""),
        natives=natives,
        is_secondary=pattern in files.secondary,
        path=path,
    )


@lru_cache(maxsize=256)
def _expression(pattern: str) -> str:
    """A regular expression that finds what a path says."""
    known: set[str] = set()
    expression = ""
    for text, field, spec, _ in Formatter().parse(pattern):
        expression += re.escape(text)
        if field == "time":
            for piece in re.split(r"(%\w)", spec or ""):
                letter = piece[1:] if piece.startswith("%") else ""
                if not letter:
                    expression += re.escape(piece)
                    continue
                digits = rf"(?P<{letter}>\d{{{DIGITS[letter]}}})"
                expression += f"(?P={letter})" if letter in known else digits
                known.add(letter)
        elif field is not None:
            digits = r"\d+" if field == "lead" else r"\w+"
            expression += f"(?P={field})" if field in known else f"(?P<{field}>{digits})"
            known.add(field)
    return expression


def _parts(found: _File) -> Iterator[Part]:
    """The fields of a file: of each step relative humidity first, since nobody asks for it."""
    levels = [
        level
        for level in found.source.levels
        if not found.files.levels or level in found.files.levels
    ]
    for lead in found.leads:
        for native in found.natives:
            variable = native.variable
            term = found.access.term(variable)
            if found.is_secondary and native.number != SPECIFIC_HUMIDITY:
                continue
            for words, param in term.instead:
                if param == RELATIVE_HUMIDITY and not found.is_secondary:
                    for level in levels:
                        yield _part(found, None, param, words, level, lead)
        for place in levels if found.natives[0].variable.has_levels else [None, *levels]:
            for native in found.natives:
                is_here = native.variable.has_levels is (place is not None)
                if is_here and not (found.is_secondary and native.number != SPECIFIC_HUMIDITY):
                    term = found.access.term(native.variable)
                    yield _part(found, native, native.number, term.words, place, lead)


def _part(
    found: _File, native: Native | None, param: int, words: str, level: int | None, lead: timedelta
) -> Part:
    return Part(
        native=native,
        param=param,
        words=words if level is None else words.replace(LEVEL, str(level)),
        level=level,
        init_time=found.init_time,
        lead_time=lead,
        member=found.member,
        grid=found.files.grid,
        form=found.files.form,
        stream=found.stream,
    )
