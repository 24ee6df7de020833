"""What changed between two builds of a dataset."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from aurora_prep.manifest import duck, durable, layout
from aurora_prep.manifest.ledger.records import FRAMES
from aurora_prep.manifest.query import Manifest


class Change(StrEnum):
    """How a frame differs between two builds; the first that applies."""

    ADDED = "added"
    REMOVED = "removed"
    STATUS = "status"
    VALUES = "values"
    RECORD = "record"


KEY = ("source", "grid", "init_time", "lead_time", "member")
DIFFERENCE = pa.schema(
    [
        *(FRAMES.field(name) for name in KEY),
        pa.field("change", pa.string(), nullable=False),
        pa.field("column", pa.string()),
        pa.field("before", pa.string()),
        pa.field("after", pa.string()),
    ]
)
COMPARED = (
    "variables",
    "levels",
    "split",
    "reason",
    "product_version",
    "product",
    "access",
    "missing_fraction",
    "assimilation_window",
    "tokens",
    "synthetic",
)
SAME_FRAME = """
    a.source = b.source AND a.grid = b.grid AND a.init_time = b.init_time
    AND a.lead_time = b.lead_time AND coalesce(a.member, -1) = coalesce(b.member, -1)
"""


def diff(before: str, after: str) -> pa.Table:
    """Frames that differ between two datasets, one row a frame, in the manifest's order.

    ``change`` is ``added`` or ``removed``; ``status`` when one build has the frame and the
    other has not; ``values`` when the stored bytes differ; ``record`` when only what is said
    about them differs, ``column`` being the first such column. When, by which version and
    for which recipe a frame was made is no difference. A codec that changed changes the
    bytes, and so counts as ``values``.

    Args:
        before: A dataset.
        after: Another build of it.

    Raises:
        ManifestError: One of them has no manifest.
    """
    with TemporaryDirectory() as name, duck.connect(Path(name)) as database:
        for side, url in (("a", before), ("b", after)):
            Manifest.open(url).close()
            folder = Path(name) / side
            folder.mkdir()
            place = durable.fetch_to(durable.join(url, layout.table("frames")), folder)
            stored = f"read_parquet({duck.table(place)})"
            database.execute(f"CREATE VIEW {side} AS FROM {stored}")
        order = ", ".join(f"{column} NULLS FIRST" for column in KEY)
        rows = duck.stream(database, f"FROM ({_comparison()}) ORDER BY {order}", DIFFERENCE)
        return pa.Table.from_batches(list(rows), schema=DIFFERENCE)


def counts(difference: pa.Table) -> dict[str, int]:
    """How many frames changed in which way, every way listed."""
    found = difference.group_by("change").aggregate([([], "count_all")]).to_pylist()
    counted = {row["change"]: row["count_all"] for row in found}
    return {str(change): counted.get(str(change), 0) for change in Change}


def _comparison() -> str:
    """The query that compares the views ``a`` and ``b``."""
    differs = {name: f"a.{name} IS DISTINCT FROM b.{name}" for name in COMPARED}
    first = " ".join(f"WHEN {test} THEN '{name}'" for name, test in differs.items())
    texts = {
        side: " ".join(f"WHEN {test} THEN {side}.{name}::VARCHAR" for name, test in differs.items())
        for side in "ab"
    }
    key = ", ".join(f"coalesce(a.{name}, b.{name}) AS {name}" for name in KEY)
    return f"""
        SELECT {key},
            CASE WHEN a.source IS NULL THEN '{Change.ADDED}'
                 WHEN b.source IS NULL THEN '{Change.REMOVED}'
                 WHEN a.status <> b.status THEN '{Change.STATUS}'
                 WHEN a.checksum IS DISTINCT FROM b.checksum THEN '{Change.VALUES}'
                 ELSE '{Change.RECORD}' END AS change,
            CASE WHEN change = '{Change.RECORD}' THEN CASE {first} END
                 WHEN change = '{Change.VALUES}' THEN 'checksum' ELSE 'status' END AS column,
            CASE WHEN change = '{Change.RECORD}' THEN CASE {texts["a"]} END
                 WHEN change = '{Change.VALUES}' THEN a.checksum ELSE a.status END AS before,
            CASE WHEN change = '{Change.RECORD}' THEN CASE {texts["b"]} END
                 WHEN change = '{Change.VALUES}' THEN b.checksum ELSE b.status END AS after
        FROM a FULL JOIN b ON {SAME_FRAME}
        WHERE a.source IS NULL OR b.source IS NULL OR a.status <> b.status
           OR a.checksum IS DISTINCT FROM b.checksum OR {" OR ".join(differs.values())}
    """  # noqa: S608  # names of columns only
