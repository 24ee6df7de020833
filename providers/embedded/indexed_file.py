"""Files of GRIB messages with an index beside them, made as they are read.

Simple packing takes 16 bits a value, so the length of every message is known before
its values are: an index costs nothing, and of a file only what is asked for is made.
"""

from __future__ import annotations

import json
import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Any

import eccodes
import numpy as np
from numpy.typing import NDArray

from aurora_prep.providers import marks
from aurora_prep.providers.embedded.atmosphere import GRAVITY, truth
from aurora_prep.sources.spec import HOUR, Grid, IndexForm, Native, Variable
from aurora_prep.sources.spec.catalogue import Q, T

MISSING = 1e34
MEAN_SEA = 101
# What a value in our units is divided by to be one in the provider's.
FACTORS = {"gpm": GRAVITY}
RELATIVE_HUMIDITY = 157
SPECIFIC_HUMIDITY = 133
ON_MEAN_SEA = (151, 260074)
# Ratio of the molar masses of water vapour and dry air.
EPSILON = 0.62198
PRODUCT = 4  # the first section that a further field of a message does not share
HALF_TURN = 180.0
SOME_LEVEL = 500


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a file.

    Attributes:
        native: What it is; ``None`` for relative humidity, made from ``q`` and ``t``.
        param: Parameter number in the message.
        words: Its name in the index, without the step.
        level: hPa, ``None`` where there is none.
        init_time: Start of the forecast.
        lead_time: Distance ahead of it.
        member: Number of the member, ``None`` of what is no ensemble.
        grid: Where its points lie.
        form: Whose file it is.
        stream: ECMWF's stream.
    """

    native: Native | None
    param: int
    words: str
    level: int | None
    init_time: datetime
    lead_time: timedelta
    member: int | None
    grid: Grid
    form: IndexForm
    stream: str

    @property
    def is_eastward(self) -> bool:
        """Whether it is a component of wind that another follows in the same message."""
        return self.native is not None and self.native.variable.nature == "eastward"


class IndexedFile:
    """One file and its index.

    Args:
        parts: Its fields, in order.
        shares: Whether u and v share a message.
        damaged: Position of the message whose end is destroyed; ``None`` for none.
    """

    def __init__(self, parts: Sequence[Part], *, shares: bool, damaged: int | None) -> None:
        self.messages: list[tuple[Part, ...]] = []
        for part in parts:
            before = self.messages[-1] if self.messages else ()
            if shares and len(before) == 1 and before[0].is_eastward:
                self.messages[-1] = (*before, part)
            else:
                self.messages.append((part,))
        self.damaged = None if damaged is None else damaged % len(self.messages)
        self.ends = list(accumulate(map(_length, self.messages)))

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.ends[-1]

    def read(self, start: int, stop: int) -> bytes:
        """Bytes from the first to before the last."""
        number = bisect_right(self.ends, start)
        begin = self.ends[number - 1] if number else 0
        pieces = []
        offset = begin
        while offset < stop:
            message = _message(self.messages[number])
            if number == self.damaged:
                message = message[:-16] + bytes(16)
            pieces.append(message)
            offset += len(message)
            number += 1
        return b"".join(pieces)[start - begin : stop - begin]

    def index(self, form: IndexForm, *, stale: bool, cut: bool) -> str:
        """The index beside it.

        Args:
            form: How it is written.
            stale: Whether it is that of an older file, whose second half lay elsewhere.
            cut: Whether its last line ends early.
        """
        lines = []
        for number, message in enumerate(self.messages):
            start = self.ends[number - 1] if number else 0
            length = self.ends[number] - start
            if stale and number >= len(self.messages) // 2:
                start += 1_000
            for place, part in enumerate(message, start=1):
                shown = f"{number + 1}" if len(message) == 1 else f"{number + 1}.{place}"
                lines.append(
                    _noaa_line(part, shown, start)
                    if form is IndexForm.NOAA
                    else _ecmwf_line(part, start, length)
                )
        if cut:
            lines[-1] = lines[-1][: len(lines[-1]) // 3]
        return "\n".join(lines) + ("" if cut else "\n")


def _noaa_line(part: Part, number: str, start: int) -> str:
    hours = part.lead_time // HOUR
    step = f"{hours} hour fcst" if hours else "anl"
    member = {None: "", 0: "ENS=low-res ctl"}.get(part.member, f"ENS=+{part.member}")
    return f"{number}:{start}:d={part.init_time:%Y%m%d%H}:{part.words}:{step}:{member}"


def _ecmwf_line(part: Part, start: int, length: int) -> str:
    names = part.words.split("/")
    row: dict[str, Any] = {
        "domain": "g", "date": f"{part.init_time:%Y%m%d}", "time": f"{part.init_time:%H%M}",
        "expver": "0001", "class": "od", "type": "fc", "stream": part.stream,
        "step": str(part.lead_time // HOUR), "levtype": names[1],
    }  # fmt: skip
    if len(names) > 2:  # noqa: PLR2004  param, levtype, levelist
        row["levelist"] = names[2]
    return json.dumps({**row, "param": names[0], "_offset": start, "_length": length})


def _length(message: tuple[Part, ...]) -> int:
    first = message[0]
    if any(part.native is not None and part.native.variable.may_be_missing for part in message):
        return len(_message(message))
    return _usual_length(
        tuple(part.param for part in message),
        first.grid,
        first.form,
        first.member,
        first.level and SOME_LEVEL,
    )


@lru_cache(maxsize=256)
def _usual_length(
    params: tuple[int, ...], grid: Grid, form: IndexForm, member: int | None, level: int | None
) -> int:
    """Length of a message of some parameters, whatever its values: found by making one."""
    start, ahead = datetime(2020, 1, 1), timedelta(0)
    values = np.linspace(1.0, 2.0, grid.rows * grid.columns)
    parts = (
        Part(None, param, "", level, start, ahead, member, grid, form, "oper") for param in params
    )
    return len(_joined([_packed(part, values) for part in parts]))


def _message(parts: tuple[Part, ...]) -> bytes:
    return _joined([_packed(part, _values(part)) for part in parts])


def _values(part: Part) -> NDArray[np.float64]:
    valid = part.init_time + part.lead_time
    latitude, longitude = part.grid.latitude, _longitude(part)

    def of(variable: Variable) -> NDArray[np.float64]:
        return truth(variable, part.level, valid, latitude, longitude)

    if part.native is None:
        return _relative_humidity(of(Q), of(T), 100.0 * float(part.level or 0)).ravel()
    return of(part.native.variable).ravel() / FACTORS.get(part.native.units, 1.0)


def _longitude(part: Part) -> NDArray[np.float64]:
    """ECMWF's open data begin at the date line."""
    longitude = part.grid.longitude
    return longitude + HALF_TURN if part.form is IndexForm.ECMWF else longitude


