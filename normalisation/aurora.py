"""Statistics in Aurora's own terms: its keys, its rules, its published constants.

Aurora divides in the model: ``(x - location) / scale``, with one pair a surface or
static variable (``2t``, ``z``) and one an atmospheric variable and level
(``t_850``). Which statistic a pair holds depends on the variable.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

from aurora_prep.normalisation.field_statistics import FieldStatistics
from aurora_prep.normalisation.statistics import Statistics
from aurora_prep.sources.spec import Kind, StatisticsError

SOIL_TYPES = 7.0
MEAN_MAXIMUM_SHARE = 0.5
"""Notes on the paper: half the time mean of the spatial maximum. The published
scales of ``gtco3`` and ``go3`` look like the whole of it, so it can be chosen."""

POLLUTANTS = frozenset(
    {"pm1", "pm2p5", "pm10", "tcco", "tc_no", "tcno2", "gtco3", "tcso2"}
    | {"co", "no", "no2", "go3", "so2"}
)
DIRECTIONS = frozenset({"mwd", "mdww", "mdts", "mwd1", "mwd2", "dwi"})
UNSCALED = DIRECTIONS | {"insolation"}
FAR_OFF = 0.1
"""A location this many published scales off, or a scale off by this share, is marked."""


class Rule(StrEnum):
    """Which statistics make the location and the scale."""

    STANDARDISE = "mean, standard deviation"
    MEAN_MAXIMUM = "0, a share of the time mean of the spatial maximum"
    MIN_MAX = "minimum, maximum - minimum"
    SOIL_TYPE = "0, 7"
    UNIT = "0, 1"


def rule_of(path: str) -> Rule:
    """Aurora's rule for a variable, by ``kind/short_name``."""
    kind, _, name = path.partition("/")
    if kind == Kind.STATIC:
        return {"z": Rule.MIN_MAX, "slt": Rule.SOIL_TYPE}.get(name, Rule.UNIT)
    if name in POLLUTANTS:
        return Rule.MEAN_MAXIMUM
    return Rule.UNIT if name in UNSCALED else Rule.STANDARDISE


@cache
def published() -> dict[str, tuple[float, float]]:
    """Location and scale by Aurora's key, as released in ``microsoft-aurora`` 2.0.1."""
    text = resources.files(__package__).joinpath("aurora_constants.json").read_text("utf-8")
    pairs: dict[str, list[float]] = json.loads(text)["pairs"]
    return {key: (location, scale) for key, (location, scale) in pairs.items()}


def pair_of(
    entry: FieldStatistics, *, area_weighted: bool, mean_maximum_share: float
) -> tuple[float, float]:
    """Location and scale of one variable and level by Aurora's rule."""
    match rule_of(entry.path):
        case Rule.STANDARDISE if area_weighted:
            return entry.area_mean, entry.area_standard_deviation
        case Rule.STANDARDISE:
            return entry.mean, entry.standard_deviation
        case Rule.MEAN_MAXIMUM:
            return 0.0, mean_maximum_share * entry.mean_maximum
        case Rule.MIN_MAX:
            return entry.minimum, entry.maximum - entry.minimum
        case Rule.SOIL_TYPE:
            return 0.0, SOIL_TYPES
    return 0.0, 1.0


def to_aurora(
    statistics: Statistics | Iterable[Statistics],
    *,
    area_weighted: bool = False,
    mean_maximum_share: float = MEAN_MAXIMUM_SHARE,
) -> dict[str, dict[str, float]]:
    """``{"locations": {...}, "scales": {...}}`` with exactly Aurora's keys.

    Args:
        statistics: Of one source, or of several that share no key.
        area_weighted: Whether means and deviations are by area; Aurora's own are not.
        mean_maximum_share: Share of the mean spatial maximum that scales a pollutant.

    Raises:
        StatisticsError: A scale would be zero or not a number, or two sources
            bring the same key.
    """
    several = (statistics,) if isinstance(statistics, Statistics) else statistics
    locations: dict[str, float] = {}
    scales: dict[str, float] = {}
    for one in several:
        where = f"statistics of {one.source}, split {one.split}"
        useless = []
        for entry in one.values:
            location, scale = pair_of(
                entry, area_weighted=area_weighted, mean_maximum_share=mean_maximum_share
            )
            if not math.isfinite(location) or not scale > 0 or math.isinf(scale):
                remarks = "; ".join(entry.remarks) or "not computed in this convention"
                useless.append(f"{entry.aurora_key}: {location}, {scale} ({remarks})")
            if entry.aurora_key in locations:
                raise StatisticsError(
                    "two sources bring statistics of the same variable",
                    where,
                    entry.aurora_key,
                    "export one source at a time: Aurora has one scale a variable",
                )
            locations[entry.aurora_key], scales[entry.aurora_key] = location, scale
        if useless:
            raise StatisticsError(
                "a scale would divide by zero, or by nothing",
                where,
                ", ".join(useless),
                "leave the variable out, or take statistics of more frames",
            )
    return {"locations": locations, "scales": scales}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One of our pairs beside the published one.

    Attributes:
        key: Aurora's key.
        rule: Which statistics make the pair.
        location: Ours.
        scale: Ours.
        published_location: Aurora's; NaN where it has none.
        published_scale: Aurora's; NaN where it has none.
        shift: ``(location - published) / published scale``.
        ratio: ``scale / published scale``.
        look: Why a user should look at it; empty where all is well.
    """

    key: str
    rule: Rule
    location: float
    scale: float
    published_location: float
    published_scale: float
    shift: float
    ratio: float
    look: str


def compare_aurora(
    statistics: Statistics,
    *,
    area_weighted: bool = False,
    mean_maximum_share: float = MEAN_MAXIMUM_SHARE,
) -> tuple[Comparison, ...]:
    """Our pairs beside the published ones, those to look at marked.

    Args:
        statistics: Of one source.
        area_weighted: As for ``to_aurora``.
        mean_maximum_share: As for ``to_aurora``.
    """
    rows = []
    for entry in statistics.values:
        location, scale = pair_of(
            entry, area_weighted=area_weighted, mean_maximum_share=mean_maximum_share
        )
        theirs, their_scale = published().get(entry.aurora_key, (math.nan, math.nan))
        shift, ratio = (location - theirs) / their_scale, scale / their_scale
        rows.append(
            Comparison(
                key=entry.aurora_key,
                rule=rule_of(entry.path),
                location=location,
                scale=scale,
                published_location=theirs,
                published_scale=their_scale,
                shift=shift,
                ratio=ratio,
                look="; ".join(_reasons(entry, shift, ratio)),
            )
        )
    return tuple(rows)


def _reasons(entry: FieldStatistics, shift: float, ratio: float) -> Iterable[str]:
    yield from entry.remarks
    if entry.aurora_key not in published():
        yield "Aurora publishes none"
        return
    if not abs(shift) <= FAR_OFF:
        yield f"location {shift:+.2f} scales off"
    if not abs(ratio - 1) <= FAR_OFF:
        yield f"scale {ratio:.3g} times the published one"
