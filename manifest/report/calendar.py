"""The coverage calendar as SVG, and its list of gaps in words."""

from __future__ import annotations

from collections.abc import Iterable

from aurora_prep.manifest.report.coverage import Cell, Coverage, Layout, State
from aurora_prep.manifest.report.markup import Markup, tag

CELLS = {Layout.HOURS: (16.0, 16.0), Layout.DAYS: (17.0, 16.0), Layout.YEARS: (2.5, 14.0)}
"""Width and height of a cell in CSS pixels."""

BETWEEN = 2.0
SEPARATE = 8.0
"""Cells of at least this width are drawn separately."""

LEFT, LINE = 62.0, 17.0
ROOM = 48.0
"""For the label above the last column."""

MOST_TITLES = 500
"""Cells that are not whole and say so under the pointer; the list of gaps has them all."""

CLASSES = {
    State.WRITTEN: "written",
    State.PARTIAL: "partial",
    State.MISSING: "missing",
    State.REJECTED: "rejected",
}


def calendar(coverage: Coverage, name: str) -> Markup:
    """The calendar of one source; what was not planned is left blank.

    Args:
        coverage: Its rows.
        name: What it is of, for those who do not see it.
    """
    wide, high = CELLS[coverage.layout]
    top = 2 * LINE if coverage.months else LINE
    width = LEFT + coverage.columns * wide + ROOM
    height = top + len(coverage.rows) * (high + BETWEEN)
    shapes, titles = _heads(coverage.heads, wide, top), 0
    shapes += _heads(coverage.months, wide, top - LINE)
    for position, (label, cells) in enumerate(coverage.rows):
        y = top + position * (high + BETWEEN)
        shapes.append(
            tag("text", label, x=LEFT - 8, y=_n(y + high - 3), text_anchor="end", class_="row")
        )
        for cell in cells:
            titled = cell.count.state is not State.WRITTEN and titles < MOST_TITLES
            titles += titled
            shapes.append(_cell(cell, y, wide, high, titled=titled))
    return tag(
        "svg", shapes, width=_n(width), height=_n(height), role="img",
        aria_label=f"{name}: {in_words(coverage)}", class_="calendar",
    )  # fmt: skip


def in_words(coverage: Coverage) -> str:
    """What the calendar shows, for those who do not see it."""
    unit = "time" if coverage.layout is Layout.HOURS else "day"
    counts = [
        f"{count:,} {unit}{'' if count == 1 else 's'} {state}"
        for state, count in coverage.totals.items()
        if count
    ]
    return f"{', '.join(counts)}; {coverage.layout.value}"


def legend() -> Markup:
    """What the colours and patterns mean."""
    entries = [
        tag(
            "li",
            tag("svg", _box(css, 1, 1, 14, 12), width=16, height=14, aria_hidden="true"),
            text,
        )
        for css, text in (
            ("written", "all planned frames written"),
            ("partial", "some written"),
            ("missing", "none written"),
            ("rejected", "all rejected"),
        )
    ]
    return tag("ul", entries, tag("li", "blank: not planned"), class_="legend")


def _heads(heads: Iterable[tuple[int, str]], wide: float, base: float) -> list[Markup]:
    """Labels above the columns, as many as have room."""
    found, free = [], 0.0
    for position, text in heads:
        x = LEFT + position * wide
        if x >= free:
            found.append(tag("text", text, x=_n(x), y=_n(base - 5)))
            free = x + 6.5 * len(text) + 2
    return found


def _cell(cell: Cell, y: float, wide: float, high: float, *, titled: bool) -> Markup:
    """Runs of equal cells: separate boxes where there is room, else one box."""
    css = CLASSES[cell.count.state]
    title = None
    if titled:
        absent = cell.count.planned - cell.count.written
        title = tag(
            "title",
            f"{cell.time:%Y-%m-%dT%H}{f', {cell.width} cells' if cell.width > 1 else ''}:"
            f" {absent:,} of {cell.count.planned:,} frames absent",
        )
    x = LEFT + cell.column * wide
    if wide < SEPARATE:
        return tag("g", title, _box(css, x, y, cell.width * wide, high))
    boxes = [_box(css, x + i * wide, y, wide - 1, high) for i in range(cell.width)]
    return tag("g", title, boxes)


def _box(css: str, x: float, y: float, width: float, height: float) -> list[Markup]:
    """One cell: full, half full, hatched or crossed, told by shape as well as by colour."""
    place = f"M{_n(x)} {_n(y)}h{_n(width)}v{_n(height)}h{_n(-width)}z"
    if css != "partial":
        return [tag("path", d=place, class_=css)]
    half = f"M{_n(x)} {_n(y + height / 2)}h{_n(width)}v{_n(height / 2)}h{_n(-width)}z"
    return [tag("path", d=place, class_="partial-back"), tag("path", d=half, class_=css)]


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
