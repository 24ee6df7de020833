"""Figures hold against what they are drawn of: colours, pictures, the coast, distributions."""

import base64
import io
import re
from datetime import datetime, timedelta
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from aurora_prep.manifest.report.calendar import calendar
from aurora_prep.manifest.report.coast import outline
from aurora_prep.manifest.report.coverage import Count, Layout, State, lay_out, layout_for
from aurora_prep.manifest.report.distributions import as_seen, of_values
from aurora_prep.manifest.report.fields import Field, zonal_mean
from aurora_prep.manifest.report.figures import histogram, map_figure
from aurora_prep.manifest.report.markup import Markup, escape, join, tag
from aurora_prep.manifest.report.palette import ANCHORS, COLOURS, palette
from aurora_prep.manifest.report.raster import picture
from aurora_prep.manifest.report.scale import Scale
from aurora_prep.normalisation import Comparison, Histogram, reduce_field
from aurora_prep.normalisation.aurora import Rule, rule_of
from aurora_prep.normalisation.transforms import Pollutant
from aurora_prep.sources.spec import Nature

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# How the commonest colour deficiencies see linear RGB: Machado, Oliveira and Fernandes,
# "A physiologically-based model for simulation of color vision deficiency" (2009), severity 1.
DEFICIENCIES = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    "none": np.eye(3),
}  # fmt: skip


def lightness_and_hue(colours):
    """CIE L*a*b* of sRGB colours of 0 to 255, shape ``(n, 3)``."""
    linear = linear_of(colours)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    return lab_of(np.clip(linear, 0, 1) @ np.array(to_xyz).T)


def linear_of(colours):
    share = np.asarray(colours, float) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab_of(xyz):
    f = xyz / [0.9505, 1.0, 1.089]
    f = np.where(f > 0.008856, np.cbrt(f), 7.787 * f + 16 / 116)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


