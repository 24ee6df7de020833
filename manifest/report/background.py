"""What the numbers rest on: statistics, quirks, provenance and licences."""

from __future__ import annotations

import json

from aurora_prep.manifest.report import values
from aurora_prep.manifest.report.facts import Facts
from aurora_prep.manifest.report.frame import folded, section, title_of
from aurora_prep.manifest.report.markup import Markup, tag
from aurora_prep.manifest.report.values import table
from aurora_prep.normalisation import compare_aurora

FILE = ("file", "rows", "bytes", "SHA-256")


def statistics(facts: Facts) -> Markup:
    """Each source's locations and scales beside those that Aurora was released with."""
    header = (
        "variable", "location", "Aurora's", "scale", "Aurora's", "off by", "ratio", "look at",
        "location, scale are",
    )  # fmt: skip
    parts: list[Markup] = []
    for held in facts.held:
        if held.statistics is None:
            none = "No statistics: no written frame belongs to their split."
            parts.append(folded(title_of(held), tag("p", none), opened=not parts))
            continue
        found = held.statistics
        first, last = (values.moment(time) for time in found.period)
        rows = [
            [
                tag("code", row.key), values.real(row.location),
                values.real(row.published_location), values.real(row.scale),
                values.real(row.published_scale), values.real(row.shift, 3),
                values.real(row.ratio, 3), values.text(row.look), values.text(row.rule),
            ]
            for row in compare_aurora(found)
        ]  # fmt: skip
        told = [
            f"Split {found.split}, ", values.count(len(found.frames)), " frames, ", first, " to ",
            last, ". Every grid point counts the same, as in Aurora's constants.",
        ]  # fmt: skip
        caption = f"{held.name}: location and scale, the dataset's and those published"
        shown = table(caption, header, rows, numbers=range(1, 7), name=f"statistics-{held.name}")
        parts.append(folded(title_of(held), tag("p", told), shown, opened=not parts))
    note = (
        "Aurora divides inside the model: (x - location) / scale. Off by: the difference of the"
        " locations in published scales; ratio: of the scales. Few frames, or one season, differ"
        " from the published constants without being wrong."
    )
    return section("statistics", "Statistics beside Aurora's", tag("p", note), parts)


def quirks(facts: Facts) -> Markup:
    """What is known to be odd about the sources in the planned times."""
    parts = []
    for held in facts.held:
        found = []
        if held.source is not None:
            names = frozenset(path.rpartition("/")[2] for path in held.summary["variables"])
            first, last = held.summary["first"], held.summary["last"]
            found = [q for q in held.source.quirks if q.concerns(first, last, names)]
        rows = [
            [
                values.text(quirk.when),
                values.listed(sorted(names.intersection(quirk.variables)) or ("all",)),
                values.text(quirk.what), values.text(quirk.known_from),
            ]
            for quirk in found
        ]  # fmt: skip
        shown: object = tag("p", "None known in the planned times.")
        if rows:
            caption = f"{held.name}: what is odd in the planned times"
            header = ("when", "variables", "what", "known from")
            shown = table(caption, header, rows, name=f"quirks-{held.name}")
        notes = [tag("li", note) for note in held.entry.get("notes", ())]
        parts.append([tag("h3", title_of(held)), shown, tag("ul", notes) if notes else None])
    return section("quirks", "Quirks and notes", parts)


def provenance(facts: Facts) -> Markup:
    """Software, digests and the recipe."""
    software = [
        [tag("code", name), values.text(version)]
        for name, version in facts.document.get("software", {}).items()
    ]
    files = [
        [
            tag("code", f"manifest/{name}"), values.count(entry.get("rows")),
            values.octets(entry.get("bytes")), values.digest(entry.get("sha256")),
        ]
        for name, entry in sorted(facts.files.items())
    ]  # fmt: skip
    recipe = json.dumps(facts.document.get("recipe", {}), indent=2)
    return section(
        "provenance",
        "Provenance",
        table("Tables of the manifest", FILE, files, numbers=(1, 2)),
        table("Software that wrote the dataset", ("library", "version"), software),
        tag(
            "details", tag("summary", "Recipe"),
            tag("pre", tag("code", recipe), tabindex="0", class_="scroll"),
        ),
    )  # fmt: skip


def licences(facts: Facts) -> Markup:
    """Licences of the sources and the attribution they ask for."""
    rows = [
        [
            tag("strong", title_of(held)),
            values.text(held.entry.get("licence")),
            values.text(held.entry.get("attribution")),
        ]
        for held in facts.held
    ]
    note = None
    if facts.is_synthetic:
        note = tag("p", "They are those of the real products; synthetic values need none.")
    header = ("source", "licence", "attribution")
    return section(
        "licences",
        "Licences",
        note,
        table("Licences and attribution", header, rows, name="licences"),
    )
