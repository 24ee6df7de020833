"""Charts as SVG that follow the width of the page; lines take their colours from the style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from aurora_prep.manifest.report.coast import PER_DEGREE
from aurora_prep.manifest.report.distributions import Curve
from aurora_prep.manifest.report.fields import Field
from aurora_prep.manifest.report.markup import Markup, join, tag
from aurora_prep.manifest.report.palette import ANCHORS, palette
from aurora_prep.manifest.report.raster import picture
from aurora_prep.manifest.report.scale import Scale

WIDE, GAP, BESIDE = 360.0, 14.0, 76.0
"""Width of a map, of the gap, and of the zonal mean beside it."""

LEAST, MOST = 60.0, 360.0
PARALLELS = (-60, -30, 0, 30, 60)
HIGH, BELOW = 84, 20
"""Height of a histogram and of the numbers below it, in CSS pixels."""

Float = NDArray[np.float64]


def definitions(coast: str) -> Markup:
    """What figures share: colour bars, the pattern of what is missing, and the coast."""
    bars = [
        tag(
            "linearGradient",
            [tag("stop", offset=f"{at:.4f}", stop_color=colour) for at, colour in stops],
            id=f"bar-{name}",
        )
        for name, stops in ((name, palette(name).stops) for name in ANCHORS)
    ]
    patterns = [
        tag(
            "pattern",
            tag("rect", width=6, height=6, class_=f"{name}-back"),
            tag("path", d=path, class_=f"{name}-line"),
            id=name, width=6, height=6, patternUnits="userSpaceOnUse",
        )
        for name, path in (
            ("nothing", "M0 6L6 0"),
            ("hatch", "M-1 1L1-1M0 6L6 0M5 7L7 5"),
            ("cross", "M0 6L6 0M0 0L6 6"),
        )
    ]  # fmt: skip
    line = tag("path", id="coast", d=coast) if coast else None
    return tag("svg", tag("defs", bars, patterns, line), class_="shared", aria_hidden="true")


def map_figure(field: Field, scale: Scale, colours: str, means: Float, alt: str) -> Markup:
    """A field as a map, its zonal means beside it on the same latitudes.

    Args:
        field: Values, north to south and west to east.
        scale: Limits of the colours, and of the means' axis.
        colours: Name of a palette.
        means: Mean of each row of ``field``, shape ``(rows,)``.
        alt: What is to be seen, in words.
    """
    rows, columns = field.values.shape
    down = float(field.latitude[0] - field.latitude[-1]) / max(rows - 1, 1)
    along = float(field.longitude[-1] - field.longitude[0]) / max(columns - 1, 1)
    west, north = float(field.longitude[0]) - along / 2, float(field.latitude[0]) + down / 2
    width, height = columns * along, rows * down
    per_degree = WIDE / width
    tall = min(max(height * per_degree, LEAST), MOST)
    stretch = tall / height
    image = tag(
        "image", href=picture(field.values, scale, palette(colours)), width=WIDE,
        height=_n(tall), preserveAspectRatio="none",
    )  # fmt: skip
    place = (
        f"scale({per_degree / PER_DEGREE:.6g} {stretch / PER_DEGREE:.6g})"
        f" translate({-west * PER_DEGREE:.6g} {north * PER_DEGREE:.6g})"
    )
    coast = tag("g", tag("use", href="#coast"), transform=place, class_="coast")
    left = WIDE + GAP
    grid = "".join(
        f"M0 {_n((north - parallel) * stretch)}h{_n(WIDE)}m{_n(GAP)} 0h{_n(BESIDE)}"
        for parallel in PARALLELS
        if 0 < (north - parallel) * stretch < tall
    )
    clip = tag("svg", image, coast, width=WIDE, height=_n(tall), overflow="hidden")
    return tag(
        "svg",
        tag("rect", width=WIDE, height=_n(tall), fill="url(#nothing)"),
        clip,
        tag("rect", x=_n(left), width=BESIDE, height=_n(tall), class_="plot"),
        tag("path", d=grid + _verticals(scale, left, tall), class_="parallels"),
        tag("path", d=_profile(field, scale, means, north, stretch, left), class_="curve"),
        viewBox=f"0 0 {_n(WIDE + GAP + BESIDE)} {_n(tall)}",
        role="img",
        aria_label=alt,
        class_="map",
    )


def colour_bar(scale: Scale, colours: str, units: str) -> Markup:
    """The bar of a map's colours, with round values below it."""
    ticks = [(scale.fraction(value), _value(value)) for value in scale.ticks()]
    rect = tag("rect", width="100%", height=9, fill=f"url(#bar-{colours})", rx=1)
    return tag(
        "svg", rect, _labels(ticks, 9), class_="bar", role="img",
        aria_label=f"colours from {_value(scale.low)} to {_value(scale.high)} {units}",
    )  # fmt: skip


