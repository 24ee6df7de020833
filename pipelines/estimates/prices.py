"""Prices: money, workers and providers' queues, from a file that the user can edit."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from aurora_prep.pipelines.recipe.text import load
from aurora_prep.sources.spec import RecipeError

DEFAULT = Path(__file__).with_name("prices.yaml")
POSITIVE = frozenset(
    {
        "cores",
        "download_megabytes_per_second",
        "upload_megabytes_per_second",
        "megabytes_per_second",
        "writes_per_second",
        "reads_per_second",
    }
)

Section = TypeVar("Section")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Dollars; the file says of what and of which date."""

    core_hour: float
    memory_gib_hour: float
    disk_gib_hour: float
    storage_gib_month: float
    writes_per_thousand: float
    reads_per_thousand: float
    download_gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker's size and its traffic, one way, in 10^6 bytes a second."""

    cores: float
    memory_gib: float
    disk_gib: float
    download_megabytes_per_second: float
    upload_megabytes_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How a provider serves one key.

    Attributes:
        in_flight: Requests it takes at a time; 0 for any number.
        queue_seconds: How long a request waits before its bytes flow.
        fields_per_second: How fast a request is prepared; 0 for at once.
        megabytes_per_second: How fast its bytes flow then.
    """

    in_flight: float
    queue_seconds: float
    fields_per_second: float
    megabytes_per_second: float

    def seconds(self, fields_asked: float, size: float) -> float:
        """How long a request of some fields and bytes takes, from asking to its last byte."""
        prepared = fields_asked / self.fields_per_second if self.fields_per_second else 0.0
        return self.queue_seconds + prepared + size / (self.megabytes_per_second * 1e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What the bucket takes that is written to."""

    writes_per_second: float
    reads_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What one process does alone at the end."""

    seconds_per_part: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """All that time and money are reckoned with.

    Attributes:
        prices: Dollars.
        worker: One worker.
        providers: How each provider serves a key, by the name of the access.
        bucket: What the bucket takes.
        finish: What is done by one process alone.
    """

    prices: Prices
    worker: Worker
    providers: Mapping[str, Queue]
    bucket: Bucket
    finish: Finish

    @property
    def worker_hour(self) -> float:
        """Dollars for a worker for an hour."""
        worker, prices = self.worker, self.prices
        return (
            worker.cores * prices.core_hour
            + worker.memory_gib * prices.memory_gib_hour
            + worker.disk_gib * prices.disk_gib_hour
        )

    @classmethod
    def load(cls, path: str | Path | None = None) -> Setting:
        """Read the file that comes with this software, and the user's own over it.

        Args:
            path: The user's own file; a key that it leaves out keeps its value.

        Raises:
            RecipeError: The file cannot be read, a key is unknown, or a value is not a
                number that makes sense there.
        """
        whole = _read(DEFAULT)
        if path is not None:
            whole = _laid_over(whole, _read(Path(path)), str(path))
        where = str(path or DEFAULT)
        return cls(
            prices=_section(Prices, whole["prices"], f"{where}, prices"),
            worker=_section(Worker, whole["worker"], f"{where}, worker"),
            providers={
                name: _section(Queue, queue, f"{where}, providers.{name}")
                for name, queue in whole["providers"].items()
            },
            bucket=_section(Bucket, whole["bucket"], f"{where}, bucket"),
            finish=_section(Finish, whole["finish"], f"{where}, finish"),
        )


def _read(path: Path) -> dict[str, Any]:
    text = load(path, "file of prices")
    if not isinstance(text, dict):
        raise RecipeError("the prices are no table", str(path), repr(text), f"see {DEFAULT}")
    return text


def _laid_over(below: dict[str, Any], above: dict[str, Any], where: str) -> dict[str, Any]:
    """The tables of one file over those of another; keys must be known."""
    merged = dict(below)
    for key, value in above.items():
        if key not in below:
            near = difflib.get_close_matches(str(key), below, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(below)}"
            raise RecipeError("unknown key", where, str(key), fix)
        if isinstance(below[key], dict):
            if not isinstance(value, dict):
                raise RecipeError(
                    "a table of keys and values is expected", f"{where}, {key}", repr(value),
                    f"write {key}: {{{', '.join(below[key])}: ...}}",
                )  # fmt: skip
            merged[key] = _laid_over(below[key], value, f"{where}, {key}")
        else:
            merged[key] = value
    return merged


def _section(kind: type[Section], values: dict[str, Any], where: str) -> Section:
    names = [item.name for item in fields(kind)]  # type: ignore[arg-type]  # all are dataclasses
    for name in names:
        value = values[name]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0 or (name in POSITIVE and not value):
            bound = "above 0" if name in POSITIVE else "not negative"
            raise RecipeError("not a number that makes sense here", f"{where}.{name}", repr(value),
                              f"write a number, {bound}")  # fmt: skip
    return kind(**{name: float(values[name]) for name in names})
