"""The page says what the manifest says, shows every gap, and lets nothing in or out."""

import json
import math
import re
import shutil

import pytest

from aurora_prep.manifest import Manifest
from aurora_prep.manifest.report import report
from aurora_prep.manifest.report.distributions import merged_of
from aurora_prep.manifest.report.facts import gather
from aurora_prep.normalisation import FieldName, Statistics, compare_aurora
from aurora_prep.pipelines.cli import main
from aurora_prep.sources.spec import ManifestError

CARD = r'<article class="card" aria-labelledby="(.+?)-7-5-.*?" data-path="(.+?)">(.*?)</article>'
FIELD = ("source", "path", "level")
NUMBERS = ("minimum", "mean", "maximum", "missing_fraction")
NAMES = ("frames", "written", "missing", "rejected")
EVIL = "<script>alert('x')</script><img src=http://evil.example/a.png onerror=alert(1)>\"'&"


@pytest.fixture(scope="module")
def summary(gaps):
    with Manifest.open(str(gaps)) as manifest:
        return {(row["source"], row["grid"]): row for row in manifest.summary().to_pylist()}


@pytest.fixture(scope="module")
def found(page, parsed):
    return parsed(page)


@pytest.fixture
def copied(gaps, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(gaps, tmp_path / "copy")


def test_the_table_of_sources_is_the_manifest_s_summary(found, summary):
    rows = {(row[0][0], row[1][0]): row for row in found.tables["sources"]}
    assert set(rows) == set(summary)
    assert len(rows) == 3
    for key, row in rows.items():
        known = summary[key]
        assert [cell[1] for cell in row[4:8]] == [known[name] for name in NAMES]
        assert row[8][0] == f"{known['first']:%Y-%m-%dT%H}"
        assert row[9][0] == f"{known['last']:%Y-%m-%dT%H}"
        assert [cell[1] for cell in row[11:13]] == [len(known["variables"]), len(known["levels"])]
        assert [cell[1] for cell in row[13:]] == [
            known["bytes"], known["tokens_per_frame"], known["tokens"],
        ]  # fmt: skip
    assert [cell[0] for cell in rows["era5", "7.5"][2:4]] == ["reanalysis", "cds"]


def test_the_totals_are_those_of_all_sources(found, summary):
    for name in (*NAMES, "bytes", "tokens"):
        assert found.totals[name] == sum(row[name] for row in summary.values())
    assert found.totals["missing"] == 5 + 3 + 1
    assert found.totals["rejected"] == 1


def test_every_gap_is_listed_with_its_reason(found, gaps):
    with Manifest.open(str(gaps)) as manifest:
        absent = manifest.missing().to_pylist()
    listed = [
        (name.removeprefix("gaps-").rpartition("-")[0], *(cell[0] for cell in row), row[2][1])
        for name, rows in found.tables.items()
        if name and name.startswith("gaps-")
        for row in rows
    ]
    assert sum(row[-1] for row in listed) == len(absent)
    known = {(row["source"], row["status"], row["reason"]) for row in absent}
    assert {(row[0], row[4], row[5]) for row in listed} == known
    assert [row[1:4] for row in listed if row[0] == "era5"] == [
        ("2020-01-29T06", "2020-01-30T06", "5"),
        ("2020-02-01T00", "2020-02-01T00", "1"),
    ]
    assert [row[1:4] for row in listed if row[0] == "cams_forecast"] == [
        ("2020-01-27T12 +24h", "2020-01-28T00 +24h", "4"),
    ]


def test_every_gap_is_seen_in_the_calendar(page):
    labels = re.findall(r'aria-label="((?:era5|era5_wave|cams_forecast)-7\.5: [^"]*)"', page)
    told = {label.partition(":")[0]: label for label in labels if "written" in label}
    assert "34 times written, 5 times missing, 1 time rejected" in told["era5-7.5"]
    assert "4 times written, 1 time partly there, 1 time missing" in told["cams_forecast-7.5"]
    assert "8 times written;" in told["era5_wave-7.5"]
    drawn = page[page.index('id="coverage"') : page.index('id="fields"')]
    calendar = drawn[drawn.index("34 times written") : drawn.index("gaps-era5-7.5")]
    assert calendar.count('class="missing"') == 5
    assert calendar.count('class="rejected"') == 1
    assert calendar.count('class="written"') == 34
    assert "<title>2020-02-01T00: 1 of 1 frames absent</title>" in calendar


def test_statistics_are_beside_those_of_aurora(found, gaps):
    for name in ("era5-7.5", "cams_forecast-7.5", "era5_wave-7.5"):
        text = (gaps / "statistics" / f"{name}.json").read_text()
        known = compare_aurora(Statistics.from_json(text))
        rows = found.tables[f"statistics-{name}"]
        assert [row[0][0] for row in rows] == [entry.key for entry in known]
        for row, entry in zip(rows, known, strict=True):
            numbers = (
                entry.location, entry.published_location, entry.scale, entry.published_scale,
                entry.shift, entry.ratio,
            )  # fmt: skip
            shown = [math.nan if cell[1] is None else cell[1] for cell in row[1:7]]
            assert shown == pytest.approx(numbers, nan_ok=True, rel=0, abs=0)
            assert row[7][0] == (entry.look or "\N{EN DASH}")


def test_each_field_shows_the_numbers_of_the_manifest(page, gaps):
    panels = re.findall(CARD, page, re.DOTALL)
    shown = {}
    for source, path, card in panels:
        for part in card.split('<div class="panel"')[1:]:
            level = re.match(r' data-level="(\d+)"', part)
            numbers = re.search(r'<dl class="numbers">(.*?)</dl>', part).group(1)
            values = [float(v) for v in re.findall(r'<data value="([^"]+)">', numbers)]
            shown[source, path, int(level.group(1)) if level else None] = values
    with Manifest.open(str(gaps)) as manifest:
        rows = manifest.sql("FROM details").to_pylist()
    known = {(*(row[n] for n in FIELD), *(row[n] for n in NUMBERS)) for row in rows}
    for field, numbers in shown.items():
        assert (*field, *numbers) in known
    assert len(shown) == 5 + 2 + 3
    assert "2020-02-01T18" in page  # the frame in the middle of ERA5's 34


def test_distributions_are_those_of_all_written_frames_of_the_split(page, gaps, declared):
    told = re.findall(r'Distributions of <data value="(\d+)">\d+</data> frames', page)
    assert told == ["14", "34", "8"]
    with Manifest.open(str(gaps)) as manifest:
        (held,) = [h for h in gather(manifest, declared).held if h.key[0] == "era5"]
        merged = merged_of(manifest, held)
    assert merged.whole
    kept = held.statistics.of("surface/2t")
    found = merged.histograms[FieldName.of("surface/2t", None)]
    assert (found.count, found.lowest, found.highest) == (kept.count, kept.minimum, kept.maximum)
    median = dict(kept.quantiles)[0.5]
    assert found.quantiles([0.5]) == (median,)


def test_quirks_are_those_of_the_planned_times_and_variables(found):
    (row,) = found.tables["quirks-cams_forecast-7.5"]
    assert row[1][0] == "no2, pm2p5"
    assert "negative" in row[2][0]
    assert "quirks-era5-7.5" not in found.tables


def test_what_a_reviewer_needs_is_there(found):
    text = " ".join(found.text)
    for needed in ("SYNTHETIC", "ab" * 32, "2026-01-01T00:00:00", "CC-BY-4.0", "Copernicus"):
        assert needed in text
    files = [row[0][0] for row in found.tables[None] if row[0][0].startswith("manifest/")]
    assert files == [f"manifest/{n}.parquet" for n in ("details", "frames", "objects", "parts")]
    splits = {row[0][0]: row for row in found.tables["splits"]}
    assert [cell[1] for cell in splits["era5-7.5"][2:4]] == [40, 34]
    versions = {row[0][0]: row for row in found.tables["versions"]}
    assert [cell[0] for cell in versions["era5-7.5"][1:4]] == ["reanalysis", "cds", "0001"]


def test_the_page_asks_for_nothing_outside_itself(found):
    for tag, attributes in found.tags:
        for name in ("src", "href", "action", "poster", "srcset"):
            place = attributes.get(name, "#")
            assert place.startswith(("#", "data:")), (tag, name, place)
    (policy,) = [a["content"] for t, a in found.tags if a.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy


def test_the_page_is_made_of_headed_sections_and_captioned_tables(found, page):
    tags = [tag for tag, _ in found.tags]
    assert tags.count("h1") == tags.count("main") == tags.count("header") == tags.count("nav") == 1
    assert tags.count("caption") == tags.count("table")
    assert page.startswith("<!DOCTYPE html>\n<html")
    names = [a["id"] for _, a in found.tags if "id" in a]
    assert len(names) == len(set(names))
    for _, attributes in found.tags:
        if attributes.get("role") == "img":
            assert attributes["aria-label"]
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in names


def test_the_same_dataset_gives_the_same_bytes_wherever_it_lies(page, copied, declared):
    assert report(str(copied), declared) == page


def test_what_comes_from_data_stays_text(copied, declared, parsed):
    place = copied / "dataset.json"
    text = place.read_text()
    for harmless in ("named-by-a-user", "CC-BY-4.0", "(ERA5)"):
        assert harmless in text
        text = text.replace(harmless, json.dumps(EVIL)[1:-1])
    place.write_text(text)
    found = parsed(report(str(copied), declared))
    tags = [tag for tag, _ in found.tags]
    assert tags.count("script") == 1
    assert "img" not in tags
    assert not [a for _, a in found.tags if "onerror" in a]
    assert found.text.count(EVIL) == 1 + 3  # the heading, and a licence of each source
    assert sum(EVIL in text for text in found.text) > 10


def test_a_source_that_is_not_declared_any_more_is_shown_all_the_same(gaps, parsed):
    found = parsed(report(str(gaps), {}))
    assert len(found.tables["sources"]) == 3
    assert not [name for name in found.tables if name and name.startswith("quirks")]


def test_a_shard_that_is_gone_or_damaged_is_told(copied, declared):
    gone = copied / "era5/7.5.zarr/2t/c/23/0/0"
    damaged = copied / "era5/7.5.zarr/t/c/23/0/0/0"
    gone.unlink()
    damaged.write_bytes(b"\x00" * damaged.stat().st_size)
    page = report(str(copied), declared)
    assert "The store does not hold what the manifest says: 100.00% missing" in page
    assert page.count("a field cannot be read") == 2


def test_without_the_ledger_the_shown_frame_gives_the_distributions(copied, declared):
    shutil.rmtree(copied / "manifest/parts")
    page = report(str(copied), declared)
    assert "Distributions of this frame alone" in page
    assert page.count('class="histogram"') > 10


def test_many_gaps_are_counted_where_they_are_not_listed(planned_only, declared, parsed):
    root = planned_only(frames=300, reasons=("no such field", "the request failed"))
    found = parsed(report(str(root), declared))
    assert len(found.tables["gaps-era5-0.25"]) == 100
    assert any("And 200 more gaps of 200 frames" in text for text in found.text)
    assert found.totals["missing"] == found.totals["frames"] == 300
    assert any("No statistics" in text for text in found.text)
    assert "image" not in [tag for tag, _ in found.tags]


def test_an_unfinished_dataset_is_refused(copied, declared, capsys, tmp_path):
    (copied / "dataset.json").write_text("{")
    with pytest.raises(ManifestError, match=r"dataset\.json is damaged"):
        report(str(copied), declared)
    (copied / "dataset.json").unlink()
    out = tmp_path / "report.html"
    assert main(["report", str(copied), "--out", str(out)]) == 2
    assert "fix:   run its recipe again" in capsys.readouterr().err
    assert not out.exists()


def test_the_command_writes_the_page(gaps, page, tmp_path, capsys):
    out = tmp_path / "pages" / "report.html"
    assert main(["report", str(gaps), "--out", str(out)]) == 0
    assert out.read_text("utf-8") == page
    assert str(out) in capsys.readouterr().out
