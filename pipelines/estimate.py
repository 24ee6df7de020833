"""Estimate: what a plan will cost in requests, bytes, time and money, before it starts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from aurora_prep.pipelines.plan import Plan, SourcePlan

GRIB_BYTES_PER_VALUE = 2.0  # 16-bit simple packing, as the stores deliver
COMPRESSION = 1.85  # lz4 with byte shuffle, lossless, on reanalysis fields
SECONDS_PER_HOUR = 3600.0
MILLION = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What work costs; measured on one core of a 2-core x86 machine.

    Attributes:
        decode: Core-seconds to decode a million values of GRIB.
        regrid: Core-seconds to regrid to a million values.
        reduce_and_write: Core-seconds to reduce, compress and write a million values.
        dollars_per_core_hour: Price of a core for an hour, memory included.
    """

    decode: float = 0.0075
    regrid: float = 0.005
    reduce_and_write: float = 0.004
    dollars_per_core_hour: float = 0.07


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one source of a plan will cost.

    Attributes:
        source: Name of the source.
        grid: Grid written.
        access: Way to the data.
        frames: Frames planned.
        fields: Two-dimensional fields planned.
        shards: Shard tasks.
        objects: Zarr objects written.
        requests: Requests to the provider.
        download_bytes: Bytes to download.
        output_bytes: Bytes to write.
        core_hours: Work of this software; the provider's queue comes on top.
        dollars: Price of the core-hours on a rented machine.
        present: Frames that are in the output already.
    """

    source: str
    grid: str
    access: str
    frames: int
    fields: int
    shards: int
    objects: int
    requests: int
    download_bytes: int
    output_bytes: int
    core_hours: float
    dollars: float
    present: int


def estimate(
    plan: SourcePlan, *, synthetic: bool, present: int, rates: Rates | None = None
) -> Estimate:
    """Work out what one source will cost.

    Args:
        plan: The plan of the source.
        synthetic: Whether the embedded provider will answer.
        present: Frames that are in the output already.
        rates: What work costs.
    """
    rates = rates or Rates()
    written = plan.grid.rows * plan.grid.columns
    native = plan.source.grid.rows * plan.source.grid.columns
    count = plan.frames * plan.fields_per_frame
    shards = -(-plan.leading[-1][1] // plan.frames_per_shard)
    for _, length in plan.leading[:-1]:
        shards *= length
    moved = 0 if plan.grid == plan.source.grid else written
    seconds = (
        count
        / MILLION
        * (rates.decode * native + rates.regrid * moved + rates.reduce_and_write * written)
    )
    hours = seconds / SECONDS_PER_HOUR
    downloads = 0 if plan.files else count * native * GRIB_BYTES_PER_VALUE
    return Estimate(
        source=plan.source.name,
        grid=plan.grid.name,
        access=plan.recipe.access,
        frames=plan.frames,
        fields=count,
        shards=shards,
        objects=shards * len(plan.variables) + len(plan.static_variables),
        requests=sum(1 for _ in plan.requests(synthetic=synthetic)),
        download_bytes=int(downloads),
        output_bytes=int(plan.frames * plan.frame_bytes / COMPRESSION),
        core_hours=round(hours, 3),
        dollars=round(hours * rates.dollars_per_core_hour, 2),
        present=present,
    )


def rows(plan: Plan, estimates: list[Estimate]) -> dict[str, Any]:
    """The estimates as JSON values: ``{"sources": [...], "totals": {...}}``."""
    plain = [{item.name: getattr(e, item.name) for item in fields(e)} for e in estimates]
    counted = [name for name in plain[0] if not isinstance(plain[0][name], str)]
    totals = {name: sum(row[name] for row in plain) for name in counted}
    totals["core_hours"] = round(totals["core_hours"], 3)
    totals["dollars"] = round(totals["dollars"], 2)
    for row, entry in zip(plain, plan.sources, strict=True):
        row["first"] = entry.init_times[0].isoformat()
        row["last"] = (entry.init_times[-1] + entry.lead_times[-1]).isoformat()
        row["variables"] = list(entry.paths)
        row["levels"] = list(entry.levels)
        row["ignored"] = list(entry.ignored)
        row["quirks"] = [str(quirk) for quirk in entry.quirks]
    return {"sources": plain, "totals": totals}
