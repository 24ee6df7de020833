"""Messages: that a range is one whole GRIB message, and of the field asked for."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import eccodes as ec

from aurora_prep.providers.indexed.wanted import Key

EDITION_1, EDITION_2 = 1, 2
INDICATOR = {EDITION_1: 8, EDITION_2: 16}
LONGEST_INDICATOR = 16
MARK, END = b"GRIB", b"7777"
SECTION_HEAD = 5
STEP = re.compile(r"(\d+)(m|h|D|)")
MINUTES = {"m": 1, "h": 60, "": 60, "D": 1440}
DATA_SECTION, BITMAP_SECTION, REUSED_BITMAP = 7, 6, 254


class MessageFaultError(Exception):
    """Bytes are no whole message, or one of another field."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a field says it is.

    Attributes:
        param: ``paramId``.
        level: hPa on pressure levels, else ``None``.
        init_time: Start of the forecast.
        step: Hours ahead of it, to the end of the step.
        member: Number of the member; ``None`` where the message has none.
    """

    param: int
    level: int | None
    init_time: datetime
    step: int
    member: int | None

    def is_of(self, key: Key, init_time: datetime, member: int | None) -> bool:
        """Whether it is a wanted field."""
        named = key.named
        return (
            (self.param, self.level, self.step) == (named.param, named.level, key.step)
            and self.init_time == init_time
            and member in (None, self.member)
        )

    def __str__(self) -> str:
        level = "" if self.level is None else f" at {self.level} hPa"
        member = "" if self.member is None else f", member {self.member}"
        return f"paramId {self.param}{level} of {self.init_time:%Y-%m-%dT%H} +{self.step} h{member}"


def length_of(raw: bytes) -> int:
    """Length of the message that begins here, by its first sixteen bytes.

    Raises:
        MessageFaultError: No message begins here.
    """
    if raw[:4] != MARK:
        raise MessageFaultError(f"it begins with {bytes(raw[:8])!r} and not with GRIB")
    if len(raw) < LONGEST_INDICATOR:
        raise MessageFaultError(f"only {len(raw)} bytes came")
    if raw[7] == EDITION_2:
        return int(struct.unpack(">Q", raw[8:16])[0])
    if raw[7] == EDITION_1:
        return int.from_bytes(raw[4:7], "big")
    raise MessageFaultError(f"it is of GRIB edition {raw[7]}")


def whole(raw: bytes) -> bytes:
    """The message at the start of some bytes; what follows it is dropped.

    Raises:
        MessageFaultError: It is not whole, or does not end with 7777.
    """
    length = length_of(raw)
    if length > len(raw) or length < LONGEST_INDICATOR:
        raise MessageFaultError(f"the message has {length} bytes, {len(raw)} came")
    if raw[length - 4 : length] != END:
        raise MessageFaultError("the message does not end with 7777")
    return bytes(raw[:length])


def heads(message: bytes) -> list[Head]:
    """What each field of a whole message says it is.

    Raises:
        MessageFaultError: ecCodes cannot read it.
    """
    try:
        return [_head(single) for single in _singles(message)]
    except (ec.CodesInternalError, ValueError, struct.error) as error:
        raise MessageFaultError(f"ecCodes cannot read it: {error}") from None


def _head(message: bytes) -> Head:
    handle = ec.codes_new_from_message(message)
    try:
        kind = ec.codes_get_string(handle, "typeOfLevel")
        level = None
        if kind in ("isobaricInhPa", "isobaricInPa"):
            value = ec.codes_get_double(handle, "level") / (1 if kind == "isobaricInhPa" else 100)
            level = int(value) if value == int(value) else -1
        day, clock = ec.codes_get_long(handle, "dataDate"), ec.codes_get_long(handle, "dataTime")
        member = ec.codes_get_long(handle, "number") if _has(handle, "number") else None
        return Head(
            param=ec.codes_get_long(handle, "paramId"),
            level=level,
            init_time=datetime.strptime(f"{day:08d}{clock:04d}", "%Y%m%d%H%M"),
            step=_hours(ec.codes_get_string(handle, "endStep")),
            member=member,
        )
    finally:
        ec.codes_release(handle)


def _hours(text: str) -> int:
    """A step as ecCodes writes it, in whole hours; -1 for what is none.

    To ask ecCodes to convert means to set a key, which crashes on damaged messages.
    """
    match = STEP.fullmatch(text)
    minutes = int(match[1]) * MINUTES[match[2]] if match else -1
    return -1 if minutes % 60 else minutes // 60


def _has(handle: int, key: str) -> bool:
    return bool(ec.codes_is_defined(handle, key)) and not ec.codes_is_missing(handle, key)


def _singles(message: bytes) -> Iterator[bytes]:
    """Each field of a message as a message of its own; the usual message is one."""
    if message[7] == EDITION_1:
        yield message
        return
    sections: dict[int, bytes] = {}
    found: list[bytes] = []
    at, end = INDICATOR[EDITION_2], len(message) - len(END)
    while at < end:
        size, number = struct.unpack(">IB", message[at : at + SECTION_HEAD])
        if size < SECTION_HEAD or at + size > end:
            raise ValueError(f"section {number} at byte {at} claims {size} bytes")
        is_reused = number == BITMAP_SECTION and message[at + SECTION_HEAD] == REUSED_BITMAP
        if not (is_reused and number in sections):
            sections[number] = message[at : at + size]
        if number == DATA_SECTION:
            body = b"".join(sections[n] for n in sorted(sections))
            total = INDICATOR[EDITION_2] + len(body) + len(END)
            found.append(message[:8] + struct.pack(">Q", total) + body + END)
        at += size
    yield from [message] if len(found) == 1 else found
