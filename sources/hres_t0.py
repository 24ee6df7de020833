"""IFS HRES at step 0: what a forecast starts from, four times a day, on 0.25 degrees.

It is not the analysis, which has one more assimilation step at the surface:
Aurora at 0.25 degrees expects this one. Streams are ``oper`` at 00 and 12 UTC
and ``scda`` at 06 and 18 UTC; from IFS cycle 50r1 on, ``oper`` at all four.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    HOUR,
    Branch,
    Files,
    Grid,
    Kind,
    Mars,
    Product,
    Quirk,
    Source,
    Unit,
    Zarr,
    ZarrStore,
)
from aurora_prep.sources.spec.catalogue import AURORA_13
from aurora_prep.sources.spec.cycles import IFS_CYCLES
from aurora_prep.sources.spec.spellings import (
    OPTIONAL_AURORA_1_5_INPUTS,
    OWN_STATIC,
    SURFACE,
    UPPER_AIR,
)

# The day of IFS cycle 50r1, from whose 06 UTC on the stream scda has nothing.
CYCLE_50R1 = datetime(2026, 5, 12)


def _branches(
    stream: str, *hours: int, first: datetime | None = None, last: datetime | None = None
) -> tuple[Branch, ...]:
    """A month of surface fields, and a day of those on levels, are files of like size."""
    surface = Branch(
        kinds=(Kind.SURFACE,),
        keywords=(
            ("class", "od"),
            ("stream", stream),
            ("expver", "1"),
            ("type", "fc"),
            ("grid", "0.25/0.25"),
            ("area", "90/0/-90/359.75"),
        ),
        hours=hours,
        unit=Unit.MONTH,
        max_fields=500,
        first=first,
        last=last,
    )
    return surface, replace(surface, kinds=(Kind.ATMOSPHERIC,), unit=Unit.DAY)


SOURCE = Source(
    name="hres_t0",
    title="ECMWF IFS HRES at step 0 (T0)",
    product=Product.ANALYSIS,
    grid=Grid.regular("0.25"),
    levels=AURORA_13,
    first=datetime(2016, 1, 1),
    cadence=timedelta(hours=6),
    natives=SURFACE + UPPER_AIR + OWN_STATIC + OPTIONAL_AURORA_1_5_INPUTS,
    accesses=(
        Zarr(
            (
                ZarrStore(
                    url="gs://weatherbench2/datasets/hres_t0/2016-2022-6h-1440x721.zarr",
                    first=datetime(2016, 1, 1),
                    last=datetime(2023, 1, 10, 18),
                    step=timedelta(hours=6),
                    is_south_first=True,
                    lacks=tuple(n.variable.path for n in OPTIONAL_AURORA_1_5_INPUTS),
                ),
            )
        ),
        Mars(
            (
                *_branches("oper", 0, 12, last=CYCLE_50R1 - 6 * HOUR),
                *_branches("scda", 6, 18, last=CYCLE_50R1 - 6 * HOUR),
                *_branches("oper", 0, 6, 12, 18, first=CYCLE_50R1),
            )
        ),
        Files(),
    ),
    licence="ECMWF archive licence",
    attribution="Contains data of the European Centre for Medium-Range Weather Forecasts (ECMWF).",
    notes=("Step 0 of the forecast, not the analysis; Aurora was fine-tuned on 2016 to 2021.",),
    quirks=(
        Quirk(
            what="total precipitation of step 0 is zero everywhere, since nothing has accumulated",
            known_from="weatherbench2 issue 159",
            variables=("tp",),
        ),
        Quirk(
            what="06 and 18 UTC come from stream scda, with a shorter assimilation window",
            known_from="Aurora issue 47; ECMWF, IFS documentation",
            end=CYCLE_50R1 - 6 * HOUR,
        ),
        *IFS_CYCLES,
    ),
    origins=("fc",),
    classes=("od",),
    streams=("oper", "scda"),
)
