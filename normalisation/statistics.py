"""Statistics of a split: exact sums rounded once, and what they were taken of."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aurora_prep.normalisation.field_statistics import FieldStatistics
from aurora_prep.normalisation.reduction import FieldReduction
from aurora_prep.normalisation.shard import (
    FINGERPRINT_BITS,
    FieldName,
    ShardStatistics,
    frame_hash,
)
from aurora_prep.sources.spec import FrameKey, Kind, StatisticsError, Variable

FORMAT = "aurora-prep statistics"
VERSION = 1
QUANTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
PHYSICAL = "none: physical values"
MISSING_RULE = "NaN is left out and counted; a change is missing where either field is"
CONVENTIONS = {
    "plain": "every grid point counts the same, as in Aurora's constants",
    "area_": "every row counts by its share of the sphere's surface",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Statistics of one split of one source, and their provenance.

    Attributes:
        source: Name of the source.
        grid: Name of the grid.
        split: Name of the split the frames belong to.
        period: First and last valid time of the frames.
        frames: ``(frame key, digest of its content)`` of every frame that went
            in, in the order of the keys.
        missing_rule: How missing values were treated.
        software_version: Version that computed this.
        values: Of the values, in the order of path and level.
        differences: Of the changes, in the order of path, level and step.
    """

    source: str
    grid: str
    split: str
    period: tuple[datetime, datetime]
    frames: tuple[tuple[str, str], ...]
    missing_rule: str
    software_version: str
    values: tuple[FieldStatistics, ...]
    differences: tuple[FieldStatistics, ...]

    def of(self, path: str, level: int | None = None) -> FieldStatistics:
        """Statistics of the values of a variable and level.

        Raises:
            StatisticsError: They are not here.
        """
        for entry in self.values:
            if (entry.path, entry.level) == (path, level):
                return entry
        raise StatisticsError(
            "no statistics of this variable and level",
            f"statistics of {self.source}, split {self.split}",
            f"{path} at {level}, not among {[(e.path, e.level) for e in self.values]}",
            "take a listed one, or add it to the recipe and run again",
        )

    def to_json(self) -> str:
        """Text that ``from_json`` reads back without loss; the same for equal statistics."""
        document = {
            "format": FORMAT,
            "version": VERSION,
            "source": self.source,
            "grid": self.grid,
            "split": self.split,
            "period": [time.isoformat() for time in self.period],
            "conventions": CONVENTIONS,
            "missing_rule": self.missing_rule,
            "software_version": self.software_version,
            "values": [entry.to_dict() for entry in self.values],
            "differences": [entry.to_dict() for entry in self.differences],
            "frames": dict(self.frames),
        }
        return json.dumps(document, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Statistics:
        """Read statistics back.

        Raises:
            StatisticsError: The text is not that of ``to_json``.
        """
        try:
            found = json.loads(text)
            known = (found["format"], found["version"]) == (FORMAT, VERSION)
        except (ValueError, TypeError, KeyError):
            known = False
        if not known:
            raise StatisticsError(
                "not a statistics file of this version",
                "Statistics.from_json",
                repr(text[:60]),
                f"pass a file written as {FORMAT!r}, version {VERSION}",
            )
        first, last = (datetime.fromisoformat(time) for time in found["period"])
        return cls(
            source=found["source"],
            grid=found["grid"],
            split=found["split"],
            period=(first, last),
            frames=tuple(found["frames"].items()),
            missing_rule=found["missing_rule"],
            software_version=found["software_version"],
            values=tuple(FieldStatistics.from_dict(entry) for entry in found["values"]),
            differences=tuple(FieldStatistics.from_dict(e) for e in found["differences"]),
        )

    def to_netcdf(self, path: str | Path) -> None:
        """Write a NetCDF file: a variable a path, dimensions statistic and level."""
        from aurora_prep.normalisation import netcdf  # noqa: PLC0415  xarray only where needed

        attributes = {
            "title": f"Statistics of {self.source}, split {self.split}",
            "source": self.source,
            "grid": self.grid,
            "split": self.split,
            "period_start": self.period[0].isoformat(),
            "period_end": self.period[1].isoformat(),
            "frames": len(self.frames),
            "missing_rule": self.missing_rule,
            "software_version": self.software_version,
        }
        netcdf.to_netcdf((*self.values, *self.differences), attributes, path)


def finish(
    total: ShardStatistics,
    *,
    source: str,
    grid: str,
    split: str,
    frames: Iterable[tuple[FrameKey, str]],
    software_version: str,
    expected: Iterable[tuple[str, int | None]] = (),
    variables: Iterable[Variable] = (),
    transforms: Mapping[str, str] | None = None,
) -> Statistics:
    """Round the merged partials, once, after checking what went in.

    Args:
        total: The sum of all partials.
        source: Name of the source.
        grid: Name of the grid.
        split: Name of the split.
        frames: Frames that should have gone in, with the digests that were
            passed to ``add_frame``; any order.
        software_version: Version of this software.
        expected: Variables and levels that must be there.
        variables: Declarations, for the units.
        transforms: What was done to the values, by path; nothing by default.

    Raises:
        StatisticsError: There are no frames; other frames went in than stated,
            or one of them twice; or an expected variable or level is absent.
    """
    listed = sorted(frames)
    where = f"statistics of {source}, split {split}"
    _require_frames(total, listed, where)
    present = set(total.reductions)
    absent = [name for name in (FieldName.of(*key) for key in expected) if name not in present]
    if absent:
        raise StatisticsError(
            "a variable or level has no statistics",
            where,
            ", ".join(map(str, absent)),
            "take it out of the recipe, or fetch it and run again",
        )
    units = {variable.path: variable.units for variable in variables}
    entries = [
        _field_statistics(
            name,
            reduction,
            units.get(name.path, ""),
            (transforms or {}).get(name.path, PHYSICAL),
            len(listed),
        )
        for name, reduction in total
    ]
    times = [key.valid_time for key, _ in listed]
    return Statistics(
        source=source,
        grid=grid,
        split=split,
        period=(min(times), max(times)),
        frames=tuple((str(key), digest) for key, digest in listed),
        missing_rule=MISSING_RULE,
        software_version=software_version,
        values=tuple(entry for entry in entries if entry.step_hours is None),
        differences=tuple(entry for entry in entries if entry.step_hours is not None),
    )


def _require_frames(total: ShardStatistics, frames: list[tuple[FrameKey, str]], where: str) -> None:
    if not frames:
        raise StatisticsError(
            "there is no frame to take statistics of",
            where,
            "0 frames",
            "give the split a period that holds frames",
        )
    fingerprint = sum(frame_hash(key, digest) for key, digest in frames) % 2**FINGERPRINT_BITS
    if (total.frames, total.fingerprint) != (len(frames), fingerprint):
        raise StatisticsError(
            "other frames went into the statistics than the split holds",
            where,
            f"{total.frames} frames went in, {len(frames)} belong to the split"
            f" from {frames[0][0]} to {frames[-1][0]}",
            "merge every shard of the split once: aurora-prep statistics DATASET --recompute",
        )


def _field_statistics(
    name: FieldName, found: FieldReduction, units: str, transform: str, frames: int
) -> FieldStatistics:
    area = found.area
    return FieldStatistics(
        path=name.path,
        level=name.level or None,
        step_hours=name.step_hours or None,
        units=units,
        transform=transform,
        fields=found.fields,
        count=found.count,
        missing=found.missing,
        minimum=found.minimum,
        maximum=found.maximum,
        mean=found.mean,
        standard_deviation=found.standard_deviation,
        mean_absolute=found.points.mean_absolute,
        area_mean=area.mean if area else math.nan,
        area_standard_deviation=area.standard_deviation if area else math.nan,
        area_mean_absolute=area.mean_absolute if area else math.nan,
        mean_maximum=found.mean_maximum,
        quantiles=tuple(zip(QUANTILES, found.histogram.quantiles(QUANTILES), strict=True)),
        remarks=tuple(_remarks(name, found, frames)),
    )


def _remarks(name: FieldName, found: FieldReduction, frames: int) -> Iterable[str]:
    if not found.count:
        yield "no valid value"
    elif found.minimum == found.maximum:
        yield f"all values are equal: {found.minimum}"
    of_frames = not name.step_hours and not name.path.startswith(f"{Kind.STATIC}/")
    if of_frames and found.fields != frames:
        yield f"in {found.fields} of {frames} frames only"
    if found.empty and found.count:
        yield f"no valid value in {found.empty} of {found.fields} fields"