def _relative_humidity(
    q: NDArray[np.float64], t: NDArray[np.float64], pressure: float
) -> NDArray[np.float64]:
    """Per cent, over water: vapour pressure by that of saturation (Bolton 1980, equation 10)."""
    vapour = q * pressure / (EPSILON + (1.0 - EPSILON) * q)
    celsius = t - 273.15
    return 100.0 * vapour / (611.2 * np.exp(17.67 * celsius / (celsius + 243.5)))


def _packed(part: Part, values: NDArray[np.float64]) -> bytes:
    handle = eccodes.codes_new_from_message(_template(part.grid, part.form, part.member is None))
    try:
        variable = None if part.native is None else part.native.variable
        for key, value in _labels(part).items():
            eccodes.codes_set(handle, key, value)
        if variable is not None and variable.may_be_missing:
            eccodes.codes_set(handle, "bitmapPresent", 1)
            eccodes.codes_set(handle, "missingValue", MISSING)
            values = np.where(np.isnan(values), MISSING, values)
        eccodes.codes_set_values(handle, values)
        return bytes(eccodes.codes_get_message(handle))
    finally:
        eccodes.codes_release(handle)


def _labels(part: Part) -> dict[str, Any]:
    on_levels = part.level is not None
    labels: dict[str, Any] = {}
    if part.form is IndexForm.ECMWF:
        labels |= {"class": "od", "stream": part.stream, "type": "fc", "expver": "0001"}
    if part.member is not None:
        labels |= {"perturbationNumber": part.member, "numberOfForecastsInEnsemble": 5}
    labels |= {
        "typeOfFirstFixedSurface": 100 if on_levels else 1,
        "paramId": part.param,
        "dataDate": int(f"{part.init_time:%Y%m%d}"),
        "dataTime": int(f"{part.init_time:%H%M}"),
        "step": part.lead_time // HOUR,
    }
    if on_levels:
        labels["level"] = part.level
    elif part.param in ON_MEAN_SEA:
        labels["typeOfFirstFixedSurface"] = MEAN_SEA
    return labels


@lru_cache(maxsize=16)
def _template(grid: Grid, form: IndexForm, alone: bool) -> bytes:  # noqa: FBT001
    """A message without values."""
    ours = form is IndexForm.ECMWF
    keys: dict[str, Any] = {
        "tablesVersion": 32 if ours else 2,
        "centre": "ecmf" if ours else "kwbc",
        "productionStatusOfProcessedData": marks.GRIB2_STATUS,
        **({"grib2LocalSectionPresent": 1} if ours else {}),
        "productDefinitionTemplateNumber": 0 if alone else 1,
        "typeOfProcessedData": 1 if alone else 3,
        "Ni": grid.columns,
        "Nj": grid.rows,
        "latitudeOfFirstGridPointInDegrees": float(grid.north),
        "longitudeOfFirstGridPointInDegrees": HALF_TURN if ours else float(grid.west),
        "latitudeOfLastGridPointInDegrees": float(grid.south),
        "longitudeOfLastGridPointInDegrees": (
            HALF_TURN - float(grid.longitude_step) if ours else float(grid.east)
        ),
        "iDirectionIncrementInDegrees": float(grid.longitude_step),
        "jDirectionIncrementInDegrees": float(grid.latitude_step),
        "bitsPerValue": 16,
    }
    handle = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2")
    try:
        for key, value in keys.items():
            eccodes.codes_set(handle, key, value)
        return bytes(eccodes.codes_get_message(handle))
    finally:
        eccodes.codes_release(handle)


def _joined(messages: Sequence[bytes]) -> bytes:
    """Messages on one grid as one with several fields: those after the first share its head."""
    first, *others = messages
    if not others:
        return first
    body = first[16:-4]
    for message in others:
        at = 16
        while at < len(message) - 4:
            size, number = struct.unpack(">IB", message[at : at + 5])
            if number >= PRODUCT:
                body += message[at : at + size]
            at += size
    return first[:8] + struct.pack(">Q", 16 + len(body) + 4) + body + b"7777"
