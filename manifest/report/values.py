"""Values on the page: written for people, exact for programs in ``<data value>``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from aurora_prep.manifest.render import size, span
from aurora_prep.manifest.report.markup import Markup, escape, tag
from aurora_prep.sources.spec import HOUR

NONE = tag("span", "\N{EN DASH}", class_="none", title="none")


def count(value: int | None) -> Markup:
    """A whole number with its thousands separated."""
    return NONE if value is None else tag("data", f"{value:,}", value=value)


def octets(value: int | None) -> Markup:
    """A number of bytes."""
    return NONE if value is None else tag("data", size(value), value=value)


def real(value: float | None, digits: int = 6) -> Markup:
    """A real number of so many digits."""
    if value is None or not math.isfinite(value):
        return NONE
    return tag("data", f"{value:.{digits}g}".replace("-", "\N{MINUS SIGN}"), value=repr(value))


def share(value: float) -> Markup:
    """A fraction as a percentage; a little is never shown as none, nor as all."""
    text = f"{value:.1%}"
    if 0 < value < 0.0005:  # noqa: PLR2004  # half of the last digit
        text = "< 0.1%"
    elif 0.9995 <= value < 1:  # noqa: PLR2004  # as above
        text = "> 99.9%"
    return tag("data", text, value=repr(value))


def moment(value: datetime | None) -> Markup:
    """A time, UTC, to the hour where it is whole."""
    if value is None:
        return NONE
    whole = value.minute == value.second == value.microsecond == 0
    text = value.strftime("%Y-%m-%dT%H") if whole else value.isoformat(timespec="seconds")
    return tag("time", text, datetime=f"{value.isoformat(timespec='seconds')}Z")


def step(value: timedelta | None) -> Markup:
    """A time span such as ``6h``."""
    return NONE if value is None else escape(span(value))


def lead(value: timedelta) -> Markup:
    """A lead time in hours: ``+12h``."""
    return escape(f"+{value // HOUR}h")


def text(value: object) -> Markup:
    """Data as text; a dash where there is none."""
    return NONE if value in (None, "", (), []) else escape(value)


def listed(values: Iterable[object]) -> Markup:
    """Several short things, separated by commas."""
    return text(", ".join(map(str, values)))


def digest(value: str | None) -> Markup:
    """A digest, whole, in a face in which it can be compared."""
    return NONE if not value else tag("code", value, class_="digest")


def table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Markup]],
    *,
    numbers: Iterable[int] = (),
    total: Sequence[Markup] | None = None,
    name: str | None = None,
) -> Markup:
    """A table in a box that scrolls by itself, by keyboard too; the first cell heads its row.

    Args:
        caption: What it shows.
        header: Heads of the columns.
        rows: Cells, as markup.
        numbers: Columns of numbers, which are set to the right.
        total: A last row, set apart.
        name: For programs that read the page.
    """
    right = set(numbers)

    def line(cells: Sequence[Markup]) -> Markup:
        first, *rest = cells
        return tag(
            "tr",
            tag("th", first, scope="row"),
            [tag("td", cell, class_="n" if i in right else None) for i, cell in enumerate(rest, 1)],
        )

    heads = [
        tag("th", text, scope="col", class_="n" if i in right else None)
        for i, text in enumerate(header)
    ]
    body = tag(
        "table",
        tag("caption", tag("span", caption)),
        tag("thead", tag("tr", heads)),
        tag("tbody", map(line, rows)),
        None if total is None else tag("tfoot", line(total)),
        data_table=name,
    )
    return tag("div", body, class_="scroll", tabindex="0", role="region", aria_label=caption)
