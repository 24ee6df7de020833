"""Sources and coverage: which frames are there, of which product, and which are not."""

from __future__ import annotations

from datetime import datetime, timedelta

from aurora_prep.manifest.query import Manifest
from aurora_prep.manifest.report import values
from aurora_prep.manifest.report.calendar import calendar, in_words, legend
from aurora_prep.manifest.report.coverage import coverage_of
from aurora_prep.manifest.report.facts import MOST_GAPS, MOST_VERSIONS, Facts, Gap, Held
from aurora_prep.manifest.report.frame import section, title_of
from aurora_prep.manifest.report.markup import Markup, escape, tag
from aurora_prep.manifest.report.values import table


def sources(facts: Facts) -> Markup:
    """Frames per source, per split, and the products they came from."""
    header = (
        "source", "grid", "product", "access", "planned", "written", "missing", "rejected",
        "first", "last", "cadence", "variables", "levels", "bytes", "tokens per frame", "tokens",
    )  # fmt: skip
    rows = [_source_row(held) for held in facts.held]
    blank = escape("")
    counts = [values.count(facts.totals[n]) for n in ("frames", "written", "missing", "rejected")]
    total = [
        escape("total"), blank, blank, blank, *counts, *(blank,) * 5,
        values.octets(facts.totals["bytes"]), blank, values.count(facts.totals["tokens"]),
    ]  # fmt: skip
    per_source = table(
        "Frames per source: a frame is one global state on one grid", header, rows,
        numbers=(4, 5, 6, 7, 11, 12, 13, 14, 15), total=total if len(rows) > 1 else None,
        name="sources",
    )  # fmt: skip
    return section("sources", "Sources", per_source, _splits(facts), _versions(facts))


def coverage(facts: Facts, manifest: Manifest) -> Markup:
    """A calendar and a list of gaps for every source."""
    parts = []
    for held in facts.held:
        found = coverage_of(manifest, *held.key)
        by = "init time of the forecasts" if held.is_forecast else "valid time"
        drawn = tag(
            "figure",
            tag("figcaption", f"By {by}: {in_words(found)}."),
            tag(
                "div", calendar(found, held.name), class_="scroll", tabindex="0", role="region",
                aria_label=f"Calendar of {held.name}",
            ),
        )  # fmt: skip
        parts.append([tag("h3", title_of(held)), drawn, _leads(held), _gaps(held)])
    return section("coverage", "Coverage", legend(), parts)


def _source_row(held: Held) -> list[Markup]:
    row = held.summary
    return [
        tag("code", held.key[0]),
        values.text(held.key[1]),
        values.listed(
            sorted({str(v["product"]) for v in held.versions} or _entry(held, "product"))
        ),
        values.listed(sorted({str(v["access"]) for v in held.versions} or _entry(held, "access"))),
        *(values.count(row[name]) for name in ("frames", "written", "missing", "rejected")),
        values.moment(row["first"]),
        values.moment(row["last"]),
        values.step(row["cadence"]),
        _many(row["variables"]),
        _many(row["levels"]),
        values.octets(row["bytes"]),
        values.count(row["tokens_per_frame"]),
        values.count(row["tokens"]),
    ]


def _entry(held: Held, name: str) -> set[str]:
    return {str(held.entry[name])} if name in held.entry else set()


def _many(items: list[object]) -> Markup:
    """How many, and which ones under the pointer."""
    return tag("data", f"{len(items):,}", value=len(items), title=", ".join(map(str, items)))


def _splits(facts: Facts) -> Markup:
    rows = [
        [
            tag("code", held.name), values.text(row["split"]), values.count(row["frames"]),
            values.count(row["written"]), values.moment(row["first"]), values.moment(row["last"]),
            values.count(row["tokens"]),
        ]
        for held in facts.held
        for row in held.splits
    ]  # fmt: skip
    header = ("source", "split", "planned", "written", "first", "last", "tokens")
    caption = "Frames by split: what a model that trains on a split has seen"
    return table(caption, header, rows, numbers=(2, 3, 6), name="splits")


def _versions(facts: Facts) -> Markup:
    rows = [
        [
            tag("code", held.name), values.text(row["product"]), values.text(row["access"]),
            values.text(row["product_version"]), values.text(row["assimilation_window"]),
            values.moment(row["first"]), values.moment(row["last"]), values.count(row["frames"]),
            values.count(row["requests"]), values.text(row["software_version"]),
        ]
        for held in facts.held
        for row in held.versions
    ]  # fmt: skip
    header = (
        "source", "product", "access", "version", "assimilation window", "first init",
        "last init", "frames", "requests", "aurora-prep",
    )  # fmt: skip
    caption = "Products and versions of the written frames"
    if sum(len(held.versions) for held in facts.held) >= MOST_VERSIONS:
        caption += f", the first {MOST_VERSIONS}"
    return table(caption, header, rows, numbers=(7, 8), name="versions")


def _leads(held: Held) -> Markup | None:
    if not held.leads:
        return None
    header = ("lead time", "planned", "written")
    rows = [
        [values.lead(row["lead_time"]), values.count(row["frames"]), values.count(row["written"])]
        for row in held.leads
    ]
    shown = table(f"{held.name}: frames by lead time", header, rows, numbers=(1, 2))
    return tag("details", tag("summary", f"{len(held.leads)} lead times"), shown)


def _gaps(held: Held) -> Markup:
    if not held.gaps:
        return tag("p", "No gaps: every planned frame is written.", class_="whole")
    header = ("from", "until", "frames", "status", "reason")
    rows = [
        [
            _time(gap, gap.first), _time(gap, gap.last), values.count(gap.frames),
            tag("span", gap.status, class_=f"status {gap.status}"), values.text(gap.reason),
        ]
        for gap in held.gaps
    ]  # fmt: skip
    caption = f"{held.name}: frames that were planned and are not there"
    shown = table(caption, header, rows, numbers=(2,), name=f"gaps-{held.name}")
    if held.runs <= MOST_GAPS:
        return shown
    listed = sum(gap.frames for gap in held.gaps)
    rest = held.summary["missing"] + held.summary["rejected"] - listed
    more = (
        f"And {held.runs - MOST_GAPS:,} more gaps of {rest:,} frames:"
        " aurora-prep manifest DATASET missing lists them all."
    )
    return tag("div", shown, tag("p", more))


def _time(gap: Gap, end: tuple[datetime, timedelta]) -> Markup:
    init, lead = end
    of_forecast = gap.first[1] or gap.last[1]
    return tag("span", values.moment(init), [" ", values.lead(lead)] if of_forecast else None)
