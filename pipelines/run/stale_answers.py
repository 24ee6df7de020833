"""Answers in which fields are missing: reported at once, and requested again by a later run."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from aurora_prep.pipelines.plan.source_plan import is_static
from aurora_prep.pipelines.reading.match import STATIC, holdings_of
from aurora_prep.providers.cache import Cache, CachedFile
from aurora_prep.sources.spec import AuroraPrepError, Request, Source


def forget_short(request: Request, source: Source, cache: Cache, contents: Path) -> None:
    """Drop a request's answer from the cache if it is short of fields.

    A provider that had not everything when it was asked may have it by now. A
    whole answer stays, and so is never downloaded twice.

    Args:
        request: What was asked, of a shard that lacks frames.
        source: Whose data.
        cache: Where answers are kept.
        contents: Folder in which the contents of raw files are kept.
    """
    answer = cache.lookup(request)
    if answer is not None and not is_whole(request, answer, source, contents):
        cache.discard(request)


def is_whole(request: Request, answer: CachedFile, source: Source, contents: Path) -> bool:
    """Whether an answer holds every field that was asked, at every time."""
    return not fields_lacking(request, answer, source, contents)


def fields_lacking(request: Request, answer: CachedFile, source: Source, contents: Path) -> int:
    """How many of the fields that a request asks are not in its answer.

    Args:
        request: What was asked.
        answer: What came.
        source: Whose data.
        contents: Folder in which the contents of raw files are kept.
    """
    files = tuple(sorted(str(member) for member in answer.members))
    static = [field for field in request.fields if is_static(field[0])]
    moving = [field for field in request.fields if not is_static(field[0])]
    moments = list(product(request.times, request.lead_times, request.members or (None,)))
    expected = [(field, STATIC) for field in static] + list(product(moving, moments))
    try:
        held = holdings_of(files, source, contents).fields
    except AuroraPrepError:
        return len(expected)
    return sum(key not in held for key in expected)
