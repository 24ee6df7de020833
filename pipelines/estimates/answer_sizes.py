"""Answer sizes: how much of the disk an answer of a provider takes, at most."""

from __future__ import annotations

from aurora_prep.pipelines.estimates.costs import GRIB, NETCDF, Costs, measured_costs
from aurora_prep.pipelines.estimates.counts import Delivery, delivery_of
from aurora_prep.pipelines.plan.source_plan import SourcePlan
from aurora_prep.sources.spec import Request

PACKED_BYTES = 2.15  # a value of GRIB with 16 bits and a bitmap
MESSAGE_BYTES = 512  # headers of a message, and what is noted of it
MARGIN = 1.05
CONTAINER_BYTES = 1 << 16
# Stores may send NetCDF as an archive: it lies beside its members until both are forgotten.
COPIES = {GRIB: 1, NETCDF: 2}


def answer_bytes(plan: SourcePlan, request: Request) -> int:
    """Most bytes that the answer to a request takes in the cache, unpacked members included.

    Args:
        plan: The plan of the source.
        request: One of its requests.
    """
    form = NETCDF if plan.recipe.data_format == NETCDF else GRIB
    costs, delivery = measured_costs(), delivery_of(plan)
    fields = request.fields
    if delivery.downloaded_levels > len(plan.levels):  # files of a tree come with all levels
        levelled = {path for path, level in fields if level is not None}
        flat = [(path, None) for path, level in fields if level is None]
        fields = (*flat, *((p, 0) for p in levelled for _ in range(delivery.downloaded_levels)))
    one = sum(_field_bytes(plan, path, form, costs, delivery) for path, _ in fields)
    members = request.members or plan.members
    moments = len(request.times) * len(request.lead_times) * len(members)
    return int(one * moments * MARGIN * COPIES[form]) + CONTAINER_BYTES


def _field_bytes(plan: SourcePlan, path: str, form: str, costs: Costs, delivery: Delivery) -> float:
    value = costs.delivered(plan.variable(path), form)
    if form == GRIB:
        value = max(value, PACKED_BYTES)
    return delivery.points * value + MESSAGE_BYTES
