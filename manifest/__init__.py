"""What is there: records, queries, coverage and verification.

The names are found on first use: most commands need neither DuckDB nor Arrow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aurora_prep.manifest.ledger.parts import discard, finished, read_part, write_part
    from aurora_prep.manifest.ledger.planned import PlannedFrame, PlannedFrames
    from aurora_prep.manifest.ledger.records import (
        DetailRecord,
        FrameRecord,
        ObjectRecord,
        Part,
        Status,
        sealed,
    )
    from aurora_prep.manifest.ledger.tokens import tokens_of
    from aurora_prep.manifest.query import Manifest

__all__ = [
    "DetailRecord",
    "FrameRecord",
    "Manifest",
    "ObjectRecord",
    "Part",
    "PlannedFrame",
    "PlannedFrames",
    "Status",
    "discard",
    "finished",
    "read_part",
    "sealed",
    "tokens_of",
    "write_part",
]

_PLACES = {
    "DetailRecord": "ledger.records",
    "FrameRecord": "ledger.records",
    "Manifest": "query",
    "ObjectRecord": "ledger.records",
    "Part": "ledger.records",
    "PlannedFrame": "ledger.planned",
    "PlannedFrames": "ledger.planned",
    "Status": "ledger.records",
    "discard": "ledger.parts",
    "finished": "ledger.parts",
    "read_part": "ledger.parts",
    "sealed": "ledger.records",
    "tokens_of": "ledger.tokens",
    "write_part": "ledger.parts",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
