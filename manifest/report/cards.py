"""A card for every variable: its map, zonal mean and distributions, level by level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from aurora_prep.manifest.report import values
from aurora_prep.manifest.report.coast import outline
from aurora_prep.manifest.report.distributions import Curve, Merged, as_seen, merged_of, of_values
from aurora_prep.manifest.report.facts import Facts, Held
from aurora_prep.manifest.report.fields import (
    Description,
    Field,
    Frame,
    Reader,
    contradictions,
    zonal_mean,
)
from aurora_prep.manifest.report.figures import colour_bar, histogram, map_figure
from aurora_prep.manifest.report.frame import folded, section, title_of
from aurora_prep.manifest.report.markup import Markup, tag
from aurora_prep.manifest.report.scale import Scale
from aurora_prep.normalisation import (
    Comparison,
    FieldName,
    Histogram,
    compare_aurora,
    reduce_field,
)
from aurora_prep.normalisation.aurora import DIRECTIONS, Rule, rule_of
from aurora_prep.sources.spec import ManifestError, Nature

WIDTHS = (480, 360, 300, 240, 180, 120)
"""Points of a row of a map, the first that fits."""

BUDGET, MOST = 5_000_000, 7_000_000
"""Characters that all maps of a page should take together, and that the section may take."""

CHARACTERS_PER_POINT = 0.45
"""Of a map of weather with its detail: some 2.7 bits, and four characters for three bytes."""

COAST_POINTS = 480
TURN = 360.0
PREFERRED_LEVEL = 850


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of one source."""

    held: Held
    frame: Frame
    fields: tuple[Description, ...]


def shown_of(facts: Facts, reader: Reader) -> list[Shown]:
    """The frame of every source that has one, and its fields."""
    found = []
    for held in facts.held:
        frame = reader.frame_of(held)
        if frame is not None:
            found.append(Shown(held, frame, tuple(reader.described(held, frame))))
    return found


def coast_of(facts: Facts, reader: Reader) -> str:
    """The coast by the dataset's own land-sea mask; empty when it has none."""
    land = reader.land_of(facts)
    if land is None:
        return ""
    coarse, _ = land.coarser(COAST_POINTS)
    mask, longitude = coarse.values, coarse.longitude
    if coarse.is_round:  # the last column meets the first
        mask = np.concatenate([mask[:, -1:], mask, mask[:, :1]], axis=1)
        longitude = np.concatenate([longitude[-1:] - TURN, longitude, longitude[:1] + TURN])
    return outline(mask, coarse.latitude, longitude)


def fields(shown: list[Shown], reader: Reader) -> Markup:
    """The section with the cards of all sources, at the size of maps that keeps the page small."""
    count = sum(len(one.fields) for one in shown)
    fitting = [w for w in WIDTHS if count * w * (w / 2) * CHARACTERS_PER_POINT <= BUDGET]
    for width in fitting or WIDTHS[-1:]:
        found = _fields(shown, width, reader)
        if len(found) <= MOST:
            break
    return found


def _fields(shown: list[Shown], width: int, reader: Reader) -> Markup:
    """The section with maps of this width. Fields are read one at a time."""
    parts: list[Markup] = []
    for one in shown:
        merged = merged_of(reader.manifest, one.held)
        cards = list(_cards(one, merged, width, reader))
        title = title_of(one.held)
        content = _introduction(one, merged), tag("div", cards, class_="cards")
        parts.append(folded(title, content, opened=not parts))
    note = (
        "One frame of each source, the middle one of those that are written. Hatched: missing."
        " Beside a map: the mean of each row, on the map's latitudes and its scale of colours."
        " Distributions, as stored and as Aurora sees the values after its transforms, come from"
        " the histograms that the run kept beside its statistics."
    )
    return section("fields", "Fields", tag("p", note), parts)


def _introduction(one: Shown, merged: Merged) -> Markup:
    frame = one.frame
    lead = ["initialised ", values.moment(frame.init_time), " ", values.lead(frame.lead_time)]
    member = None if frame.member is None else f", member {frame.member}"
    told: list[object] = ["Frame valid ", values.moment(frame.valid_time)]
    told += [", ", lead] if frame.lead_time else []
    told += [member, ". "]
    if merged.frames:
        some = "" if merged.whole else "evenly chosen "
        noun = "frame" if merged.frames == 1 else "frames"
        told += ["Distributions of ", values.count(merged.frames), f" {some}{noun}."]
    else:
        told += ["Distributions of this frame alone: the run kept no histograms."]
    return tag("p", told)


def _cards(one: Shown, merged: Merged, width: int, reader: Reader) -> Iterator[Markup]:
    pairs: dict[tuple[str, int | None], Comparison] = {}
    if one.held.statistics is not None:
        found = one.held.statistics
        rows = zip(found.values, compare_aurora(found), strict=True)
        pairs = {(entry.path, entry.level): row for entry, row in rows}
    for path, group in groupby(one.fields, key=lambda description: description.path):
        levels = list(group)
        first = levels[0]
        name = f"{one.held.name}-{path}".replace("/", "-").replace(".", "-")
        chosen = _preferred([d.level for d in levels])
        panels = [
            tag(
                "div", _panel(d, one, merged, pairs.get((path, d.level)), width, reader),
                class_="panel", data_level=d.level, hidden=d.level != chosen,
            )
            for d in levels
        ]  # fmt: skip
        heading = tag(
            "h4", tag("code", first.short_name), " ", first.long_name,
            tag("span", f" {first.units}", class_="units"), id=name,
        )  # fmt: skip
        selector = _selector(levels, chosen, name) if len(levels) > 1 else None
        bar = tag("div", heading, selector, class_="bar-of-card")
        yield tag("article", bar, panels, class_="card", aria_labelledby=name, data_path=path)