def seen_by(colours, deficiency):
    linear = np.clip(linear_of(colours) @ np.array(DEFICIENCIES[deficiency]).T, 0, 1)
    gamma = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return lightness_and_hue(gamma * 255)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_palettes_order_values_for_every_eye(deficiency):
    lightness = seen_by(palette("sequential").colours, deficiency)[:, 0]
    assert (np.diff(lightness) > 0).all()
    lightness = seen_by(palette("diverging").colours, deficiency)[:, 0]
    assert (np.diff(lightness[: COLOURS // 2]) > 0).all()
    assert (np.diff(lightness[COLOURS // 2 :]) < 0).all()
    ends = seen_by(palette("diverging").colours, deficiency)[[10, -11]]
    assert np.linalg.norm(ends[0] - ends[1]) > 40


def test_the_cyclic_palette_closes():
    colours = palette("cyclic").colours
    assert colours[0] == colours[-1]
    assert {len(palette(name).colours) for name in ANCHORS} == {COLOURS}


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_the_states_of_a_calendar_differ_for_every_eye(deficiency):
    css = resources.files("aurora_prep.manifest.report").joinpath("page.css").read_text("utf-8")
    schemes = css.split("prefers-color-scheme: dark", 1)
    for scheme in (schemes[0], schemes[1]):
        found = dict(re.findall(r"--(written|partial|missing|rejected): #([0-9a-f]{6})", scheme))
        assert len(found) == 4
        colours = [[int(text[i : i + 2], 16) for i in (0, 2, 4)] for text in found.values()]
        lab = seen_by(colours, deficiency)
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)[np.triu_indices(4, 1)]
        assert apart.min() > 12, dict(zip(found, lab.round(), strict=True))


def test_a_picture_holds_the_field_and_leaves_missing_values_clear():
    rng = np.random.default_rng(1)
    field = rng.uniform(-5, 20, (31, 64)).astype(np.float32)
    field[3:6, 10:20] = np.nan
    scale = Scale.of(-5, 20)
    data = base64.b64decode(picture(field, scale, palette("sequential")).partition(",")[2])
    image = Image.open(io.BytesIO(data))
    assert (image.size, image.mode) == ((64, 31), "P")
    shown = np.asarray(image)
    assert (image.info["transparency"] == shown).tolist() == np.isnan(field).tolist()
    value = -5 + (shown + 0.5) / COLOURS * 25
    assert np.nanmax(np.abs(np.where(np.isnan(field), np.nan, value - field))) <= 25 / COLOURS / 2
    assert len(data) < 3 * field.size


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, (0, 0.25, 0.5, 0.75, 1)),
        (-13.8, 13.8, (-10, 0, 10)),
        (258.8, 311.4, (260, 280, 300)),
        (5, 5, (4.95, 4.975, 5.0, 5.025, 5.05)),
    ],
)
def test_ticks_are_round_and_within(low, high, ticks):
    scale = Scale.of(low, high)
    assert scale.ticks() == pytest.approx(ticks)
    assert all(0 <= scale.fraction(tick) <= 1 for tick in scale.ticks())


def test_pollutants_have_powers_of_ten_where_they_span_some():
    scale = Scale.powers(0.0, 3e-7)
    assert scale.logarithmic
    assert scale.ticks() == pytest.approx([1e-10, 1e-9, 1e-8, 1e-7])
    assert scale.fraction(3e-7) == pytest.approx(1)
    assert scale.fraction(0.0) == scale.fraction(-1.0) == 0
    assert not Scale.powers(1e-7, 2e-7).logarithmic
    assert not Scale.powers(-1.0, 0.0).logarithmic
    assert Scale.of(-3.0, 9.0, symmetric=True) == Scale(-9.0, 9.0)


def test_the_coast_goes_round_the_land():
    latitude, longitude = np.linspace(60, -60, 121), np.linspace(-120, 120, 241)
    distance = np.hypot(latitude[:, None], longitude[None, :])
    path = outline(np.clip((40.5 - distance), 0, 1), latitude, longitude)
    assert path.count("M") == 1
    start, steps = path[1:].split("l")
    numbers = np.array([int(n) for n in re.findall(r"-?\d+", steps)]).reshape(-1, 2)
    points = np.cumsum([[int(n) for n in re.findall(r"-?\d+", start)], *numbers], axis=0) / 10
    assert np.abs(np.hypot(*points.T) - 40).max() < 0.15
    assert (points[0] == points[-1]).all()
    turned = np.unwrap(np.arctan2(points[:, 1], points[:, 0]))
    assert abs(turned[-1] - turned[0]) == pytest.approx(2 * np.pi)


@pytest.mark.parametrize("seed", range(4))
def test_every_crossing_of_the_coast_is_drawn_once(seed):
    """Each edge of the grid between land and sea is crossed by exactly one line."""
    land = np.random.default_rng(seed).random((12, 15)) < 0.5
    latitude, longitude = np.arange(12.0)[::-1], np.arange(15.0)
    path = outline(land.astype(float), latitude, longitude)
    ends = 0
    for chain in path.split("M")[1:]:
        start, steps = chain.split("l")
        numbers = np.array([int(n) for n in re.findall(r"-?\d+", steps)]).reshape(-1, 2)
        closed = not numbers.sum(axis=0).any()
        ends += len(numbers) + (0 if closed else 1)
        assert start
    across = (land[:, 1:] != land[:, :-1]).sum() + (land[1:] != land[:-1]).sum()
    assert ends == across
    assert outline(np.zeros((3, 3)), np.arange(3.0), np.arange(3.0)) == ""


def test_a_map_puts_greenwich_in_the_middle_and_north_on_top():
    latitude, longitude = np.linspace(90, -90, 19), np.arange(0.0, 360, 10)
    values = np.repeat(longitude[None, :], 19, axis=0).astype(np.float32)
    coarse, every = Field(values, latitude, longitude).coarser(18)
    assert every == 2
    assert coarse.longitude.tolist() == list(range(-180, 180, 20))
    assert coarse.values[0].tolist() == [lon % 360 for lon in range(-180, 180, 20)]
    figure = map_figure(
        coarse, Scale.of(0, 360), "cyclic", zonal_mean(coarse, Nature.SCALAR), "a map"
    )
    assert 'aria-label="a map"' in figure
    assert 'href="#coast"' in figure
    region = Field(values[:4, :6], latitude[:4], longitude[:6])
    assert region.coarser(100)[0].longitude.tolist() == longitude[:6].tolist()


def test_zonal_means_leave_out_what_is_missing_and_go_round_the_compass():
    field = Field(
        np.array([[1, 3, np.nan, np.nan], [np.nan] * 4, [350, 10, 350, 10]], np.float32),
        np.array([1.0, 0.0, -1.0]),
        np.arange(4.0),
    )
    means = zonal_mean(field, Nature.SCALAR)
    assert means[[0, 2]].tolist() == [2.0, 180.0]
    assert np.isnan(means[1])
    apart = abs(zonal_mean(field, Nature.DIRECTION)[2])
    assert min(apart, 360 - apart) < 1e-9


def comparison(path, location, scale, published=(0.0, 1.0)):
    return Comparison(
        key=path.rpartition("/")[2], rule=rule_of(path), location=location, scale=scale,
        published_location=published[0], published_scale=published[1], shift=0.0, ratio=1.0,
        look="",
    )  # fmt: skip


def fields_of(path):
    rng = np.random.default_rng(5)
    field = rng.gamma(2.0, 3e-9, (200, 400)).astype(np.float32)
    if path == "surface/2t":
        field = rng.normal(280, 20, (200, 400)).astype(np.float32)
    elif path == "surface/mwd":
        field = rng.uniform(0, 360, (200, 400)).astype(np.float32)
    return field


def seen_exactly(path, field, location, scale):
    """What Aurora makes of a field, value by value."""
    if path == "surface/mwd":
        return [np.sin(np.radians(field)), np.cos(np.radians(field))]
    scaled = (field.astype(np.float64) - location) / scale
    return [Pollutant().forward(scaled) if path == "surface/pm2p5" else scaled]


@pytest.mark.parametrize(
    ("path", "location", "scale"),
    [("surface/2t", 278.5, 21.2), ("surface/pm2p5", 0.0, 1e-8), ("surface/mwd", 0.0, 1.0)],
)
def test_distributions_after_the_transform_match_those_of_the_values(path, location, scale):
    """A kept bin is shared out evenly, so a bar is off by what lies in one bin at its edges."""
    field = fields_of(path)
    kept = reduce_field(field).histogram
    row = comparison(path, location, scale, published=(np.nan, np.nan))
    curves = as_seen(kept, row)
    exact = seen_exactly(path, field, location, scale)
    assert len(curves) == len(exact)
    for curve, values in zip(curves, exact, strict=True):
        bars = np.histogram(np.clip(values, *curve.edges[[0, -1]]), curve.edges)[0] / values.size
        assert curve.shares.sum() == pytest.approx(1)
        assert np.abs(np.cumsum(curve.shares) - np.cumsum(bars)).max() < 0.012
    before = of_values(kept, "as stored")
    bars = np.histogram(field, before.edges)[0] / field.size
    assert before.shares.sum() == pytest.approx(1)
    assert np.abs(np.cumsum(before.shares) - np.cumsum(bars)).max() < 0.012


def test_both_scales_share_one_axis_and_no_scale_draws_nothing():
    kept = reduce_field(fields_of("surface/2t")).histogram
    own, theirs = as_seen(kept, comparison("surface/2t", 278.5, 21.2, (300.0, 10.0)))
    assert own.edges.tolist() == theirs.edges.tolist()
    assert own.label != theirs.label
    nothing = comparison("surface/2t", np.nan, np.nan, (np.nan, np.nan))
    assert as_seen(kept, nothing) == ()
    assert rule_of("surface/pm2p5") is Rule.MEAN_MAXIMUM


def test_a_field_of_one_value_has_one_bar():
    kept = reduce_field(np.full((4, 4), 7.0, np.float32)).histogram
    curve = of_values(kept, "as stored")
    assert curve.shares.max() == curve.shares.sum() == 1
    assert "aria-label" in histogram([curve], "seven")
    assert Histogram().count == 0


def counted(times, absent=(), rejected=()):
    return {t: Count(1, int(t not in absent), int(t in rejected)) for t in times}


def test_the_layout_follows_the_length_of_the_period():
    start = datetime(2020, 1, 1)
    assert layout_for(start, start + 40 * DAY) is Layout.HOURS
    assert layout_for(start, start + 400 * DAY) is Layout.DAYS
    assert layout_for(start, start + 4000 * DAY) is Layout.YEARS


@pytest.mark.parametrize("layout", Layout)
def test_every_stretch_is_in_the_calendar_once(layout):
    start = datetime(2019, 12, 30)
    step = 6 * HOUR if layout is Layout.HOURS else DAY
    times = [start + i * step for i in range(80)]
    absent = {times[7], times[8], times[40]}
    found = lay_out(counted(times, absent, rejected={times[40]}), layout)
    assert found.totals == {
        State.WRITTEN: 77, State.PARTIAL: 0, State.MISSING: 2, State.REJECTED: 1,
    }  # fmt: skip
    places = [
        (label, cell.column + i)
        for label, cells in found.rows
        for cell in cells
        for i in range(cell.width)
    ]
    assert len(places) == len(set(places)) == 80
    assert max(column for _, column in places) < found.columns
    assert [label for label, _ in found.rows] == {
        Layout.HOURS: ["00 UTC", "06 UTC", "12 UTC", "18 UTC"],
        Layout.DAYS: ["2019-12", "2020-01", "2020-02", "2020-03"],
        Layout.YEARS: ["2019", "2020"],
    }[layout]
    drawn = calendar(found, "era5")
    assert 'class="missing"' in drawn
    assert 'class="rejected"' in drawn
    assert "77 " in drawn
    assert "2 times missing" in drawn or "2 days missing" in drawn


def test_a_day_with_one_frame_of_many_absent_is_not_whole():
    days = [datetime(2020, 1, 1) + i * DAY for i in range(200)]
    counts = dict.fromkeys(days, Count(24, 24, 0)) | {days[100]: Count(24, 23, 1)}
    found = lay_out(counts, Layout.DAYS)
    assert found.totals[State.PARTIAL] == 1
    assert "1 of 24 frames absent" in calendar(found, "era5")


def test_a_year_without_frames_keeps_its_row():
    times = [datetime(2000, 1, 1), datetime(2003, 12, 31)]
    found = lay_out(counted(times), Layout.YEARS)
    assert [(label, len(cells)) for label, cells in found.rows] == [
        ("2000", 1), ("2001", 0), ("2002", 0), ("2003", 1),
    ]  # fmt: skip


def test_only_markup_is_markup():
    assert escape("<&\"'>") == "&lt;&amp;&quot;&#x27;&gt;"
    assert escape(Markup("<b>")) == "<b>"
    assert join(["<", [None, Markup("<i>"), 3]]) == "&lt;<i>3"
    drawn = tag("a", "<", href='"><script>', class_="x", data_n=3, hidden=True, open=False)
    assert drawn == '<a href="&quot;&gt;&lt;script&gt;" class="x" data-n="3" hidden>&lt;</a>'
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'
