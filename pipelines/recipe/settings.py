"""What a recipe says beside its sources: splits, statistics, storage."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aurora_prep.pipelines.recipe.values import (
    choice,
    mapping,
    parse_duration,
    parse_time,
    truth,
    wrong,
)

CODECS = ("auto", "blosc-lz4", "blosc-zstd")


@dataclass(frozen=True, slots=True)
class Split:
    """A named part of the frames, by valid time; both ends included."""

    name: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRecipe:
    """Which statistics, over which split (``None``: every frame)."""

    split: str | None = None
    area_weighted: bool = False
    differences: tuple[timedelta, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageRecipe:
    """How shards are written; ``None`` frames per shard means chosen by size."""

    frames_per_shard: int | None = None
    codec: str = "auto"


def read_splits(value: Any, where: str) -> tuple[Split, ...]:
    """Check the table of splits: pairs of dates that do not overlap.

    Raises:
        RecipeError: A key is unknown or missing, or a value makes no sense.
    """
    splits = []
    for name, ends in (mapping(value, None, where) if value is not None else {}).items():
        if not isinstance(ends, list) or len(ends) != 2:  # noqa: PLR2004  a pair of dates
            raise wrong("a split is a pair of dates", f"{where}.{name}", ends, "[start, end]")
        start = parse_time(ends[0], f"{where}.{name}")
        end = parse_time(ends[1], f"{where}.{name}", end_of_day=True)
        if end < start:
            raise wrong("the split ends before it starts", f"{where}.{name}", ends, "swap them")
        splits.append(Split(str(name), start, end))
    ordered = sorted(splits, key=lambda split: split.start)
    for one, other in itertools.pairwise(ordered):
        if other.start <= one.end:
            found = f"{one.name} ends {one.end}, {other.name} starts {other.start}"
            raise wrong("two splits overlap", where, found, "no frame may be in two splits")
    return tuple(splits)


def read_statistics(value: Any, splits: tuple[Split, ...], where: str) -> StatisticsRecipe:
    """Check what is wanted of the statistics.

    Raises:
        RecipeError: A key is unknown or missing, or a value makes no sense.
    """
    names = [split.name for split in splits]
    if value is None:
        return StatisticsRecipe(split="train" if "train" in names else None)
    body = mapping(value, ("split", "area_weighted", "differences"), where)
    split = body.get("split", "train" if "train" in names else None)
    if split is not None and split not in names:
        raise wrong("no such split", f"{where}.split", f"{split!r}, not in {names}", "name one")
    steps = body.get("differences", [])
    if not isinstance(steps, list):
        raise wrong("differences must be a list", where, steps, "write [12h, 24h]")
    differences = tuple(parse_duration(s, f"{where}.differences") for s in steps)
    if not all(differences):
        raise wrong("a difference over no time is zero", where, steps, "write [12h, 24h]")
    return StatisticsRecipe(
        split=split,
        area_weighted=truth(body.get("area_weighted", False), f"{where}.area_weighted"),
        differences=differences,
    )


def read_storage(value: Any, where: str) -> StorageRecipe:
    """Check how shards are to be written.

    Raises:
        RecipeError: A key is unknown or missing, or a value makes no sense.
    """
    if value is None:
        return StorageRecipe()
    body = mapping(value, ("zarr_format", "frames_per_shard", "codec", "lossless"), where)
    if body.get("zarr_format", 3) != 3:  # noqa: PLR2004  the version's number
        raise wrong("only Zarr format 3 is written", where, body["zarr_format"], "write 3")
    if not truth(body.get("lossless", True), f"{where}.lossless"):
        raise wrong("only lossless storage is written", where, "false", "write lossless: true")
    frames = body.get("frames_per_shard", "auto")
    if frames != "auto" and (type(frames) is not int or frames < 1):
        raise wrong("not a number of frames", f"{where}.frames_per_shard", frames, "auto, or 1")
    return StorageRecipe(
        frames_per_shard=None if frames == "auto" else frames,
        codec=choice(body.get("codec", "auto"), CODECS, f"{where}.codec"),
    )
