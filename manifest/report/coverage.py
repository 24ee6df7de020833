"""Coverage: how many frames of each stretch of time are there, and how it is laid out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum, StrEnum
from itertools import groupby

from aurora_prep.manifest import duck
from aurora_prep.manifest.query import Manifest

DAY = timedelta(days=1)
LONGEST_BY_HOUR = 45 * DAY
LONGEST_BY_DAY = 3 * 366 * DAY
LEAP_YEAR, LONGEST_YEAR, LONGEST_MONTH = 2000, 366, 31
SPAN = """
    SELECT min(init_time) AS first, max(init_time) AS last
    FROM frames WHERE source = {source} AND grid = {grid}
"""
COUNTS = """
    SELECT date_trunc('{unit}', init_time)::TIMESTAMP AS time, count(*) AS planned,
           count(*) FILTER (status = 'written') AS written,
           count(*) FILTER (status = 'rejected') AS rejected
    FROM frames WHERE source = {source} AND grid = {grid} GROUP BY 1 ORDER BY 1
"""


class State(StrEnum):
    """What became of the frames of a cell."""

    WRITTEN = "written"
    PARTIAL = "partly there"
    MISSING = "missing"
    REJECTED = "rejected"


class Layout(Enum):
    """What a row and a cell of a calendar are."""

    HOURS = "rows are hours of the day, cells days"
    DAYS = "rows are months, cells days"
    YEARS = "rows are years, cells days"


@dataclass(frozen=True, slots=True)
class Count:
    """Frames of a stretch of time."""

    planned: int
    written: int
    rejected: int

    @property
    def state(self) -> State:
        """What became of them, in one word."""
        if self.written == self.planned:
            return State.WRITTEN
        if self.written:
            return State.PARTIAL
        return State.REJECTED if self.rejected == self.planned else State.MISSING


@dataclass(frozen=True, slots=True)
class Cell:
    """Neighbouring stretches of one row that are alike.

    Attributes:
        column: Position of the first one.
        width: How many they are.
        time: Start of the first one.
        count: Their frames.
    """

    column: int
    width: int
    time: datetime
    count: Count


@dataclass(frozen=True, slots=True)
class Coverage:
    """The calendar of one source.

    Attributes:
        layout: What its rows and cells are.
        columns: Positions of a row.
        heads: ``(position, text)`` above the columns.
        months: The same, for a line above that; empty where there is none.
        rows: ``(label, cells)`` of every row from the first to the last.
    """

    layout: Layout
    columns: int
    heads: tuple[tuple[int, str], ...]
    months: tuple[tuple[int, str], ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]

    @property
    def totals(self) -> Mapping[State, int]:
        """Cells by what became of them, before neighbours were joined."""
        found = dict.fromkeys(State, 0)
        for _, cells in self.rows:
            for cell in cells:
                found[cell.count.state] += cell.width
        return found


def coverage_of(manifest: Manifest, source: str, grid: str) -> Coverage:
    """The calendar of a source by init time (of an analysis, the valid time).

    Args:
        manifest: Of the dataset.
        source: Name of the source.
        grid: Name of the grid.
    """
    names = {"source": duck.quoted(source), "grid": duck.quoted(grid)}
    (span,) = manifest.sql(SPAN.format(**names)).to_pylist()
    layout = layout_for(span["first"], span["last"])
    unit = "hour" if layout is Layout.HOURS else "day"
    rows = manifest.sql(COUNTS.format(unit=unit, **names)).to_pylist()
    counts = {r["time"]: Count(r["planned"], r["written"], r["rejected"]) for r in rows}
    return lay_out(counts, layout)


def layout_for(first: datetime, last: datetime) -> Layout:
    """The finest layout in which a period of this length can be seen at once."""
    if last - first <= LONGEST_BY_HOUR:
        return Layout.HOURS
    return Layout.DAYS if last - first <= LONGEST_BY_DAY else Layout.YEARS


def lay_out(counts: Mapping[datetime, Count], layout: Layout) -> Coverage:
    """Counts by hour or by day, as the rows of a calendar."""
    first, last = min(counts).date(), max(counts).date()
    months: tuple[tuple[int, str], ...] = ()
    if layout is Layout.HOURS:
        days = [first + i * DAY for i in range((last - first).days + 1)]
        heads = tuple((i, str(day.day)) for i, day in enumerate(days))
        months = tuple((i, f"{d:%b %Y}") for i, d in enumerate(days) if i == 0 or d.day == 1)
        labels = sorted({_label(time, layout) for time in counts})
        columns = len(days)
    elif layout is Layout.DAYS:
        heads = tuple((day - 1, str(day)) for day in range(1, LONGEST_MONTH + 1))
        labels, columns = list(_labels(first, last, layout)), LONGEST_MONTH
    else:
        starts = [date(LEAP_YEAR, month, 1) for month in range(1, 13)]
        heads = tuple((_in_year(start), f"{start:%b}") for start in starts)
        labels, columns = list(_labels(first, last, layout)), LONGEST_YEAR
    rows: dict[str, list[tuple[int, datetime, Count]]] = {label: [] for label in labels}
    for time in sorted(counts):
        place = {
            Layout.HOURS: (time.date() - first).days,
            Layout.DAYS: time.day - 1,
            Layout.YEARS: _in_year(time.date()),
        }[layout]
        rows[_label(time, layout)].append((place, time, counts[time]))
    joined = tuple((label, tuple(_joined(found))) for label, found in rows.items())
    return Coverage(layout, columns, heads, months, joined)


def _joined(found: list[tuple[int, datetime, Count]]) -> Iterator[Cell]:
    """Neighbours of one kind as one cell."""
    numbered = enumerate(found)
    for _, group in groupby(numbered, key=lambda item: (item[1][0] - item[0], item[1][2].state)):
        cells = [cell for _, cell in group]
        place, time, _ = cells[0]
        planned, written, rejected = (
            sum(getattr(count, name) for _, _, count in cells)
            for name in ("planned", "written", "rejected")
        )
        yield Cell(place, len(cells), time, Count(planned, written, rejected))


def _labels(first: date, last: date, layout: Layout) -> Iterator[str]:
    """Labels of all months or years of a period, those without a frame too."""
    for month in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        if layout is Layout.DAYS:
            yield f"{month // 12:04d}-{month % 12 + 1:02d}"
        elif month % 12 == 0 or month == first.year * 12 + first.month - 1:
            yield f"{month // 12:04d}"


def _label(time: datetime, layout: Layout) -> str:
    patterns = {Layout.HOURS: "%H UTC", Layout.DAYS: "%Y-%m", Layout.YEARS: "%Y"}
    return time.strftime(patterns[layout])


def _in_year(day: date) -> int:
    """Position in the year."""
    return (day - date(day.year, 1, 1)).days
