"""Indexes: which field lies where in a file of GRIB messages.

A line of NOAA's (``wgrib2 -s``) has a number, the first byte, the start of the run,
element, level and step, separated by colons; the message ends where the next begins, and
the last one where the file does. Several lines may share a first byte: their message
holds several fields. A line of ECMWF's is JSON with ``_offset`` and ``_length``.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aurora_prep.providers.indexed.wanted import Key
from aurora_prep.sources.spec.index_access import IndexForm

STEP = re.compile(r"(?P<count>\d+) (?P<unit>hour|hr|day) (?:fcst|forecast)")
UNIT_HOURS = {"hour": 1, "hr": 1, "day": 24}
NOAA_PARTS = 6


class IndexFaultError(Exception):
    """An index cannot be read, or is not the one of the file."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of one message.

    Attributes:
        start: First byte.
        end: The one after the last; ``None`` for the end of the file.
    """

    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    """An index, read.

    Attributes:
        spans: Where each field lies, by its words and step.
        is_cut: Whether its last line is not whole, so that it may have lost some.
    """

    spans: Mapping[tuple[str, int], Span]
    is_cut: bool = False

    def find(self, keys: Iterable[Key]) -> dict[Key, Span]:
        """Where the wanted fields lie; those it has not are left out."""
        places = ((key, self.spans.get((key.named.words, key.step))) for key in keys)
        return {key: span for key, span in places if span is not None}


def read(text: str, form: IndexForm, init_time: datetime, member: int | None) -> Listing:
    """Read an index.

    Args:
        text: The index.
        form: How it is written.
        init_time: Start of the run that it must be of.
        member: The member that its lines must be of, where they name one.

    Raises:
        IndexFaultError: It is something else, such as a web page, or of another run.
    """
    lines = text.splitlines()
    found = _noaa(lines, init_time) if form is IndexForm.NOAA else _ecmwf(lines, init_time, member)
    if not found.spans:
        raise IndexFaultError(f"the index names no field; it starts {text[:40]!r}")
    return found


def _noaa(lines: list[str], init_time: datetime) -> Listing:
    rows: list[tuple[int, str, int | None]] = []
    is_cut = False
    for number, line in enumerate(lines, start=1):
        parts = line.strip().split(":")
        if len(parts) < NOAA_PARTS or not parts[1].isdecimal() or not parts[2].startswith("d="):
            if number == len(lines) and rows:
                is_cut = True
                continue
            raise IndexFaultError(f"line {number} is none of an index: {line[:60]!r}")
        if parts[2] != f"d={init_time:%Y%m%d%H}":
            raise IndexFaultError(f"the index is of another run: {parts[2]}")
        rows.append((int(parts[1]), f"{parts[3]}:{parts[4]}", _step(parts[5])))
    starts = sorted({start for start, _, _ in rows})
    ends: dict[int, int | None] = dict(itertools.zip_longest(starts, starts[1:]))
    spans: dict[tuple[str, int], Span] = {}
    for start, words, step in rows:
        if step is not None:
            spans.setdefault((words, step), Span(start, ends[start]))
    return Listing(spans, is_cut)


def _step(text: str) -> int | None:
    """Hours of an instantaneous value: ``anl``, ``6 hour fcst``; ``None`` of sums and means."""
    if text == "anl":
        return 0
    match = STEP.fullmatch(text)
    return int(match["count"]) * UNIT_HOURS[match["unit"]] if match else None


def _ecmwf(lines: list[str], init_time: datetime, member: int | None) -> Listing:
    spans: dict[tuple[str, int], Span] = {}
    is_cut = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            span = Span(int(row["_offset"]), int(row["_offset"]) + int(row["_length"]))
            words = "/".join(str(row[k]) for k in ("param", "levtype", "levelist") if k in row)
            step, start = str(row["step"]), _start(row)
        except (ValueError, KeyError, TypeError):
            if number == len(lines) and spans:
                is_cut = True
                continue
            raise IndexFaultError(f"line {number} is none of an index: {line[:60]!r}") from None
        if start != init_time:
            raise IndexFaultError(f"the index is of another run: {start:%Y-%m-%dT%H}")
        if step.isdecimal() and (member is None or int(row.get("number", member)) == member):
            spans.setdefault((words, int(step)), span)
    return Listing(spans, is_cut)


def _start(row: Mapping[str, Any]) -> datetime:
    clock = str(row["time"]).rjust(4, "0")
    day = datetime.strptime(str(row["date"]), "%Y%m%d")
    return day + timedelta(hours=int(clock[:2]), minutes=int(clock[2:]))
