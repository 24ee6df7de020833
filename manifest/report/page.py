"""The page: one file that asks the network for nothing, and is forbidden to."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources

from aurora_prep.manifest.query import Manifest
from aurora_prep.manifest.report import accounts, background
from aurora_prep.manifest.report.cards import coast_of, fields, shown_of
from aurora_prep.manifest.report.facts import gather
from aurora_prep.manifest.report.fields import Reader
from aurora_prep.manifest.report.figures import definitions
from aurora_prep.manifest.report.frame import head
from aurora_prep.manifest.report.markup import Markup, tag
from aurora_prep.sources.spec import Source

CONTENTS = (
    ("sources", "Sources"),
    ("coverage", "Coverage"),
    ("fields", "Fields"),
    ("statistics", "Statistics"),
    ("quirks", "Quirks"),
    ("provenance", "Provenance"),
    ("licences", "Licences"),
)
WITHOUT_SCRIPTS = ".panel[hidden] { display: block; } .selector { display: none; }"


def report(url: str, declared: Mapping[str, Source]) -> str:
    """A dataset as one self-contained HTML page, the same bytes for the same dataset.

    Args:
        url: The dataset: a local folder or any fsspec URL.
        declared: Declarations of sources by name. A source without one is shown too, with
            what the manifest and the stores say of it.

    Raises:
        ManifestError: The dataset is not finished, or its manifest cannot be read.
        StatisticsError: A file of statistics is damaged.
    """
    with Manifest.open(url) as manifest:
        facts = gather(manifest, declared)
        reader = Reader(manifest)
        shown = shown_of(facts, reader)
        main = [
            accounts.sources(facts),
            accounts.coverage(facts, manifest),
            fields(shown, reader),
            background.statistics(facts),
            background.quirks(facts),
            background.provenance(facts),
            background.licences(facts),
        ]
        shared = definitions(coast_of(facts, reader))
    title = f"{facts.document.get('name') or 'Unnamed dataset'}: aurora-prep report"
    return _page(title, head(facts), shared, main)


def _page(title: str, top: Markup, shared: Markup, main: list[Markup]) -> str:
    style, script = (_resource(name) for name in ("page.css", "page.js"))
    styles = f"'{_digest(style)}' '{_digest(WITHOUT_SCRIPTS)}'"
    policy = (
        f"default-src 'none'; img-src data:; style-src {styles};"
        f" script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    contents = [tag("li", tag("a", text, href=f"#{name}")) for name, text in CONTENTS]
    document = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=policy),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("link", rel="icon", href="data:,"),
            tag("title", title),
            tag("style", Markup(style)),
            tag("noscript", tag("style", Markup(WITHOUT_SCRIPTS))),
        ),
        tag(
            "body",
            tag("a", "Skip to the content", href="#content", class_="skip"),
            shared,
            top,
            tag("nav", tag("ul", contents), aria_label="Sections"),
            tag("main", main, id="content"),
            tag("script", Markup(script)),
        ),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{document}\n"


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