def _preferred(levels: list[int | None]) -> int | None:
    return PREFERRED_LEVEL if PREFERRED_LEVEL in levels else levels[-1]


def _selector(levels: list[Description], chosen: int | None, name: str) -> Markup:
    options = [
        tag("option", f"{d.level} hPa", value=d.level, selected=d.level == chosen) for d in levels
    ]
    label = tag("label", "level", for_=f"{name}-level")
    select = tag("select", options, id=f"{name}-level", autocomplete="off")
    return tag("span", label, " ", select, class_="selector")


def _panel(
    description: Description,
    one: Shown,
    merged: Merged,
    pair: Comparison | None,
    width: int,
    reader: Reader,
) -> list[Markup]:
    try:
        field = reader.read(description, one.frame)
    except ManifestError as error:
        problem, _, found, fix = error.args
        return [tag("p", f"{problem}: {found}; {fix}", class_="fault", role="note")]
    faults = [
        tag("p", f"The store does not hold what the manifest says: {fault}.", class_="fault")
        for fault in contradictions(description, field)
    ]
    numbers = [
        ("min", values.real(description.minimum)),
        ("mean", values.real(description.mean)),
        ("max", values.real(description.maximum)),
        ("missing", values.share(description.missing_fraction)),
    ]
    listed = tag(
        "dl", [tag("div", tag("dt", k), tag("dd", v)) for k, v in numbers], class_="numbers"
    )
    kept = merged.histograms.get(FieldName.of(description.path, description.level))
    found_histogram = kept or reduce_field(field.values).histogram
    curves: list[Markup] = []
    if found_histogram.count:
        before = of_values(found_histogram, "as stored")
        after = [] if pair is None else _after(description, found_histogram, pair)
        curves = [_chart("as stored", [before], description)]
        curves += [_chart(title, lines, description) for title, lines in after]
    return [*faults, _map(description, one, field, width), listed, *_charts(curves)]


def _charts(curves: list[Markup]) -> list[Markup]:
    return [tag("div", curves, class_="charts")] if curves else []


def _map(description: Description, one: Shown, field: Field, width: int) -> Markup:
    coarse, every = field.coarser(width)
    scale, colours = _scale(description)
    means = zonal_mean(field, description.nature)[::every]
    level = "" if description.level is None else f" at {description.level} hPa"
    alt = (
        f"Map of {description.long_name}{level}, {one.frame.valid_time:%Y-%m-%dT%H}, from"
        f" {_short(description.minimum)} to {_short(description.maximum)} {description.units},"
        f" and its zonal mean"
    )
    drawn = map_figure(coarse, scale, colours, means, alt)
    size = f"{field.values.shape[0]:,} \N{MULTIPLICATION SIGN} {field.values.shape[1]:,} points"
    told = f"all {size}" if every == 1 else f"of {size}, 1 in {every} each way"
    caption = tag("figcaption", told, "; logarithmic colours" if scale.logarithmic else None)
    return tag("figure", drawn, colour_bar(scale, colours, description.units), caption)


def _scale(description: Description) -> tuple[Scale, str]:
    """Limits and palette that suit a variable."""
    low, high = description.minimum, description.maximum
    if low is None or high is None:
        return Scale.of(0.0, 1.0), "sequential"
    if description.nature is Nature.DIRECTION:
        return Scale.of(0.0, 360.0), "cyclic"
    if description.nature in (Nature.EASTWARD, Nature.NORTHWARD):
        return Scale.of(low, high, symmetric=True), "diverging"
    if rule_of(description.path) is Rule.MEAN_MAXIMUM:
        return Scale.powers(low, high), "sequential"
    return Scale.of(low, high), "sequential"


def _after(
    description: Description, found: Histogram, pair: Comparison
) -> list[tuple[str, list[Curve]]]:
    curves = list(as_seen(found, pair))
    names = {
        Rule.STANDARDISE: "standardised",
        Rule.MEAN_MAXIMUM: "pollutant transform",
    }
    title = names.get(pair.rule, "scaled")
    if description.short_name in DIRECTIONS:
        title = "sine and cosine"
    return [(title, curves)] if curves else []


def _chart(title: str, curves: list[Curve], description: Description) -> Markup:
    several = len(curves) > 1
    keys = [
        tag("span", curve.label, class_="key filled" if not i else "key outlined")
        for i, curve in enumerate(curves)
    ]
    alt = f"Distribution of {description.long_name}, {title}"
    below = tag("p", keys, class_="keys") if several else None
    return tag("figure", tag("figcaption", title), histogram(curves, alt), below, class_="chart")


def _short(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.4g}"
