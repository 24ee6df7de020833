"""Ranges: neighbouring messages are fetched together, others side by side."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from aurora_prep.providers.indexed.listing import Span

# What may be fetched beside what is wanted, to save a call: at most 4 % of it in all.
WASTE = 0.04
LARGEST_GAP = 1 << 18
# More than this in one range costs memory, and a broken one much to fetch again.
LARGEST_RANGE = 16 << 20


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes fetched by one call.

    Attributes:
        start: First byte.
        end: The one after the last; ``None`` for the end of the file.
        spans: The messages in it that are wanted, in order.
    """

    start: int
    end: int | None
    spans: tuple[Span, ...]


def coalesce(spans: Iterable[Span]) -> list[Range]:
    """Ranges that together hold some messages, in order.

    Messages that follow one another make one range; so do those with small gaps, the
    smallest first, as long as all gaps together stay below ``WASTE`` of what is wanted.
    """
    ordered = sorted(set(spans), key=lambda span: span.start)
    wanted = sum(span.end - span.start for span in ordered if span.end is not None)
    budget = int(WASTE * wanted)
    gaps = sorted(
        (right.start - left.end, right.start)
        for left, right in itertools.pairwise(ordered)
        if left.end is not None
    )
    bridged: set[int] = set()
    for gap, start in gaps:
        if 0 <= gap <= min(budget, LARGEST_GAP):
            budget -= gap
            bridged.add(start)
    groups: list[list[Span]] = []
    for span in ordered:
        fits = groups and (span.end or span.start) - groups[-1][0].start <= LARGEST_RANGE
        if fits and span.start in bridged:
            groups[-1].append(span)
        else:
            groups.append([span])
    return [Range(group[0].start, group[-1].end, tuple(group)) for group in groups]