def histogram(curves: Sequence[Curve], alt: str) -> Markup:
    """Distributions over one axis: the first one filled, the others as lines."""
    bars = curves[0].edges
    low, high = float(bars[0]), float(bars[-1])
    top = max(*(float(curve.shares.max()) for curve in curves), 1e-12)
    shapes = [
        tag(
            "path",
            d=_steps(curve, low, high, top, closed=not position),
            class_="filled" if not position else "outlined",
        )
        for position, curve in enumerate(curves)
    ]
    plot = tag(
        "svg", shapes, viewBox="0 0 1000 100", width="100%", height=HIGH,
        preserveAspectRatio="none",
    )  # fmt: skip
    scale = Scale.of(low, high)
    ticks = [(scale.fraction(value), _value(value)) for value in scale.ticks(3)]
    axis = tag("line", x1=0, x2="100%", y1=HIGH, y2=HIGH, class_="axis")
    return tag(
        "svg", plot, axis, _labels(ticks, HIGH), class_="histogram", role="img",
        aria_label=alt, height=HIGH + BELOW,
    )  # fmt: skip


def _labels(ticks: Iterable[tuple[float, str]], top: int) -> Markup:
    """Marks and numbers below an axis, at fractions of its width."""
    found = []
    for fraction, text in ticks:
        at = f"{100 * fraction:.2f}%"
        anchor = "start" if fraction < 0.06 else "end" if fraction > 0.94 else "middle"  # noqa: PLR2004  # near an end
        found.append(tag("line", x1=at, x2=at, y1=top, y2=top + 4, class_="axis"))
        found.append(tag("text", text, x=at, y=top + 15, text_anchor=anchor))
    return join(found)


def _steps(curve: Curve, low: float, high: float, top: float, *, closed: bool) -> str:
    x = (curve.edges - low) / (high - low) * 1000
    y = 100 - curve.shares / top * 94
    parts = [f"M{_n(x[0])} 100" if closed else f"M{_n(x[0])} {_n(y[0])}"]
    for i, level in enumerate(y):
        parts.append(f"V{_n(level)}H{_n(x[i + 1])}")
    return "".join([*parts, "V100Z" if closed else ""])


def _profile(
    field: Field, scale: Scale, means: Float, north: float, stretch: float, left: float
) -> str:
    """A line through the means of the rows, broken where there is none."""
    fractions = scale.fractions(means)
    parts, pen = [], "M"
    for latitude, fraction in zip(field.latitude, fractions, strict=True):
        if np.isnan(fraction):
            pen = "M"
            continue
        x, y = left + float(fraction) * BESIDE, (north - float(latitude)) * stretch
        parts.append(f"{pen}{_n(x)} {_n(y)}")
        pen = "L"
    return "".join(parts)


def _verticals(scale: Scale, left: float, tall: float) -> str:
    """Lines across the zonal means at the values that stand below the bar of colours."""
    places = (left + scale.fraction(value) * BESIDE for value in scale.ticks())
    return "".join(f"M{_n(x)} 0v{_n(tall)}" for x in places)


def _value(value: float) -> str:
    text = f"{value:.6g}"
    return text.replace("e-0", "e-").replace("e+0", "e").replace("-", "\N{MINUS SIGN}")


def _n(value: float) -> str:
    """A coordinate: a tenth of a unit is less than can be seen."""
    return f"{value:.1f}".removesuffix(".0")
