"""What is there: records, queries, coverage and verification."""

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
