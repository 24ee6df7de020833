"""Load: what one source of a plan asks of queue, network, cores and bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from aurora_prep.pipelines.estimates.costs import GRIB, NETCDF, ZARR, Costs
from aurora_prep.pipelines.estimates.counts import (
    delivery_of,
    object_count,
    part_count,
    request_count,
    whole_files,
)
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.sources.spec import Zarr

MILLION = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The work on one source, or on what is left of it.

    Attributes:
        provider: Name of the access, which names the queue.
        is_fetched: Whether answers are fetched into the cache before shards are made; what
            lies in a Zarr store or in the user's own files is read in place.
        requests: Requests to the provider.
        fields: Two-dimensional fields.
        download_bytes: Bytes that come in.
        output_bytes: Bytes that are written.
        objects: Objects that are written, parts of the ledger among them.
        reads: Objects that are read in place.
        parts: Parts of the ledger.
        core_seconds: Work of the cores.
    """

    provider: str
    is_fetched: bool
    requests: float
    fields: float
    download_bytes: float
    output_bytes: float
    objects: float
    reads: float
    parts: float
    core_seconds: float

    def left(self, *, frames: float, requests: float) -> Self:
        """What is left of it.

        Args:
            frames: Fraction of the frames that is not written yet.
            requests: Fraction of the requests that is not answered yet.
        """
        fetched = min(frames, requests) if self.is_fetched else frames
        return type(self)(
            provider=self.provider,
            is_fetched=self.is_fetched,
            requests=self.requests * fetched,
            fields=self.fields * frames,
            download_bytes=self.download_bytes * fetched,
            output_bytes=self.output_bytes * frames,
            objects=self.objects * frames,
            reads=self.reads * frames,
            parts=self.parts,
            core_seconds=self.core_seconds * frames,
        )


def load_of(plan: SourcePlan, costs: Costs, *, differences: Sequence[timedelta] = ()) -> Load:
    """Work out what a source asks for.

    Args:
        plan: The plan of the source.
        costs: What a field costs.
        differences: Steps over which the recipe wants changes.
    """
    written = plan.grid.rows * plan.grid.columns
    delivery = delivery_of(plan)
    is_native = plan.recipe.grid is None
    points = written if is_native else delivery.points
    regridded = not is_native and (points != written or plan.grid != plan.source.grid)
    is_zarr = isinstance(plan.source.access(plan.recipe.access), Zarr)
    form = ZARR if is_zarr else (NETCDF if plan.recipe.data_format == NETCDF else GRIB)
    fields = downloaded = decoded = stored = 0.0
    for variable in plan.variables:
        many = variable.has_levels
        count = plan.frames * len(plan.levels_of(variable))
        came = plan.frames * (delivery.downloaded_levels if many else 1)
        decoded += plan.frames * (delivery.decoded_levels if many else 1) * points
        downloaded += came * points * costs.delivered(variable, form)
        stored += count * written * costs.stored(variable, regridded=regridded)
        fields += count
    regrid = costs.regrid["reduced" if delivery.is_reduced else "regular"] if regridded else 0.0
    a_value = regrid + costs.statistics + costs.encode + costs.change * len(differences)
    seconds = decoded * costs.decode[form] + fields * written * a_value + stored * costs.write
    parts = part_count(plan)
    return Load(
        provider=plan.recipe.access,
        is_fetched=not plan.files and not is_zarr,
        requests=request_count(plan),
        fields=fields,
        download_bytes=0.0 if plan.files else max(downloaded, whole_files(plan)),
        output_bytes=stored,
        objects=object_count(plan) + parts,
        reads=plan.frames * len(plan.variables) if is_zarr else 0,
        parts=parts,
        core_seconds=seconds / MILLION,
    )
