"""Fields as GRIB messages, the way the stores deliver them.

Edition 1 with simple packing, or edition 2 with CCSDS; 16 bits a value, 24 in
static fields. A template without values is made once for each variable; a
message is the template with its labels and values set. ecCodes lets go of the
interpreter's lock while it packs, so messages are made on several threads and
written in order.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import eccodes
import numpy as np
from numpy.typing import NDArray

from aurora_prep.providers import marks
from aurora_prep.providers.embedded.gaussian import Gaussian, truth_at
from aurora_prep.providers.embedded.region import Region
from aurora_prep.providers.embedded.selection import Field, Selection, Wanted
from aurora_prep.sources.spec import HOUR, Kind, Product, StepType, Variable

# Stands for "missing" while packing; no variable comes near it, and the bitmap
# of the message says where it stood.
MISSING = 1e34
# The archive keeps static fields in more bits than the others.
BITS = {Kind.SURFACE: 16, Kind.ATMOSPHERIC: 16, Kind.STATIC: 24}
LOCAL = threading.local()
GRID_TYPES = {
    (Region, False): "regular_ll",
    (Gaussian, False): "regular_gg",
    (Gaussian, True): "reduced_gg",
}
PACKING = {1: "grid_simple", 2: "grid_ccsds"}

# class, type and generating process of each kind of product at ECMWF.
MARS = {
    Product.REANALYSIS: ("ea", "an", 145),
    Product.ANALYSIS: ("od", "an", 155),
    Product.FORECAST: ("od", "fc", 155),
}
BASE_HOURS = (6, 18)
# What says in every message that it is synthetic.
MARK = {
    1: {"subCentre": marks.GRIB1_SUBCENTRE},
    2: {"productionStatusOfProcessedData": marks.GRIB2_STATUS},
}


def write(
    selection: Selection, fields: Sequence[Field], path: Path, stop: threading.Event
) -> list[int]:
    """Write fields as one GRIB file, message by message and in their order.

    Args:
        selection: Region, product and edition of the fields.
        fields: What to write; a field may come twice, or not at all.
        path: File to make.
        stop: Set it to give up between two messages.

    Returns:
        Where each message ends, bytes from the start of the file.

    Raises:
        InterruptedError: ``stop`` was set.
    """
    ends = []
    with path.open("wb") as file:
        for message in messages(selection, fields):
            if stop.is_set():
                raise InterruptedError("the provider is closing")
            file.write(message)
            ends.append(file.tell())
    return ends


def messages(selection: Selection, fields: Iterable[Field]) -> Iterator[bytes]:
    """GRIB messages of fields, in their order; a few are made ahead."""
    templates: dict[Wanted, bytes] = {}
    threads = os.cpu_count() or 1
    ahead: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(threads, "embedded-grib") as pool:
        for field in fields:
            if field.wanted not in templates:
                templates[field.wanted] = _template(selection, field.wanted)
            ahead.append(pool.submit(_message, templates[field.wanted], selection, field))
            if len(ahead) > 2 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _template(selection: Selection, wanted: Wanted) -> bytes:
    """A message without values: geometry, packing and provenance."""
    edition, points = selection.edition, wanted.points
    levels = "pl" if wanted.native.variable.has_levels else "sfc"
    sample = f"{GRID_TYPES[type(points), _is_reduced(points)]}_{levels}_grib{edition}"
    class_, type_, process = MARS[selection.product]
    keys: dict[str, Any] = {
        **({"grib2LocalSectionPresent": 1, "tablesVersion": 32} if edition != 1 else {}),
        "centre": "ecmf",
        "class": class_,
        "type": type_,
        "stream": "oper",
        "generatingProcessIdentifier": process,
        **MARK[edition],
        **dict(wanted.dialect.labels),
        **(_gaussian(points) if isinstance(points, Gaussian) else _regular(points)),
        "packingType": PACKING[edition],
    }
    if levels == "sfc":
        keys["level"] = 0  # not all samples are clean
    handle = eccodes.codes_grib_new_from_samples(sample)
    try:
        if isinstance(points, Gaussian) and points.is_octahedral:
            eccodes.codes_set(handle, "Nj", 2 * points.lines)
            eccodes.codes_set_array(handle, "pl", points.counts)
        for key, value in keys.items():
            eccodes.codes_set(handle, key, value)
        return bytes(eccodes.codes_get_message(handle))
    finally:
        eccodes.codes_release(handle)


def _is_reduced(points: Region | Gaussian) -> bool:
    return isinstance(points, Gaussian) and points.is_octahedral


def _gaussian(points: Gaussian) -> dict[str, Any]:
    """Keys of a Gaussian grid, beside the lengths of unequal rows."""
    longest = int(points.counts.max())
    step = 360.0 / longest
    keys = {
        "N": points.lines,
        "Nj": 2 * points.lines,
        "latitudeOfFirstGridPointInDegrees": float(points.latitude[0]),
        "longitudeOfFirstGridPointInDegrees": 0.0,
        "latitudeOfLastGridPointInDegrees": float(points.latitude[-1]),
        "longitudeOfLastGridPointInDegrees": 360.0 - step,
    }
    if points.is_octahedral:
        return keys
    return keys | {"Ni": longest, "iDirectionIncrementInDegrees": step}


def _regular(region: Region) -> dict[str, Any]:
    """Keys of a regular grid that runs from north to south and west to east."""
    return {
        "Ni": region.columns,
        "Nj": region.rows,
        "latitudeOfFirstGridPointInDegrees": float(region.north),
        "longitudeOfFirstGridPointInDegrees": float(region.west),
        "latitudeOfLastGridPointInDegrees": float(region.south),
        "longitudeOfLastGridPointInDegrees": float(region.east),
        "iDirectionIncrementInDegrees": float(region.longitude_step),
        "jDirectionIncrementInDegrees": float(region.latitude_step),
        "iScansNegatively": 0,
        "jScansPositively": 0,
    }


def _labels(selection: Selection, field: Field) -> dict[str, Any]:
    """Keys that tell one field of a file from another."""
    variable = field.wanted.native.variable
    labels: dict[str, Any] = {
        "expver": selection.expver(field.valid_time),
        "paramId": variable.param,
        "bitsPerValue": BITS[variable.kind],
    }
    if field.level is not None:
        labels["level"] = field.level
    labels.update(_moment(variable, field))
    return labels


def _moment(variable: Variable, field: Field) -> dict[str, Any]:
    """Date, time and step: accumulations belong to the forecast from 06 or 18 UTC."""
    if variable.step_type is StepType.INSTANT:
        start = field.init_time
        labels = {"dataDate": int(f"{start:%Y%m%d}"), "dataTime": int(f"{start:%H%M}")}
        return labels | ({"stepRange": str(field.lead_time // HOUR)} if field.lead_time else {})
    valid_time = field.valid_time
    back = next(i for i in range(1, 24) if (valid_time - i * HOUR).hour in BASE_HOURS)
    base = valid_time - back * HOUR
    return {
        "type": "fc",
        "dataDate": int(f"{base:%Y%m%d}"),
        "dataTime": int(f"{base:%H%M}"),
        "stepType": "accum",
        "stepRange": f"{back - 1}-{back}",
    }


def _room(points: Region | Gaussian) -> NDArray[np.float64]:
    """This thread's own array: new memory for every field costs more than its values."""
    size = points.size if isinstance(points, Gaussian) else points.rows * points.columns
    room: NDArray[np.float64] | None = getattr(LOCAL, "room", None)
    if room is None or room.size != size:
        room = LOCAL.room = np.empty(size)
    return room


def _message(template: bytes, selection: Selection, field: Field) -> bytes:
    """One field, packed."""
    points, variable = field.wanted.points, field.wanted.native.variable
    values = truth_at(points, variable, field.level, field.valid_time, _room(points))
    handle = eccodes.codes_new_from_message(template)
    try:
        for key, value in _labels(selection, field).items():
            eccodes.codes_set(handle, key, value)
        if variable.may_be_missing:
            eccodes.codes_set(handle, "bitmapPresent", 1)
            eccodes.codes_set(handle, "missingValue", MISSING)
            values[np.isnan(values)] = MISSING
        eccodes.codes_set_values(handle, values)
        return bytes(eccodes.codes_get_message(handle))
    finally:
        eccodes.codes_release(handle)
