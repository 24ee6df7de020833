"""Deep verification: decode every field and compare its values with the details."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarr.errors import ZarrUserWarning

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger.merge import Task
from aurora_prep.manifest.parallel import ordered
from aurora_prep.manifest.store_reader import Store
from aurora_prep.manifest.verify.problems import Kind, Problem
from aurora_prep.manifest.verify.tables import REDO, Ledger
from aurora_prep.sources.spec import moment_text

MEAN_TOLERANCE = 1e-9  # of the largest magnitude: the order of a float64 sum, and no more
SHARE_TOLERANCE = 1e-9
FIELDS = """
    SELECT source, grid, shard, store, path, init_time, lead_time, member,
           level, minimum, maximum, mean, missing_fraction
    FROM details ORDER BY store, shard, path, init_time, lead_time, member, level
"""


@dataclass(frozen=True, slots=True)
class Column:
    """All levels of one variable of one frame, as the details describe them."""

    task: Task
    store: str
    path: str
    init_time: datetime | None
    lead_time: timedelta | None
    member: int | None
    fields: tuple[tuple[int | None, float | None, float | None, float | None, float], ...]

    def __str__(self) -> str:
        if self.init_time is None:
            return f"{self.store} {self.path}"
        moment = moment_text(self.init_time, self.lead_time or timedelta(0), self.member)
        return f"{self.store} {self.path} of {moment}"


def read(store: Store, column: Column) -> dict[int | None, NDArray[np.float32]]:
    """The fields of a column by level, as the store gives them.

    Raises:
        ManifestError: The store has no such time.
    """
    array: Any = store.group[column.path.rsplit("/", 1)[-1]]
    names = array.metadata.dimension_names
    place = store.place(names, column.init_time, column.lead_time, column.member)
    block = np.asarray(array[place])
    if "level" not in names:
        return {None: block}
    return {level: block[i] for level, i in store.places["level"].items()}


def check_values(ledger: Ledger, progress: Callable[[str, int, int], None] | None) -> int:
    """Decode every field of the dataset; problems go to the ledger.

    Returns:
        Number of fields compared.
    """
    ((total,),) = ledger.ask("SELECT count(*) FROM details")
    stores: dict[str, Store | None] = {}
    checked = 0

    def check(column: Column) -> tuple[int, list[Problem]]:
        store = stores[column.store]
        return (0, []) if store is None else (len(column.fields), _compare(store, column))

    def opened() -> Iterator[Column]:
        for column in _columns(ledger):
            if column.store not in stores:
                stores[column.store] = _open(ledger, column.store)
            yield column

    for count, problems in ordered(check, opened(), threads=4, ahead=8):
        checked += count
        ledger.problems.extend(problems)
        if progress is not None:
            progress("fields", checked, int(total))
    return checked


def _open(ledger: Ledger, name: str) -> Store | None:
    try:
        with warnings.catch_warnings():
            # Strays beside the arrays are orphans: the check of the stores names them.
            warnings.filterwarnings("ignore", "Object at", ZarrUserWarning)
            return Store(durable.join(ledger.url, name))
    except Exception as error:  # noqa: BLE001  # whatever is wrong, the store cannot be opened
        found = f"it cannot be opened: {type(error).__name__}: {error}"
        ledger.add(Kind.METADATA, name, found, "restore the store's metadata")
        return None


def _columns(ledger: Ledger) -> Iterator[Column]:
    rows = iter(ledger.database.execute(FIELDS).fetchone, None)
    for key, group in groupby(rows, key=lambda row: row[:8]):
        source, grid, shard, store, path, init_time, lead_time, member = key
        lead = None if lead_time is None else timedelta(seconds=lead_time)
        fields = tuple(row[8:] for row in group)
        yield Column((source, grid, shard), store, path, init_time, lead, member, fields)


def _compare(store: Store, column: Column) -> list[Problem]:
    try:
        found = read(store, column)
    except Exception as error:  # noqa: BLE001  # decoders fail in many ways: all mean damage
        text = f"cannot be decoded: {type(error).__name__}: {error}"
        return [Problem(Kind.VALUES, str(column), text, REDO, column.task)]
    problems = []
    for level, low, high, mean, share in column.fields:
        where = str(column) if level is None else f"{column} at {level} hPa"
        fault: str | None = "no such level"
        if level in found:
            fault = _difference(found[level], low, high, mean, share)
        if fault is not None:
            problems.append(Problem(Kind.VALUES, where, fault, REDO, column.task))
    return problems


def _difference(
    field: NDArray[np.float32],
    minimum: float | None,
    maximum: float | None,
    mean: float | None,
    missing_fraction: float,
) -> str | None:
    """What differs between a field and its details, in words."""
    missing = np.isnan(field)
    share = float(missing.mean())
    if abs(share - missing_fraction) > SHARE_TOLERANCE:
        return f"missing fraction {share:.9g}, not {missing_fraction:.9g}"
    if minimum is None or maximum is None or mean is None:
        return None if missing.all() else "it has values, and its details have none"
    valid = field[~missing]
    if valid.size == 0:
        return "it has no values, and its details have some"
    lowest, highest = float(valid.min()), float(valid.max())
    if (lowest, highest) != (minimum, maximum):
        return f"range {lowest!r} to {highest!r}, not {minimum!r} to {maximum!r}"
    average = float(valid.mean(dtype=np.float64))
    scale = max(abs(lowest), abs(highest))
    if not math.isclose(average, mean, rel_tol=0, abs_tol=MEAN_TOLERANCE * scale):
        return f"mean {average!r}, not {mean!r}"
    return None
