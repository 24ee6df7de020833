"""The frame of the page: its head, sections, and parts that fold."""

from __future__ import annotations

from aurora_prep.manifest.report import values
from aurora_prep.manifest.report.facts import Facts, Held
from aurora_prep.manifest.report.markup import Markup, tag

SYNTHETIC = (
    "Values of this dataset were made up by the embedded provider: analytic fields, not weather."
    " They show that the software works, and are of no use for training."
)
DEGREE = "\N{DEGREE SIGN}"
TILES = (
    ("frames planned", "frames", values.count),
    ("written", "written", values.count),
    ("missing", "missing", values.count),
    ("rejected", "rejected", values.count),
    ("stored", "bytes", values.octets),
    ("tokens", "tokens", values.count),
)


def head(facts: Facts) -> Markup:
    """Name, banner, and the numbers of the whole dataset."""
    document = facts.document
    lines = [
        ("Created", values.text(document.get("created"))),
        ("Recipe", values.digest(document.get("recipe_digest"))),
        ("aurora-prep", values.text(document.get("software", {}).get("aurora-prep"))),
    ]
    banner = tag("p", tag("strong", "SYNTHETIC. "), SYNTHETIC, class_="banner", role="note")
    tiles = [
        tag("div", tag("dt", label), tag("dd", show(facts.totals[name])), data_total=name)
        for label, name, show in TILES
    ]
    return tag(
        "header",
        tag("p", "aurora-prep dataset report", class_="kicker"),
        tag("h1", document.get("name") or "Unnamed dataset"),
        banner if facts.is_synthetic else None,
        tag("dl", [[tag("dt", name), tag("dd", value)] for name, value in lines], class_="about"),
        tag("dl", tiles, class_="tiles"),
    )


def section(name: str, title: str, *content: object) -> Markup:
    """A section with its heading."""
    heading = tag("h2", title, id=f"{name}-title")
    return tag("section", heading, *content, id=name, aria_labelledby=f"{name}-title")


def folded(title: str, *content: object, opened: bool) -> Markup:
    """A part of a section that can be folded away."""
    return tag("details", tag("summary", tag("h3", title)), *content, open=opened, class_="part")


def title_of(held: Held) -> str:
    """A source and its grid, for headings."""
    source, grid = held.key
    degrees = grid.replace(".", "").isdigit()
    return f"{held.entry.get('title') or source}, {grid}{DEGREE if degrees else ''}"
